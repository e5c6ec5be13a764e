"""What first plays are worth: one fit a split, the same plays at every point."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    make_recommendation_scorer,
)
from skcoldstart.metrics import LowRankScores
from skcoldstart.model_selection import WarmupSplit, warmup_curve
from tests.stubs import BrokenRecommender


@pytest.fixture
def catalog(rng):
    X = rng.normal(size=(90, 4))
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 70)) - 1))
    return X, sp.csr_array(y)


def by_factors():
    return ColdStartRecommender(factorizer=WMF(4, random_state=0))


def test_points_are_those_of_a_loop_over_the_splitter(catalog):
    X, y = catalog
    groups = np.arange(90) % 30
    table = warmup_curve(
        by_factors(), X, y, n_plays=[0, 3], groups=groups, cv=GroupKFold(3)
    )
    points = list(zip(table["system"].tolist(), table["n_plays"].tolist(), strict=True))
    assert points == [
        ("content only", 0),
        ("content only", 3),
        ("plays only", 3),
        ("content and plays", 0),
        ("content and plays", 3),
    ]
    scorer = make_recommendation_scorer("ndcg@20")
    splits = [
        list(WarmupSplit(n, held_out_after=3, cv=GroupKFold(3)).split(X, y, groups))
        for n in (0, 3)
    ]
    expected = {}
    for before, after in zip(*splits, strict=True):
        model = by_factors().fit(X[before.train], y[before.train])
        hidden, held_out = after.revealed[after.test], after.held_out[after.test]
        assert (before.held_out != after.held_out).nnz == 0
        for split, n in ((before, 0), (after, 3)):
            so_far = split.revealed[split.test]
            factors = {
                "content only": model.predict_factors(X[split.test]),
                "plays only": model.factorizer_.transform(so_far),
                "content and plays": model.refine_factors(X[split.test], so_far),
            }
            for name, found in factors.items():
                stub = Given(LowRankScores(found, model.user_factors_))
                values = scorer.per_user(stub, X[split.test], held_out, hidden)
                expected.setdefault((name, n), []).append(values["ndcg@20"])
    for row in table.to_dict("records"):
        of_user = np.nanmean(expected[row["system"], row["n_plays"]], axis=0)
        assert_allclose(row["mean"], np.nanmean(of_user), rtol=1e-12)
        assert row["n_users"] == np.count_nonzero(~np.isnan(of_user))
        assert row["low"] < row["mean"] < row["high"]


class Given:
    """A recommender whose scores are known."""

    def __init__(self, scores):
        self.scores = scores

    def predict(self, X):
        return self.scores.rows(slice(None)).T


def test_content_alone_is_a_level_line_and_plays_help(catalog, rng):
    X, y = catalog
    X = X + 2.0 * rng.normal(size=X.shape)
    table = warmup_curve(by_factors(), X, y, n_plays=[0, 1, 8], cv=3)
    curves = table.pivot(index="n_plays", columns="system", values="mean")
    assert np.ptp(curves["content only"]) == 0
    # With nothing revealed there is no fold-in: every item would tie.
    assert np.isnan(curves["plays only"][0])
    assert curves["plays only"][8] > curves["plays only"][1]
    # With no plays both know the same.
    assert curves["content and plays"][0] == curves["content only"][0]
    assert curves["content and plays"][8] > curves["content and plays"][0]


@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 0.5), (1.0, 0.5)])
def test_plays_alone_use_only_the_latent_factors_of_users(catalog, weights):
    names = "play_weight", "popularity_weight"
    joined = by_factors().set_params(**dict(zip(names, weights, strict=True)))
    of_plays = []
    for model in (by_factors(), joined):
        table = warmup_curve(model, *catalog, n_plays=[0, 3], cv=3)
        of_plays.append(table[table["system"] == "plays only"])
        assert np.isfinite(table["mean"]).sum() == 5
    assert_allclose(of_plays[1]["mean"], of_plays[0]["mean"], rtol=1e-12)


def test_more_of_the_same_plays_in_order_of_time(catalog):
    X, y = catalog
    times = y.copy()
    times.data = np.arange(y.nnz, 0, -1)
    seen = []

    def remember(fitted, items, plays):
        seen.append(plays)
        return np.zeros(plays.shape)

    warmup_curve(
        ContentProfileRecommender(),
        X,
        y,
        n_plays=[1, 4],
        systems={"mine": remember},
        cv=KFold(3),
        times=times,
        metrics=["auc", "map@10"],
    )
    first = y[:30].tolil()
    for item in range(30):
        users = y[[item]].indices
        assert seen[0][[item]].indices.tolist() == users[-1:].tolist()
        assert seen[1][[item]].indices.tolist() == users[-4:].tolist()
    assert first.shape == seen[0].shape


def test_a_recommender_that_takes_no_plays_has_one_curve(catalog):
    X, y = catalog
    pipeline = make_pipeline(StandardScaler(), ContentProfileRecommender())
    table = warmup_curve(pipeline, X, y, n_plays=[0], cv=2, metrics=["auc", "map@10"])
    assert table["system"].tolist() == ["content only"] * 2
    assert table["metric"].tolist() == ["auc", "map@10"]


def test_steps_before_the_recommender_reach_update(catalog):
    X, y = catalog
    inside = warmup_curve(by_factors(), X * 1.0, y, n_plays=[0, 2], cv=2)
    scaled = make_pipeline(
        StandardScaler(with_mean=False, with_std=False), by_factors()
    )
    outside = warmup_curve(scaled, X, y, n_plays=[0, 2], cv=2)
    assert_allclose(outside["mean"], inside["mean"])


@pytest.mark.parametrize("n_plays", [[], [1, 1], [2, 1], [-1, 2], [0.5]])
def test_points_that_do_not_rise_are_refused(n_plays, catalog):
    with pytest.raises(ValueError, match="increasing integers of at least 0"):
        warmup_curve(ContentProfileRecommender(), *catalog, n_plays=n_plays)


def test_nothing_left_to_predict_is_said(catalog):
    with pytest.raises(ValueError, match="no held-out item has plays after its first"):
        warmup_curve(ContentProfileRecommender(), *catalog, n_plays=[70], cv=2)


def test_splitters_of_plays_and_nan_scores_are_refused(catalog):
    with pytest.raises(TypeError, match="splits plays"):
        warmup_curve(ContentProfileRecommender(), *catalog, cv=WarmupSplit())
    with pytest.raises(ValueError, match="contain NaN"):
        warmup_curve(BrokenRecommender(), *catalog, n_plays=[0], cv=2)
