"""Lists for users and for songs: short, named, limited, of any model, in any frame."""

import uuid

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BlendRecommender,
    ColdStartRecommender,
    ContentProfileRecommender,
    MLRSimilarity,
    PopularityRecommender,
    RandomRecommender,
    export,
    fold_in_users,
    listeners,
    load_export,
    make_recommendation_scorer,
    recommend,
)
from skcoldstart._scores.plays import LabelledPlays, labelled
from skcoldstart.compose import ContentKNNRecommender
from skcoldstart.metrics import coverage, novelty
from skcoldstart.serving import Recommendations
from tests.stubs import LinearRecommender

NAMES = ["ann", "bob", "cem", "dua", "eva", "fay", "gus", "hal"]
IDS = np.array([f"song {i}" for i in range(10)])
DAYS = pd.period_range("2020", periods=10, freq="D")
MODELS = {
    "ColdStart": ColdStartRecommender(Ridge(), WMF(3, random_state=0)),
    "profile": ContentProfileRecommender(),
    "kNN": ContentKNNRecommender(5),
    "popularity": PopularityRecommender(),
    "random": RandomRecommender(random_state=0),
    "blend": BlendRecommender(
        [
            ("random", RandomRecommender(random_state=0)),
            ("neighbors", ContentKNNRecommender(5)),
            ("popularity", PopularityRecommender()),
        ],
        weights=[1.0, 2.0, 0.5],
    ),
    "MLR": MLRSimilarity(diagonal=True, C=1e3),
    "another's": LinearRecommender(),
    "Pipeline": make_pipeline(StandardScaler(), ContentProfileRecommender()),
    "search": GridSearchCV(
        make_pipeline(
            StandardScaler(), ColdStartRecommender(factorizer=WMF(2, random_state=0))
        ),
        {},
        scoring=make_recommendation_scorer("auc"),
        cv=2,
    ),
}


@pytest.fixture
def catalog(rng):
    """Return content and plays of 30 songs that are fitted and content of 10 new."""
    X = rng.normal(size=(40, 4))
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 8)) - 0.5))
    return X[:30], pd.DataFrame(y[:30], columns=NAMES), X[30:]


@pytest.fixture
def new(catalog):
    return catalog[2]


@pytest.fixture
def model(catalog):
    X, y, _ = catalog
    return MODELS["ColdStart"].fit(X, y)


