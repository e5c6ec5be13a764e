"""Files of fitted estimators: the same predictions, no code, no surprises."""

import hashlib
import importlib
import json
import os
import pickle
import struct

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContentProfileRecommender,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    PopularityRecommender,
    RandomRecommender,
    VectorQuantizer,
    load_model,
    save_model,
)
from skcoldstart.compose import ContentKNNRecommender
from skcoldstart.persistence._classes import known_classes
from tests.adapters import public_estimators

_WMF = WMF(3, random_state=0)


@pytest.fixture
def world(rng):
    X = rng.normal(size=(40, 5))
    return X, sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(5, 25)) - 1)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(world, path):
    save_model(ColdStartRecommender(Ridge(), _WMF).fit(*world), path)
    return path


def roundtrip(estimator, path):
    save_model(estimator, path)
    return load_model(path)


def reheader(path, change):
    """Rewrite the JSON header of a file; `change` edits it in place."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


@pytest.mark.parametrize(
    "model",
    [
        ColdStartRecommender(Ridge(), _WMF),
        ColdStartRecommender(
            MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, tol=1e9, random_state=0),
            _WMF,
        ),
        ColdStartRecommender(make_pipeline(PCA(3), LinearRegression()), _WMF),
        ColdStartRecommender(Ridge(), TruncatedSVD(3, random_state=0)),
        make_pipeline(StandardScaler(), ColdStartRecommender(Ridge(), _WMF)),
        ContentProfileRecommender(),
        ContentKNNRecommender(3),
        MLRSimilarity(3, similarity="neg_sqeuclidean"),
        RandomRecommender(random_state=0),
        MLRSimilarity(2, similarity="neg_sqeuclidean", max_iter=5, random_state=0),
    ],
    ids=repr,
)
def test_recommenders_predict_the_same_bits(world, path, model):
    X, y = world
    model = clone(model).fit(X, y)
    again = roundtrip(model, path)
    assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_params().keys() == model.get_params().keys()
    assert repr(again) == repr(model)
    assert again.score(X, y) == model.score(X, y)


def test_every_kind_of_estimator_survives(world, path, rng):
    _, y = world
    names = np.repeat(["a", "b"], 20).reshape(-1, 1)
    popularity = PopularityRecommender().fit(names, y)
    assert_array_equal(
        roundtrip(popularity, path).predict(names), popularity.predict(names)
    )
    oracle = OracleRecommender(_WMF).fit(y, y)
    assert_array_equal(roundtrip(oracle, path).predict(y), oracle.predict(y))
    frames = [rng.normal(size=(n, 4)).astype("f4") for n in (30, 0, 20)]
    content = make_pipeline(
        VectorQuantizer(5, random_state=0), BagOfWords(weighting="tfidf")
    ).fit(frames)
    again = roundtrip(content, path)
    assert_array_equal(again.transform(frames), content.transform(frames))
    waveform = [rng.normal(size=2000).astype("f4")]
    extractor = MFCCExtractor().fit(waveform)
    again = roundtrip(extractor, path)
    assert_array_equal(again.transform(waveform)[0], extractor.transform(waveform)[0])


@pytest.mark.slow
def test_networks_predict_the_same_bits(path, rng):
    frames = [rng.normal(size=(n, 6)).astype("f4") for n in (30, 0, 41, 25, 33, 28)]
    plays = rng.poisson(1.0, (6, 12))
    network = CNNFactorRegressor(
        **{"window": 16, "n_filters": (8,), "hidden": (16,), "batch_norm": True},
        **{"max_epochs": 3, "validation_fraction": 0, "random_state": 0},
    )
    model = ColdStartRecommender(network, WMF(3, random_state=0)).fit(frames, plays)
    again = roundtrip(model, path)
    assert_array_equal(again.predict(frames), model.predict(frames))
    before, after = model.regressor_, again.regressor_
    assert after.history_[:, "train_loss"] == before.history_[:, "train_loss"]
    assert after.net_.history is after.history_
    # It goes on to learn, and a network without training is saved too.
    after.partial_fit(frames, rng.normal(size=(6, 3)))
    assert roundtrip(network, path).get_params() == network.get_params()


def test_a_network_is_that_of_fit_whatever_was_set_since(path, rng):
    frames = rng.normal(size=(6, 9, 5)).astype("f4")
    network = CNNFactorRegressor(
        **{"architecture": "shortchunk", "window": 4, "n_filters": (6,)},
        **{"hidden": (6,), "max_epochs": 1, "device": "cpu", "random_state": 0},
    ).fit(frames, rng.normal(size=(6, 2)))
    network.set_params(architecture="nips2013", window=60, hidden=(9,))
    again = roundtrip(network, path)
    assert_array_equal(again.predict(frames), network.predict(frames))
    assert again.get_params() == network.get_params()


def test_a_network_of_code_is_refused(path):
    network = CNNFactorRegressor(architecture=lambda n_features, n_outputs: None)
    with pytest.raises(TypeError, match=r"CNNFactorRegressor\.architecture is a "):
        save_model(network, path)


def test_every_public_estimator_is_known():
    assert set(public_estimators()) <= set(known_classes().values())


def test_parameters_of_every_kind_survive(path):
    wmf = WMF(3, dtype=np.float32, random_state=np.random.RandomState(7))
    expected = clone(wmf).random_state.randint(1000, size=5)
    wmf.extra_ = {
        "tuple": (1, "two", None, True, float("inf")),
        3: [np.float32(1.5), slice(1, None)],
        "text": np.array([["ä", "b"]]),
        "complex": np.array([1 + 2j]),
        "objects": np.array(["x", "yy"], dtype=object),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.empty((0, 3), np.int32),
        "big endian": np.arange(3, dtype=">i4"),
        "sparse": sp.csc_matrix(np.eye(3)),
    }
    again = roundtrip(wmf, path)
    assert again.dtype is np.float32
    assert_array_equal(again.random_state.randint(1000, size=5), expected)
    extra = again.extra_
    assert extra["tuple"] == wmf.extra_["tuple"]
    assert extra[3][0].dtype == np.float32 and extra[3] == wmf.extra_[3]
    for name in ("text", "complex", "objects", "fortran", "empty", "big endian"):
        assert_array_equal(extra[name], wmf.extra_[name])
        assert extra[name].shape == wmf.extra_[name].shape
    assert extra["fortran"].flags.f_contiguous
    assert isinstance(extra["sparse"], sp.csc_matrix)
    assert np.isnan(roundtrip(WMF(reg=float("nan")), path).reg)


def test_arrays_that_are_shared_are_written_once(path, rng):
    factors = rng.normal(size=(1000, 50))
    wmf = WMF(50)
    wmf.item_factors_ = wmf.user_factors_ = factors
    save_model(wmf, path)
    assert path.stat().st_size < 1.1 * factors.nbytes
    again = load_model(path)
    assert again.item_factors_ is again.user_factors_
    again.item_factors_[0] = 1  # and can be written to


class Stranger(BaseEstimator):
    pass


@pytest.mark.parametrize(
    "estimator, message",
    [
        (
            Stranger(),
            r"Stranger is a tests\..*Stranger, which save_model does not know",
        ),
        (
            ColdStartRecommender(RandomForestRegressor()),
            r"ColdStartRecommender\.regressor is a sklearn.*RandomForestRegressor",
        ),
        (
            make_pipeline(FunctionTransformer(np.log1p), Ridge()),
            r"Pipeline\.steps\[0\]\[1\] is a .*FunctionTransformer",
        ),
        (Ridge(alpha=print), r"Ridge\.alpha is a builtins\..*, which is no plain data"),
        (Ridge(alpha=np.array([print])), r"Ridge\.alpha is an array of objects"),
        (np.eye(2), "save_model writes estimators; got a ndarray"),
    ],
)
def test_what_is_no_data_is_named_and_nothing_is_written(path, estimator, message):
    with pytest.raises(TypeError, match=message):
        save_model(estimator, path)
    assert not list(path.parent.iterdir())


def test_a_class_that_only_has_the_name_of_a_known_one_is_refused(path):
    impostor = type("Ridge", (BaseEstimator,), {})
    with pytest.raises(TypeError, match="does not know"):
        save_model(impostor(), path)


def test_loading_runs_no_code(world, saved, monkeypatch):
    expected = load_model(saved).predict(world[0])  # and the package is imported

    def refuse(*args, **kwargs):
        raise AssertionError("code was about to run")

    for module, name in [
        (pickle, "loads"),
        (pickle, "load"),
        (pickle, "Unpickler"),
        (importlib, "import_module"),
        (np, "load"),
        (os, "system"),
    ]:
        monkeypatch.setattr(module, name, refuse)
    again = load_model(saved)
    monkeypatch.undo()
    assert_array_equal(again.predict(world[0]), expected)


@pytest.mark.parametrize("name", ["os.system", "Stranger", "object", "__class__"])
def test_unknown_classes_are_refused(saved, name):
    def rename(header):
        meta = header["__metadata__"]
        document = meta["skcoldstart.model"].replace('"Ridge"', json.dumps(name))
        meta["skcoldstart.model"] = document
        meta["skcoldstart.sha256"] = hashlib.sha256(document.encode()).hexdigest()

    reheader(saved, rename)
    with pytest.raises(ValueError, match=f"unknown class '{name}'"):
        load_model(saved)


def test_a_flipped_bit_anywhere_is_an_error_or_harmless(world, saved):
    X, _ = world
    content = saved.read_bytes()
    expected = load_model(saved).predict(X)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        saved.write_bytes(damaged)
        try:
            model = load_model(saved)
        except ValueError as reason:
            assert "not a whole file of save_model" in str(reason)
            refused += 1
        else:  # padding, or the name of a version
            assert_array_equal(model.predict(X), expected)
    assert refused > 290


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.999])
def test_a_cut_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="not a whole file of save_model"):
        load_model(saved)


def test_other_files_are_refused(path):
    path.write_text("plays")
    with pytest.raises(ValueError, match="not a whole file of save_model"):
        load_model(path)
    from safetensors.numpy import save_file

    save_file({"a": np.eye(2)}, path)
    with pytest.raises(ValueError, match="its format is None"):
        load_model(path)
    with pytest.raises(FileNotFoundError, match="no file"):
        load_model(path.with_name("none"))


def test_another_version_is_told(saved, monkeypatch):
    monkeypatch.setattr("sklearn.__version__", "0.1")
    with pytest.warns(UserWarning, match="was saved with .* and here is .*0.1"):
        load_model(saved)


def test_a_failed_write_leaves_the_old_file(saved, world, monkeypatch):
    before = saved.read_bytes()

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(WMF(), saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
