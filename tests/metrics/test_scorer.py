import copy
import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.decomposition import PCA
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


@pytest.fixture
def catalog(rng):
    X = rng.normal(size=(60, 4))
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 25)) - 1.5))
    return X, sp.csr_array(y), rng.integers(0, 12, size=60)


@pytest.mark.parametrize("model", [LinearRecommender(), FactorRecommender()])
def test_default_scorer_is_map_at_500_and_auc_per_user(model, catalog):
    X, y, _ = catalog
    model.fit(X, y)
    scores = X @ model.coef_
    values = recommendation_scorer(model, X, y)
    assert list(values) == ["map", "auc"]
    assert all(type(value) is float for value in values.values())
    assert_allclose(values["map"], mean_average_precision_at_k(y, scores), rtol=1e-12)
    assert_allclose(values["auc"], mean_auc(y, scores), rtol=1e-12)


@pytest.mark.parametrize(
    ("metrics", "keys"),
    [
        (("map@500", "auc"), ["map", "auc"]),
        (("map", "auc"), ["map", "auc"]),
        (("map@10", "auc"), ["map@10", "auc"]),
        (("map@10", "map@500", "auc"), ["map@10", "map", "auc"]),
        (("recall@20", "auc"), ["recall@20", "auc"]),
        (("recall@20", "recall@50"), ["recall@20", "recall@50"]),
        (("recall@5", "recall@all", "mrr"), ["recall@5", "recall@all", "mrr"]),
        (("recall", "recall@10", "ndcg"), ["recall", "ndcg"]),
        ({"early": "recall@2", "late": "recall@9"}, ["early", "late"]),
        ({"one": "recall@2", "same": "recall@2"}, ["one", "same"]),
    ],
)
def test_keys_are_the_names_given_whichever_others_there_are(metrics, keys, catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    assert list(make_recommendation_scorer(metrics)(model, X, y)) == keys


@pytest.mark.parametrize(
    "metrics", ["recall@5", ("recall@5",), ("recall@5", "recall@5")]
)
def test_one_metric_is_a_float(metrics, catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    value = make_recommendation_scorer(metrics)(model, X, y)
    assert type(value) is float
    assert_allclose(value, recall(y, X @ model.coef_, k=5), rtol=1e-12)


def test_cutoffs_reach_the_metric(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    values = make_recommendation_scorer(("map@2", "map@all"))(model, X, y)
    for key, k in [("map@2", 2), ("map@all", None)]:
        expected = mean_average_precision_at_k(y, X @ model.coef_, k=k)
        assert_allclose(values[key], expected, rtol=1e-12)


def test_pooled_auc_is_an_option(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    value = make_recommendation_scorer("auc", average="pooled")(model, X, y)
    assert_allclose(value, mean_auc(y, X @ model.coef_, average="pooled"), rtol=1e-12)


@pytest.mark.parametrize(
    "metrics", ["map@0", "map@", "auc@10", "rmse", "map 500", (), ("map", "NDCG@10")]
)
def test_unknown_metrics_are_refused_when_the_scorer_is_made(metrics):
    with pytest.raises(ValueError, match=r"Unknown metric|no cutoff|metrics is empty"):
        make_recommendation_scorer(metrics)


@pytest.mark.parametrize(
    "options", [{"average": "macro"}, {"users": 0}, {"chunk_size": 0}]
)
def test_options_out_of_range_are_refused_when_the_scorer_is_made(options):
    with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter"):
        make_recommendation_scorer(**options)


def test_chosen_users_are_the_only_ones_scored(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    per_user = mean_auc(y, X @ model.coef_, per_user=True)
    mask = np.arange(25) % 3 == 0
    for users in (mask, np.flatnonzero(mask), list(np.flatnonzero(mask))):
        value = make_recommendation_scorer("auc", users=users)(model, X, y)
        assert_allclose(value, np.nanmean(per_user[mask]), rtol=1e-12)


def test_a_number_of_users_is_drawn_among_those_with_positives(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    per_user = mean_auc(y, X @ model.coef_, per_user=True)
    silenced = y.toarray()
    silenced[:, 5:] = 0
    five = make_recommendation_scorer("auc", users=5)
    assert_allclose(five(model, X, silenced), np.nanmean(per_user[:5]), rtol=1e-12)
    assert five(model, X, y) == five(model, X, y)
    other = make_recommendation_scorer("auc", users=5, random_state=1)
    assert other(model, X, y) != five(model, X, y)
    everyone = make_recommendation_scorer("auc", users=1000)
    assert everyone(model, X, y) == make_recommendation_scorer("auc")(model, X, y)


def test_chunks_change_memory_and_not_the_score(catalog, monkeypatch):
    X, y, _ = catalog
    model, widths, read = FactorRecommender().fit(X, y), [], LowRankScores.rows

    def watched(source, users, out=None):
        rows = read(source, users, out)
        widths.append(len(rows))
        return rows

    monkeypatch.setattr(LowRankScores, "rows", watched)
    whole = recommendation_scorer(model, X, y)
    n_scored = int((y.sum(axis=0) > 0).sum())
    assert widths == [n_scored]
    chunked = make_recommendation_scorer(chunk_size=3)(model, X, y)
    assert max(widths[1:]) == 3
    assert sum(widths[1:]) == n_scored
    assert_allclose(list(chunked.values()), list(whole.values()), rtol=1e-12)


def test_pipelines_and_searches_are_opened_for_their_factors(catalog):
    X, y, _ = catalog
    pipeline = make_pipeline(StandardScaler(), PCA(3), FactorRecommender()).fit(X, y)
    expected = recommendation_scorer(
        FactorRecommender().fit(pipeline[:-1].transform(X), y),
        pipeline[:-1].transform(X),
        y,
    )
    assert recommendation_scorer(pipeline, X, y) == expected


def test_excluded_pairs_are_no_candidates(catalog):
    X, y, _ = catalog
    model = FactorRecommender().fit(X, y)
    exclude = (y.toarray() == 0) & (X[:, :1] > 0)
    values = recommendation_scorer(model, X, y, exclude=sp.csr_array(exclude))
    scores = X @ model.coef_
    expected = mean_average_precision_at_k(y, scores, exclude=exclude)
    assert_allclose(values["map"], expected, rtol=1e-12)
    assert values != recommendation_scorer(model, X, y)


def test_values_per_user_are_those_of_the_metrics(catalog):
    X, y, _ = catalog
    model = FactorRecommender().fit(X, y)
    values = recommendation_scorer.per_user(model, X, y)
    expected = mean_average_precision_at_k(y, X @ model.coef_, per_user=True)
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
        ("shape", r"y_true has shape \(60, 25\) but scores have shape \(60, 24\)"),
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


def test_transposed_plays_and_users_out_of_range_are_named(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    with pytest.warns(UserWarning, match="Did you pass users as rows"):
        assert np.isnan(recommendation_scorer(model, X, y.T)["map"])
    with pytest.raises(ValueError, match="users holds 25"):
        make_recommendation_scorer("auc", users=[25])(model, X, y)


def test_plays_of_nobody_are_nan_with_one_warning(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    with pytest.warns(UndefinedMetricWarning, match="map, auc: no user") as record:
        values = recommendation_scorer(model, X, 0 * y)
    assert_array_equal([values["map"], values["auc"]], np.nan)
    assert [w.filename for w in record] == [__file__]


def test_an_estimator_that_is_not_fitted_raises(catalog):
    X, y, _ = catalog
    with pytest.raises(NotFittedError):
        recommendation_scorer(LinearRecommender(), X, y)


# Life in scikit-learn


def test_scorers_survive_pickle_and_copy(catalog):
    X, y, _ = catalog
    model = LinearRecommender().fit(X, y)
    for scorer in (
        recommendation_scorer,
        make_recommendation_scorer("ndcg@3", users=[1, 2]),
    ):
        for twin in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer)):
            assert repr(twin) == repr(scorer)
            assert twin(model, X, y) == scorer(model, X, y)


def test_repr_is_the_call_that_makes_it():
    default = "make_recommendation_scorer(('map@500', 'auc'))"
    assert repr(recommendation_scorer) == default
    assert repr(skcoldstart.recommendation_scorer) == default
    text = "make_recommendation_scorer('map@10', users=[3, 1], chunk_size=8)"
    assert repr(eval(text, {**vars(skcoldstart)} | globals())) == text
    array = make_recommendation_scorer("auc", users=np.array([1, 2]))
    assert repr(array) == "make_recommendation_scorer('auc', users=array([1, 2]))"


def known_pairs(X, y):
    return sp.csr_array((y.toarray() == 0) & (X[:, :1] > 0))


def test_excluded_pairs_can_be_asked_for_under_another_name_or_not_at_all(catalog):
    X, y, _ = catalog
    options = {"cv": 3, "error_score": "raise"}
    known = known_pairs(X, y)
    other = recommendation_scorer.set_score_request(exclude="known")
    model = FactorRecommender()
    with config_context(enable_metadata_routing=True):
        expected = cross_validate(model, X, y, params={"exclude": known}, **options)
        renamed = cross_validate(
            model, X, y, scoring=other, params={"known": known}, **options
        )
        with pytest.raises(TypeError, match="exclude"):
            cross_validate(
                model, X, y, scoring=other, params={"exclude": known}, **options
            )
        never = recommendation_scorer.set_score_request(exclude=False)
        with pytest.raises(TypeError, match="exclude"):
            cross_validate(
                model, X, y, scoring=never, params={"exclude": known}, **options
            )
    assert_array_equal(renamed["test_map"], expected["test_map"])


def neighbors_of_known_groups():
    return ContentKNNRecommender(5, group_bonus=0.5)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_groups_are_routed_to_the_prediction_of_a_scored_recommender(
    in_pipeline, catalog
):
    X, y, groups = catalog
    model = neighbors_of_known_groups()
    if in_pipeline:
        model = make_pipeline(StandardScaler(), model)
    options = {"cv": KFold(3), "scoring": recommendation_scorer, "error_score": "raise"}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {}, refit="map", **options)
        search.fit(X, y, groups=groups)
        results = cross_validate(model, X, y, groups=groups, **options)
    for split, (train, test) in enumerate(KFold(3).split(X)):
        scaler = StandardScaler().fit(X[train])
        A, B = (scaler.transform(X[r]) if in_pipeline else X[r] for r in (train, test))
        fitted = neighbors_of_known_groups().fit(A, y[train], groups=groups[train])
        scores = fitted.predict(B, groups=groups[test])
        expected = mean_average_precision_at_k(y[test], scores)
        found = search.cv_results_[f"split{split}_test_map"][0]
        assert_allclose(found, expected, rtol=1e-12)
        assert_allclose(results["test_map"][split], expected, rtol=1e-12)


def test_groups_passed_to_a_scorer_reach_the_prediction(catalog):
    X, y, groups = catalog
    model = neighbors_of_known_groups().fit(X[:40], y[:40], groups=groups[:40])
    held_out = X[40:], y[40:]
    scores = model.predict(X[40:], groups=groups[40:])
    values = recommendation_scorer(model, *held_out, groups=groups[40:])
    assert_allclose(values["auc"], mean_auc(y[40:], scores), rtol=1e-12)
    one = make_recommendation_scorer("auc")
    of_users = one.per_user(model, *held_out, groups=groups[40:])["auc"]
    assert_allclose(np.nanmean(of_users), values["auc"], rtol=1e-12)
    with pytest.raises(ValueError, match="pass groups="):
        one(model, *held_out)
    # A recommender without groups is scored as before.
    other = FactorRecommender().fit(X, y)
    with_groups = recommendation_scorer(other, X, y, groups=groups)
    assert with_groups == recommendation_scorer(other, X, y)


def test_requests_of_a_scorer_are_set_one_by_one(catalog):
    X, y, groups = catalog
    scorer = recommendation_scorer.set_score_request(exclude=False)
    scorer = scorer.set_score_request(groups="artists")
    options = {"cv": KFold(3), "error_score": "raise"}
    with config_context(enable_metadata_routing=True):
        model = neighbors_of_known_groups().set_fit_request(groups="artists")
        expected = cross_validate(
            neighbors_of_known_groups(), X, y, params={"groups": groups}, **options
        )
        renamed = cross_validate(
            model, X, y, scoring=scorer, params={"artists": groups}, **options
        )
    assert_array_equal(renamed["test_map"], expected["test_map"])


def test_a_candidate_that_cannot_be_scored_does_not_end_a_search(catalog):
    X, y, _ = catalog
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(
            BrokenRecommender(),
            {"failure": ["nan", "none", "raise"]},
            scoring=recommendation_scorer,
            refit="auc",
            cv=2,
        ).fit(X, y)
    assert_array_equal(
        search.cv_results_["mean_test_auc"], np.array([np.nan, 0.5, np.nan])
    )
    assert search.best_params_ == {"failure": "none"}


def halving(scoring, error_score):
    return HalvingGridSearchCV(
        BrokenRecommender(),
        {"failure": ["none", "raise"]},
        scoring=scoring,
        cv=2,
        error_score=error_score,
        min_resources=20,
    )


def grid(scoring, error_score, search=GridSearchCV):
    return search(
        BrokenRecommender(),
        {"failure": ["none", "raise"]},
        scoring=scoring,
        refit=False,
        cv=2,
        error_score=error_score,
    )


def searched(search, X, y):
    results = search.fit(X, y).cv_results_
    return np.concatenate([
        values[1:2]
        for key, values in results.items()
        if key.startswith(("mean_test_", "split0_test_"))
    ])


ONE, SEVERAL = make_recommendation_scorer("auc"), recommendation_scorer
BROKEN = BrokenRecommender("raise")
CURVE = {"param_name": "failure", "param_range": ["raise"]}
# What gives a score to a fold that cannot be scored, scikit-learn's functions and ours.
ENTRY_POINTS = {
    "GridSearchCV": lambda X, y, s, e: searched(grid(s, e), X, y),
    "RandomizedSearchCV": lambda X, y, s, e: searched(
        grid(s, e, partial(RandomizedSearchCV, n_iter=2, random_state=1)), X, y
    ),
    "cross_validate": lambda X, y, s, e: np.concatenate([
        values
        for key, values in cross_validate(
            BROKEN, X, y, scoring=s, cv=2, error_score=e
        ).items()
        if key.startswith("test")
    ]),
    "scikit-learn's cross_validate": lambda X, y, s, e: np.concatenate([
        values
        for key, values in sklearn.model_selection.cross_validate(
            BROKEN, X, y.toarray(), scoring=s, cv=2, error_score=e
        ).items()
        if key.startswith("test")
    ]),
    "a scorer inside a function": lambda X, y, s, e: searched(
        grid(lambda *args: s(*args), e), X, y
    ),
}
ONE_NUMBER = {
    "HalvingGridSearchCV": lambda X, y, s, e: (
        halving(s, e).fit(X, y).cv_results_["mean_test_score"][[1]]
    ),
    "cross_val_score": lambda X, y, s, e: cross_val_score(
        BROKEN, X, y, scoring=s, cv=2, error_score=e
    ),
    "learning_curve": lambda X, y, s, e: learning_curve(
        BROKEN, X, y, scoring=s, cv=2, error_score=e, train_sizes=[0.5]
    )[2],
    "validation_curve": lambda X, y, s, e: validation_curve(
        BROKEN, X, y, scoring=s, cv=2, error_score=e, **CURVE
    )[1],
}
CASES = [
    *((call, scorer) for call in ENTRY_POINTS.values() for scorer in (ONE, SEVERAL)),
    *((call, ONE) for call in ONE_NUMBER.values()),
]
CASE_IDS = [
    *(f"{name}, {n}" for name in ENTRY_POINTS for n in ("one", "several")),
    *ONE_NUMBER,
]


@pytest.mark.parametrize("error_score", [0.0, -3.0, np.nan])
@pytest.mark.parametrize(("call", "scorer"), CASES, ids=CASE_IDS)
def test_what_fails_to_score_is_given_the_error_score(
    call, scorer, error_score, catalog
):
    X, y, _ = catalog
    with pytest.warns(UserWarning, match="the model is out of order"):
        values = call(X, y, scorer, error_score)
    assert_array_equal(values, np.full(values.shape, error_score))


@pytest.mark.parametrize(("call", "scorer"), CASES, ids=CASE_IDS)
def test_what_fails_to_score_raises_if_told_to(call, scorer, catalog):
    X, y, _ = catalog
    with pytest.raises(RuntimeError, match="the model is out of order"):
        call(X, y, scorer, "raise")


def test_a_failing_predict_raises_where_there_is_no_error_score(catalog):
    X, y, _ = catalog
    with pytest.raises(RuntimeError, match="out of order"):
        compare({"broken": BROKEN}, X, y)
    with pytest.raises(RuntimeError, match="out of order"):
        our_importance(BrokenRecommender("raise").fit(X, y), X, y)
    with pytest.raises(RuntimeError, match="out of order"):
        permutation_importance(
            BrokenRecommender("raise").fit(X, y), X, y.toarray(), scoring=ONE
        )