def ranked(scores, n):
    """Return the n best columns of each row, stably."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :n]


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_lists_of_any_model_are_its_best_scores(model, catalog):
    X, y, new = catalog
    model.fit(X, y)
    scores = model.predict(new).T
    found = recommend(model, new, n=4)
    items, values = found
    assert isinstance(found, Recommendations)
    assert_array_equal(items, ranked(scores, 4))
    assert_allclose(values, np.take_along_axis(scores, ranked(scores, 4), 1))
    if hasattr(model, "recommend"):
        for one, other in zip(found, model.recommend(new, n=4), strict=True):
            assert_array_equal(one, other)
    users, of_items = listeners(model, new, n=3)
    assert_array_equal(users, ranked(scores.T, 3))
    assert_allclose(of_items, np.take_along_axis(scores.T, ranked(scores.T, 3), 1))


@pytest.mark.parametrize("model", [MODELS["ColdStart"], MODELS["kNN"]])
def test_short_lists_are_masked_and_never_name_the_last_song(model, catalog):
    X, y, new = catalog
    model.fit(X, y)
    exclude = np.zeros((10, 8))
    exclude[2:, 3] = 1
    items, scores = model.recommend(new, n=4, exclude=exclude)
    assert_array_equal(np.ma.getmaskarray(items)[3], [False, False, True, True])
    assert_array_equal(scores.mask, items.mask)
    assert_array_equal(items.filled()[3, 2:], -1)
    assert_array_equal(scores.filled()[3, 2:], -np.inf)
    assert not np.ma.getmaskarray(items)[:3].any()
    for names in (IDS, np.arange(10**4), np.arange(10)[::-1]):
        with pytest.raises(IndexError):
            names[items]
    assert set(items[items >= 0].compressed()) <= set(range(10))
    named = model.recommend(new, n=4, exclude=exclude, item_ids=IDS).item_ids
    assert named[3].tolist()[2:] == [None, None]
    assert set(named[3].compressed()) == {"song 0", "song 1"}


def test_similar_items_are_masked_where_there_are_no_more(rng):
    plays = rng.poisson(1.0, size=(4, 9)) + np.eye(4, 9)
    items, cosines = WMF(2, random_state=0).fit(plays).similar_items(n=5)
    assert_array_equal(np.ma.getmaskarray(items), [[False] * 3 + [True] * 2] * 4)
    assert_array_equal(cosines.mask, items.mask)
    with pytest.raises(IndexError):
        IDS[items]
    items, _ = WMF(2, random_state=0).fit(plays).recommend(6)
    assert_array_equal(items.filled()[:, 4:], -1)


def test_metrics_of_lists_pass_over_what_is_masked(model, new):
    exclude = np.zeros((10, 8))
    exclude[1:, 3] = 1
    found = model.recommend(new, n=3, exclude=exclude)
    plays = np.eye(10, 8)
    for given in (found, found.items):
        filled = found.items.filled()
        assert coverage(given, n_items=10) == coverage(filled, n_items=10)
        assert novelty(given, plays) == novelty(filled, plays)


# Names and exclusions


def test_users_and_items_have_their_names_in_frames(model, new):
    found = recommend(model, new, n=2, users=["gus", "ann"], item_ids=IDS)
    frame = found.to_frame()
    assert list(frame) == ["user_id", "rank", "item_id", "score"]
    assert frame["user_id"].tolist() == ["gus", "gus", "ann", "ann"]
    assert frame["rank"].tolist() == [1, 2, 1, 2]
    assert frame["item_id"].tolist() == IDS[found.items].ravel().tolist()
    assert_array_equal(frame["score"], found.scores.ravel())
    assert found.user_ids.tolist() == ["gus", "ann"]
    of_songs = listeners(model, new, n=2, users=["gus", "ann"], item_ids=IDS)
    frame = of_songs.to_frame()
    assert list(frame) == ["item_id", "rank", "user_id", "score"]
    assert frame["item_id"].tolist() == np.repeat(IDS, 2).tolist()
    assert set(frame["user_id"]) == {"gus", "ann"}
    assert_array_equal(np.array(NAMES)[of_songs.users], of_songs.user_ids)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (IDS, IDS.tolist()),
        (range(50, 60), list(range(50, 60))),
        (range(10), list(range(10))),
        (["a"] * 10, list(range(10))),
        (pd.MultiIndex.from_product([["a"], range(10)]), [("a", i) for i in range(10)]),
        *((index, list(index)) for index in (pd.interval_range(0, 10), DAYS)),
    ],
)
def test_the_index_of_a_frame_names_items_unless_it_only_counts(index, expected, new):
    new = pd.DataFrame(new, index=index)
    model = RandomRecommender(random_state=0).fit(new, np.ones((10, 2)))
    found = recommend(model, new, n=10)
    named = [expected[item] for item in found.items.ravel()]
    assert found.to_frame()["item_id"].tolist() == named


SENT = [("ann", "song 1"), ("ann", "song 2"), ("hal", "song 9"), ("zoe", "song 1")]


@pytest.mark.parametrize(
    "make",
    [
        *(list, set, tuple),
        lambda sent: pd.DataFrame(sent, columns=["user_id", "item_id"]),
        lambda sent: pl.DataFrame(sent, schema=["user_id", "item_id"], orient="row"),
        lambda sent: pa.table(
            dict(zip(["user_id", "item_id"], zip(*sent, strict=True), strict=True))
        ),
    ],
    ids=["list", "set", "tuple", "pandas", "polars", "pyarrow"],
)
def test_what_was_sent_is_excluded_by_name(make, model, new):
    table = np.zeros((10, 8))
    table[[1, 2, 9], [0, 0, 7]] = 1
    expected = recommend(model, new, n=10, exclude=table)
    sent = [*SENT, ("ann", "a song of last week")]
    found = recommend(model, new, n=10, exclude=make(sent), item_ids=IDS)
    assert_array_equal(found.items.filled(), expected.items.filled())
    of_songs = listeners(model, new, n=8, exclude=make(sent), item_ids=IDS)
    assert of_songs.users.filled()[1].tolist().count(0) == 0
    assert of_songs.users.filled()[9].tolist().count(7) == 0


def test_earlier_lists_are_excluded_from_later_ones(model, new):
    first = recommend(model, new, n=3)
    second = recommend(model, new, n=3, exclude=first)
    both = recommend(model, new, n=6)
    assert_array_equal(np.hstack([first.items, second.items]), both.items)
    sent = listeners(model, new, n=2, item_ids=IDS)
    found = recommend(model, new, n=10, item_ids=IDS, exclude=sent).to_frame()
    assert len(found) == 8 * 10 - 2 * 10
    assert found.merge(sent.to_frame(), on=["item_id", "user_id"]).empty


@pytest.mark.parametrize("make", [set, tuple, pa.array, pd.Series, pl.Series])
def test_users_in_any_container(make, model, new):
    expected = recommend(model, new, n=3, users=["bob"]).items
    assert_array_equal(recommend(model, new, n=3, users=make(["bob"])).items, expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"item_ids": set(IDS)}, "item_ids are a set; expected a sequence"),
        ({"item_ids": "abcdefghij"}, "item_ids are a str; expected a seq"),
        ({"item_ids": [[i] for i in IDS]}, "item_ids hold .*; expected one"),
        ({"item_ids": ["a", "a", *IDS[2:]]}, "item_ids name 2 items 'a'"),
        ({"item_ids": IDS[1:]}, "item_ids holds 9 names for 10 items"),
        ({"exclude": "ann"}, "exclude is a str; expected a table"),
        ({"exclude": {"ann": "song 1"}}, "exclude is a dict; expected a"),
        ({"exclude": np.zeros((4, 2))}, "or a frame with user_id and item_id"),
        ({"exclude": [(0, "song 1")], "item_ids": IDS}, "users such as 0, but names"),
        ({"exclude": [("ann", "song 1")]}, r"items such as 'song 1'.* and item_ids"),
        ({"n": None}, "n=None; expected an integer of at least 1"),
        ({"as_frame": "excel"}, "as_frame='excel'; expected one of"),
        ({"users": 3}, r"Pass \[user\] for one of them"),
        (
            {"users": np.ma.array(["ann"], mask=[True])},
            "users is a masked array with 1",
        ),
        ({"max_per_group": 1}, "pass both"),
        ({"groups": IDS}, "pass both"),
        ({"groups": IDS, "max_per_group": 0}, "max_per_group=0"),
        ({"groups": [None, *IDS[1:]], "max_per_group": 1}, "1 of 10 items, the first"),
        ({"item_factors": np.ones((10, 2))}, r"shape \(10, 2\) but user factors have"),
        ({"user_factors": np.full((1, 3), np.nan)}, "NaN"),
        (
            {"user_factors": np.ones((2, 3)), "users": ["ann"]},
            "1 names but user_factor",
        ),
    ],
)
def test_arguments_that_cannot_work_are_explained(given, message, model, new):
    with pytest.raises((TypeError, ValueError), match=message):
        recommend(model, new, **given)


def test_listeners_among_no_users_and_repeated_users(model, new):
    assert np.ma.getmaskarray(listeners(model, new, n=2, users=[]).users).all()
    found = listeners(model, new, n=3, users=["eva", "bob", "eva"])
    once = listeners(model, new, n=3, users=["eva", "bob"])
    assert_array_equal(found.users.filled(), once.users.filled())
    for given in ({}, {"users": ["bob"]}):
        with pytest.raises(ValueError, match=r"\(n_items, n_users\) = \(10, 8\)"):
            listeners(model, new, exclude=np.ones((8, 10)), **given)


@pytest.mark.parametrize("model", [None, WMF(2), StandardScaler()])
def test_what_is_no_recommender_is_named(model, new):
    with pytest.raises(TypeError, match="has no predict; expected a fitted recommend"):
        recommend(model, new)


def test_files_hold_the_rows_of_all_lists_also_where_the_first_are_empty(tmp_path):
    items = np.ma.MaskedArray(np.tile([3, 1], (50_000, 1)), mask=False)
    items[:30_000] = np.ma.masked
    items[-1, 1] = np.ma.masked
    scores = np.ma.MaskedArray(np.arange(100_000.0).reshape(-1, 2), items.mask)
    found = Recommendations(items, scores, np.arange(50_000), IDS.astype(object))
    frame = found.to_frame()
    assert len(frame) == 39_999
    found.to_parquet(tmp_path / "lists.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "lists.parquet"), frame)
    found.to_csv(tmp_path / "lists.csv")
    assert_frame_equal(pd.read_csv(tmp_path / "lists.csv"), frame)
    nothing = Recommendations(items[:9], scores[:9], np.arange(9), IDS.astype(object))
    schema = pq.read_schema(tmp_path / "lists.parquet")
    assert nothing.to_frame("pyarrow").schema == schema
    with pytest.raises(ValueError, match="as_frame='excel'; expected one of"):
        nothing.to_frame("excel")
    assert nothing.to_frame("polars").schema["item_id"] == pl.String


# Factors


def test_factors_stand_in_for_those_of_the_model(model, new, rng):
    plays = sp.csr_array(rng.poisson(1.0, size=(10, 8)))
    warmed = model.item_factors(new, plays)
    assert_array_equal(model.item_factors(new), model.predict_factors(new))
    assert_array_equal(warmed, model.refine_factors(new, plays))
    some = plays.toarray()
    some[4:] = 0
    mixed = model.item_factors(new, some)
    assert_allclose(mixed[:4], warmed[:4], rtol=1e-6)
    assert_allclose(mixed[4:], model.predict_factors(new)[4:], rtol=1e-5)
    items, _ = recommend(model, None, n=10, item_factors=mixed)
    expected = model.user_factors_ @ mixed.T
    assert_array_equal(items, ranked(expected, 10))
    strangers = rng.normal(size=(2, 3))
    found = recommend(model, new, n=2, user_factors=strangers, users=["new", "newer"])
    assert_array_equal(found.items, ranked(strangers @ model.predict_factors(new).T, 2))
    assert found.user_ids.tolist() == ["new", "newer"]
    assert recommend(model, new, user_factors=strangers).user_ids.tolist() == [0, 1]


def test_models_without_factors_or_names_are_named(catalog):
    X, y, new = catalog
    with pytest.raises(TypeError, match="does not score by factors"):
        recommend(LinearRecommender().fit(X, y), new, item_factors=np.ones((5, 2)))
    with pytest.raises(TypeError, match=r"no refine_factors .* leave out plays_so_far"):
        ContentProfileRecommender().fit(X, y).item_factors(new, np.ones((10, 8)))
    model = RandomRecommender(random_state=0).fit(X, y)
    with pytest.raises(TypeError, match="RandomRecommender cannot fold users in"):
        fold_in_users(model, y)
    model = PopularityRecommender().fit(X, y.to_numpy())
    with pytest.raises(ValueError, match=r"Pass list\(users\)"):
        recommend(model, new, users={1, 2})
    items, _ = recommend(model, new, n=10, exclude=[(0, 3), (0, 99), (77, 0)])
    assert 3 not in items[0].compressed()
    assert np.ma.count_masked(items) == 1


def test_songs_never_fitted_have_similar_songs(model, catalog):
    X, _, new = catalog
    scores = model.predict(np.vstack([new, X]))
    unit = scores / np.linalg.norm(scores, axis=1, keepdims=True)
    cosines = unit @ unit.T
    items, values = model.similar_items(new, n=3, among=X)
    assert_array_equal(items, ranked(cosines[:10, 10:], 3))
    assert_allclose(values, -np.sort(-cosines[:10, 10:])[:, :3], rtol=1e-5)
    itself = cosines[:10, :10] - 9 * np.eye(10)
    items, _ = model.similar_items(new, n=12)
    assert_array_equal(items[:, :9], ranked(itself, 9))
    assert np.ma.getmaskarray(items)[:, 9:].all()


# Groups


def limited(scores, groups, n, most):
    """Return each row's best columns of which at most so many share a group."""
    lists = []
    for row in scores:
        taken, found = {}, []
        for item in np.argsort(-row, kind="stable"):
            group = groups[item]
            if row[item] > -np.inf and taken.get(group, 0) < most:
                taken[group] = taken.get(group, 0) + 1
                found.append(item)
        lists.append((found + [-1] * n)[:n])
    return np.array(lists)


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_lists_hold_only_so_many_of_a_group(most, ties, rng):
    X, y = rng.normal(size=(60, 3)), rng.poisson(1.0, size=(60, 12))
    groups = np.array([f"artist {i}" for i in rng.integers(0, 9, size=60)])
    model = LinearRecommender().fit(X, y)
    if ties:
        X = np.round(X)
        model.coef_ = np.round(model.coef_)
    exclude = rng.random((60, 12)) < 0.3
    scores = np.where(exclude, -np.inf, model.predict(X)).T
    for hidden, table in ((None, model.predict(X).T), (exclude, scores)):
        found = recommend(
            *(model, X), n=12, exclude=hidden, groups=groups, max_per_group=most
        )
        expected = limited(table, groups, 12, most)
        assert_array_equal(found.items.filled(), expected)
        kept = np.take_along_axis(table, np.maximum(expected, 0), 1)
        assert_allclose(found.scores.filled(), np.where(expected < 0, -np.inf, kept))


