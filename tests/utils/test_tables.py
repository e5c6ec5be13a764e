"""Results as a DataFrame, or as columns where pandas is missing."""

import sys

import numpy as np
import pandas as pd

from skcoldstart._utils.table import table_of

ROWS = [{"model": "a", "auc": 0.5}, {"model": "b", "auc": np.nan}]


def test_rows_become_a_frame():
    pd.testing.assert_frame_equal(table_of(ROWS), pd.DataFrame(ROWS))


def test_names_that_are_not_utf8_stay_as_they_are():
    table = table_of([{"item": "caf\udce9", "n": 1}, {"item": "b", "n": 2}])
    assert table["item"].tolist() == ["caf\udce9", "b"]
    assert table["n"].tolist() == [1, 2]


def test_pairs_stay_pairs():
    table = table_of([{"user": ("radio", 1)}, {"user": ("radio", 2)}])
    assert table["user"].tolist() == [("radio", 1), ("radio", 2)]


def test_rows_become_columns_where_pandas_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    columns = table_of(ROWS)
    assert columns["model"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(columns["auc"], [0.5, np.nan])
