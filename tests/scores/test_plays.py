"""Checks of play counts."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skcoldstart._scores.plays import check_play_counts


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