# Frames and files


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("kind", ["strings", "numbers", "UUIDs"])
def test_frames_and_files_hold_the_same_rows(library, kind, catalog, tmp_path):
    X, y, new = catalog
    ids = {
        "strings": NAMES,
        "numbers": [100 + i for i in range(8)],
        "UUIDs": [uuid.UUID(int=i) for i in range(8)],
    }[kind]
    model = PopularityRecommender().fit(X, y.to_numpy(), user_ids=ids)
    exclude = np.zeros((10, 8))
    exclude[1:, 2] = 1
    found = recommend(model, new, n=3, exclude=exclude, as_frame=library)
    frame = found.to_frame()
    assert type(frame).__module__.startswith(library)
    columns = {
        name: frame[name].to_pylist() if library == "pyarrow" else list(frame[name])
        for name in ("user_id", "rank", "item_id", "score")
    }
    text = [str(user) for user in columns["user_id"]]
    assert text == np.repeat(list(map(str, ids)), [3, 3, 1, 3, 3, 3, 3, 3]).tolist()
    found.to_parquet(tmp_path / "lists.parquet")
    table = pq.read_table(tmp_path / "lists.parquet")
    assert table.column_names == list(columns)
    assert table.num_rows == 22
    assert [str(user) for user in table["user_id"].to_pylist()] == text
    assert table["score"].to_pylist() == columns["score"]
    found.to_csv(tmp_path / "lists.csv")
    read = pd.read_csv(tmp_path / "lists.csv")
    assert read["item_id"].tolist() == columns["item_id"]
    assert read["user_id"].astype(str).tolist() == text
    assert_array_equal(read["score"], columns["score"])


