"""What first plays are worth: one fit a split, the same plays at every point."""

from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    make_recommendation_scorer,
)
from skcoldstart.metrics import LowRankScores
from skcoldstart.model_selection import WarmupSplit, warmup_curve
from tests.stubs import BrokenRecommender

BY_FACTORS = ColdStartRecommender(factorizer=WMF(4, random_state=0))


class Given:
    """A recommender whose scores are known."""

    def __init__(self, scores):
        self.scores = scores

    def predict(self, X):
        return self.scores.rows(slice(None)).T


def test_points_are_those_of_a_loop_over_the_splitter(catalog):
    X, y, groups = catalog
    options = {"groups": groups, "cv": GroupKFold(3)}
    table = warmup_curve(BY_FACTORS, X, y, n_plays=[0, 3], **options)
    assert list(zip(table["system"], table["n_plays"], strict=True)) == [
        ("content only", 0),
        ("content only", 3),
        ("plays only", 3),
        ("content and plays", 0),
        ("content and plays", 3),
    ]
    scorer = make_recommendation_scorer("ndcg@20")
    splits = WarmupSplit(3, cv=GroupKFold(3)).split(X, y, groups)
    expected = defaultdict(list)
    for train, test, _, revealed, held_out in splits:
        model = clone(BY_FACTORS).fit(X[train], y[train])
        for n, so_far in ((0, 0 * revealed[test]), (3, revealed[test])):
            factors = {
                "content only": model.predict_factors(X[test]),
                "plays only": model.factorizer_.transform(so_far),
                "content and plays": model.refine_factors(X[test], so_far),
            }
            for name, found in factors.items():
                stub = Given(LowRankScores(found, model.user_factors_))
                data = held_out[test], revealed[test]
                values = scorer.per_user(stub, X[test], *data)
                expected[name, n].append(values["ndcg@20"])
    for row in table.to_dict("records"):
        of_user = np.nanmean(expected[row["system"], row["n_plays"]], axis=0)
        assert_allclose(row["mean"], np.nanmean(of_user), rtol=1e-12)
        assert row["n_users"] == np.count_nonzero(~np.isnan(of_user))
        assert row["low"] < row["mean"] < row["high"]


def test_content_alone_is_a_level_line_and_plays_help(catalog, rng):
    X, y, _ = catalog
    X = X + 2.0 * rng.normal(size=X.shape)
    table = warmup_curve(BY_FACTORS, X, y, n_plays=[0, 1, 8], cv=3, n_resamples=9)
    curves = table.pivot(index="n_plays", columns="system", values="mean")
    assert np.ptp(curves["content only"]) == 0
    # With nothing revealed there is no fold-in: every item would tie.
    assert np.isnan(curves["plays only"][0])
    assert curves["plays only"][8] > curves["plays only"][1]
    # With no plays both know the same.
    assert curves["content and plays"][0] == curves["content only"][0]
    assert curves["content and plays"][8] > curves["content and plays"][0]


def test_plays_alone_use_only_the_latent_factors_of_users(catalog):
    X, y, _ = catalog
    joined = clone(BY_FACTORS).set_params(play_weight=1.0, popularity_weight=0.5)
    of_plays = []
    for model in (BY_FACTORS, joined):
        table = warmup_curve(model, X, y, n_plays=[0, 3], cv=3, n_resamples=9)
        of_plays.append(table[table["system"] == "plays only"])
        assert np.isfinite(table["mean"]).sum() == 5
    assert_allclose(of_plays[1]["mean"], of_plays[0]["mean"], rtol=1e-12)


def test_more_of_the_same_plays_in_order_of_time(catalog):
    X, y, _ = catalog
    y = sp.csr_array(y)
    times = y.copy()
    times.data = np.arange(y.nnz, 0, -1)
    seen = []

    def remember(fitted, items, plays):
        seen.append(plays)
        return np.zeros(plays.shape)

    options = {"systems": {"mine": remember}, "cv": KFold(3), "times": times}
    warmup_curve(ContentProfileRecommender(), X, y, n_plays=[1, 4], **options)
    for item in range(32):
        users = y[[item]].indices
        assert seen[0][[item]].indices.tolist() == users[-1:].tolist()
        assert seen[1][[item]].indices.tolist() == users[-4:].tolist()


def test_a_recommender_that_takes_no_plays_has_one_curve(catalog):
    X, y, _ = catalog
    pipeline = make_pipeline(StandardScaler(), ContentProfileRecommender())
    table = warmup_curve(pipeline, X, y, n_plays=[0], cv=2, metrics=["auc", "map@10"])
    assert table["system"].tolist() == ["content only"] * 2
    assert table["metric"].tolist() == ["auc", "map@10"]


def test_steps_before_the_recommender_reach_the_new_items(catalog):
    X, y, _ = catalog
    options = {"n_plays": [0, 2], "cv": 2, "n_resamples": 9}
    inside = warmup_curve(BY_FACTORS, -X, y, **options)
    pipeline = make_pipeline(FunctionTransformer(np.negative), BY_FACTORS)
    outside = warmup_curve(pipeline, X, y, **options)
    assert_allclose(outside["mean"], inside["mean"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        *(
            ({"n_plays": points}, ValueError, "increasing integers of at least 0")
            for points in ([], [1, 1], [2, 1], [-1, 2], [0.5])
        ),
        ({"n_plays": 3}, ValueError, "'n_plays' parameter"),
        ({"n_resamples": 0}, ValueError, "'n_resamples' parameter"),
        ({"n_plays": [40]}, ValueError, "no held-out item has plays after its first"),
        ({"cv": WarmupSplit()}, TypeError, "splits plays"),
        ({"estimator": BrokenRecommender()}, ValueError, "contain NaN"),
    ],
)
def test_what_gives_no_curve_is_refused(options, error, message, catalog):
    options = {"estimator": ContentProfileRecommender(), "cv": 2} | options
    X, y, _ = catalog
    with pytest.raises(error, match=message):
        warmup_curve(X=X, y=y, **options)
