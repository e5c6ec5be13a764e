"""release_curve: rounds of new items, counted by hand and against chance."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, ContentKNNRecommender
from skcoldstart.model_selection import release_curve


@pytest.fixture
def world(rng):
    X = rng.normal(size=(140, 5))
    y = sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(5, 30)) - 1.5)))
    model = ColdStartRecommender(Ridge(), WMF(4, reg=1.0, random_state=0))
    model = make_pipeline(StandardScaler(), model).fit(X[:80], y[:80])
    return model, X[80:], y[80:]


def of(table, policy, column):
    return np.asarray(table[column])[np.asarray(table["policy"]) == policy]


@pytest.mark.parametrize("learn_from_shown", [False, True])
@pytest.mark.parametrize("lift", [0, 0.7])
def test_rounds_are_lists_of_what_was_learnt(world, learn_from_shown, lift):
    model, X, y = world
    policies = {"greedy": {"learn_from_shown": learn_from_shown, "lift": lift}}
    table = release_curve(model, X, y, n_rounds=3, n_shown=4, policies=policies)
    scaled, recommender = model[0].transform(X), model[-1]
    shown, plays = np.zeros((2, 60, 30))
    hits = []
    for _ in range(3):
        known = {"shown": shown} if learn_from_shown else {}
        factors = recommender.refine_factors(scaled, plays, **known)
        scores = factors @ recommender.user_factors_.T
        listeners = plays.sum(axis=1, keepdims=True)
        lifted = (listeners >= 1) & (listeners < 5)
        scores += lift * scores.std(axis=0) * lifted
        scores[shown > 0] = -np.inf
        for user in range(30):
            best = np.argsort(-scores[:, user], kind="stable")[:4]
            shown[best, user] = 1
            plays[best, user] = y.toarray()[best, user] > 0
        hits.append(plays.sum())
    assert_array_equal(of(table, "greedy", "hits"), hits)
    enough = np.count_nonzero(plays.sum(axis=1) >= 5)
    assert of(table, "greedy", "items")[-1] == enough


def test_everything_is_found_when_everything_is_shown(world):
    model, X, y = world
    table = release_curve(model, X, y, n_rounds=15, n_shown=4, users=[3, 9, 11])
    policies = ["greedy", "epsilon-greedy", "popularity first", "ucb", "thompson"]
    assert table["policy"].unique().tolist() == policies
    for policy in policies:
        hits = of(table, policy, "hits")
        assert hits[-1] == y[:, [3, 9, 11]].count_nonzero()
        assert np.all(np.diff(hits) >= 0)


def test_scores_find_more_than_chance_and_seeds_repeat(world):
    model, X, y = world
    policies = {
        "greedy": {},
        "chance": {"epsilon": 1.0},
        "thompson": {"explore": "thompson", "strength": 1.0},
    }
    tables = [
        release_curve(model, X, y, n_rounds=4, policies=policies, random_state=seed)
        for seed in (0, 0, 1)
    ]
    assert of(tables[0], "greedy", "hits")[-1] > of(tables[0], "chance", "hits")[-1]
    for policy in policies:
        first, again, other = (of(table, policy, "hits") for table in tables)
        assert_array_equal(first, again)
        assert (policy == "greedy") == np.array_equal(first, other)


def test_popularity_comes_before_scores(world):
    model, X, y = world
    policies = {"plays": {"plays_first": True}}
    table = release_curve(model, X, y, n_rounds=2, n_shown=1, policies=policies)
    items = model[-1].recommend(model[0].transform(X), 1).items[:, 0]
    own = y.toarray() > 0
    counts = np.zeros(60)
    np.add.at(counts, items, own[items, np.arange(30)])
    hits = int(counts.sum())
    assert of(table, "plays", "hits")[0] == hits
    for user in range(30):
        rest = counts.copy()
        rest[items[user]] = -1
        best = np.flatnonzero(rest == rest.max())
        if len(best) == 1:
            hits += own[best[0], user]
    ties = of(table, "plays", "hits")[1] - hits
    assert 0 <= ties <= 30


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_rounds": 30}, "30 rounds of 5 items show 150 new"),
        ({"policies": {"a": {"greed": 1}}}, "options .'greed'."),
        ({"policies": {"a": {"epsilon": 2}}}, "expected a probability"),
        ({"policies": {"a": {"lift": -1}}}, "lift=-1 of policy 'a'"),
        ({"n_shown": 0}, "n_shown"),
        ({"policies": {}}, "policies is empty"),
        ({"users": [], "n_rounds": 1}, "users is empty"),
        ({"y": np.ones((30, 60))}, "one row per item"),
        ({"y": np.ones((60, 29))}, "y has 29 columns but fit received 30"),
    ],
)
def test_what_does_not_fit_is_said(world, options, match):
    model, X, y = world
    with pytest.raises(ValueError, match=match):
        release_curve(model, **{"X": X, "y": y} | options)


def test_a_model_that_does_not_learn_from_first_plays_is_refused(world):
    _, X, y = world
    with pytest.raises(TypeError, match="has no refine_factors"):
        release_curve(ContentKNNRecommender().fit(X, y), X, y, n_rounds=2)
