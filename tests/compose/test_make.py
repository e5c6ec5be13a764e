"""make_recommender: one call for what ranks new items best, on any content."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import Bunch

from skcoldstart import (
    RaggedArray,
    load_model,
    make_recommender,
    recommend,
    recommendation_scorer,
    save_model,
)
from skcoldstart.model_selection import cross_validate

KINDS = ["embedding", "mixed units", "sparse counts", "dense counts", "text", "frames"]
WORDS = np.array([f"w{chr(97 + i)}{chr(97 + j)}" for i in range(4) for j in range(5)])


@pytest.fixture
def world(rng):
    taste = rng.normal(size=(150, 5))
    y = rng.poisson(np.exp(0.9 * taste @ rng.normal(size=(5, 60)) - 2.5))
    return taste, sp.csr_array(y)


def contents(taste, rng):
    """Return the same tastes as content of every kind, by name."""
    counts = rng.poisson(np.exp(taste @ rng.normal(size=(5, len(WORDS))) * 0.7 - 0.5))
    texts = [" ".join(np.repeat(WORDS, row)) or "silence" for row in counts]
    units = [1.0, 100.0, 1e-3, 10.0, 1.0]
    mixed = pd.DataFrame(taste * units + [0, 3e4, 0, 7, 1], columns=list("abcde"))
    frames = [row + rng.normal(size=(rng.integers(3, 9), 5)) for row in taste]
    return {
        "embedding": ("table", taste),
        "mixed units": ("table", mixed),
        "sparse counts": ("table", sp.csr_matrix(counts)),
        "dense counts": ("table", counts),
        "text": ("text", texts),
        "frames": ("frames", RaggedArray.from_sequence(frames)),
    }


def rows(X, chosen):
    if hasattr(X, "iloc"):
        return X.iloc[chosen]
    return [X[i] for i in chosen] if isinstance(X, list) else X[chosen]


@pytest.mark.parametrize("groups", [None, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_content_ranks_far_above_chance(world, rng, kind, groups):
    taste, y = world
    content, X = contents(taste, rng)[kind]
    known, new = np.arange(110), np.arange(110, 150)
    model = make_recommender(content, groups=groups, random_state=0)
    by = {"groups": known // 2} if groups else {}
    model.fit(rows(X, known), y[known], **by)
    found = recommendation_scorer(model, rows(X, new), y[new])
    assert found["auc"] > 0.72
    again = clone(model).fit(rows(X, known), y[known], **by)
    assert_array_equal(model.predict(rows(X, new)), again.predict(rows(X, new)))


def test_result_is_at_least_as_good_as_its_parts(world):
    taste, y = world
    model = make_recommender(random_state=0)
    scores = {
        name: cross_validate(part, taste, y, cv=3)["test_map"].mean()
        for name, part in [*model.recommenders, ("blend", model)]
    }
    assert scores["blend"] >= max(scores.values()) - 0.01


@pytest.mark.parametrize("content", ["table", "text", "frames"])
@pytest.mark.parametrize("groups", [None, True])
def test_twenty_items_and_five_users_are_enough(rng, content, groups):
    y = rng.poisson(0.6, size=(20, 5))
    y[0] = 1
    X = {
        "table": rng.normal(size=(20, 3)),
        "text": [" ".join(rng.choice(WORDS, 4)) for _ in range(20)],
        "frames": list(rng.normal(size=(20, 4, 3))),
    }[content]
    by = {"groups": np.arange(20) // 2} if groups else {}
    model = make_recommender(content, groups=groups, random_state=0).fit(X, y, **by)
    assert np.isfinite(model.predict(X[:4])).all()


def test_users_keep_their_names_in_lists(world):
    taste, y = world
    frame = pd.DataFrame(y.toarray(), columns=[f"u{i}" for i in range(60)])
    model = make_recommender(random_state=0).fit(taste[:110], frame.iloc[:110])
    lists = recommend(model, taste[110:], n=3, users=["u7", "u2"])
    assert list(lists.user_ids) == ["u7", "u2"]
    best = np.argsort(-model.predict(taste[110:])[:, 7])[:3]
    assert_array_equal(lists.items[0], best)


def test_parameters_of_parts_can_be_searched(world):
    taste, y = world
    search = GridSearchCV(
        make_recommender(random_state=0).set_params(weights=None),
        {
            "neighbors__model__temperature": [0.05, 0.3],
            "factors__model__play_weight": [0.0, 1.0],
        },
        scoring=recommendation_scorer,
        refit="map",
        cv=2,
        error_score="raise",
    ).fit(taste, y)
    assert len(set(search.cv_results_["mean_test_map"])) == 4


def test_groups_reach_the_inner_folds_of_a_cross_validation(world, rng):
    taste, y = world
    artists = np.arange(150) // 3
    model = make_recommender(groups=artists, effort="thorough", random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            model, taste, y, groups=artists, cv=GroupKFold(2), error_score="raise"
        )
    assert found["test_auc"].min() > 0.7
    with pytest.raises(ValueError, match="group_level=True needs groups"):
        model.fit(taste, y)


@pytest.mark.parametrize("kind", ["sparse counts", "text", "frames"])
def test_saved_model_predicts_the_same(world, rng, kind, tmp_path):
    taste, y = world
    content, X = contents(taste, rng)[kind]
    model = make_recommender(content, random_state=0).set_params(weights=None)
    model.fit(rows(X, np.arange(110)), y[:110])
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    new = rows(X, np.arange(110, 150))
    assert_allclose(loaded.predict(new), model.predict(new), rtol=1e-6)
    assert_allclose(pickle.loads(pickle.dumps(model)).predict(new), model.predict(new))


def test_shared_space_follows_tastes_that_cosines_of_content_hide(rng):
    X = rng.normal(size=(500, 6))
    one_sign = X[:, 0] * X[:, 1] > 0
    wanted = rng.random(150) < 0.5
    y = sp.csr_array(
        rng.random((500, 150)) < np.where(one_sign[:, None] == wanted, 0.1, 0.01),
        dtype=float,
    )
    parts = dict(make_recommender(random_state=0).recommenders)
    by_content, by_taste = [
        parts[name].fit(X[:400], y[:400]).score(X[400:], y[400:])
        for name in ("neighbors", "shared")
    ]
    assert by_taste > 1.1 * by_content


def test_thorough_adds_a_learnt_space(world):
    pytest.importorskip("torch")
    taste, y = world
    model = make_recommender(effort="thorough", random_state=0)
    small = {"max_epochs": 3, "hidden": (16,), "device": "cpu"}
    model.set_params(**{f"taste__encoder__{k}": v for k, v in small.items()})
    model.fit(taste[:110], y[:110])
    assert recommendation_scorer(model, taste[110:], y[110:])["auc"] > 0.75


def test_thorough_frames_learn_from_sound_itself():
    names = [n for n, _ in make_recommender("frames", effort="thorough").recommenders]
    assert {"codewords", "network", "taste"} <= set(names)


@pytest.mark.parametrize(
    "params", [{"content": "audio"}, {"effort": "long"}, {"groups": 3}]
)
def test_unknown_choices_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        make_recommender(**params)


TEXT_CONTAINERS = {
    "series": pd.Series,
    "frame": lambda texts: pd.DataFrame({"words": texts}),
    "array": lambda texts: np.array(texts, object)[:, np.newaxis],
    "polars series": pl.Series,
    "polars frame": lambda texts: pl.DataFrame({"words": texts}),
    "arrow array": pa.array,
    "arrow table": lambda texts: pa.table({"words": texts}),
}


@pytest.mark.parametrize("contain", TEXT_CONTAINERS.values(), ids=TEXT_CONTAINERS)
def test_texts_in_any_container_give_the_same_scores(world, rng, contain):
    taste, y = world
    texts = contents(taste, rng)["text"][1]
    model = make_recommender("text", random_state=0).set_params(weights=None)
    known, new = texts[:110], texts[110:]
    expected = clone(model).fit(known, y[:110]).predict(new)
    model.fit(contain(known), y[:110])
    assert_allclose(model.predict(contain(new)), expected, rtol=1e-7)


def test_missing_text_is_a_text_without_words(world, rng):
    taste, y = world
    texts = contents(taste, rng)["text"][1]
    model = make_recommender("text", random_state=0).set_params(weights=None)
    nothing = [None, np.nan, pd.NA]
    expected = clone(model).fit(["", "", "", *texts[3:]], y).predict(["", texts[1]])
    model.fit([*nothing, *texts[3:]], y)
    for missing in nothing:
        assert_allclose(model.predict([missing, texts[1]]), expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (["a b", 7], TypeError, r"Item 1 of X is 7 \(int\); expected a text, or None"),
        (np.eye(2), ValueError, r"X has 2 columns; expected one text per item"),
        (
            pd.DataFrame({"title": ["a", "b"], "lyrics": ["c", "d"]}),
            ValueError,
            r"X has 2 columns: 'title', 'lyrics'; expected one text per item",
        ),
    ],
)
def test_what_is_not_a_text_is_named(X, kind, message):
    with pytest.raises(kind, match=message):
        make_recommender("text").set_params(weights=None).fit(X, np.eye(2))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_text_are_named_with_a_way_to_encode_them(world, library):
    taste, y = world
    X = pd.DataFrame({
        "genre": np.where(taste[:, 0] > 0, "rock", "jazz"),
        "day": pd.Timestamp("2026-01-01"),
        "tempo": taste[:, 1],
    })
    recommender = make_recommender(random_state=0).set_params(weights=None)
    with pytest.raises(ValueError, match=r"'genre', 'day' of X .*OneHotEncoder"):
        recommender.fit(X if library == "pandas" else pl.from_pandas(X), y)
    encoder = OneHotEncoder(handle_unknown="ignore"), ["genre", "day"]
    encoded = make_column_transformer(encoder, remainder=StandardScaler())
    model = make_pipeline(encoded, recommender).fit(X[:110], y[:110])
    assert recommendation_scorer(model, X[110:], y[110:])["auc"] > 0.55


def test_what_is_not_a_table_of_plays_is_refused_with_a_way_to_one(world):
    taste, y = world
    catalog = Bunch(plays=y, item_ids=np.arange(150))
    with pytest.raises(TypeError, match=r"fields plays, item_ids; .* y\['plays'\]"):
        make_recommender().fit(taste, catalog)
    log = pd.DataFrame({"user_id": ["ann"] * 150, "item_id": range(150)})
    with pytest.raises(ValueError, match="plays_from_events converts a log"):
        make_recommender().fit(taste, log)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("groups", [None, True])
@pytest.mark.parametrize("kind", ["mixed units", "sparse counts", "text", "frames"])
def test_a_global_choice_of_frames_changes_nothing(world, rng, kind, groups, library):
    taste, y = world
    content, X = contents(taste, rng)[kind]
    known, new = np.arange(110), np.arange(110, 150)
    by = {"groups": known // 2} if groups else {}
    model = make_recommender(content, groups=groups, random_state=0)
    model.set_params(weights=None)
    expected = clone(model).fit(rows(X, known), y[known], **by).predict(rows(X, new))
    with sklearn.config_context(transform_output=library):
        found = clone(model).fit(rows(X, known), y[known], **by).predict(rows(X, new))
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
