"""The objective: its value, its gradient, its minimum, and the bound below it."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart.similarity import MLRSimilarity, _objective
from skcoldstart.similarity._objective import RankingObjective
from skcoldstart.similarity._solvers import lower_bound
from skcoldstart.similarity._targets import LabelRelevance, TableRelevance
from tests.references.separation import ranking_objective

LOSSES = ["auc", "map", "mrr", "precision", "ndcg"]

# On all 178 wines: F(I) and F(I / 10) with C = 1, to all digits given; the least F
# with C = 1 and C = 10, from four starts of two programs.
WINE = {
    "auc": (3.50440027, 0.49421976, 0.074268, 0.426331),
    "map": (3.57647461, 0.69189097, 0.220514, 1.297119),
    "mrr": (4.03358971, 1.18554529, 0.803394, 5.95834),
}


def one_after_the_other(function, items):
    return list(map(function, items))


def objective_of(X, relevance, *, groups=None, **options):
    groups = np.arange(len(X)) if groups is None else groups
    defaults = {"loss": "auc", "k": 3, "C": 1.0, "regularizer": "trace"}
    return RankingObjective(
        X,
        relevance,
        groups.astype(np.int32),
        run=one_after_the_other,
        n_threads=1,
        **(defaults | options),
    )


def wine_objective(wine, **options):
    X, y = wine
    return objective_of(X, LabelRelevance(y, np.arange(len(X))), **options)


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


@pytest.mark.parametrize("regularizer", ["trace", "frobenius"])
@pytest.mark.parametrize("loss", LOSSES)
def test_objective_is_that_of_all_rankings(loss, regularizer, rng):
    X = rng.normal(size=(7, 3))
    relevant = rng.random((7, 7)) < 0.4
    groups = np.array([0, 1, 2, 3, 4, 5, 5])
    relevant[groups[:, None] == groups] = False
    relevance = _table(relevant, groups)
    objective = objective_of(
        X, relevance, groups=groups, loss=loss, C=3.0, regularizer=regularizer
    )
    penalty = {"trace": np.trace, "frobenius": lambda W: 0.5 * (W**2).sum()}
    for L in (rng.normal(size=(2, 3)), rng.normal(size=3)):
        W = np.diag(L**2) if L.ndim == 1 else L.T @ L
        expected = ranking_objective(
            W, X, relevant, loss, C=3.0, groups=groups, penalty=penalty[regularizer]
        )
        assert_allclose(objective(L)[0], expected, rtol=1e-12)
        assert_allclose(objective.value(L, objective.queries), expected, rtol=1e-12)


def _table(relevant, groups):
    return TableRelevance(sp.csr_array(relevant.astype(np.int8)), groups)


@pytest.mark.parametrize("regularizer", ["trace", "frobenius"])
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
        for factor, least in ((L, None), (other, 0.0)):
            W = factor**2 if factor.ndim == 1 else factor.T @ factor
            hinge = objective(factor)[0] - objective.penalty(factor)[0]
            gap = hinge - (loss_there - (W * slope).sum())
            assert gap >= -1e-12
            if least is None:
                assert_allclose(gap, 0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("regularizer", ["trace", "frobenius"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_no_metric_is_better_than_the_bound(regularizer, diagonal, wine, rng):
    objective = wine_objective(wine, regularizer=regularizer)
    model = MLRSimilarity(
        C=1.0, regularizer=regularizer, diagonal=diagonal, scale=False
    ).fit(*wine)
    best = np.diag(model.components_) if diagonal else model.components_
    bound = lower_bound(objective, best, seed=0)
    assert_allclose(model.objective_, objective(best)[0], rtol=1e-12)
    assert 0 <= model.duality_gap_ <= 0.005 * model.objective_
    for _ in range(20):
        other = best + 0.1 * rng.normal(size=best.shape) * np.abs(best).mean()
        assert objective(other)[0] >= bound
        assert lower_bound(objective, other, seed=0) <= model.objective_


def test_any_number_of_threads_gives_the_same_bits(world, monkeypatch):
    monkeypatch.setattr(_objective, "BLOCK_SCORES", 2000)
    models = [
        MLRSimilarity(C=100.0, n_jobs=n_jobs, tol=0.1).fit(world.X, world.y)
        for n_jobs in (1, 2, None)
    ]
    for model in models[1:]:
        assert_array_equal(model.components_, models[0].components_)
        assert model.objective_ == models[0].objective_


def test_blocks_add_up_to_the_whole(wine, rng, monkeypatch):
    objective = wine_objective(wine, loss="map")
    L = 0.2 * rng.normal(size=(5, 13))
    value, gradient = objective(L)
    monkeypatch.setattr(_objective, "BLOCK_SCORES", 1000)
    in_blocks, gradient_in_blocks = objective(L)
    assert_allclose(in_blocks, value, rtol=1e-12)
    assert_allclose(gradient_in_blocks, gradient, rtol=1e-9, atol=1e-14)
