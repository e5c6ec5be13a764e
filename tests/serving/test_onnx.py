"""to_onnx: predicted factors without scikit-learn."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcoldstart import (
    WMF,
    BlendRecommender,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    make_recommendation_scorer,
    to_onnx,
)

pytest.importorskip("skl2onnx", reason="extra [onnx]")

# What answers a request has numpy and onnxruntime, and no scikit-learn.
CHILD = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sklearn", "skcoldstart", "scipy", "torch"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocked())
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(
    sys.argv[1], providers=["CPUExecutionProvider"])
given = dict(np.load(sys.argv[2], allow_pickle=True))
(factors,) = session.run(["factors"], given)
np.save(sys.argv[3], factors)
"""


def run_elsewhere(proto, inputs, folder):
    """Return what the model gives in a process that has no scikit-learn."""
    paths = [folder / name for name in ("m.onnx", "X.npz", "factors.npy")]
    paths[0].write_bytes(proto.SerializeToString())
    np.savez(paths[1], **inputs)
    subprocess.run([sys.executable, "-c", CHILD, *map(str, paths)], check=True)
    return np.load(paths[2])


@pytest.fixture
def world(rng):
    """Return content far from 0 and of uneven size, and plays."""
    X = rng.normal(size=(60, 6)) * [1, 5, 0.1, 20, 1, 1] + [0, 2000, 0, 50, -3, 1]
    taste = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(6, 30))
    return X.astype(np.float32), sp.csr_array(rng.poisson(np.exp(taste * 0.5 - 1)))


def cold_start(regressor, **params):
    return ColdStartRecommender(regressor, WMF(4, random_state=0), **params)


MODELS = {
    "linear": cold_start(LinearRegression()),
    "scaled": cold_start(make_pipeline(StandardScaler(), PCA(4), Ridge())),
    "outside": make_pipeline(StandardScaler(), cold_start(RidgeCV())),
    "perceptron": cold_start(
        make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(8, 6), activation="tanh", random_state=0),
        )
    ),
    "positive outputs": ColdStartRecommender(
        make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(8,), loss="poisson", random_state=0),
        ),
        NMF(4, init="nndsvda"),
    ),
    "skipped steps": cold_start(
        Pipeline([("a", "passthrough"), ("b", StandardScaler()), ("c", Ridge())])
    ),
    "neighbors": cold_start(make_pipeline(StandardScaler(), KNeighborsRegressor(3))),
    "forest": cold_start(RandomForestRegressor(5, random_state=0)),
    "heads": cold_start(
        make_pipeline(StandardScaler(), Ridge()), play_weight=2, popularity_weight=0.5
    ),
    "profile": make_pipeline(StandardScaler(), ContentProfileRecommender()),
    "blend": BlendRecommender(
        [
            ("factors", cold_start(make_pipeline(StandardScaler(), Ridge()))),
            ("profile", make_pipeline(StandardScaler(), ContentProfileRecommender())),
        ],
        weights=[1.0, 0.5],
    ),
    "search": GridSearchCV(
        make_pipeline(StandardScaler(), cold_start(Ridge())),
        {"coldstartrecommender__regressor__alpha": [1.0, 10.0]},
        scoring=make_recommendation_scorer("auc"),
        cv=2,
    ),
}


def predicted(model, X):
    if hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    if hasattr(model, "steps"):
        return model[-1].predict_factors(model[:-1].transform(X))
    return model.predict_factors(X)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_factors_are_those_of_the_model(model, world, tmp_path):
    X, y = world
    model.fit(X[:50], y[:50])
    factors = run_elsewhere(to_onnx(model), {"X": X[50:]}, tmp_path)
    expected = predicted(model, X[50:].astype(np.float64))
    assert factors.dtype == np.float32
    assert_allclose(factors, expected, atol=1e-5 * max(1, np.abs(expected).max()))


def test_factors_of_an_item_without_features_are_zero(world, tmp_path):
    X, y = world
    model = ContentProfileRecommender().fit(X[:50], y[:50])
    new = X[50:] * (np.arange(10) > 0)[:, np.newaxis]
    factors = run_elsewhere(to_onnx(model), {"X": new}, tmp_path)
    assert_allclose(factors, model.predict_factors(new), atol=1e-6)
    assert not factors[0].any()


def test_columns_of_a_frame_are_inputs(world, rng, tmp_path):
    X, y = world
    frame = pd.DataFrame({
        "year": X[:, 1],
        "loudness": X[:, 0],
        "genre": rng.choice(["rock", "folk", "jazz"], 60),
    })
    content = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["year", "loudness"]),
        (OneHotEncoder(handle_unknown="ignore"), ["genre"]),
    )
    model = cold_start(make_pipeline(content, Ridge())).fit(frame[:50], y[:50])
    inputs = {
        name: values.to_numpy(np.float32 if name in ("year", "loudness") else object)
        for name, values in frame[50:].items()
    }
    inputs = {name: values[:, np.newaxis] for name, values in inputs.items()}
    factors = run_elsewhere(to_onnx(model, frame[:3]), inputs, tmp_path)
    expected = model.predict_factors(frame[50:])
    assert_allclose(factors, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("n_frames", [70, 16, 33, 5, 0])
def test_a_network_reads_the_frames_of_an_item(rng, tmp_path, n_frames):
    frames = [rng.normal(size=(n, 6)).astype(np.float32) for n in (40, 70, 20, 55)]
    network = CNNFactorRegressor(
        **{"window": 16, "n_filters": (8,), "hidden": (8,), "max_epochs": 3},
        validation_fraction=0,
        random_state=0,
    )
    y = np.eye(4, 9) + np.eye(4, 9, 4) + np.eye(4, 9, 5)
    model = ColdStartRecommender(network, WMF(3, reg=1.0, random_state=0))
    model.fit(frames, y)
    item = rng.normal(size=(n_frames, 6)).astype(np.float32)
    factors = run_elsewhere(to_onnx(model), {"X": item}, tmp_path)
    assert_allclose(factors, model.predict_factors([item]), rtol=1e-5, atol=1e-6)


def test_what_cannot_be_converted_is_named(world):
    X, y = world
    with pytest.raises(TypeError, match="KernelRidge cannot be converted to ONNX"):
        to_onnx(cold_start(KernelRidge()).fit(X / X.std(axis=0), y))
    with pytest.raises(TypeError, match="ContentKNNRecommender cannot be converted"):
        to_onnx(ContentKNNRecommender().fit(X, y))
