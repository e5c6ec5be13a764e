"""Importance by shuffling is scikit-learn's, for sparse plays and content too."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.inspection
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    ContentProfileRecommender,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart.model_selection import permutation_importance
from tests.stubs import LinearRecommender

AUC = make_recommendation_scorer("auc")


@pytest.fixture
def catalog(rng):
    """Two columns that matter, one that is noise."""
    X = rng.normal(size=(90, 3)) * [1.0, 0.5, 1.0]
    return X, rng.poisson(np.exp(X[:, :2] @ rng.normal(size=(2, 40)) - 1))


@pytest.mark.parametrize("table", [np.asarray, pd.DataFrame, lambda X: X.tolist()])
@pytest.mark.parametrize("scoring", [AUC, recommendation_scorer])
def test_numbers_are_those_of_scikit_learn_on_dense_plays(table, scoring, catalog):
    X, y = catalog
    model = LinearRecommender().fit(X[:60], y[:60])
    options = {"scoring": scoring, "n_repeats": 3, "random_state": 7}
    theirs = sklearn.inspection.permutation_importance
    expected = theirs(model, X[60:], y[60:], **options)
    plays = sp.csr_matrix(y[60:])
    found = permutation_importance(model, table(X[60:]), plays, **options)
    if scoring is AUC:
        expected, found = {"auc": expected}, {"auc": found}
    assert set(found) == set(expected)
    for key, bunch in expected.items():
        for name, values in bunch.items():
            assert_allclose(found[key][name], values, rtol=0, atol=1e-15)
        assert found[key].names == [0, 1, 2]
        assert np.argmax(found[key].importances_mean) < 2


@pytest.mark.parametrize("scoring", ["r2", ["auc"], ["auc", "r2"], {"late": "auc"}])
def test_scorings_are_those_of_cross_validate(scoring, catalog):
    X, y = catalog
    model = LinearRegression().fit(X[:60], y[:60])
    options = {"n_repeats": 2, "random_state": 0}
    found = permutation_importance(model, X[60:], y[60:], scoring=scoring, **options)
    found = {"r2": found} if scoring == "r2" else found
    assert list(found) == ["r2"] if scoring == "r2" else list(scoring)
    theirs = sklearn.inspection.permutation_importance
    for key, bunch in found.items():
        scorer = "r2" if key == "r2" else AUC
        expected = theirs(model, X[60:], y[60:], scoring=scorer, **options)
        assert_allclose(bunch.importances, expected.importances, rtol=0, atol=1e-15)


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix, sp.coo_array])
def test_sparse_content_gives_what_dense_content_gives(container, rng):
    words = rng.poisson(0.7, size=(80, 6)) * rng.uniform(0.5, 1.5, size=(80, 6))
    y = rng.poisson(np.exp(words @ rng.normal(size=(6, 30)) - 1))
    model = ContentProfileRecommender().fit(words[:50], y[:50])
    before = container(words[50:])
    columns = {"a": [0, 3], "b": [1], "none": []}
    options = {"columns": columns, "random_state": 0, "n_repeats": 3}
    dense = permutation_importance(model, words[50:], y[50:], **options)
    found = permutation_importance(model, before, sp.csr_array(y[50:]), **options)
    for key, bunch in dense.items():
        assert_allclose(found[key].importances, bunch.importances, atol=1e-12)
        assert_array_equal(bunch.importances[2], 0.0)
    assert_array_equal(before.toarray(), words[50:])


def test_groups_are_shuffled_together_by_name_through_pipeline_and_search(catalog):
    X, y = catalog
    frame = pd.DataFrame(X, columns=["tempo", "mood", "noise"])
    # A column said twice looks useless alone and is not.
    frame.insert(1, "bpm", frame["tempo"])
    model = make_pipeline(StandardScaler(), LinearRecommender())
    model = GridSearchCV(model, {}, scoring=AUC, cv=3).fit(frame[:60], y[:60])
    X, y, kept = frame[60:], y[60:], frame[60:].copy()
    columns = {"speed": ["tempo", "bpm"], "tempo": ["tempo"], "noise": ["noise"]}
    options = {"scoring": AUC, "random_state": 0}
    found = permutation_importance(model, X, y, columns=columns, **options)
    assert found.names == ["speed", "tempo", "noise"]
    speed, tempo, noise = found.importances_mean
    assert speed > tempo > noise
    pd.testing.assert_frame_equal(X, kept)
    by_two = permutation_importance(model, X, y, columns=columns, n_jobs=2, **options)
    assert_array_equal(by_two.importances, found.importances)


def test_exclusions_reach_the_scorer(catalog):
    X, y = catalog
    model = LinearRecommender().fit(X[:60], y[:60])
    hidden = np.zeros_like(y[60:])
    hidden[:5] = y[60:65] == 0
    options = {"random_state": 0}
    data = X[60:], y[60:]
    params = {"exclude": hidden}
    found = permutation_importance(model, *data, scoring=AUC, params=params, **options)
    expected = permutation_importance(
        model, *data, scoring=lambda *data: AUC(*data, **params), **options
    )
    assert_array_equal(found.importances, expected.importances)


def test_content_without_columns_is_refused(catalog):
    y = catalog[1]
    paths = [f"{i}.ogg" for i in range(90)]
    frames = [np.ones((2 + i % 2, 3)) for i in range(90)]
    for X in (paths, frames, np.array(paths)):
        with pytest.raises(TypeError, match="not a table with columns"):
            permutation_importance(LinearRecommender(), X, y)


def test_unknown_columns_are_named(catalog):
    X, y = catalog
    model = LinearRecommender().fit(X, y)
    with pytest.raises(ValueError, match=r"columns names \[9\]"):
        permutation_importance(model, X, y, columns={"a": [0, 9]})
    with pytest.raises(ValueError, match="expected groups of them"):
        permutation_importance(model, X, y, columns={})
