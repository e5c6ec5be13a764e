"""ColdStartRecommenderCV against plain searches and plain refits."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    recommendation_scorer,
)
from skcoldstart.compose import KernelFeatures
from skcoldstart.compose._ridge_path import RidgePath
from skcoldstart.model_selection import cross_val_score

GRID = (0.3, 30.0), (0.0, 2.0)  # strengths, weights of plays


@pytest.fixture
def songs(rng):
    X = rng.normal(size=(90, 5))
    y = sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(5, 30)) - 1.5)))
    return X, y


def search(**settings):
    return ColdStartRecommenderCV(
        n_components=(3, 6), gammas=(0.5,), scoring="auc", random_state=0, **settings
    )


def candidate(params, model):
    """Return the recommender that the settings of a search describe."""
    seed = model.best_estimator_.factorizer.random_state
    ridge = Ridge(params["alpha"])
    if params["kernel"] == "rbf":
        size, gamma = model.n_landmarks, params["gamma"]
        ridge = make_pipeline(
            KernelFeatures(size, gamma=gamma, random_state=seed), ridge
        )
    wmf = WMF(params["n_components"], reg=params["reg"], random_state=seed)
    return ColdStartRecommender(ridge, wmf, play_weight=params["play_weight"])


def test_fold_scores_are_those_of_the_plain_recommender(songs):
    X, y = songs
    cv = list(GroupKFold(3).split(X, groups=np.arange(90) // 5))
    model = search(cv=cv).fit(X, y)
    params = model.cv_results_["params"]
    assert len(params) == 2 * 4 * 2 * 2  # ranks, strengths, kernels, weights of plays
    for i in (0, 1, 7, 18, len(params) - 1):
        plain = candidate(params[i], model)
        expected = cross_val_score(plain, X, y, cv=cv, scoring="auc")
        found = [model.cv_results_[f"split{k}_test_score"][i] for k in range(3)]
        assert_allclose(found, expected, atol=2e-3)  # float32 factors, ties
    assert model.best_params_ == params[model.cv_results_["mean_test_score"].argmax()]
    best = candidate(model.best_params_, model).fit(X, y)
    assert_array_equal(model.predict(X[:4]), best.predict(X[:4]))


@pytest.mark.parametrize("content", ["distinct", "repeated"])
def test_landmarks_are_those_of_the_plain_recommender(content, songs):
    # The kernel of repeated landmarks has no inverse.
    X, y = songs
    X = X / 3 if content == "distinct" else X[np.arange(90) // 6] / 3
    settings = {"kernels": ("rbf",), "n_landmarks": 20, "play_weights": (0.0, 1.0)}
    cv = list(KFold(2, shuffle=True, random_state=0).split(X))
    model = search(cv=cv, alphas=(0.1, 10.0), **settings).fit(X, y)
    results = model.cv_results_["params"], model.cv_results_["mean_test_score"]
    for params, found in zip(*results, strict=True):
        plain = candidate(params, model)
        expected = cross_val_score(plain, X, y, cv=cv, scoring="auc").mean()
        assert_allclose(found, expected, atol=2e-3)  # float32 factors, ties


def test_content_in_single_precision_gives_the_same_scores(rng):
    X = rng.normal(size=(200, 3)).astype(np.float32)
    y = sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(3, 40)) - 1.5)))
    found = [
        search(alphas=(1e-4, 1e-2), n_landmarks=n, cv=2).fit(table, y).cv_results_
        for n in (20, 190)
        for table in (X, X.astype(np.float64), sp.csr_array(X))
    ]
    for i in (1, 2, 4, 5):
        of_single = found[i // 3 * 3]["mean_test_score"]
        assert_array_equal(found[i]["mean_test_score"], of_single)


@pytest.mark.parametrize("width", [5, 30])
def test_a_metric_shrinks_as_features_of_its_root(rng, width):
    F, G = rng.normal(size=(40, width)), rng.normal(size=(7, width))
    plays = sp.csr_array(rng.poisson(0.5, size=(40, 9)))
    Y, users = rng.normal(size=(40, 3)), rng.normal(size=(9, 3))
    root = rng.normal(size=(width, width)) + 3 * np.eye(width)
    inverse = np.linalg.inv(root)
    by_metric = RidgePath(F, plays, root.T @ root)
    by_features = RidgePath(F @ inverse, plays)
    found, expected = (
        [source.rows(slice(None)) for source in path.scores(new, Y, users, *GRID)]
        for path, new in (
            (by_metric, by_metric.new(G)),
            (by_features, by_features.new(G @ inverse)),
        )
    )
    assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [5, 120])
def test_left_out_predictions_are_those_of_refits(rng, width):
    F = rng.normal(size=(40, width))
    plays = sp.csr_array(rng.poisson(0.5, size=(40, 9)))
    Y, users = rng.normal(size=(40, 3)), rng.normal(size=(9, 3))
    path = RidgePath(F, plays)
    made = path.scores(path.left_out(), Y, users, *GRID)
    for (alpha, weight), source in zip(product(*GRID), made, strict=True):
        scores = source.rows(slice(None)).T
        targets = Y @ users.T + weight * (plays.toarray() > 0)
        for i in (0, 17):
            rest = np.arange(40) != i
            ridge = Ridge(alpha).fit(F[rest], targets[rest])
            assert_allclose(scores[i], ridge.predict(F[[i]])[0], rtol=1e-6, atol=1e-9)


def test_groups_are_left_out_whole_and_refused_without_folds(songs):
    X, y = songs
    artists = np.repeat(np.arange(30), 3)
    grouped = search(cv=3).fit(X, y, groups=artists)
    assert 0.5 < grouped.best_score_ < 1
    with pytest.raises(ValueError, match="pass cv=5 to leave out whole groups"):
        search().fit(X, y, groups=artists)


def test_it_recommends_as_the_best_one_and_by_name(songs):
    X, y = songs
    model = search().fit(X[:70], y[:70], user_ids=[f"u{u}" for u in range(30)])
    lists = model.recommend(X[70:], n=3, users=["u4"])
    best = np.argsort(-model.predict(X[70:])[:, 4], kind="stable")[:3]
    assert_array_equal(lists.items, [best])
    assert model.score(X[70:], y[70:]) > 0.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alphas": ()}, "alphas is empty"),
        ({"alphas": (0.0,)}, "alphas holds 0.0"),
        ({"kernels": ("poly",)}, "kernels holds 'poly'"),
    ],
)
def test_settings_out_of_range_are_named(songs, settings, message):
    with pytest.raises(ValueError, match=message):
        search(**settings).fit(*songs)


def test_a_scorer_of_several_metrics_is_refused(songs):
    model = search(cv=3).set_params(scoring=recommendation_scorer)
    with pytest.raises(TypeError, match="several numbers, map, auc; expected one"):
        model.fit(*songs)
