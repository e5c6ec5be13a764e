"""Searches and cross-validation of scikit-learn, with sparse plays and our scorers."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart.metrics import mean_auc
from skcoldstart.model_selection import (
    compare,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
    warmup_curve,
)
from tests.stubs import FactorRecommender, LinearRecommender

AUC = make_recommendation_scorer("auc")
GRID = {"alpha": [1e-2, 1.0, 1e2, 1e5]}
CV = GroupKFold(3)


def by_hand(X, y, groups, alpha, exclude=None):
    """Return the AUC of each fold."""
    return [
        mean_auc(
            y[test],
            LinearRecommender(alpha).fit(X[train], y[train]).predict(X[test]),
            exclude=None if exclude is None else exclude[test],
        )
        for train, test in CV.split(X, y, groups)
    ]


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix, np.asarray])
@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
def test_search_with_groups_scores_each_fold_as_by_hand(search, container, catalog):
    X, y, groups = catalog
    options = {"n_iter": 4, "random_state": 0} if search is RandomizedSearchCV else {}
    found = search(LinearRecommender(), GRID, scoring=AUC, cv=CV, **options).fit(
        X, container(y), groups=groups
    )
    for i, parameters in enumerate(found.cv_results_["params"]):
        folds = [found.cv_results_[f"split{f}_test_score"][i] for f in range(3)]
        assert_array_equal(folds, by_hand(X, y, groups, parameters["alpha"]))
    assert found.score(X, y) == AUC(found.best_estimator_, X, y)


class InnerFolds(GroupKFold):
    """Folds of groups that remember the groups that they were given."""

    given = []

    def split(self, X, y=None, groups=None):
        self.given.append(None if groups is None else list(groups))
        return super().split(X, y, groups)


EVALUATIONS = {
    compare: {"metrics": "auc", "n_resamples": 2},
    cross_val_score: {},
    cross_validate: {},
    learning_curve: {"train_sizes": [1.0]},
    validation_curve: {"param_range": [True]},
    warmup_curve: {"n_plays": [0]},
}
SEARCH = GridSearchCV(FactorRecommender(), GRID, scoring=AUC, cv=InnerFolds(2))
OF_FACTORS = GridSearchCV(Ridge(), GRID, cv=InnerFolds(2))
MODELS = {
    "refit": SEARCH,
    "gridsearchcv__refit": make_pipeline(StandardScaler(), SEARCH),
    "regressor__refit": ColdStartRecommender(OF_FACTORS, WMF(2, random_state=0)),
}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("refit", MODELS)
@pytest.mark.parametrize("evaluate", EVALUATIONS)
def test_groups_reach_the_folds_of_a_search_inside(evaluate, refit, routing, catalog):
    X, y, groups = catalog
    model = {"model": MODELS[refit]} if evaluate is compare else MODELS[refit]
    options = EVALUATIONS[evaluate] | {"groups": groups, "cv": CV}
    if evaluate is validation_curve:
        options["param_name"] = refit
    InnerFolds.given.clear()
    with config_context(enable_metadata_routing=routing):
        evaluate(model, X, y, **options)
    assert InnerFolds.given == [
        list(groups[train]) for train, _ in CV.split(X, y, groups)
    ]


@pytest.mark.parametrize("search", [HalvingGridSearchCV, HalvingRandomSearchCV])
def test_halving_on_sparse_plays_chooses_as_on_dense_ones(search, catalog):
    X, y, groups = catalog
    options = {"cv": CV, "min_resources": 24, "factor": 2, "random_state": 0}
    chosen = []
    for plays in (sp.csr_array(y), y):
        halving = search(LinearRecommender(), GRID, scoring=AUC, **options)
        halving.fit(X, plays, groups=groups)
        assert halving.n_iterations_ > 1
        assert np.isfinite(halving.cv_results_["mean_test_score"]).all()
        chosen.append((halving.best_params_, halving.best_score_))
    assert chosen[0] == chosen[1]
    assert chosen[0][0]["alpha"] < 1e5


def test_several_metrics_and_refit_by_one_of_them(catalog):
    X, y, groups = catalog
    options = {"scoring": recommendation_scorer, "refit": "map", "cv": CV}
    search = GridSearchCV(LinearRecommender(), GRID, **options)
    search.fit(X, sp.csr_array(y), groups=groups)
    best = np.argmax(search.cv_results_["mean_test_map"])
    assert search.best_index_ == best
    assert search.score(X, y) == recommendation_scorer(search, X, y)["map"]


@pytest.mark.parametrize("container", [sp.csr_array, sp.csr_matrix, np.asarray])
def test_exclusions_are_routed_and_cut_to_each_fold(container, catalog, rng):
    X, y, groups = catalog
    exclude = container((rng.random(y.shape) < 0.3) & (y == 0))
    expected = by_hand(X, y, groups, 1.0, exclude)
    assert expected != by_hand(X, y, groups, 1.0)
    with config_context(enable_metadata_routing=True):
        params = {"groups": groups, "exclude": exclude}
        options = {"scoring": AUC, "cv": CV}
        data = LinearRecommender(), X, sp.csr_array(y)
        scores = cross_val_score(*data, params=params, **options)
        search = GridSearchCV(LinearRecommender(), {}, **options)
        search.fit(X, sp.csr_array(y), **params)
    assert_array_equal(scores, expected)
    assert search.best_score_ == np.mean(expected)


def test_sampled_users_are_the_same_for_every_candidate_and_process(catalog):
    X, y, groups = catalog
    y = sp.csr_array(y)

    grid = {"alpha": [1.0, 1.0, 1e3]}

    def found(n_jobs=None, **options):
        scoring = make_recommendation_scorer("auc", users=10, **options)
        options = {"scoring": scoring, "cv": CV, "n_jobs": n_jobs}
        search = GridSearchCV(LinearRecommender(), grid, **options)
        return search.fit(X, y, groups=groups).cv_results_["mean_test_score"]

    first = found()
    assert first[0] == first[1] != first[2]
    assert_array_equal(found(n_jobs=2), first)
    assert (found(random_state=1) != first).any()