def test_frames_are_of_the_library_of_the_content(catalog):
    X, y, new = catalog
    model = PopularityRecommender().fit(X, y)
    for content, library in [
        (pl.DataFrame(new), "polars"),
        (pa.table(pd.DataFrame(new).rename(columns=str)), "pyarrow"),
        (new, "pandas"),
    ]:
        frame = recommend(model, content, n=2).to_frame()
        assert type(frame).__module__.startswith(library)


@pytest.mark.parametrize(
    ("name", "text"),
    [("caf\udce9.wav", "caf\\udce9.wav"), (b"caf\xe9.wav", "caf\\xe9.wav")],
)
def test_names_that_are_not_utf8_are_written_as_escapes(name, text, catalog, tmp_path):
    X, y, new = catalog
    rest = [f"song {i}" for i in range(1, 10)]
    ids = [name, *([n.encode() for n in rest] if type(name) is bytes else rest)]
    found = recommend(PopularityRecommender().fit(X, y), new, n=10, item_ids=ids)
    found.to_parquet(tmp_path / "lists.parquet")
    found.to_csv(tmp_path / "lists.csv")
    expected = [[text, *rest][item] for item in found.items.ravel()]
    for written in (
        found.to_frame("polars")["item_id"].to_list(),
        found.to_frame("pyarrow")["item_id"].to_pylist(),
        pq.read_table(tmp_path / "lists.parquet")["item_id"].to_pylist(),
        pd.read_csv(tmp_path / "lists.csv")["item_id"].tolist(),
    ):
        assert written == expected
    assert name in set(found.to_frame("pandas")["item_id"])


