import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skcoldstart._scores.sources import CallableScores, DenseScores, LowRankScores
from skcoldstart._scores.top_n import BLOCK_USERS, check_indices, top_n_per_user


def reference_top_n(scores, n, users, exclude=None):
    """Stable argsort of each user's candidates, padded with -1 and -inf."""
    items = np.full((len(users), n), -1)
    best = np.full((len(users), n), -np.inf, scores.dtype)
    for i, user in enumerate(users):
        allowed = np.arange(len(scores))
        if exclude is not None:
            allowed = allowed[np.asarray(exclude)[:, user] == 0]
        order = allowed[np.argsort(-scores[allowed, user], kind="stable")][:n]
        items[i, : len(order)] = order
        best[i, : len(order)] = scores[order, user]
    return items, best


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7, 40, 97, 130])
@pytest.mark.parametrize("n_levels", [2, 30, 10**9])
def test_best_items_are_those_of_a_stable_argsort(rng, dtype, n, n_levels):
    scores = rng.integers(n_levels, size=(97, 60)).astype(dtype) / n_levels
    exclude = rng.random((97, 60)) < 1.2 * rng.random(60)
    users = rng.integers(60, size=45)

    items, best = top_n_per_user(DenseScores(scores), n, users=users, exclude=exclude)

    expected_items, expected_best = reference_top_n(scores, n, users, exclude)
    assert_array_equal(items, expected_items)
    assert_array_equal(best, expected_best)
    assert items.dtype == np.int64 and best.dtype == dtype


def test_infinite_scores_are_ordinary_scores():
    scores = np.array([[-np.inf], [np.inf], [0.0], [-np.inf]])
    items, best = top_n_per_user(DenseScores(scores), 5)
    assert_array_equal(items, [[1, 2, 0, 3, -1]])
    assert_array_equal(best, [[np.inf, 0.0, -np.inf, -np.inf, -np.inf]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(rng, dtype):
    n_users = 3 * BLOCK_USERS + 17
    V, U = (rng.normal(size=(n, 9)).astype(dtype) for n in (300, n_users))
    source = LowRankScores(V, U)
    one = top_n_per_user(source, 12, n_jobs=1)
    two = top_n_per_user(source, 12, n_jobs=2)
    assert_array_equal(one[0], two[0])
    assert_array_equal(one[1].view(np.uint8), two[1].view(np.uint8))


def test_tables_of_excluded_pairs_are_freed_before_users_are_ranked(rng):
    exclude = sp.csr_array((rng.random((500, 800)) < 0.5).astype(float))
    held = []

    def ones(users):
        held.append(tracemalloc.get_traced_memory()[0])
        return np.ones((500, len(users)))

    tracemalloc.start()
    try:
        top_n_per_user(CallableScores(ones, 500, 800), 1, exclude=exclude, n_jobs=1)
    finally:
        tracemalloc.stop()
    assert held[0] < 8 * exclude.nnz  # the rows of the pairs take 4 bytes each


def test_tiles_cover_every_user_and_none_is_wider_than_256(rng):
    class Recorder(DenseScores):
        widths = []

        def rows(self, users):
            self.widths.append(len(users))
            return super().rows(users)

    scores = rng.random((15, 700))
    items, _ = top_n_per_user(Recorder(scores), 2, n_jobs=1)
    assert Recorder.widths == [256, 256, 188]
    assert_array_equal(items, reference_top_n(scores, 2, range(700))[0])


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csr_array, sp.coo_array, np.array])
def test_exclude_may_have_any_format_and_ignores_stored_zeros(rng, make):
    scores = np.asfortranarray(rng.random((30, 8)))
    before, pairs = scores.copy(), rng.random((30, 8)) < 0.5
    exclude = make(pairs.astype(float))
    if sp.issparse(exclude):
        exclude.data[0] = 0
        pairs = exclude.toarray() != 0
    items, _ = top_n_per_user(DenseScores(scores), 5, exclude=exclude)
    assert_array_equal(items, reference_top_n(scores, 5, range(8), pairs)[0])
    assert_array_equal(scores, before)


def test_integer_scores_are_ranked_as_float64():
    items, best = top_n_per_user(DenseScores(np.array([[3], [5], [5]])), 2)
    assert_array_equal(items, [[1, 2]])
    assert best.dtype == np.float64


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("excluded", [True, False])
def test_nan_scores_raise_and_name_the_user(n_jobs, excluded):
    scores = np.zeros((5, 600))
    scores[2, 513] = np.nan
    exclude = np.isnan(scores) if excluded else None
    with pytest.raises(ValueError, match="user 513 contain NaN"):
        top_n_per_user(DenseScores(scores), 2, n_jobs=n_jobs, exclude=exclude)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"n": n}, "expected an integer of at least 1") for n in (0, -1, 1.5)),
        ({"n": 1, "exclude": np.ones((2, 3))}, r"shape \(2, 3\).*exclude\.T"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        top_n_per_user(DenseScores(np.zeros((3, 2))), **options)


def test_users_may_be_indices_or_a_mask():
    for users, expected in (
        (None, [0, 1, 2]),
        ([2, 0, 2], [2, 0, 2]),
        ([True, False, True], [0, 2]),
        ([], []),
    ):
        assert_array_equal(check_indices(users, 3, name="users"), expected)


def test_no_users_give_an_empty_result():
    items, best = top_n_per_user(DenseScores(np.zeros((4, 3))), 2, users=[])
    assert items.shape == best.shape == (0, 2)


@pytest.mark.parametrize(
    ("users", "match"),
    [
        ([0, 3], "users holds 3 but there are 3 users"),
        ([-1], "users holds -1"),
        ([True, False], "mask of length 2 but there are 3 users"),
        ([0.5], "dtype float64"),
        (1, r"Pass \[user\]"),
        ([[0]], "1-D"),
    ],
)
def test_users_that_do_not_fit_are_refused(users, match):
    with pytest.raises(ValueError, match=match):
        check_indices(users, 3, name="users")
