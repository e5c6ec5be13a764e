"""Named users: remembered in fit, compared ever after."""

import uuid

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    MLRSimilarity,
    OracleRecommender,
    PopularityRecommender,
    RandomRecommender,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart.metrics import mean_auc, stratified_report
from skcoldstart.model_selection import (
    WarmupSplit,
    content_leakage_check,
    warmup_curve,
)

NAMES = ["ann", "bob", "cem", "dua", "eva", "fay", "gus", "hal"]
RECOMMENDERS = [
    ColdStartRecommender(factorizer=WMF(2, random_state=0)),
    ContentProfileRecommender(),
    ContentKNNRecommender(3),
    PopularityRecommender(),
    RandomRecommender(random_state=0),
]


@pytest.fixture
def catalog(rng):
    y = rng.poisson(0.8, size=(30, len(NAMES)))
    return rng.normal(size=(30, 4)), pd.DataFrame(y, columns=NAMES)


def by_class(recommender):
    return type(recommender).__name__


@pytest.fixture
def profile(catalog):
    """A recommender of named users."""
    X, y = catalog
    return ContentProfileRecommender().fit(X[:20], y[:20])


def test_reordered_users_are_refused_with_the_remedy(profile, catalog):
    X, y = catalog[0][20:], catalog[1][20:]
    backwards = y[NAMES[::-1]]
    with pytest.raises(ValueError, match=r"another order; pass y\[recommender\.user_n"):
        profile.score(X, backwards)
    again = backwards[profile.user_names_in_]
    assert profile.score(X, again) == profile.score(X, y)
    with pytest.raises(ValueError, match="columns of exclude are not the users of fit"):
        profile.recommend(X, n=2, exclude=backwards)


@pytest.mark.parametrize("container", [list, np.array, pd.Index])
def test_users_are_chosen_by_name(container, profile, catalog):
    X, y = catalog
    everyone = profile.recommend(X[20:], n=3)
    chosen = profile.recommend(X[20:], n=3, users=container(["gus", "ann"]))
    assert_array_equal(chosen.items, everyone.items[[6, 0]])
    with pytest.raises(ValueError, match="users holds 'zoe', not seen in fit"):
        profile.recommend(X[20:], n=3, users=container(["ann", "zoe"]))
    profile.fit(X[:20], y[:20].to_numpy())
    with pytest.raises(ValueError, match="users holds names, such as 'ann', but fit"):
        profile.recommend(X[20:], n=3, users=container(["ann"]))


def test_columns_of_content_are_no_users(profile, catalog):
    X, y = catalog
    X = pd.DataFrame(X, columns=["tempo", "key", "loud", "dur"])
    profile.fit(X, y.to_numpy())
    with pytest.raises(ValueError, match="plays without names"):
        profile.recommend(X, n=2, users=["key"])


def test_a_factorizer_knows_its_columns_by_name(catalog):
    _, y = catalog
    model = WMF(2, random_state=0).fit(y)
    assert_array_equal(model.recommend(3, users=["hal"])[0], model.recommend(3)[0][7:])


def test_plays_to_be_folded_in_are_compared_too(catalog):
    X, y = catalog
    model = ColdStartRecommender(factorizer=WMF(2, random_state=0)).fit(X[:20], y[:20])
    with pytest.raises(ValueError, match=r"pass y_so_far\[recommender"):
        model.refine_factors(X[20:], y.loc[20:, NAMES[::-1]])
    oracle = OracleRecommender(WMF(2, random_state=0)).fit(y[:20])
    assert oracle.user_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match=r"pass X\[recommender"):
        oracle.predict(y[NAMES[::-1]])


def test_unknown_and_missing_users_are_named(profile, catalog):
    X, y = catalog[0][20:], catalog[1][20:]
    with pytest.raises(ValueError, match=r"Not seen in fit: 'zoe'. Missing: 'ann'"):
        profile.score(X, y.rename(columns={"ann": "zoe"}))
    with pytest.raises(ValueError, match=r"Missing: 'bob', .* 'fay' and 2 more"):
        profile.score(X, y[["ann"]])


@pytest.mark.parametrize("search", [False, True])
def test_scorer_gives_nan_and_the_reason_through_pipelines_and_searches(
    search, catalog
):
    X, y = catalog
    model = make_pipeline(StandardScaler(), ContentProfileRecommender())
    if search:
        grid = {"contentprofilerecommender__weighting": ["binary", "log"]}
        scoring = make_recommendation_scorer("auc")
        model = GridSearchCV(model, grid, scoring=scoring, cv=2, error_score="raise")
    model.fit(X[:20], y[:20])
    X, y = X[20:], y[20:]
    assert np.isfinite(list(recommendation_scorer(model, X, y).values())).all()
    with pytest.warns(UserWarning, match="They are in another order"):
        values = recommendation_scorer(model, X, y[NAMES[::-1]])
    assert np.isnan(list(values.values())).all()
    with pytest.warns(UserWarning, match="columns of exclude"):
        recommendation_scorer(model, X, y, exclude=y[NAMES[::-1]])


@pytest.mark.parametrize(
    "call",
    [
        lambda X, y, other: next(WarmupSplit().split(X, y, times=other)),
        lambda X, y, other: warmup_curve(
            PopularityRecommender(), X, y, times=other, n_plays=[0], cv=2
        ),
        lambda X, y, other: content_leakage_check(X, y, typed_by=other),
        lambda X, y, other: mean_auc(y, other),
        lambda X, y, other: stratified_report(y, y, user_activity=other.loc[0]),
    ],
)
def test_users_of_two_tables_in_another_order_are_refused(call, catalog):
    X, y = catalog
    with pytest.raises(ValueError, match="same users in another order"):
        call(X, y, y[NAMES[::-1]])