def test_lists_of_nobody_are_empty(model, new, tmp_path):
    found = recommend(model, new, n=3, users=np.zeros(8, bool))
    assert found.items.shape == (0, 3)
    assert len(found.to_frame()) == 0
    found.to_csv(tmp_path / "lists.csv")
    assert (tmp_path / "lists.csv").read_text() == "user_id,rank,item_id,score\n"


def test_lists_survive_joblib(model, new, tmp_path):
    found = recommend(model, new, n=3, item_ids=IDS)
    joblib.dump(found, tmp_path / "lists")
    assert joblib.load(tmp_path / "lists").to_frame().equals(found.to_frame())
    assert repr(found) == "Recommendations(8 lists of 3)"


def test_labelled_plays_name_users_also_in_searches(catalog):
    X, y, _ = catalog
    plays = LabelledPlays(y.to_numpy().astype(float))
    plays.user_ids = np.array(NAMES, object)
    model = PopularityRecommender().fit(X[5:], plays[5:])
    assert model.user_names_in_.tolist() == NAMES
    search = GridSearchCV(
        ContentProfileRecommender(),
        {},
        scoring=make_recommendation_scorer("auc"),
        cv=3,
        error_score="raise",
    ).fit(X, plays)
    assert search.best_estimator_.user_names_in_.tolist() == NAMES
    assert plays[np.arange(30) % 2 == 0].user_ids.tolist() == NAMES
    assert plays[:, :3].user_ids is None


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_column_item_id_names_the_items(make, catalog, rng):
    X, y, new = catalog
    columns = {"item_id": IDS.tolist(), "a": new[:, 0], "b": new[:, 1]}
    model = make_pipeline(
        ColumnTransformer([("numbers", StandardScaler(), ["a", "b"])]),
        ContentProfileRecommender(),
    )
    names = [f"old {i}" for i in range(30)]
    model.fit(make({"item_id": names, "a": X[:, 0], "b": X[:, 1]}), y)
    found = recommend(model, make(columns), n=3, exclude=[("ann", IDS[0])])
    assert set(found.item_ids.ravel()) <= set(IDS.tolist())
    assert_array_equal(found.item_ids, IDS[found.items])
    assert IDS[0] not in found.item_ids[0]
    to_whom = listeners(model, make(columns), n=2)
    assert to_whom.item_ids.tolist() == IDS.tolist()
    twice = make(columns | {"item_id": ["x"] * 10})
    assert recommend(model, twice, n=3).item_ids.dtype.kind == "i"


