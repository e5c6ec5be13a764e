"""Files of fitted estimators: the same values, whole or not at all."""

import datetime
import decimal
import os
import resource
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from joblib import Memory
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcoldstart import (
    WMF,
    CNNFactorRegressor,
    ColdStartRecommender,
    MFCCExtractor,
    RaggedArray,
    load_model,
    save_model,
)
from tests.persistence.files import read, state_of, write

X = np.random.default_rng(0).normal(size=(40, 5))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


HOLDS_ITSELF = Ridge()
HOLDS_ITSELF.alpha = [HOLDS_ITSELF]


@pytest.fixture
def saved(path):
    plays = np.random.default_rng(1).poisson(1.0, (40, 25))
    model = ColdStartRecommender(Ridge(), WMF(3, random_state=0)).fit(X, plays)
    save_model(model, path)
    return path


def roundtrip(estimator, path):
    save_model(estimator, path)
    return load_model(path)


def test_parameters_of_every_kind_survive(path):
    wmf = WMF(3, dtype=np.float32, random_state=np.random.RandomState(7))
    expected = clone(wmf).random_state.randint(1000, size=5)
    arrays = {
        "text": np.array([["ä", "b"]]),
        "complex": np.array([1 + 2j]),
        "objects": np.array([["x", None], [2.5, 3]], dtype=object),
        "nested": np.array([[1, 2], [3]], dtype=object),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.empty((0, 3), np.int32),
        "no text": np.empty((2, 0), "U3"),
        "big endian": np.arange(3, dtype=">i4"),
        "dates": np.array(["2020-01-02"], "M8[D]"),
        "bytes": np.array([b"ab"]),
        "flags": np.array([True, False]),
    }
    plain = {
        "tuple": (1, "two", None, True, float("inf"), 10**30),
        3: [np.float32(1.5), np.int8(-4), np.bool_(True), slice(1, None)],
        "sets": {"a", 1, frozenset({2})},
        "types": [float, np.number, np.dtype("<U7"), np.dtype(object)],
        "paths": [Path("a") / "b", Path(os.fsdecode(b"caf\xe9"))],
        "ids": [uuid.UUID(int=5), datetime.date(2020, 1, 2), b"\x00\xff"],
        "time": datetime.datetime(2020, 1, 2, 3, tzinfo=datetime.UTC),
        "stamps": [pd.Timestamp("2020-01-02 03:04:05.000000006", tz="UTC")],
        "moments": [np.datetime64("2020-01-02"), np.datetime64(7, "25s")],
        "decimal": decimal.Decimal("1.10"),
        "surrogate \udce9": "\udce9",
    }
    wmf.extra_ = arrays | plain
    wmf.missing_ = np.array(["a", np.nan], dtype=object)
    wmf.masked_ = np.ma.array([1.0, 2.0], mask=[False, True])
    wmf.sparse_ = sp.csc_matrix(np.eye(3))
    wmf.items_ = RaggedArray.from_sequence([[1.0], [], [2.0, 3.0]])
    again = roundtrip(wmf, path)
    assert again.dtype is np.float32
    assert_array_equal(again.random_state.randint(1000, size=5), expected)
    for name, array in arrays.items():
        assert_array_equal(again.extra_[name], array)
        assert again.extra_[name].shape == array.shape
    assert {name: again.extra_[name] for name in plain} == plain
    assert again.extra_[3][0].dtype == np.float32
    assert again.extra_["fortran"].flags.f_contiguous
    assert again.missing_[1] is np.nan
    assert again.masked_.tolist() == [1.0, None]
    assert isinstance(again.sparse_, sp.csc_matrix)
    assert [item.tolist() for item in again.items_] == [[1.0], [], [2.0, 3.0]]
    assert np.isnan(roundtrip(WMF(reg=float("nan")), path).reg)


def test_what_is_shared_is_written_once_and_stays_shared(path):
    factors = np.zeros((1000, 50))
    wmf = WMF(50, random_state=np.random.RandomState(0))
    wmf.item_factors_ = wmf.user_factors_ = factors
    wmf.other_ = [wmf.random_state, Ridge()]
    wmf.another_ = wmf.other_[1]
    save_model(wmf, path)
    assert path.stat().st_size < 1.1 * factors.nbytes
    with safe_open(path, framework="numpy") as file:  # as others read the format
        assert file.metadata()["skcoldstart.format"] == "1"
        assert any(np.array_equal(file.get_tensor(k), factors) for k in file.keys())
    again = load_model(path)
    assert again.item_factors_ is again.user_factors_
    assert again.other_[0] is again.random_state
    assert again.other_[1] is again.another_
    again.item_factors_[0] = 1  # and can be written to


def test_a_vocabulary_beyond_the_longest_header_is_kept(path):
    ridge = Ridge()
    ridge.vocabulary_ = {f"{i:050}": i for i in range(800_000)}
    assert roundtrip(ridge, path).vocabulary_ == ridge.vocabulary_


def test_errors_of_a_run_over_files_keep_their_names(path, tmp_path):
    extractor = MFCCExtractor(on_error="ignore")
    extractor.fit_transform([np.ones(3000), tmp_path / "gone.wav"])
    (error,) = roundtrip(extractor, path).errors_
    assert error == extractor.errors_[0]
    assert (error.index, error.path) == (1, tmp_path / "gone.wav")


