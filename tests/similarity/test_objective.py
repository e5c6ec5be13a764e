"""The objective and its relevant items: value, gradient, minimum, and a bound."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._utils.threads import worker_threads
from skcoldstart.similarity import MLRSimilarity
from skcoldstart.similarity._objective import RankingObjective
from skcoldstart.similarity._solvers import lower_bound, starting_factor
from skcoldstart.similarity._targets import (
    LabelRelevance,
    TableRelevance,
    listeners_in_common,
)
from tests.references.relevance import most_alike
from tests.references.separation import ranking_objective

LOSSES = ["auc", "map", "mrr", "precision", "ndcg"]
PENALTIES = {"trace": np.trace, "frobenius": lambda W: 0.5 * (W**2).sum()}

# On all 178 wines: F(I) and F(I / 10) with C = 1, to all digits given; the least F
# with C = 1 and C = 10, from four starts of two programs.
WINE = {
    "auc": (3.50440027, 0.49421976, 0.074268, 0.426331),
    "map": (3.57647461, 0.69189097, 0.220514, 1.297119),
    "mrr": (4.03358971, 1.18554529, 0.803394, 5.95834),
}


def one_after_the_other(function, items):
    return list(map(function, items))


def objective_of(X, relevance, groups, **options):
    defaults = {"loss": "auc", "k": 3, "C": 1.0, "regularizer": "trace"}
    threads = {"run": one_after_the_other, "n_threads": 1}
    groups = groups.astype(np.int32)
    return RankingObjective(X, relevance, groups, **defaults | threads | options)


def wine_objective(wine, **options):
    X, y = wine
    alone = np.arange(len(X))
    return objective_of(X, LabelRelevance(y, alone), alone, **options)


def metric_of(L):
    return np.diag(L**2) if L.ndim == 1 else L.T @ L


@pytest.mark.parametrize("loss", list(WINE))
def test_objective_of_wine_is_that_of_another_program(loss, wine):
    objective = wine_objective(wine, loss=loss)
    identity = np.eye(13)
    assert_allclose(objective(identity)[0], WINE[loss][0], atol=1e-8)
    assert_allclose(objective(np.sqrt(0.1) * identity)[0], WINE[loss][1], atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("C", [1.0, 10.0])
@pytest.mark.parametrize("loss", list(WINE))
def test_minimum_of_wine_is_reached(loss, C, wine):
    model = MLRSimilarity(loss=loss, C=C, scale=False).fit(*wine)
    assert model.objective_ <= WINE[loss][3 if C == 10 else 2] * 1.0003


@pytest.mark.parametrize("regularizer", list(PENALTIES))
@pytest.mark.parametrize("loss", LOSSES)
def test_objective_is_that_of_all_rankings(loss, regularizer, rng):
    X = rng.normal(size=(7, 3))
    relevant = rng.random((7, 7)) < 0.4
    groups = np.array([0, 1, 2, 3, 4, 5, 5])
    relevant[groups[:, None] == groups] = False
    table = TableRelevance(sp.csr_array(relevant.astype(np.int8)), groups)
    options = {"loss": loss, "C": 3.0}
    objective = objective_of(X, table, groups, regularizer=regularizer, **options)
    options |= {"groups": groups, "penalty": PENALTIES[regularizer]}
    for L in (rng.normal(size=(2, 3)), rng.normal(size=3)):
        expected = ranking_objective(metric_of(L), X, relevant, **options)
        assert_allclose(objective(L)[0], expected, rtol=1e-12)
        assert_allclose(objective.value(L, objective.queries), expected, rtol=1e-12)


@pytest.mark.parametrize("regularizer", list(PENALTIES))
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_equals_finite_differences(loss, regularizer, wine, rng):
    objective = wine_objective(wine, loss=loss, regularizer=regularizer, C=3.0)
    for L in (0.2 * rng.normal(size=(4, 13)), 0.2 * rng.normal(size=13)):
        direction = rng.normal(size=L.shape)
        step = 1e-7
        gradient = objective(L)[1]
        ahead, behind = (objective(L + s * step * direction)[0] for s in (1, -1))
        slope = (gradient * direction).sum()
        # A kink between the two points costs up to its jump.
        assert_allclose((ahead - behind) / (2 * step), slope, rtol=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_planes_support_the_mean_hinge(loss, wine, rng):
    objective = wine_objective(wine, loss=loss)
    for shape in [(3, 13), (13,)]:
        L, other = 0.2 * rng.normal(size=(2, *shape))
        loss_there, slope = objective.plane(L)
        slope = np.diag(slope) if slope.ndim == 1 else slope
        touching, above = (
            objective(factor)[0]
            - objective.penalty(factor)[0]
            - (loss_there - (metric_of(factor) * slope).sum())
            for factor in (L, other)
        )
        assert_allclose(touching, 0, atol=1e-12)
        assert above >= -1e-12


@pytest.mark.slow
@pytest.mark.parametrize("regularizer", ["trace", "frobenius"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_no_metric_is_better_than_the_bound(regularizer, diagonal, wine, rng):
    objective = wine_objective(wine, regularizer=regularizer)
    options = {"regularizer": regularizer, "diagonal": diagonal, "scale": False}
    model = MLRSimilarity(C=1.0, random_state=0, **options).fit(*wine)
    best = np.diag(model.components_) if diagonal else model.components_
    bound = lower_bound(objective, best, seed=0)
    assert_allclose(model.objective_, objective(best)[0], rtol=1e-12)
    assert 0 <= model.duality_gap_ <= 0.005 * model.objective_
    for _ in range(20):
        other = best + 0.1 * rng.normal(size=best.shape) * np.abs(best).mean()
        assert objective(other)[0] >= bound
        assert lower_bound(objective, other, seed=0) <= model.objective_


def test_blocks_and_threads_add_up_to_the_whole(rng):
    X, labels = rng.normal(size=(1100, 3)), rng.integers(0, 40, 1100)  # two blocks
    alone, L = np.arange(1100), rng.normal(size=(2, 3))
    how = X, LabelRelevance(labels, alone), alone
    objective = objective_of(*how, loss="map")
    value, gradient = objective(L)
    parts = np.split(objective.queries, 10)  # each less than a block
    of_parts = [objective(L, queries) for queries in parts]
    assert_allclose(value, np.mean([v for v, _ in of_parts]), rtol=1e-12)
    assert_allclose(gradient, np.mean([g for _, g in of_parts], axis=0), rtol=1e-9)
    found = []
    for n_threads in (1, 2):
        with worker_threads(n_threads) as run:  # BLAS has one thread in both
            threaded = objective_of(*how, loss="map", run=run, n_threads=n_threads)
            found.append(threaded(L))
    assert found[0][0] == found[1][0]
    assert_array_equal(found[0][1], found[1][1])


def test_low_rank_starts_from_the_leading_components(wine):
    leading = np.linalg.svd(wine[0], full_matrices=False)[2][:3]
    L = starting_factor(wine_objective(wine), 3, diagonal=False, seed=0)
    assert_allclose(L @ leading.T @ leading, L, atol=1e-12)
    assert_allclose(L @ L.T, (L[0] @ L[0]) * np.eye(3), atol=1e-12)


def as_table(relevance, queries, n_items):
    indptr, items = relevance.of(queries)
    table = np.zeros((len(queries), n_items), bool)
    table[np.repeat(np.arange(len(queries)), np.diff(indptr)), items] = True
    return table


def test_relevant_are_items_of_a_class_or_a_table_in_another_group(rng):
    labels, groups = rng.integers(0, 3, 25), rng.integers(0, 12, 25).astype(np.int32)
    pairs = rng.random((25, 25)) < 0.3
    table = TableRelevance(sp.csr_array(pairs.astype(np.int8)), groups)
    by_class = LabelRelevance(labels, groups), labels[:, None] == labels
    for relevance, expected in (by_class, (table, pairs)):
        expected = expected & (groups[:, None] != groups)
        assert_array_equal(relevance.counts, expected.sum(axis=1))
        for queries in (np.arange(25), np.array([7, 2, 19])):
            assert_array_equal(as_table(relevance, queries, 25), expected[queries])


def test_listeners_in_common_are_those_of_all_pairs(rng):
    # Few users make many ties, at 0 and above.
    plays = rng.poisson(0.4, size=(40, 7))
    plays[3] = 0
    groups = rng.integers(0, 30, 40).astype(np.int32)
    for n_relevant in (1, 5, 40):
        found = listeners_in_common(sp.csr_array(plays), groups, n_relevant, 2)
        expected = most_alike(plays, n_relevant, groups)
        assert_array_equal(found.toarray() > 0, expected)
