import copy
import pickle
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import clone, config_context
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcoldstart
from skcoldstart import (
    ContentKNNRecommender,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart._scores.sources import LowRankScores
from skcoldstart.metrics import mean_auc, mean_average_precision_at_k, recall
from skcoldstart.model_selection import (
    compare,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from skcoldstart.model_selection import permutation_importance as our_importance
from tests.stubs import BrokenRecommender, FactorRecommender, LinearRecommender

NEIGHBORS = ContentKNNRecommender(5, group_bonus=0.5)
approx = partial(pytest.approx, rel=1e-12, abs=0)


@pytest.fixture
def catalog(rng):
    X = rng.normal(size=(60, 4))
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 25)) - 1.5))
    return X, sp.csr_array(y), rng.integers(0, 12, size=60)


def known_pairs(X, y):
    return sp.csr_array((y.toarray() == 0) & (X[:, :1] > 0))


@pytest.fixture
def scored(catalog):
    """Return a fitted recommender, the items and plays to score, and its scores."""
    X, y, _ = catalog
    model = FactorRecommender().fit(X, y)
    return model, X, y, X @ model.coef_


@pytest.mark.parametrize("model", [LinearRecommender(), FactorRecommender()])
def test_values_are_those_of_the_metrics(model, catalog):
    X, y, _ = catalog
    scores = X @ model.fit(X, y).coef_
    values = recommendation_scorer(model, X, y)
    assert all(type(value) is float for value in values.values())
    assert values == {
        "map": approx(mean_average_precision_at_k(y, scores)),
        "auc": approx(mean_auc(y, scores)),
    }
    values = make_recommendation_scorer(("map@2", "map@all"))(model, X, y)
    assert values == {
        "map@2": approx(mean_average_precision_at_k(y, scores, k=2)),
        "map@all": approx(mean_average_precision_at_k(y, scores, k=None)),
    }
    pooled = make_recommendation_scorer("auc", average="pooled")(model, X, y)
    assert pooled == approx(mean_auc(y, scores, average="pooled"))


@pytest.mark.parametrize(
    ("metrics", "keys"),
    [
        (("map@500", "auc"), ["map", "auc"]),
        (("auc", "map"), ["auc", "map"]),
        (("map@10", "map@500", "auc"), ["map@10", "map", "auc"]),
        (("recall@5", "recall@all", "mrr"), ["recall@5", "recall@all", "mrr"]),
        (("recall", "recall@10", "ndcg"), ["recall", "ndcg"]),
        ({"one": "recall@2", "same": "recall@2"}, ["one", "same"]),
    ],
)
def test_keys_are_the_names_given_whichever_others_there_are(metrics, keys, scored):
    assert list(make_recommendation_scorer(metrics)(*scored[:3])) == keys


@pytest.mark.parametrize(
    "metrics", ["recall@5", ("recall@5",), ("recall@5", "recall@5")]
)
def test_one_metric_is_a_float(metrics, scored):
    model, X, y, scores = scored
    value = make_recommendation_scorer(metrics)(model, X, y)
    assert type(value) is float
    assert value == approx(recall(y, scores, k=5))


UNKNOWN = ["map@0", "map@", "rmse", "map 500", ("map", "NDCG@10")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(({"metrics": name}, "Unknown metric") for name in UNKNOWN),
        ({"metrics": "auc@10"}, "no cutoff"),
        ({"metrics": "novelty@all"}, "a list length"),
        ({"metrics": ()}, "metrics is empty"),
        ({"average": "macro"}, "'average' parameter"),
        ({"users": 0}, "'users' parameter"),
        ({"chunk_size": 0}, "'chunk_size' parameter"),
    ],
)
def test_what_makes_no_scorer_is_refused_when_it_is_made(options, message):
    with pytest.raises(ValueError, match=message):
        make_recommendation_scorer(**options)