class Stranger(BaseEstimator):
    func = np.log1p  # as in a partial function


@pytest.mark.parametrize(
    "estimator, message",
    [
        (Stranger(), r"Stranger is a tests\..*Stranger, which save_model does not"),
        (
            ColdStartRecommender(KMeans()),
            r"ColdStartRecommender\.regressor is a sklearn.*KMeans, which save_model",
        ),
        (
            make_pipeline(FunctionTransformer(lambda X: X), Ridge()),
            r"FunctionTransformer|Pipeline\.steps\[0\]\[1\]\.func is a .*function",
        ),
        (
            CNNFactorRegressor(architecture=lambda n_features, n_outputs: None),
            r"CNNFactorRegressor\.architecture is a ",
        ),
        (
            Ridge(alpha=print),
            r"Ridge\.alpha is a builtins\..*, which is not plain data",
        ),
        (Ridge(alpha=np.array([print])), r"Ridge\.alpha\[0\] is a builtins\."),
        (Ridge(alpha=Ridge), r"Ridge\.alpha is a .*, which is not plain data"),
        (Ridge(alpha=np.zeros(1, "i4,i4")), r"Ridge\.alpha is an array of \[\("),
        (Ridge(alpha=np.ones(1, np.longdouble)), "is an array of float128"),
        (
            Ridge(alpha=np.random.RandomState(np.random.PCG64(0))),
            r"Ridge\.alpha is a RandomState of PCG64",
        ),
        (Ridge(alpha=sp.csr_array((1, 2**30))), r"Ridge\.alpha is a sparse matrix of"),
        (HOLDS_ITSELF, r"Ridge\.alpha\[0\] contains itself"),
        (np.eye(2), "save_model writes estimators; got a ndarray"),
        (type("Ridge", (BaseEstimator,), {})(), "Ridge, which save_model does not"),
    ],
)
def test_what_is_no_data_is_named_and_nothing_is_written(path, estimator, message):
    with pytest.raises(TypeError, match=message):
        save_model(estimator, path)
    assert not list(path.parent.iterdir())


def test_a_flipped_bit_anywhere_is_an_error_or_harmless(saved):
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
            assert "not a complete file of save_model" in str(reason)
            refused += 1
        else:  # padding, or the name of a version
            assert_array_equal(model.predict(X), expected)
    assert refused > 290


def test_cut_and_other_files_are_refused(saved):
    path, content = saved, saved.read_bytes()
    cut = [content[: int(share * len(content))] for share in (0.0, 0.01, 0.3, 0.999)]
    for other in (b"plays", *cut):
        path.write_bytes(other)
        with pytest.raises(ValueError, match="not a complete file of save_model"):
            load_model(path)
    save_file({"a": np.eye(2)}, path)
    with pytest.raises(ValueError, match="its format is None"):
        load_model(path)
    for missing in (path.with_name("none"), path.parent):
        with pytest.raises(FileNotFoundError, match="no file"):
            load_model(missing)


def test_another_version_is_reported_and_its_missing_parameters_get_defaults(saved):
    document, arrays = read(saved)
    document["versions"]["scikit-learn"] = "0.1"
    state_of(document, "Ridge").remove(["positive", False])
    write(saved, document, arrays)
    with pytest.warns(UserWarning, match=r"with .*0.1.* but .* is installed") as seen:
        model = load_model(saved)
    assert seen[0].filename == __file__
    assert model.regressor.positive is False


def test_parameters_that_belong_to_a_machine_are_set_aside(path, tmp_path):
    model = make_pipeline(
        MFCCExtractor(store=tmp_path / "store", n_jobs=5000),
        Ridge(),
        memory=Memory(tmp_path / "memory", verbose=0),
    )
    save_model(model, path)
    with pytest.warns(UserWarning, match="is not restored") as seen:
        again = load_model(path)
    message = str(seen[0].message)
    for name in ("Pipeline.memory=", "MFCCExtractor.store=", "n_jobs=5000"):
        assert name in message
    assert again.memory is None and again[0].store is None and again[0].n_jobs is None


def test_a_full_disk_is_an_os_error_and_leaves_the_old_file(saved):
    before = saved.read_bytes()
    wmf = WMF()
    wmf.extra_ = np.zeros(1_000_000)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_model(wmf, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_what_a_killed_writer_left_is_removed_by_the_next(saved):
    script = (
        "import os, signal, sys, numpy as np\n"
        "from skcoldstart import WMF, save_model\n"
        "wmf = WMF(); wmf.extra_ = np.zeros(9)\n"
        "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
        "save_model(wmf, sys.argv[1])\n"
    )
    before = saved.read_bytes()
    done = subprocess.run([sys.executable, "-c", script, saved])
    assert done.returncode == -9
    assert len(list(saved.parent.iterdir())) == 2
    assert saved.read_bytes() == before
    save_model(WMF(), saved)
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_links_and_the_home_folder_are_followed_and_the_mode_is_kept(
    saved, monkeypatch
):
    monkeypatch.setenv("HOME", str(saved.parent))
    saved.chmod(0o600)
    link = saved.with_name("latest")
    link.symlink_to(saved)
    save_model(WMF(4), "~/latest")
    assert link.is_symlink()
    assert load_model("~/latest").n_components == load_model(saved).n_components == 4
    assert saved.stat().st_mode & 0o777 == 0o600