def test_plays_without_names_are_taken_in_order(profile, catalog):
    X, y = catalog[0][20:], catalog[1][20:]
    numbered = y.set_axis(range(8), axis=1)
    for plays in (y.to_numpy(), numbered):
        assert profile.score(X, plays) == profile.score(X, y)
    profile.fit(X, y.to_numpy())
    assert not hasattr(profile, "user_names_in_")
    # Columns that only count are no names, but have an order.
    profile.fit(X, numbered)
    assert not hasattr(profile, "user_names_in_")
    everyone = profile.recommend(X, n=2)
    assert_array_equal(profile.recommend(X, n=2, users=[3])[0], everyone[0][3:4])
    with pytest.raises(ValueError, match="another order"):
        profile.score(X, numbered.iloc[:, ::-1])


LABELS = {
    "integers": [100 + i for i in range(8)],
    "reversed positions": list(range(8))[::-1],
    "large integers": [2**62 + i for i in range(8)],
    "negative": [-i for i in range(8)],
    "strings": NAMES,
    "UUIDs": [uuid.UUID(int=i) for i in range(8)],
    "timestamps": list(pd.date_range("2012-01-01", periods=8)),
    "pairs": [("radio", i) for i in range(8)],
}


def columns(labels):
    if isinstance(labels[0], tuple):
        return pd.MultiIndex.from_tuples(labels)
    return pd.Index(labels)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("recommender", RECOMMENDERS, ids=by_class)
def test_users_of_any_name_are_found_by_it_and_never_by_position(
    recommender, labels, catalog, tmp_path
):
    X, y = catalog[0], catalog[1].set_axis(columns(labels), axis=1)
    joblib.dump(recommender.fit(X[:20], y[:20]), tmp_path / "model")
    model = joblib.load(tmp_path / "model")
    assert model.user_names_in_.tolist() == labels
    X, y = X[20:], y[20:]
    everyone = recommender.recommend(X, n=3)
    for chosen in ([labels[6], labels[0]], np.arange(8) % 6 == 0):
        order = [6, 0] if isinstance(chosen, list) else [0, 6]
        found = model.recommend(X, n=3, users=chosen)
        assert_array_equal(found.items, everyone.items[order])
        assert_array_equal(found.scores, everyone.scores[order])
    with pytest.raises(ValueError, match="users holds 55, not seen in fit"):
        model.recommend(X, n=3, users=[55])
    with pytest.raises(ValueError, match="another order"):
        model.score(X, y.iloc[:, ::-1])
    with pytest.raises(ValueError, match="another order"):
        model.recommend(X, n=3, exclude=y.iloc[:, ::-1])


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_frames_of_every_library_have_names(make, catalog):
    X, y = catalog
    model = PopularityRecommender().fit(X, make(y.to_dict(orient="list")))
    assert model.user_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="another order"):
        model.score(X, make(y[NAMES[::-1]].to_dict(orient="list")))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([*NAMES[:-1], "ann"], "name 2 users 'ann'; expected unique names"),
        ([*range(7, 14), 7], "name 2 users 7"),
        ([*NAMES[:-1], None], "missing value"),
        ([*NAMES[:-1], 0], "mix strings with other types, such as 0"),
    ],
)
def test_names_that_do_not_tell_users_apart_are_refused(names, message, catalog):
    X, y = catalog
    named = y.set_axis(names, axis=1)
    for fit in (
        lambda: ContentProfileRecommender().fit(X, named),
        lambda: PopularityRecommender().fit(X, named),
        lambda: ContentProfileRecommender().fit(X, y.to_numpy(), user_ids=names),
        lambda: WMF(2).fit(named),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            fit()


@pytest.mark.parametrize("recommender", RECOMMENDERS, ids=by_class)
def test_names_given_beside_plays_are_those_of_a_frame(recommender, catalog):
    X, y = catalog
    plays = csr_array(y.to_numpy())
    model = recommender.fit(X[:20], plays[:20], user_ids=NAMES)
    assert model.user_names_in_.tolist() == NAMES
    everyone = model.recommend(X[20:], n=2)
    hal = model.recommend(X[20:], n=2, users=["hal"])
    assert_array_equal(hal.items, everyone.items[7:])
    model.fit(X[:20], y[:20], user_ids=NAMES)
    with pytest.raises(ValueError, match="differ from the names of the columns of y"):
        model.fit(X[:20], y[:20], user_ids=NAMES[::-1])
    with pytest.raises(ValueError, match="user_ids holds 7 names but y has 8 columns"):
        model.fit(X[:20], plays[:20], user_ids=NAMES[1:])


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("recommender", RECOMMENDERS[:2], ids=by_class)
def test_names_are_routed_through_pipelines_and_searches(routing, recommender, catalog):
    X, y = catalog
    plays = csr_array(y.to_numpy())
    model = make_pipeline(StandardScaler(), clone(recommender))
    search = GridSearchCV(
        model, {}, cv=2, scoring=make_recommendation_scorer("auc"), error_score="raise"
    )
    prefix = "" if routing else f"{model.steps[-1][0]}__"
    with config_context(enable_metadata_routing=routing):
        search.fit(X, plays, **{f"{prefix}user_ids": NAMES})
    assert search.best_estimator_[-1].user_names_in_.tolist() == NAMES


def test_a_fit_to_labels_forgets_users(catalog):
    X, y = catalog
    model = MLRSimilarity(diagonal=True, C=1e3).fit(X, y)
    assert model.user_names_in_.tolist() == NAMES
    assert not hasattr(model.fit(X, np.arange(30) % 3), "user_names_in_")
