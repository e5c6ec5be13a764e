"""Checks of input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skcoldstart import RaggedArray
from skcoldstart._scores.plays import check_play_counts
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
    "container",
    [
        np.asarray,
        np.ndarray.tolist,
        *(sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.csc_array),
        *(sp.coo_matrix, sp.coo_array, sp.lil_array, sp.dok_array),
    ],
)
def test_every_container_gives_the_same_canonical_plays(container):
    y = np.array([[0.0, 2.0, 0.0], [5.0, 0.0, 1.0]])
    plays = check_play_counts(container(y))
    assert isinstance(plays, sp.csr_array)
    assert_array_equal(plays.toarray(), y)
    assert plays.has_canonical_format


def rows(data, indices, indptr):
    parts = np.array(data), np.array(indices), np.array(indptr)
    return sp.csr_array(parts, shape=(len(indptr) - 1, 3))


def test_duplicates_add_up_zeros_vanish_and_order_returns_in_a_copy():
    y = rows([1.0, 2.0, 0.0], [1, 1, 0], [0, 2, 3])
    plays = check_play_counts(y)
    assert_array_equal(plays.toarray(), [[0, 3, 0], [0, 0, 0]])
    assert plays.nnz == 1
    assert_array_equal([y.data, y.indices], [[1, 2, 0], [1, 1, 0]])
    y = rows([1.0, 2.0], [2, 0], [0, 2])
    assert_array_equal(check_play_counts(y).indices, [0, 2])
    assert_array_equal(y.indices, [2, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, bool, "f8", "f4"])
def test_counts_become_floating_point_before_they_are_added(dtype):
    pairs = np.full(3, 100, dtype), (np.zeros(3, int), np.ones(3, int))
    plays = check_play_counts(sp.coo_array(pairs, shape=(1, 2)))
    assert plays.toarray()[0, 1] == (3.0 if dtype is bool else 300.0)
    assert plays.dtype == check_play_counts(np.eye(3, dtype=dtype)).dtype
    assert plays.dtype == (dtype if dtype == "f4" else "f8")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, r"y is None; pass play counts of shape \(n_items, n_users\)"),
        (np.ones(4), r"has shape \(4,\); expected a 2-D table"),
        (np.array([[1.0, np.nan]]), "NaN"),
        (np.array([[1.0, np.inf]]), "infinity"),
        (sp.csr_array([[1.0, np.nan]]), "NaN"),
        (np.array([[1.0, -2.0]]), "the smallest is -2"),
        (sp.csr_array([[1.0, -2.0]]), "the smallest is -2"),
        (rows([3.0, -1.0], [1, 1], [0, 2]), "Negative values"),
        (np.ones((2, 2, 2)), "dim 3"),
        (np.ones((0, 3)), "0 sample"),
    ],
)
def test_malformed_plays_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        check_play_counts(y)


def test_what_counts_of_coordinates_is_their_sum():
    pairs = np.array([3.0, -1.0]), (np.array([0, 0]), np.array([1, 1]))
    assert check_play_counts(sp.coo_array(pairs, shape=(1, 2))).toarray()[0, 1] == 2.0


def test_transposed_plays_are_recognised():
    y = np.ones((5, 8))
    with pytest.raises(ValueError, match=r"one row per item.*users as rows \(y\.T\)"):
        check_play_counts(y, n_items=8)
    with pytest.raises(ValueError, match="one row per item and one column") as error:
        check_play_counts(y, n_items=6)
    assert "users as rows" not in str(error.value)


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
