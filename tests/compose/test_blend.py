"""BlendRecommender: standardized scores added, with weights given or chosen."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skcoldstart import (
    WMF,
    BlendRecommender,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    RandomRecommender,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart._scores.sources import LowRankScores, SumScores, score_source

FACTORS = ColdStartRecommender(Ridge(), WMF(4, dtype="float64", random_state=0))
PROFILE = ContentProfileRecommender()
NEIGHBORS = ContentKNNRecommender(20, temperature=0.2)
ARTISTS = np.arange(90) // 5
AUC = make_recommendation_scorer("auc")


def z_scores(part, X, y):
    """Standardize scores of new items by those of the training items, by user."""
    part = clone(part).fit(X[:70], y[:70])
    known, new = part.predict(X[:70]), part.predict(X[70:])
    spread = known.std(axis=0)
    shifted = (new - known.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    return np.where(spread > 1e-12, shifted, 0.0)


@pytest.mark.parametrize("weights", [None, [1.0, 0.3], [0.0, 2.0]])
def test_scores_are_weighted_sums_of_standardized_scores(world, weights):
    X, y = world
    model = BlendRecommender([("f", FACTORS), ("p", PROFILE)], weights=weights)
    scores = model.fit(X[:70], y[:70]).predict(X[70:])
    a, b = weights or (1.0, 1.0)
    expected = a * z_scores(FACTORS, X, y) + b * z_scores(PROFILE, X, y)
    assert_allclose(scores, expected, rtol=1e-5, atol=1e-7)
    assert_array_equal(scores[:, 3], 0.0)
    assert_array_equal(model.weights_, [a, b])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("part", [FACTORS, PROFILE, ContentKNNRecommender()])
def test_scores_that_differ_only_by_rounding_add_nothing(part, dtype, rng):
    X = np.outer(rng.uniform(1, 2, 30), rng.normal(size=6)).astype(dtype)
    model = BlendRecommender([("equal", part)]).fit(X, np.ones((30, 4)))
    assert_array_equal(model.predict(X), 0.0)
    assert abs(model.fold_in_users(np.ones((30, 2)))).max() == 0


def test_wide_content_is_standardized_too(world, rng):
    X, y = world
    wide = np.hstack([X, 0.1 * rng.normal(size=(90, 4000))])
    model = BlendRecommender([("p", PROFILE)]).fit(wide[:70], y[:70])
    expected = z_scores(PROFILE, wide, y)
    assert_allclose(model.predict(wide[70:]), expected, rtol=1e-5, atol=1e-7)
    known = np.arange(40) != 3
    folded = model.predict_factors(wide[70:]) @ model.fold_in_users(y[:70]).T
    assert_allclose(folded[:, known], expected[:, known], rtol=1e-5, atol=1e-7)


def test_low_rank_parts_make_a_low_rank_blend(world):
    X, y = world
    model = BlendRecommender([("f", FACTORS), ("p", PROFILE)]).fit(X[:70], y[:70])
    source = score_source(model, X[70:])
    assert isinstance(source, LowRankScores)
    assert model.user_factors_.shape == (40, 4 + 6 + 1)
    table = model.predict(X[70:])
    assert_allclose(model.predict_factors(X[70:]) @ model.user_factors_.T, table)
    items, best = model.recommend(X[70:], n=4)
    order = np.argsort(-table.T, axis=1, kind="stable")[:, :4]
    scored = np.ptp(table, axis=0) > 0
    assert_array_equal(np.asarray(items)[scored], order[scored])
    assert_allclose(best, np.take_along_axis(table.T, order, axis=1))


def test_neighbors_are_read_in_blocks_and_standardized_without_themselves(world):
    X, y = world
    model = BlendRecommender([("f", FACTORS), ("n", NEIGHBORS)], weights=[1.0, 0.5])
    model.fit(X[:70], y[:70])
    assert isinstance(score_source(model, X[70:]), SumScores)
    alone = clone(NEIGHBORS).fit(X[:70], y[:70])
    shares = alone.predict_factors(X[:70]).toarray()
    for place, item in enumerate(alone.played_items_):
        shares[item, place] = 0.0
    shares /= shares.sum(axis=1, keepdims=True)
    known = shares @ alone.user_factors_.T.toarray()
    spread = np.where(known.std(axis=0) > 0, known.std(axis=0), 1.0)
    expected = z_scores(FACTORS, X, y)
    expected += 0.5 * (alone.predict(X[70:]) - known.mean(axis=0)) / spread
    assert_allclose(model.predict(X[70:]), expected, rtol=1e-5, atol=1e-7)
    assert not hasattr(model, "user_factors_")
    assert sp.issparse(model.predict_factors(X[70:]))
    assert recommendation_scorer(model, X[70:], y[70:])["auc"] > 0.6


def test_parts_are_pipelines_searches_and_other_blends(world):
    X, y = world
    search = GridSearchCV(
        FACTORS, {"regressor__alpha": [1.0, 100.0]}, scoring=AUC, cv=2
    )
    inner = BlendRecommender([("p", PROFILE), ("n", NEIGHBORS)], weights=[1, 2])
    model = BlendRecommender([
        ("scaled", make_pipeline(StandardScaler(), FACTORS)),
        ("unit", make_pipeline(Normalizer(), PROFILE)),
        ("search", search),
        ("blend", inner),
    ])
    scores = model.fit(X[:70], y[:70]).predict(X[70:])
    expected = sum(z_scores(part, X, y) for _, part in model.recommenders)
    assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X[70:]), scores)


def test_parameters_reach_inside_and_parts_can_be_replaced_and_dropped(world):
    X, y = world
    model = BlendRecommender([("f", FACTORS), ("n", clone(NEIGHBORS))])
    assert model.get_params()["n__temperature"] == 0.2
    model.set_params(n__temperature=0.4, f=PROFILE, weights=[1, 1])
    assert model.recommenders[1][1].temperature == 0.4
    model.set_params(n="drop", weights=None).fit(X, y)
    assert list(model.named_recommenders_) == ["f"]
    alone = PROFILE.fit(X, y).predict(X)
    order = np.argsort(-alone, axis=0)
    blended = np.take_along_axis(model.predict(X), order, axis=0)
    assert np.all(np.diff(blended, axis=0) <= 1e-12)
    grid = {"n": ["drop", NEIGHBORS], "f__weighting": ["binary", "log"]}
    search = GridSearchCV(model, grid, scoring=AUC, error_score="raise")
    assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()


def test_weights_are_chosen_by_the_ranking_of_held_out_items(world):
    X, y = world
    noise = RandomRecommender(3, random_state=0)
    parts = [("f", FACTORS), ("noise", noise), ("n", NEIGHBORS)]
    model = BlendRecommender(parts, weights="cv", scoring="auc").fit(X, y)
    assert model.weights_[1] == 0.0
    assert model.weights_.max() == 1.0
    results = model.cv_results_
    assert results["weights"].shape == (19, 3)
    best = results["mean_test_score"].argmax()
    assert_array_equal(results["weights"][best], model.weights_)
    assert results["rank_test_score"][best] == 1
    splits = [results[f"split{k}_test_score"] for k in range(5)]
    assert_allclose(results["mean_test_score"], np.mean(splits, axis=0))
    assert_allclose(results["std_test_score"], np.std(splits, axis=0))


def test_what_was_tried_is_what_a_search_over_weights_finds(world):
    X, y = world
    cv = KFold(3, shuffle=True, random_state=1)
    parts = [("f", FACTORS), ("p", PROFILE)]
    scorer = make_recommendation_scorer("ndcg@20")
    model = BlendRecommender(parts, weights="cv", cv=cv, scoring=scorer).fit(X, y)
    for (_, part), weights in zip(parts, ([1, 0], [0, 1]), strict=True):
        place = (model.cv_results_["weights"] == weights).all(axis=1)
        for k, (train, test) in enumerate(cv.split(X)):
            alone = scorer(clone(part).fit(X[train], y[train]), X[test], y[test])
            found = model.cv_results_[f"split{k}_test_score"][place]
            assert_allclose(found, alone, rtol=1e-6)


def test_many_parts_are_weighed_one_after_the_other(world):
    X, y = world
    parts = [("f", FACTORS), ("p", PROFILE), ("n", NEIGHBORS)]
    parts += [(f"noise {s}", RandomRecommender(2, random_state=s)) for s in range(3)]
    model = BlendRecommender(parts, weights="cv", cv=2, scoring="auc").fit(X, y)
    assert len(model.cv_results_["weights"]) < 60
    assert model.weights_[3:].sum() <= 0.6
    means, ranks = (model.cv_results_[f"{k}_test_score"] for k in ("mean", "rank"))
    assert_allclose(means[ranks == 1], means.max())


class Linear(BaseEstimator):
    """A recommender whose scores are given sums of the content."""

    def __init__(self, weights):
        self.weights = weights

    def fit(self, X, y):
        return self

    def predict(self, X):
        return X @ self.weights


def test_a_good_part_is_found_among_parts_that_only_cancel_in_pairs(rng):
    X = rng.normal(size=(90, 12))
    taste, other, one, two = (
        np.eye(4)[k].repeat(3)[:, np.newaxis] * rng.normal(size=(12, 40))
        for k in range(4)
    )
    y = (X @ taste > 2).astype(float)
    parts = {
        "taste": taste,
        "one": 0.2 * other + one,
        "minus one": 0.2 * other - one,
        "two": 0.2 * other + two,
        "minus two": 0.2 * other - two,
    }
    parts = [(name, Linear(weights)) for name, weights in parts.items()]
    model = BlendRecommender(parts, weights="cv").fit(X, y)
    assert_array_equal(model.weights_, [1, 0, 0, 0, 0])


class Recorder(BaseEstimator):
    """A recommender that remembers its groups, and the rows it was fitted on."""

    seen = []

    def fit(self, X, y, groups=None):
        self.n_users_ = y.shape[1]
        Recorder.seen.append((len(X), None if groups is None else set(groups)))
        return self

    def predict(self, X, groups=None):
        return np.tile(np.arange(len(X), dtype=float)[:, None], self.n_users_)


def test_groups_reach_who_takes_them_and_the_inner_folds(world):
    X, y = world
    Recorder.seen.clear()
    neighbors = make_pipeline(Normalizer(), NEIGHBORS)
    parts = [("r", Recorder()), ("n", neighbors), ("f", FACTORS)]
    model = BlendRecommender(parts, weights="cv", cv=3).fit(X, y, groups=ARTISTS)
    assert Recorder.seen[-1] == (90, set(ARTISTS))
    held_out = [set(ARTISTS) - groups for _, groups in Recorder.seen[:-1]]
    assert len(held_out) == 3
    assert set.union(*held_out) == set(ARTISTS)
    assert sum(map(len, held_out)) == 18
    assert model.predict(X, groups=ARTISTS).shape == y.shape


@pytest.mark.parametrize(("n_groups", "n_folds"), [(3, 3), (18, 5)])
def test_there_are_no_more_folds_than_groups(world, n_groups, n_folds):
    X, y = world
    parts = [("n", NEIGHBORS), ("profile", PROFILE)]
    model = BlendRecommender(parts, weights="cv")
    model.fit(X, y, groups=np.arange(len(X)) % n_groups)
    folds = [name for name in model.cv_results_ if name.startswith("split")]
    assert len(folds) == n_folds


def test_a_bonus_for_groups_works_inside_a_blend(world):
    X, y = world
    bonus = clone(NEIGHBORS).set_params(group_bonus=0.5)
    model = BlendRecommender([("f", FACTORS), ("n", bonus)], weights=[0, 1])
    model.fit(X[:70], y[:70], groups=ARTISTS[:70] % 9)
    scores = model.predict(X[70:], groups=ARTISTS[70:] % 9)
    alone = clone(bonus).fit(X[:70], y[:70], groups=ARTISTS[:70] % 9)
    expected = alone.predict(X[70:], groups=ARTISTS[70:] % 9)
    for user in np.flatnonzero(np.ptp(scores, axis=0)):
        assert np.corrcoef(scores[:, user], expected[:, user])[0, 1] > 1 - 1e-9
    items, _ = model.recommend(X[70:], n=2, groups=ARTISTS[70:] % 9)
    assert_array_equal(items[5], np.argsort(-scores[:, 5], kind="stable")[:2])


def test_metadata_is_routed_to_the_parts_that_request_it(world):
    X, y = world
    weight = np.linspace(0.1, 1.0, 90)
    parts = [("f", FACTORS), ("p", PROFILE)]
    with pytest.raises(TypeError, match=r"sample_weight, which reach .* only with"):
        BlendRecommender(parts).fit(X, y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = clone(FACTORS)
        asking.set_params(regressor=Ridge().set_fit_request(sample_weight=True))
        model = BlendRecommender([("f", asking), ("p", PROFILE)])
        model.fit(X, y, sample_weight=weight, groups=ARTISTS)
        alone = clone(asking).fit(X, y, sample_weight=weight)
        found = model.named_recommenders_.f.predict(X)
        assert_allclose(found, alone.predict(X), rtol=1e-6)
        search = GridSearchCV(
            BlendRecommender(parts, weights="cv", cv=2),
            {"p__weighting": ["binary", "log"]},
            **{"scoring": AUC, "cv": GroupKFold(2), "error_score": "raise"},
        ).fit(X, y, groups=ARTISTS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"recommenders": []}, ValueError, "recommenders is empty"),
        ({"recommenders": [("a", PROFILE)] * 2}, ValueError, "not unique"),
        ({"recommenders": [("a__b", PROFILE)]}, ValueError, "must not contain __"),
        ({"recommenders": [("a", "drop")]}, ValueError, "recommenders are dropped"),
        ({"recommenders": [("a", Normalizer())]}, TypeError, "no predict; expected a"),
        ({"recommenders": [PROFILE]}, TypeError, r"pairs \(name, recommender\)"),
        ({"weights": [1.0, 2.0]}, ValueError, r"shape \(2,\) but .* 1 recommenders, a"),
        ({"weights": [-1.0]}, ValueError, "expected numbers >= 0"),
        ({"weights": [0.0]}, ValueError, "one of them above 0"),
        ({"weights": "best"}, ValueError, "weights"),
        ({"weights": "cv", "scoring": "mpa"}, ValueError, "mpa"),
        (
            {"weights": "cv", "scoring": recommendation_scorer},
            TypeError,
            "scoring returns several numbers, map, auc; expected one",
        ),
    ],
)
def test_malformed_blends_are_refused(world, options, error, message):
    with pytest.raises(error, match=message):
        BlendRecommender(**{"recommenders": [("a", PROFILE)]} | options).fit(*world)


def test_weights_are_not_chosen_on_one_item_or_group(world):
    X, y = world
    model = BlendRecommender([("a", PROFILE)], weights="cv")
    for n_items, groups in [(1, None), (8, ["Ravel"] * 8)]:
        with pytest.raises(ValueError, match="only one; pass more, or weights=None"):
            model.fit(X[:n_items], y[:n_items], groups=groups)


def test_folds_without_a_metric_do_not_decide_the_weights(world):
    X, y = world
    y = sp.lil_array(y)
    y[-30:] = 0
    blend = BlendRecommender([("a", PROFILE), ("b", RandomRecommender(random_state=0))])
    with_plays = [(np.arange(40), np.arange(40, len(X) - 30))]
    without = (np.arange(40), np.arange(len(X) - 30, len(X)))
    expected = clone(blend).set_params(weights="cv", cv=with_plays).fit(X, y.tocsr())
    found = clone(blend).set_params(weights="cv", cv=[*with_plays, without])
    assert_array_equal(found.fit(X, y.tocsr()).weights_, expected.weights_)
    assert not np.isnan(found.cv_results_["mean_test_score"]).any()
    with pytest.warns(UserWarning, match="NaN for all held-out items: none of them"):
        found.set_params(cv=[without]).fit(X, y.tocsr())
    assert_array_equal(found.weights_, [1.0, 1.0])
