"""The engine: blocks, threads, factors."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from scipy.stats import rankdata

from skcoldstart._kernels.ranking import SORT_ABOVE
from skcoldstart._scores.sources import CallableScores, DenseScores, LowRankScores
from skcoldstart.metrics._formulas import pooled_auc
from skcoldstart.metrics._ranks import RankingTask, rank_positives
from tests.references import ranking as reference


def make_factors(rng, n_items=70, n_users=600, k=5, dtype=np.float32):
    """Return factors of small whole numbers: products are exact, and tie."""
    V = rng.integers(-3, 4, size=(n_items, k)).astype(dtype)
    U = rng.integers(-3, 4, size=(n_users, k)).astype(dtype)
    return V, U, rng.random((n_items, n_users)) < 0.1


def assert_same(one, other):
    for name in ("n_positives", "n_negatives", "ranks", "midrank_sums"):
        assert_array_equal(getattr(one, name), getattr(other, name))


def test_any_number_of_threads_gives_the_same_bits(rng):
    V, U = rng.normal(size=(300, 20)), rng.normal(size=(1500, 20))
    source = LowRankScores(V.astype(np.float32), U.astype(np.float32))
    task = RankingTask.from_plays(rng.random((300, 1500)) < 0.1, source)
    one = rank_positives(task, source, n_jobs=1)
    assert_same(rank_positives(task, source, n_jobs=2), one)
    assert_same(rank_positives(task, source), one)
    assert pooled_auc(task, source, n_jobs=2) == pooled_auc(task, source, n_jobs=1)


@pytest.mark.parametrize("block_users", [1, 7, 599, 600, 10_000])
def test_blocks_of_any_size_rank_alike(block_users, rng):
    V, U, y = make_factors(rng)
    source = LowRankScores(V, U)
    task = RankingTask.from_plays(y, source)
    in_blocks = rank_positives(task, source, block_users=block_users)
    assert_same(in_blocks, rank_positives(task, source))


def test_duplicate_items_tie_exactly(rng):
    # Products of these are exact in float32, whatever the order of the sums.
    V, U = (rng.integers(-500, 500, (n, 33)).astype("f4") for n in (500, 300))
    V[1::2] = V[::2]
    source = LowRankScores(V, U)
    y = np.zeros((500, 300))
    y[np.arange(300), np.arange(300)] = 1
    ranks = rank_positives(RankingTask.from_plays(y, source), source)
    # The twin of a positive ties: midranks of a lone positive end in a half.
    assert_array_equal(ranks.midrank_sums % 2, 1)


def test_users_without_positives_are_not_scored(rng):
    V, U, y = make_factors(rng)
    y[:, ::2] = False
    scored = []

    class Watched(LowRankScores):
        def rows(self, users, out=None):
            scored.append(np.arange(600)[users])
            return super().rows(users, out)

    source = Watched(V, U)
    ranks = rank_positives(RankingTask.from_plays(y, source), source)
    assert_array_equal(
        np.sort(np.concatenate(scored)), np.flatnonzero(ranks.n_positives)
    )


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_factors_that_give_nan_raise_and_name_the_user(bad, rng):
    V, U, y = make_factors(rng)
    U[5], y[0, 5] = [bad, -bad, 0, 0, 0], True
    V[3] = 1
    source = LowRankScores(V, U)
    with pytest.raises(ValueError, match="contain NaN" if bad != bad else "of user 5"):
        rank_positives(RankingTask.from_plays(y, source), source)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_users_with_many_positives_are_ranked_by_sorting_to_the_same_numbers(
    dtype, rng
):
    scores = rng.integers(0, 40, size=(2500, 4)).astype(dtype)
    scores[:, 3] = rng.normal(size=2500)
    y = rng.random((2500, 4)) < [0.01, 0.5, 0.9, 0.6]
    exclude = (rng.random(y.shape) < 0.3) & ~y
    source = DenseScores(scores)
    task = RankingTask.from_plays(y, source, exclude=exclude)
    assert (task.n_positives > SORT_ABOVE).sum() == 3
    ranks = rank_positives(task, source)
    for u, (played, kept) in enumerate(reference.candidates(y, scores, exclude)):
        own = ranks.ranks[ranks.users == u]
        assert_array_equal(own, 1 + np.flatnonzero(reference.hits(played, kept)))
        assert ranks.midrank_sums[u] == 2 * rankdata(-kept)[played].sum()
    scores[np.flatnonzero(y[:, 1])[-1], 1] = -np.inf
    with pytest.raises(ValueError, match="User 1 played an item with score -inf"):
        rank_positives(task, source)


@pytest.mark.parametrize(
    ("n_users", "n_items", "expected"),
    [
        (2_000, 1_881, 256),  # 256 users fit a near cache
        (8_300, 5_000, 1024),
        (2_400, 5_000, 300),  # an eighth of the users
    ],
)
def test_a_block_has_the_stated_size(n_users, n_items, expected):
    widths = []

    def scores(users):
        widths.append(len(users))
        return np.zeros((n_items, len(users)), np.float32)

    source = CallableScores(scores, n_items, n_users, np.float32)
    users = np.arange(n_users)
    plays = sp.coo_array(
        (np.ones(n_users), (users % n_items, users)), (n_items, n_users)
    )
    rank_positives(RankingTask.from_plays(plays, source), source)
    assert max(widths) == expected
