"""fold_in_users: listeners who came after the fit."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import NMF
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BlendRecommender,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    MLRSimilarity,
    load_model,
    recommend,
    save_model,
)

# Run until it has converged: only then do factors fit their plays exactly.
EXACT = WMF(4, max_iter=500, tol=1e-9, dtype="float64", random_state=0)


def cold_start(regressor=None, **params):
    return ColdStartRecommender(regressor or Ridge(2.0), EXACT, **params)


BLEND = [
    ("factors", cold_start(popularity_weight=0.3)),
    ("neighbors", ContentKNNRecommender(12)),
    ("profile", make_pipeline(StandardScaler(), ContentProfileRecommender())),
]
MODELS = {
    "plain": cold_start(),
    "compressed": cold_start(norm_compression=np.inf),
    "plays": cold_start(make_pipeline(StandardScaler(), Ridge()), play_weight=2.0),
    "kernel": cold_start(KernelRidge(0.5, kernel="rbf"), play_weight=1.0),
    "popularity": cold_start(popularity_weight=0.5, play_weight=1.0),
    "groups": cold_start(group_level=True, popularity_weight=0.5, item_weight=-0.5),
    "kNN": ContentKNNRecommender(12, play_weighting="log"),
    "profile": ContentProfileRecommender(weighting="log"),
    "blend": BlendRecommender(BLEND, weights=[1.0, 0.3, 0.5]),
    "dense blend": BlendRecommender(BLEND[::2]),
    "blends in a blend": BlendRecommender([
        ("all", BlendRecommender([("inner", BlendRecommender(BLEND)), *BLEND[:2]])),
        ("dense", BlendRecommender(BLEND[::2])),
    ]),
}


@pytest.fixture
def world(rng):
    """Return content, plays and artists of 60 items; one was played by nobody."""
    X = rng.normal(size=(60, 5))
    y = rng.poisson(np.exp(X @ rng.normal(size=(5, 40)) * 0.8 - 1.0)).astype(float)
    y[7] = 0
    return X, sp.csr_array(y), np.arange(60) // 2


def fitted(model, X, y, groups):
    needs = getattr(model, "group_level", False)
    return model.fit(X, y, groups=groups) if needs else model.fit(X, y)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_users_own_plays_give_the_users_own_scores(model, world, rng):
    X, y, groups = world
    new = rng.normal(size=(20, 5))
    fitted(model, X[:50], y[:50], groups[:50])
    factors = model.fold_in_users(y[:50, [3, 0, 11]])
    expected = model.predict(new)[:, [3, 0, 11]]
    scores = model.predict_factors(new) @ factors.T
    scores = scores.toarray() if sp.issparse(scores) else scores
    assert_allclose(scores, expected, atol=1e-4 * np.abs(expected).max())
    names = ["x", "y", "z"]
    found = recommend(model, new, n=5, user_factors=factors, users=names)
    known = recommend(model, new, n=5, users=[3, 0, 11])
    assert_array_equal(found.items, known.items)
    assert_array_equal(found.user_ids, names)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_user_without_plays_likes_what_is_liked_in_general(model, world, rng):
    X, y, groups = world
    new = rng.normal(size=(20, 5))
    fitted(model, X, y, groups)
    plays = sp.hstack([y[:, [2]], sp.csr_array((60, 2))], format="csr")
    factors = model.fold_in_users(plays)
    _, scores = model.recommend(new, n=20, user_factors=factors)
    assert (np.ptp(scores, axis=1) > 0).all()
    assert_allclose(scores[1], scores[2], rtol=1e-12)  # products round by block
    if not isinstance(model, BlendRecommender):
        best = model.recommend(new, n=20, user_factors=factors).items[1]
        expected = model.predict(new).mean(axis=1)
        assert_allclose(scores[1], np.sort(expected)[::-1], rtol=1e-4, atol=1e-6)
        assert_allclose(expected[best], scores[1], rtol=1e-4, atol=1e-6)


def test_plays_of_what_nobody_knew_say_nothing(world):
    X, y, _ = world
    plays = sp.csr_array(([3.0], ([7], [0])), shape=(60, 1))
    for model in (cold_start(popularity_weight=1.0), ContentKNNRecommender(12)):
        known = model.fit(X, y).user_factors_.mean(axis=0)
        factors = model.fold_in_users(plays)
        factors = factors.toarray() if sp.issparse(factors) else factors
        assert_allclose(factors[0], np.ravel(known), rtol=1e-5, atol=1e-9)


def test_a_blend_with_chosen_weights_keeps_the_order_of_its_parts(world, rng):
    X, y, _ = world
    model = BlendRecommender(BLEND, weights="cv").fit(X, y)
    factors = model.fold_in_users(y)
    new = rng.normal(size=(30, 5))
    scores = model.recommend(new, n=30, user_factors=factors)
    expected = np.take_along_axis(model.predict(new).T, scores.items.data, axis=1)
    for pair in zip(scores.scores, expected, strict=True):
        assert np.corrcoef(*pair)[0, 1] > 0.95


def test_rows_are_found_by_name(world):
    X, y, _ = world
    names = [f"song {i}" for i in range(60)]
    frame = pd.DataFrame(X, index=names)
    some = [40, 3, 21]
    shown = sp.csr_array((60, 40), dtype=float).tolil()
    shown[some] = y[some]
    for model in (cold_start(), ContentProfileRecommender(), MODELS["blend"]):
        model.fit(frame, y)
        expected = model.fold_in_users(shown.tocsr())
        table = pd.DataFrame(y[some].toarray(), [names[i] for i in some])
        assert abs(model.fold_in_users(table) - expected).max() < 1e-10
        for ids in (table.index, pa.array(table.index)):
            by_name = model.fold_in_users(y[some], item_ids=ids)
            assert abs(by_name - expected).max() < 1e-10
        with pytest.raises(ValueError, match=r"1 items that fit has not seen.*'other'"):
            model.fold_in_users(y[:1], item_ids=["other"])
        with pytest.raises(TypeError, match="item_ids are a set; expected a sequence"):
            model.fold_in_users(y[some], item_ids=set(table.index))


def test_a_blend_takes_names_of_items_in_fit(world):
    X, y, _ = world
    names = [f"song {i}" for i in range(60)]
    blend = BlendRecommender(BLEND, weights=[1.0, 0.3, 0.5])
    some = y[[40, 3]], ["song 40", "song 3"]
    blend.fit(pd.DataFrame(X, index=names), y)
    expected = blend.fold_in_users(some[0], item_ids=some[1])
    found = blend.fit(X, y, item_ids=names).fold_in_users(some[0], item_ids=some[1])
    assert abs(found - expected).max() < 1e-10
    with pytest.raises(ValueError, match="expected one unique name per row of X"):
        blend.fit(X, y, item_ids=names[1:])


def test_what_does_not_fit_is_explained(world):
    X, y, _ = world
    model = cold_start().fit(X, y)
    with pytest.raises(ValueError, match=r"40 rows .* 60 items.*plays\.T"):
        model.fold_in_users(y.T)
    with pytest.raises(ValueError, match="items of fit have no names"):
        model.fold_in_users(y, item_ids=np.arange(60).astype(str))
    with pytest.raises(TypeError, match="NMF has none; use factorizer=WMF"):
        factorizer = NMF(3, init="nndsvda", max_iter=500)
        ColdStartRecommender(factorizer=factorizer).fit(X, y).fold_in_users(y)
    parts = [*BLEND, ("metric", MLRSimilarity(diagonal=True, C=1e3))]
    with pytest.raises(TypeError, match="MLRSimilarity cannot fold users in"):
        BlendRecommender(parts).fit(X, y).fold_in_users(y)


@pytest.mark.parametrize("name", ["popularity", "groups", "blend"])
def test_a_model_from_a_file_folds_users_in(name, world, tmp_path):
    X, y, groups = world
    model = fitted(MODELS[name], X, y, groups)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert abs(again.fold_in_users(y) - model.fold_in_users(y)).max() == 0