def test_names_of_plays_reach_new_listeners_and_exports(catalog, tmp_path):
    X, y, _ = catalog
    names = np.array([f"old {i}" for i in range(30)])
    plays = labelled(sp.csr_array(y.to_numpy(float)), np.array(NAMES), names)
    assert plays[[4, 2]].item_ids.tolist() == ["old 4", "old 2"]
    assert plays[:, [1]].item_ids is None
    model = ColdStartRecommender(Ridge(), WMF(3, random_state=0)).fit(X[3:], plays[3:])
    by_name = model.fold_in_users([[2.0], [1.0]], item_ids=["old 9", "old 5"])
    column = np.zeros((27, 1))
    column[[6, 2]] = [[2.0], [1.0]]
    assert_allclose(by_name, model.fold_in_users(column))
    assert_allclose(by_name, model.fold_in_users(labelled(*some_plays(plays))))
    exported = load_export(export(model, tmp_path / "model"))
    assert exported.item_ids.tolist() == names[3:].tolist()


def some_plays(plays):
    """Return two plays of a new listener, with names."""
    new = sp.csr_array([[1.0], [2.0]])
    return new, np.array(["pat"]), plays.item_ids[[5, 9]]


@pytest.mark.parametrize("name", ["ColdStart", "profile", "kNN", "Pipeline", "search"])
def test_new_listeners_are_folded_in_through_pipelines(name, catalog):
    X, y, new = catalog
    model = clone(MODELS[name]).fit(X, y.to_numpy())
    factors = fold_in_users(model, y.to_numpy()[:, [2, 0]])
    found = recommend(model, new, n=10, users=["x", "y"], user_factors=factors)
    known = recommend(model, new, n=10, users=[2, 0])
    # Factors of fit and of folding in agree up to the factorizer's tolerance.
    for one, other in zip(in_order(found), in_order(known), strict=True):
        assert_allclose(one, other, rtol=0, atol=0.01 * np.abs(other).max())


def in_order(lists):
    """Return the scores of lists of all items, in the order of the items."""
    return np.take_along_axis(lists.scores, np.argsort(lists.items, axis=1), axis=1)


@pytest.mark.parametrize("write", ["to_parquet", "to_csv"])
def test_a_full_disk_is_an_error_that_leaves_nothing(write, tmp_path):
    resource = pytest.importorskip("resource")
    shape = (3000, 50)
    rows = np.ma.MaskedArray(np.random.default_rng(0).integers(0, 2**40, shape))
    found = Recommendations(rows, np.ma.MaskedArray(rows.data / 7), np.arange(3000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "lists"
    path.write_text("of yesterday")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            getattr(found, write)(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["lists"]
    assert path.read_text() == "of yesterday"
