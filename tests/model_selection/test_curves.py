"""Curves with sparse plays are those of scikit-learn with dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold

from skcoldstart import make_recommendation_scorer
from skcoldstart.model_selection import (
    WarmupSplit,
    cross_val_score,
    learning_curve,
    validation_curve,
)
from tests.stubs import LinearRecommender

OPTIONS = {"cv": GroupKFold(3), "groups": np.arange(60) % 12}
CURVES = [
    (learning_curve, {"train_sizes": [10, 40]}),
    (validation_curve, {"param_name": "alpha", "param_range": [0.1, 1.0, 1e4]}),
]


@pytest.fixture
def catalog(rng):
    X = rng.normal(size=(60, 4))
    return X, rng.poisson(np.exp(X @ rng.normal(size=(4, 25)) - 1))


@pytest.mark.parametrize(("curve", "options"), CURVES)
def test_sparse_plays_give_what_scikit_learn_gives_for_dense_ones(
    curve, options, catalog
):
    X, y = catalog
    options = OPTIONS | options | {"scoring": make_recommendation_scorer("auc")}
    theirs = getattr(sklearn.model_selection, curve.__name__)
    expected = theirs(LinearRecommender(), X, y, **options)
    for container in (sp.csr_array, sp.csc_matrix, np.asarray):
        got = curve(LinearRecommender(), X, container(y), **options)
        for a, b in zip(got, expected, strict=True):
            assert_array_equal(a, b)


def test_the_score_is_map_where_nothing_else_is_asked(catalog):
    X, y = catalog
    expected = cross_val_score(LinearRecommender(), X, y, **OPTIONS)
    *_, test = learning_curve(
        LinearRecommender(), X, sp.csr_array(y), train_sizes=[1.0], **OPTIONS
    )
    assert_array_equal(test[0], expected)
    _, test = validation_curve(
        LinearRecommender(), X, y, param_name="alpha", param_range=[1.0], **OPTIONS
    )
    assert_array_equal(test[0], expected)


@pytest.mark.parametrize(("curve", "options"), CURVES)
def test_what_does_not_fit_is_refused_before_any_fold(curve, options, catalog):
    X, y = catalog
    with pytest.raises(ValueError, match="one row per item"):
        curve(LinearRecommender(), X, y[1:], **options)
    with pytest.raises(TypeError, match="splits plays"):
        curve(LinearRecommender(), X, y, cv=WarmupSplit(), **options)
