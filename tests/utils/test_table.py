"""Named columns that print, and become rows or a frame."""

import numpy as np
import pytest

from skcoldstart._utils.table import Table


@pytest.fixture
def table():
    return Table({"model": ["a<b", "c"], "n": [10, 2], "auc": [0.5, np.nan]})


def test_text_is_aligned_and_says_every_value(table):
    assert repr(table).splitlines() == [
        "model   n     auc",
        "a<b    10  0.5000",
        "c       2     nan",
    ]


def test_small_numbers_keep_their_size():
    text = repr(Table({"p": [0.00001, 0.0, 0.25]}))
    assert [line.strip() for line in text.splitlines()] == [
        "p",
        "1.0e-05",
        "0.0000",
        "0.2500",
    ]


def test_html_escapes_names(table):
    assert "<td>a&lt;b</td><td>10</td>" in table._repr_html_()


def test_rows_hold_plain_values_and_make_the_table_again(table):
    rows = table.rows()
    assert rows[1]["n"] == 2
    assert type(rows[0]["auc"]) is float
    assert repr(Table.from_rows(rows)) == repr(table)


def test_frame_has_the_same_columns(table):
    pytest.importorskip("pandas")
    frame = table.to_frame()
    assert list(frame) == list(table) == ["model", "n", "auc"]
    assert frame["n"].tolist() == [10, 2]


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match=r"differ in length: \{'a': 1, 'b': 2\}"):
        Table({"a": [1], "b": [1, 2]})
