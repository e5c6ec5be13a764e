"""Named users: remembered in fit, compared ever after."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    MLRSimilarity,
    OracleRecommender,
    PopularityRecommender,
    RandomRecommender,
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart.compose import ContentKNNRecommender

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


@pytest.mark.parametrize("recommender", RECOMMENDERS, ids=by_class)
def test_reordered_users_are_refused_with_the_remedy(recommender, catalog):
    X, y = catalog
    recommender.fit(X[:20], y[:20])
    assert recommender.user_names_in_.tolist() == NAMES
    backwards = y[NAMES[::-1]]
    with pytest.raises(ValueError, match=r"another order; pass y\[recommender\.user_n"):
        recommender.score(X[20:], backwards[20:])
    again = backwards[recommender.user_names_in_]
    assert recommender.score(X[20:], again[20:]) == recommender.score(X[20:], y[20:])
    with pytest.raises(ValueError, match="columns of exclude are not the users of fit"):
        recommender.recommend(X[20:], n=2, exclude=backwards[20:])


@pytest.mark.parametrize("recommender", RECOMMENDERS, ids=by_class)
def test_users_are_chosen_by_name(recommender, catalog):
    X, y = catalog
    recommender.fit(X[:20], y[:20])
    for chosen in (["gus", "ann"], np.array(["gus", "ann"]), pd.Index(["gus", "ann"])):
        for found, expected in zip(
            recommender.recommend(X[20:], n=3, users=chosen),
            recommender.recommend(X[20:], n=3, users=[6, 0]),
            strict=True,
        ):
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="users holds 'zoe', not seen in fit"):
        recommender.recommend(X[20:], n=3, users=["ann", "zoe"])
    recommender.fit(X[:20], y[:20].to_numpy())
    with pytest.raises(ValueError, match="users holds names, such as 'ann', but fit"):
        recommender.recommend(X[20:], n=3, users=["ann"])


@pytest.mark.parametrize("recommender", RECOMMENDERS[:3], ids=by_class)
def test_columns_of_content_are_no_users(recommender, catalog):
    X, y = catalog
    X = pd.DataFrame(X, columns=["tempo", "key", "loud", "dur"])
    recommender.fit(X, y.to_numpy())
    for name in ("key", "ann"):
        with pytest.raises(ValueError, match="plays whose users have none"):
            recommender.recommend(X, n=2, users=[name])


def test_a_factorizer_knows_its_columns_by_name(catalog):
    _, y = catalog
    model = WMF(2, random_state=0).fit(y)
    np.testing.assert_array_equal(
        model.recommend(3, users=["hal"])[0], model.recommend(3, users=[7])[0]
    )


def test_plays_to_be_folded_in_are_compared_too(catalog):
    X, y = catalog
    model = ColdStartRecommender(factorizer=WMF(2, random_state=0)).fit(X[:20], y[:20])
    with pytest.raises(ValueError, match=r"pass y_so_far\[recommender"):
        model.refine_factors(X[20:], y.loc[20:, NAMES[::-1]])
    oracle = OracleRecommender(WMF(2, random_state=0)).fit(y[:20])
    assert oracle.user_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match=r"pass X\[recommender"):
        oracle.predict(y[NAMES[::-1]])


def test_unknown_and_missing_users_are_named(catalog):
    X, y = catalog
    model = ContentProfileRecommender().fit(X[:20], y[:20])
    others = y.rename(columns={"ann": "zoe"})
    with pytest.raises(ValueError, match=r"Not seen in fit: 'zoe'. Missing: 'ann'"):
        model.score(X[20:], others[20:])
    with pytest.raises(ValueError, match=r"Missing: 'bob', .* 'fay' and 2 more"):
        model.score(X[20:], y.loc[20:, ["ann"]])


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
    assert np.isfinite(
        list(recommendation_scorer(model, X[20:], y[20:]).values())
    ).all()
    with pytest.warns(UserWarning, match="They are in another order"):
        values = recommendation_scorer(model, X[20:], y.loc[20:, NAMES[::-1]])
    assert np.isnan(list(values.values())).all()
    with pytest.warns(UserWarning, match="columns of exclude"):
        recommendation_scorer(model, X[20:], y[20:], exclude=y.loc[20:, NAMES[::-1]])


def test_plays_without_names_are_taken_in_order(catalog):
    X, y = catalog
    model = ContentProfileRecommender().fit(X[:20], y[:20])
    assert model.score(X[20:], y[20:].to_numpy()) == model.score(X[20:], y[20:])
    numbered = y.set_axis(range(len(NAMES)), axis=1)
    assert model.score(X[20:], numbered[20:]) == model.score(X[20:], y[20:])
    model.fit(X[:20], y[:20].to_numpy())
    assert not hasattr(model, "user_names_in_")


def test_users_named_only_in_part_are_refused(catalog):
    X, y = catalog
    with pytest.raises(TypeError, match="string"):
        ContentProfileRecommender().fit(X, y.rename(columns={"ann": 0}))


def test_a_fit_to_labels_forgets_users(catalog):
    X, y = catalog
    model = MLRSimilarity(diagonal=True, C=1e3).fit(X, y)
    assert model.user_names_in_.tolist() == NAMES
    assert not hasattr(model.fit(X, np.arange(30) % 3), "user_names_in_")
