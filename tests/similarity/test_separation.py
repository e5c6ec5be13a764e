"""The most violated rankings: equal to trying them all."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._kernels import separation, separation_at_k
from tests.references.separation import all_rankings, cost_of, hinge, interleavings

LOSSES = ["auc", "map", "mrr", "precision", "ndcg"]


def separate(loss, scores, queries, groups, relevant, k=3, plain=False):
    """Call the kernel of a loss; relevant is a bool table, one row per query."""
    scores = np.atleast_2d(scores).astype(np.float64)
    gradients, hinges = np.full_like(scores, np.nan), np.full(len(scores), np.nan)
    indptr = np.r_[0, np.cumsum(np.sum(relevant, axis=1))].astype(np.int64)
    items = np.nonzero(relevant)[1].astype(np.int32)
    where = np.asarray(queries, np.int32), np.asarray(groups, np.int32), indptr, items
    if loss in {"precision", "ndcg"}:
        kernel = separation_at_k.separate_at_k
        ranks = np.arange(1, k + 1)
        discounts = np.ones(k) if loss == "precision" else 1 / np.log2(ranks + 1)
        extra = (discounts,)
    else:
        kernel, extra = getattr(separation, f"separate_{loss}"), ()
    kernel = getattr(kernel, "py_func", kernel) if plain else kernel
    kernel(scores, *where, gradients, hinges, *extra)
    return gradients, hinges


def one_query(loss, scores, is_relevant, k=3, **how):
    """Rank all but a query that stands before them."""
    scores = np.r_[0.0, scores]
    groups = np.arange(len(scores))
    relevant = np.r_[False, is_relevant][np.newaxis]
    gradients, hinges = separate(loss, scores, [0], groups, relevant, k, **how)
    assert gradients[0, 0] == 0
    return gradients[0, 1:], hinges[0]


def draw(rng, *, largest=5, ties=True):
    """Return scores, half of the time with ties, of some items of both kinds."""
    n_relevant, n_irrelevant = rng.integers(1, largest + 1, size=2)
    scale = rng.choice([0.1, 1.0, 5.0])
    scores = scale * rng.normal(size=n_relevant + n_irrelevant)
    if ties and rng.random() < 0.5:
        scores = np.round(scores * 2) / 2
    is_relevant = rng.permutation(np.arange(len(scores)) < n_relevant)
    return scores, is_relevant


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_hinge_is_the_largest_cost_over_all_interleavings(loss, rng):
    for _ in range(300):
        scores, is_relevant = draw(rng)
        k = int(rng.integers(1, 8))
        _, value = one_query(loss, scores, is_relevant, k)
        best = hinge(scores, is_relevant, loss, k)
        assert_allclose(value, best, rtol=1e-12, atol=1e-12)
    for _ in range(20):  # no ranking at all costs more
        scores, is_relevant = draw(rng, largest=3)
        _, value = one_query(loss, scores, is_relevant, 2)
        best = hinge(scores, is_relevant, loss, 2, rankings=all_rankings)
        assert_allclose(value, best, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_is_that_of_a_ranking_that_costs_as_much(loss, rng):
    for _ in range(100):
        scores, is_relevant = draw(rng, largest=4, ties=False)
        gradient, value = one_query(loss, scores, is_relevant)
        costs = [
            cost_of(ranking, scores, is_relevant, loss, 3)
            for ranking in interleavings(scores, is_relevant)
        ]
        assert any(
            abs(cost - value) < 1e-10 and np.abs(own - gradient).max() < 1e-12
            for cost, own in costs
        )


@pytest.mark.parametrize("loss", LOSSES)
def test_hinge_stays_above_its_tangent(loss, rng):
    for _ in range(100):
        scores, is_relevant = draw(rng, largest=9)
        gradient, value = one_query(loss, scores, is_relevant)
        others = scores + rng.normal(size=len(scores))
        tangent = value + gradient @ (others - scores)
        assert one_query(loss, others, is_relevant)[1] >= tangent - 1e-12


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_adds_up_to_zero_and_equals_finite_differences(loss, rng):
    for n_relevant, n_irrelevant in [(3, 40), (30, 40), (1, 1), (1, 9), (20, 1)]:
        scores = rng.normal(size=n_relevant + n_irrelevant)
        is_relevant = rng.permutation(np.arange(len(scores)) < n_relevant)
        gradient, _ = one_query(loss, scores, is_relevant, 6)
        assert_allclose(gradient.sum(), 0, atol=1e-13)
        direction = rng.normal(size=len(scores))
        step = 1e-7
        ahead, behind = (
            one_query(loss, scores + sign * step * direction, is_relevant, 6)[1]
            for sign in (1, -1)
        )
        assert_allclose((ahead - behind) / (2 * step), gradient @ direction, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_items_of_the_own_group_are_not_ranked(loss, rng):
    scores = rng.normal(size=(1, 12))
    relevant = np.zeros((1, 12), bool)
    relevant[0, [2, 5, 7]] = True
    groups = np.arange(12)
    groups[[1, 8, 9]] = groups[4]
    gradients, hinges = separate(loss, scores, [4], groups, relevant)
    kept = np.setdiff1d(np.arange(12), [1, 4, 8, 9])
    gradient, value = one_query(loss, scores[0, kept], relevant[0, kept])
    assert_allclose(hinges[0], value, rtol=1e-13)
    assert_allclose(gradients[0, kept], gradient, rtol=1e-13)
    assert_array_equal(gradients[0, [1, 4, 8, 9]], 0)


def test_equal_scores_cost_one_under_auc():
    gradient, value = one_query("auc", np.zeros(5), np.arange(5) < 2)
    assert_allclose(value, 1.0)
    assert_allclose(gradient, [-1.0, -1.0, 2 / 3, 2 / 3, 2 / 3])


@pytest.mark.parametrize("loss", LOSSES)
def test_python_of_the_kernel_equals_what_is_compiled(loss, rng):
    scores = rng.normal(size=(4, 30))
    relevant = rng.random((4, 30)) < 0.6
    relevant[:, :4] = False
    arguments = loss, scores, np.arange(4), np.arange(30), relevant
    for compiled, plain in zip(
        separate(*arguments), separate(*arguments, plain=True), strict=True
    ):
        assert_allclose(compiled, plain, rtol=1e-12, atol=1e-15)