def test_chosen_users_are_the_only_ones_scored(scored):
    model, X, y, scores = scored
    per_user = mean_auc(y, scores, per_user=True)
    mask = np.arange(25) % 3 == 0
    for users in (mask, np.flatnonzero(mask), list(np.flatnonzero(mask))):
        value = make_recommendation_scorer("auc", users=users)(model, X, y)
        assert value == approx(np.nanmean(per_user[mask]))
    with pytest.raises(ValueError, match="users holds 25"):
        make_recommendation_scorer("auc", users=[25])(model, X, y)


def test_a_number_of_users_is_drawn_among_those_with_positives(scored):
    model, X, y, scores = scored
    per_user = mean_auc(y, scores, per_user=True)
    silenced = y.toarray()
    silenced[:, 5:] = 0
    five = make_recommendation_scorer("auc", users=5)
    assert five(model, X, silenced) == approx(np.nanmean(per_user[:5]))
    assert five(model, X, y) == five(model, X, y)
    other = make_recommendation_scorer("auc", users=5, random_state=1)
    assert other(model, X, y) != five(model, X, y)
    everyone = make_recommendation_scorer("auc", users=1000)
    assert everyone(model, X, y) == make_recommendation_scorer("auc")(model, X, y)


def test_chunks_change_memory_and_not_the_score(scored, monkeypatch):
    (model, X, y, _), widths, read = scored, [], LowRankScores.rows

    def watched(source, users, out=None):
        rows = read(source, users, out)
        widths.append(len(rows))
        return rows

    monkeypatch.setattr(LowRankScores, "rows", watched)
    whole = recommendation_scorer(model, X, y)
    n_scored = int((y.sum(axis=0) > 0).sum())
    assert widths == [n_scored]
    assert make_recommendation_scorer(chunk_size=3)(model, X, y) == approx(whole)
    assert max(widths[1:]) == 3
    assert sum(widths[1:]) == n_scored


def test_excluded_pairs_are_no_candidates(scored):
    model, X, y, scores = scored
    exclude = known_pairs(X, y)
    values = recommendation_scorer(model, X, y, exclude=exclude)
    expected = mean_average_precision_at_k(y, scores, exclude=exclude)
    assert values["map"] == approx(expected)
    assert values != recommendation_scorer(model, X, y)


def test_values_per_user_are_those_of_the_metrics(scored):
    model, X, y, scores = scored
    values = recommendation_scorer.per_user(model, X, y)
    expected = mean_average_precision_at_k(y, scores, per_user=True)
    assert_allclose(values["map"], expected, rtol=1e-12)
    some = make_recommendation_scorer("map", users=[3, 9]).per_user(model, X, y)
    assert_array_equal(some["map"][[3, 9]], values["map"][[3, 9]])
    assert np.isnan(np.delete(some["map"], [3, 9])).all()
    with pytest.raises(ValueError, match="novelty@5 describes the lists"):
        make_recommendation_scorer("novelty@5").per_user(model, X, y)


# What cannot be scored


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("nan", "contain NaN"),
        ("raise", "RuntimeError: the model is out of order"),
        ("shape", r"y has shape \(60, 25\) but scores have shape \(60, 24\)"),
        ("flat", r"predict returned shape \(60,\)"),
    ],
)
def test_what_cannot_be_scored_is_nan_with_one_warning(failure, reason, catalog):
    X, y, _ = catalog
    model = BrokenRecommender(failure).fit(X, y)
    with pytest.warns(UserWarning, match=f"map, auc could not be .*{reason}") as record:
        values = recommendation_scorer(model, X, y)
    assert_array_equal([values["map"], values["auc"]], np.nan)
    assert [w.filename for w in record] == [__file__]
    with pytest.raises((ValueError, RuntimeError), match=reason.split(": ")[-1]):
        make_recommendation_scorer("mrr")(model, X, y)


def test_plays_of_nobody_are_nan_with_one_warning(scored):
    model, X, y, _ = scored
    with pytest.warns(UndefinedMetricWarning, match="map, auc: no user") as record:
        values = recommendation_scorer(model, X, 0 * y)
    assert_array_equal([values["map"], values["auc"]], np.nan)
    assert [w.filename for w in record] == [__file__]


