"""One table for several recommenders."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.model_selection import GroupKFold, KFold

from skcoldstart import (
    WMF,
    ContentKNNRecommender,
    OracleRecommender,
    RandomRecommender,
    make_recommendation_scorer,
)
from skcoldstart.metrics import bootstrap_interval, compare_paired
from skcoldstart.model_selection import UserColdKFold, compare, cross_validate
from tests.stubs import BrokenRecommender, FactorRecommender, LinearRecommender


def test_figures_are_means_over_users_of_means_over_folds(catalog):
    X, y, groups = catalog
    y = sp.csr_array(y)
    models = {"one": LinearRecommender(), "two": ContentKNNRecommender(group_bonus=0.5)}
    folds = list(KFold(3).split(X))
    draws = {"confidence": 0.8, "n_resamples": 99, "random_state": 3}
    table = compare(models, X, y, cv=folds, groups=groups, metrics="map", **draws)
    scorer = make_recommendation_scorer("map")
    of_users = []
    for row, name in zip(table.to_dict("records"), models, strict=True):
        model, values = models[name], []
        for a, b in folds:
            known = {"groups": groups[a]} if name == "two" else {}
            fitted = model.fit(X[a], y[a], **known)
            values.append(scorer.per_user(fitted, X[b], y[b], groups=groups[b])["map"])
        of_users.append(np.nanmean(values, axis=0))
        n_users = np.isfinite(of_users[-1]).sum()
        assert (row["model"], row["n_users"]) == (name, n_users)
        expected = bootstrap_interval(of_users[-1], **draws)
        assert_allclose([row["map"], row["map_low"], row["map_high"]], expected)
        paired = compare_paired(of_users[-1], of_users[0], **draws)
        assert_allclose(row["map_gain"], paired.difference)
        assert_allclose(row["map_p"], paired.p_bootstrap)
    assert table["map_gain"][0] == 0.0


def test_spread_between_folds_is_that_of_a_cross_validation(catalog):
    X, y, groups = catalog
    options = {"cv": GroupKFold(4), "groups": groups}
    models = {"model": FactorRecommender()}
    table = compare(models, X, y, n_resamples=9, **options)
    results = cross_validate(FactorRecommender(), X, y, **options)
    for metric in ("map", "auc"):
        expected = results[f"test_{metric}"].std(ddof=1)
        assert_allclose(table[f"{metric}_folds"], [expected])
    one = compare(models, X, y, cv=list(KFold(4).split(X))[:1], n_resamples=9)
    assert np.isnan(one["map_folds"][0])


def test_content_of_its_own_and_another_reference(catalog):
    X, y, _ = catalog
    models = {
        "random": RandomRecommender(random_state=0),
        "content": LinearRecommender(),
        "upper bound": (OracleRecommender(WMF(5, random_state=0)), y),
    }
    options = {"reference": "content", "n_resamples": 99}
    table = compare(models, X[:, :2], y, cv=3, metrics="auc", **options)
    assert (np.diff(table["auc"]) > 0).all()
    assert table["auc_gain"][0] < 0 == table["auc_gain"][1] < table["auc_gain"][2]
    assert table["auc_p"][0] < 0.05


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ({}, {}, "pass at least one"),
        ([LinearRecommender()], {}, "'estimators' parameter of compare must be"),
        ({"a": BrokenRecommender()}, {"confidence": 2}, "'confidence' parameter"),
        ({"a": LinearRecommender()}, {"reference": "b"}, r"not one of the .*\['a'\]"),
        ({"a": LinearRecommender()}, {"metrics": "novelty"}, "no value per user"),
        ({"a": (LinearRecommender(), np.ones((3, 1)))}, {}, "X has 3 items"),
        ({"a": BrokenRecommender()}, {}, "NaN"),
    ],
)
def test_what_cannot_be_compared_raises(models, options, message, catalog):
    X, y, _ = catalog
    with pytest.raises(ValueError, match=message):
        compare(models, X, y, **options)


def test_splits_of_plays_are_refused(catalog):
    X, y, _ = catalog
    with pytest.raises(TypeError, match="splits plays"):
        compare({"a": LinearRecommender()}, X, y, cv=UserColdKFold())
