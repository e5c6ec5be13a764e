"""Checks of items and of frames."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skcoldstart import RaggedArray
from skcoldstart._sequences.checks import check_frames, check_item_sequence, count_items
from skcoldstart._sequences.ragged import LazySequence


@pytest.mark.parametrize("single", ["a.wav", b"a.wav", Path("a.wav")])
@pytest.mark.parametrize("check", [check_item_sequence, count_items])
def test_a_single_path_is_refused_with_the_remedy(check, single):
    with pytest.raises(TypeError, match=r"single path .* Pass \["):
        check(single)


@pytest.mark.parametrize(
    "X", [{"a": 1}, {"a"}, (p for p in "ab"), 3, np.array(3.0), sp.eye_array(2), []]
)
def test_what_is_not_a_sequence_of_items_is_refused(X):
    error = ValueError if isinstance(X, list) else TypeError
    with pytest.raises(error, match=r"one entry per item|without a length|no items"):
        check_item_sequence(X)


def test_a_series_is_read_by_position_and_not_by_label():
    assert check_item_sequence(pd.Series(["a", "b"], index=[7, 3])) == ["a", "b"]


@pytest.mark.parametrize(
    ("X", "lengths"),
    [
        (np.ones((3, 2)), [1, 1, 1]),
        (np.ones((3, 4, 2)), [4, 4, 4]),
        ([np.ones((1, 2)), np.ones((3, 2))], [1, 3]),
        ([[1.0, 2.0], [3.0, 4.0]], [1, 1]),
        ([np.ones((1, 2)), np.empty((0, 2)), np.empty(0)], [1, 0, 0]),
        (np.ones((3, 2), dtype=int), [1, 1, 1]),
    ],
)
def test_frames_come_in_many_containers(X, lengths):
    frames = check_frames(X)
    assert frames.values.ndim == 2
    assert frames.dtype.kind == "f"
    assert_array_equal(frames.lengths, lengths)


def test_half_precision_and_lazy_frames_pass_as_they_are():
    for frames in (
        RaggedArray(np.ones((4, 2), dtype=np.float16), [0, 4]),
        LazySequence(lambda i: 1 / 0, [1, 2]),
    ):
        assert check_frames(frames) is frames


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_frame_is_named_by_its_place_in_the_whole(bad):
    items = [np.ones((2, 3)), np.empty((0, 3)), np.ones((4, 3))]
    items[2][2, 1] = bad
    with pytest.raises(ValueError, match="NaN or infinity: item 2, frame 2"):
        check_frames(items)
    with pytest.raises(ValueError, match="item 18, frame 2"):
        check_frames(items, positions=range(16, 99))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([np.ones(3), np.ones(2)], ValueError, r"1 axes"),
        (np.ones(3), ValueError, "Expected 2D array, got 1D array"),
        (np.ones((3, 0)), ValueError, "0 feature"),
        (np.ones((2, 2, 2, 2)), ValueError, "3 axes"),
        (np.ones((4, 2)), ValueError, "has 2 features per frame, but 3 features"),
        (sp.csr_array(np.ones((3, 2))), TypeError, "frames must be dense"),
        ("a.wav", TypeError, "single path"),
        (np.ones((2, 2)) * 1j, ValueError, "Complex data"),
        (np.array([[1, {}], [3, 4]], object), TypeError, "a string or a real number"),
    ],
)
def test_what_is_not_frames_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        check_frames(X, n_features=3)


def test_a_table_of_number_objects_is_items_of_one_frame():
    frames = check_frames(np.array([[1, 2.5], [3, 4]], dtype=object))
    assert frames.dtype == np.float64
    assert_array_equal(frames.values, [[1, 2.5], [3, 4]])