def test_an_estimator_that_is_not_fitted_raises(catalog):
    X, y, _ = catalog
    with pytest.raises(NotFittedError):
        recommendation_scorer(LinearRecommender(), X, y)


# Life in scikit-learn


@pytest.mark.parametrize(
    "scorer",
    [recommendation_scorer, make_recommendation_scorer("ndcg@3", users=[1, 2])],
)
def test_scorers_survive_pickle_and_copy(scorer, scored):
    for twin in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer)):
        assert repr(twin) == repr(scorer)
        assert twin(*scored[:3]) == scorer(*scored[:3])


def test_repr_is_the_call_that_makes_it():
    default = "make_recommendation_scorer(('map@500', 'auc'))"
    assert repr(recommendation_scorer) == default
    text = "make_recommendation_scorer('map@10', users=[3, 1], chunk_size=8)"
    assert repr(eval(text, {**vars(skcoldstart)} | globals())) == text
    array = make_recommendation_scorer("auc", users=np.array([1, 2]))
    assert repr(array) == "make_recommendation_scorer('auc', users=array([1, 2]))"


def routed(model, X, y, scorer, **params):
    options = {
        "scoring": scorer,
        "params": params,
        "error_score": "raise",
        "cv": KFold(3),
    }
    with config_context(enable_metadata_routing=True):
        return cross_validate(model, X, y, **options)["test_map"]


def test_excluded_pairs_can_be_asked_for_under_another_name_or_not_at_all(catalog):
    X, y, _ = catalog
    model, known = FactorRecommender(), known_pairs(X, y)
    other = recommendation_scorer.set_score_request(exclude="known")
    assert_array_equal(
        routed(model, X, y, other, known=known),
        routed(model, X, y, recommendation_scorer, exclude=known),
    )
    for scorer in (other, recommendation_scorer.set_score_request(exclude=False)):
        with pytest.raises(TypeError, match="exclude"):
            routed(model, X, y, scorer, exclude=known)


def test_requests_of_a_scorer_are_set_one_by_one(catalog):
    X, y, groups = catalog
    scorer = recommendation_scorer.set_score_request(exclude=False)
    scorer = scorer.set_score_request(groups="artists")
    expected = routed(NEIGHBORS, X, y, recommendation_scorer, groups=groups)
    with config_context(enable_metadata_routing=True):
        model = clone(NEIGHBORS).set_fit_request(groups="artists")
    assert_array_equal(routed(model, X, y, scorer, artists=groups), expected)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_groups_are_routed_to_the_prediction_of_a_scored_recommender(
    in_pipeline, catalog
):
    X, y, groups = catalog
    model = make_pipeline(StandardScaler(), NEIGHBORS) if in_pipeline else NEIGHBORS
    options = {"cv": KFold(3), "scoring": recommendation_scorer, "error_score": "raise"}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {}, refit="map", **options)
        search.fit(X, y, groups=groups)
        results = cross_validate(model, X, y, groups=groups, **options)
    for split, (train, test) in enumerate(KFold(3).split(X)):
        scaler = StandardScaler().fit(X[train])
        A, B = (scaler.transform(X[r]) if in_pipeline else X[r] for r in (train, test))
        fitted = clone(NEIGHBORS).fit(A, y[train], groups=groups[train])
        scores = fitted.predict(B, groups=groups[test])
        expected = mean_average_precision_at_k(y[test], scores)
        found = search.cv_results_[f"split{split}_test_map"][0]
        assert_allclose(found, expected, rtol=1e-12)
        assert_allclose(results["test_map"][split], expected, rtol=1e-12)


def test_groups_passed_to_a_scorer_reach_the_prediction(catalog):
    X, y, groups = catalog
    model = clone(NEIGHBORS).fit(X[:40], y[:40], groups=groups[:40])
    held_out = X[40:], y[40:]
    scores = model.predict(X[40:], groups=groups[40:])
    one = make_recommendation_scorer("auc")
    auc = one(model, *held_out, groups=groups[40:])
    assert auc == approx(mean_auc(y[40:], scores))
    of_users = one.per_user(model, *held_out, groups=groups[40:])["auc"]
    assert np.nanmean(of_users) == approx(auc)
    with pytest.raises(ValueError, match="pass groups="):
        one(model, *held_out)
    # A recommender without groups is scored as before.
    other = FactorRecommender().fit(X, y)
    with_groups = recommendation_scorer(other, X, y, groups=groups)
    assert with_groups == recommendation_scorer(other, X, y)


