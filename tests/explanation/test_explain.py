"""Explanations: contributions are those of the model, and add up to its scores."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BlendRecommender,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    RandomRecommender,
    explain,
)
from skcoldstart.compose import KernelRegressor

N_TRAIN, N_USERS = 60, 25
_WMF = WMF(5, reg=1.0, random_state=0)


def cold(regressor, **options):
    return ColdStartRecommender(regressor, _WMF, **options)


RIDGES = [
    Ridge(2.0),
    Ridge(2.0, fit_intercept=False),
    make_pipeline(StandardScaler(), Ridge(3.0)),
    RidgeCV([0.1, 10.0]),
]
KERNEL = KernelRidge(0.5, kernel="rbf")
EXACT = KernelRegressor(0.5, keep_inverse=True)
SCALED = make_pipeline(StandardScaler(), cold(Ridge()))
PARTS = [("kernel", ContentKNNRecommender()), ("profile", ContentProfileRecommender())]
ALONE = {
    "soft kernel": ContentKNNRecommender(),
    "cosine kernel": ContentKNNRecommender(7, weighting="cosine"),
    "profile": ContentProfileRecommender(),
}
BY_CONTENT = {
    **{f"ridge {i}": cold(ridge) for i, ridge in enumerate(RIDGES)},
    "all heads": cold(RIDGES[2], play_weight=2.0, popularity_weight=0.5),
    "blend": BlendRecommender([*PARTS, ("ridge", SCALED)], weights=[1.0, 0.5, 2.0]),
}
BY_SONGS = BY_CONTENT | {
    "kernel ridge": cold(KERNEL),
    "scaled kernel ridge": cold(make_pipeline(StandardScaler(), KERNEL)),
    "exact kernel, plays": cold(EXACT, play_weight=1.0),
    "compressed norms": cold(Ridge(), norm_compression=2.0),
    "kernel ridge, all heads": cold(KERNEL, play_weight=1.0, popularity_weight=1.0),
    "pipeline of the recommender": SCALED,
}
MODELS = {
    **{name: (model, {}) for name, model in ALONE.items()},
    **{f"{k}, content": (m, {"by": "content"}) for k, m in BY_CONTENT.items()},
    **{f"{k}, songs": (m, {"by": "songs"}) for k, m in BY_SONGS.items()},
}


@pytest.fixture
def world(rng):
    X = rng.normal(size=(N_TRAIN + 20, 6))
    taste = rng.normal(size=(6, N_USERS)) / 2
    y = rng.poisson(np.exp(X @ taste - 1))
    y[3] = 0  # a training item that nobody played
    return X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:]


def rows_of(explanation):
    """Return the rows of a table, a DataFrame or columns, as dicts."""
    columns = [np.asarray(explanation[name]).tolist() for name in explanation]
    return [
        dict(zip(explanation, row, strict=True)) for row in zip(*columns, strict=True)
    ]


def sums(explanation):
    """Return the sum of contributions of each item and user."""
    users, column = np.unique(explanation["user"], return_inverse=True)
    totals = np.zeros((max(explanation["item"]) + 1, len(users)))
    np.add.at(totals, (explanation["item"], column), explanation["contribution"])
    return totals


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n", [3, None])
def test_contributions_add_up_to_the_score(name, n, world):
    X, y, X_new = world
    model, options = MODELS[name]
    model.fit(X, y)
    if options.get("by") == "songs":
        options = options | {"X_train": X}
    users = np.arange(N_USERS)
    explanation = explain(model, X_new, users, n=n, **options)
    scores = model.predict(X_new)
    scale = np.abs(scores).max()
    assert_allclose(sums(explanation), scores, rtol=1e-5, atol=1e-5 * scale)


def test_song_contributes_its_share_of_the_kernel(world):
    X, y, X_new = world
    model = ContentKNNRecommender(temperature=0.2).fit(X, y)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosine = X_new[0] / np.linalg.norm(X_new[0]) @ unit.T
    kernel = np.where(y.sum(axis=1) > 0, np.exp(cosine / 0.2), 0)
    expected = kernel / kernel.sum() * (y[:, 4] > 0)
    rows = rows_of(explain(model, X_new[:1], [4], n=None))
    assert {row["kind"] for row in rows} == {"song"}
    got = {row["source"]: row["contribution"] for row in rows}
    assert sorted(got) == np.flatnonzero(expected).tolist()
    assert_allclose([got[i] for i in sorted(got)], expected[expected > 0], rtol=1e-6)
    values = [abs(row["contribution"]) for row in rows]
    assert values == sorted(values, reverse=True)


def test_songs_behind_factors_are_dual_weights_times_their_own_scores(world):
    X, y, X_new = world
    model = ColdStartRecommender(Ridge(2.0, fit_intercept=False), _WMF).fit(X, y)
    played = np.flatnonzero(y.sum(axis=1))
    F = X[played]
    weights = X_new[0] @ np.linalg.solve(F.T @ F + 2 * np.eye(6), F.T)
    own = model.factorizer_.item_factors_[played] @ model.user_factors_[7]
    rows = rows_of(explain(model, X_new[:1], [7], n=None, X_train=X))
    got = {row["source"]: row["contribution"] for row in rows}
    assert_allclose([got[i] for i in played], weights * own, rtol=1e-3, atol=1e-6)


def test_columns_behind_factors_are_coefficients_times_values(world):
    pd = pytest.importorskip("pandas", reason="needs pandas")
    X, y, X_new = world
    names = list("abcdef")
    content = make_pipeline(StandardScaler().set_output(transform="pandas"), Ridge())
    model = ColdStartRecommender(content, _WMF).fit(pd.DataFrame(X, columns=names), y)
    new = pd.DataFrame(X_new, columns=names)
    rows = rows_of(explain(model, new, [2], n=None, by="content"))[:7]
    got = {row["source"]: row["contribution"] for row in rows}
    scaled = model.regressor_[0].transform(new).iloc[0]
    slopes = model.user_factors_[2] @ model.regressor_[-1].coef_
    assert_allclose([got[name] for name in names], scaled * slopes, rtol=1e-5)
    assert_allclose(
        got["(all items alike)"],
        model.user_factors_[2] @ model.regressor_[-1].intercept_,
        rtol=1e-5,
    )


def test_a_song_of_two_recommenders_is_named_once(world):
    X, y, X_new = world
    kernel, ridge = ContentKNNRecommender(), ColdStartRecommender(Ridge(), _WMF)
    blend = BlendRecommender([("kernel", kernel), ("ridge", ridge)]).fit(X, y)
    rows = rows_of(explain(blend, X_new[:1], [4], n=None, X_train=X))
    songs = [row["source"] for row in rows if row["kind"] == "song"]
    assert len(songs) == len(set(songs))
    expected = {}
    for m, part in enumerate(blend.recommenders_):
        for row in rows_of(explain(part, X_new[:1], [4], n=None, X_train=X)):
            value = blend.scales_[m, 4] * row["contribution"]
            expected[row["source"]] = expected.get(row["source"], 0.0) + value
    got = {row["source"]: row["contribution"] for row in rows if row["kind"] == "song"}
    assert_allclose([got[i] for i in songs], [expected[i] for i in songs], rtol=1e-5)
    (constant,) = [row for row in rows if row["kind"] == "constant"]
    assert_allclose(constant["contribution"], blend.shifts_[4], rtol=1e-6)


def test_groups_are_explained_by_content_alone(world):
    X, y, X_new = world
    model = ColdStartRecommender(Ridge(), _WMF, group_level=True)
    model.fit(X, y, groups=np.arange(N_TRAIN) // 2)
    explanation = explain(model, X_new, np.arange(N_USERS), n=None)
    assert_allclose(sums(explanation), model.predict(X_new), rtol=1e-4, atol=1e-5)
    with pytest.raises(TypeError, match="groups instead of songs"):
        explain(model, X_new, [0], X_train=X)


def test_sparse_content_is_explained_as_dense(world):
    X, y, X_new = world
    X, X_new = np.maximum(X, 0), np.maximum(X_new, 0)
    model = ContentProfileRecommender()
    dense = explain(model.fit(X, y), X_new, [0, 1], n=None)
    sparse = explain(model.fit(sp.csr_array(X), y), sp.csr_array(X_new), [0, 1], n=None)
    assert list(dense["source"]) == list(sparse["source"])
    assert_allclose(dense["contribution"], sparse["contribution"], rtol=1e-6)


def test_users_and_songs_have_their_names(world):
    pd = pytest.importorskip("pandas", reason="needs pandas")
    X, y, X_new = world
    plays = pd.DataFrame(y, columns=[f"user {i}" for i in range(N_USERS)])
    ids = np.array([f"song {i}" for i in range(N_TRAIN)])
    model = ContentKNNRecommender().fit(X, plays)
    frame = explain(model, X_new, ["user 4"], n=2, item_ids=ids)
    assert set(frame["user"]) == {"user 4"}
    top = frame[frame["rank"] == 1]["source"]
    assert all(name.startswith("song ") for name in top)
    with pytest.raises(ValueError, match="stranger"):
        explain(model, X_new, ["stranger"])


@pytest.mark.parametrize(
    ("model", "options", "error", "match"),
    [
        (RandomRecommender(), {}, TypeError, "cannot be explained"),
        (ContentKNNRecommender(), {"by": "content"}, ValueError, "sums over songs"),
        (ContentKNNRecommender(), {"by": "words"}, ValueError, "expected 'auto'"),
        (ContentKNNRecommender(), {"n": 0}, ValueError, "at least 1"),
        (ContentKNNRecommender(), {"n": 1.5}, ValueError, "n=1.5; expected an integer"),
        (ContentKNNRecommender(), {"n": "2"}, ValueError, "n='2'; expected an integer"),
        (ContentKNNRecommender(), {"users": []}, ValueError, "users is empty"),
        (
            ColdStartRecommender(Ridge(), _WMF),
            {"by": "songs"},
            ValueError,
            "requires X_train",
        ),
        (
            ColdStartRecommender(MLPRegressor(max_iter=5, random_state=0), _WMF),
            {"by": "content"},
            TypeError,
            "not sums over columns",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_cannot_be_explained_is_named(model, options, error, match, world):
    X, y, X_new = world
    with pytest.raises(error, match=match):
        explain(model.fit(X, y), X_new, **{"users": [0]} | options)


def test_other_content_than_that_of_fit_is_refused(world):
    X, y, X_new = world
    model = ColdStartRecommender(Ridge(), _WMF).fit(X, y)
    with pytest.raises(ValueError, match="differ from the predictions"):
        explain(model, X_new, [0], X_train=X[::-1])
    with pytest.raises(ValueError, match="fitted on more"):
        explain(model, X_new, [0], X_train=X[:10])