def searched(search, X, y, scoring, error_score, **options):
    """Return the scores of the candidate that cannot be scored."""
    options |= {"scoring": scoring, "cv": 2, "error_score": error_score, "refit": False}
    found = search(BrokenRecommender(), {"failure": ["none", "raise"]}, **options)
    return np.concatenate([
        values[1:2]
        for key, values in found.fit(X, y).cv_results_.items()
        if key.startswith(("mean_test_", "split0_test_"))
    ])


def validated(function, X, y, scoring, error_score, **options):
    """Return the scores of folds that cannot be scored."""
    options |= {"scoring": scoring, "cv": 2, "error_score": error_score}
    found = function(BROKEN, X, y.toarray(), **options)
    if isinstance(found, dict):
        return np.concatenate([found[key] for key in found if key.startswith("test")])
    return found[-1] if isinstance(found, tuple) else found


ONE, SEVERAL = make_recommendation_scorer("auc"), recommendation_scorer
BROKEN = BrokenRecommender("raise")
CURVE = {"param_name": "failure", "param_range": ["raise"]}
# What gives a score to a fold that cannot be scored, scikit-learn's functions and ours.
ENTRY_POINTS = {
    "GridSearchCV": partial(searched, GridSearchCV),
    "RandomizedSearchCV": partial(
        searched, RandomizedSearchCV, n_iter=2, random_state=1
    ),
    "cross_validate": partial(validated, cross_validate),
    "scikit-learn's cross_validate": partial(
        validated, sklearn.model_selection.cross_validate
    ),
    "a scorer inside a function": lambda X, y, scorer, error_score: searched(
        GridSearchCV, X, y, lambda *args: scorer(*args), error_score
    ),
}
ONE_NUMBER = {
    "HalvingGridSearchCV": partial(searched, HalvingGridSearchCV, min_resources=20),
    "cross_val_score": partial(validated, cross_val_score),
    "learning_curve": partial(validated, learning_curve, train_sizes=[0.5]),
    "validation_curve": partial(validated, validation_curve, **CURVE),
}
CASES = {
    **{f"{name}, one": (call, ONE) for name, call in ENTRY_POINTS.items()},
    **{f"{name}, several": (call, SEVERAL) for name, call in ENTRY_POINTS.items()},
    **{name: (call, ONE) for name, call in ONE_NUMBER.items()},
}


@pytest.mark.parametrize("error_score", [0.0, -3.0, np.nan])
@pytest.mark.parametrize(("call", "scorer"), CASES.values(), ids=CASES)
def test_what_fails_to_score_is_given_the_error_score(
    call, scorer, error_score, catalog
):
    X, y, _ = catalog
    with pytest.warns(UserWarning, match="the model is out of order"):
        values = call(X, y, scorer, error_score)
    assert_array_equal(values, np.full(values.shape, error_score))


@pytest.mark.parametrize(("call", "scorer"), CASES.values(), ids=CASES)
def test_what_fails_to_score_raises_if_told_to(call, scorer, catalog):
    X, y, _ = catalog
    with pytest.raises(RuntimeError, match="the model is out of order"):
        call(X, y, scorer, "raise")


def test_a_failing_predict_raises_where_there_is_no_error_score(catalog):
    X, y, _ = catalog
    broken = BrokenRecommender("raise").fit(X, y)
    for call in (
        lambda: compare({"broken": BROKEN}, X, y),
        lambda: our_importance(broken, X, y),
        lambda: permutation_importance(broken, X, y.toarray(), scoring=ONE),
    ):
        with pytest.raises(RuntimeError, match="out of order"):
            call()
