"""Exports: read back as written, without scikit-learn, whole or not at all."""

import hashlib
import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    export,
    load_export,
)

NAMES = ["ann", "b\u00f6b", "\u4e2d\u6587", "", "e\udc80"]


@pytest.fixture
def catalog(rng):
    return rng.normal(size=(30, 4)), rng.poisson(1.0, size=(30, 5)) + np.eye(30, 5)


def test_inner_products_are_the_scores_of_the_model(catalog, tmp_path):
    X, y = catalog
    model = make_pipeline(PCA(3), ColdStartRecommender(factorizer=WMF(2)))
    model.fit(X, y, coldstartrecommender__user_ids=NAMES)
    ids = [f"song {i}" for i in range(10)]
    found = load_export(export(model, tmp_path / "new" / "model", X[:10], item_ids=ids))
    scores = found.user_factors @ found.item_factors.T
    np.testing.assert_allclose(scores, model.predict(X[:10]).T, rtol=1e-4, atol=1e-5)
    assert found.user_ids.tolist() == NAMES
    assert found.item_ids.tolist() == ids
    assert found.item_factors.dtype == found.user_factors.dtype == np.float32
    manifest = json.loads((tmp_path / "new" / "model" / "manifest.json").read_text())
    assert (manifest["n_items"], manifest["n_users"]) == (10, 5)
    assert "inner product" in manifest["score"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([7, 5, 2**62, -1, 0], [7, 5, 2**62, -1, 0]),
        ([1, 2**63 + 1, 2**63 + 2, 3, 4], [1, 2**63 + 1, 2**63 + 2, 3, 4]),
        ([-1, 2**63 + 1, 2, 3, 4], ["-1", str(2**63 + 1), "2", "3", "4"]),
        (np.array([2**63, 2**64 - 1, 3, 4, 5], np.uint64), [2**63, 2**64 - 1, 3, 4, 5]),
        ([b"a", b"\xff", b"c", b"d", b"e"], ["a", r"\xff", "c", "d", "e"]),
        (
            [uuid.UUID(int=i) for i in range(5)],
            [str(uuid.UUID(int=i)) for i in range(5)],
        ),
        (None, [0, 1, 2, 3, 4]),
    ],
)
def test_names_of_every_type_are_integers_or_text(ids, expected, catalog, tmp_path):
    X, y = catalog
    model = ContentProfileRecommender().fit(X, y, user_ids=ids)
    found = load_export(export(model, tmp_path, X))
    assert found.user_ids.tolist() == expected
    assert found.item_ids.tolist() == list(range(30))
    named = pd.DataFrame(X, index=[f"s{i}" for i in range(30)])
    found = load_export(
        export(ContentProfileRecommender().fit(named, y), tmp_path, named)
    )
    assert found.item_ids.tolist() == named.index.tolist()


def test_without_content_the_items_of_fit_are_exported(catalog, tmp_path):
    X, y = catalog
    wmf = WMF(2, random_state=0).fit(y)
    found = load_export(export(wmf, tmp_path))
    assert_array_equal(found.item_factors, wmf.item_factors_)
    model = ColdStartRecommender(factorizer=WMF(2, random_state=0)).fit(X, y)
    found = load_export(export(model, tmp_path))
    assert_array_equal(found.item_factors, model.factorizer_.item_factors_)
    factors = model.item_factors(X, y)
    found = load_export(export(model, tmp_path, item_factors=factors))
    assert_array_equal(found.item_factors, factors.astype(np.float32))
    with pytest.raises(TypeError, match="keeps no factors of the items of fit"):
        export(ContentProfileRecommender().fit(X, y), tmp_path)
    with pytest.raises(NotFittedError):
        export(ColdStartRecommender(), tmp_path)


def test_an_export_is_read_with_numpy_and_safetensors_alone(catalog, tmp_path):
    X, y = catalog
    export(ContentProfileRecommender().fit(X, y, user_ids=NAMES), tmp_path, X)
    code = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root in {"sklearn", "scipy", "numba", "joblib", "torch", "pandas", "tqdm",
                    "threadpoolctl", "matplotlib", "soundfile", "pyarrow"}:
            raise ImportError(f"{root} is not installed")
sys.meta_path.insert(0, Only())
from skcoldstart import load_export
found = load_export(sys.argv[1])
print(found.item_factors.shape, found.user_ids[0])
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "(30, 4) ann\n"


def test_a_second_export_replaces_the_first(catalog, tmp_path):
    X, y = catalog
    (tmp_path / "link").symlink_to(tmp_path / "target")
    export(ContentProfileRecommender().fit(X, y), tmp_path / "link", X)
    export(ContentProfileRecommender().fit(X + 1, y), tmp_path / "link", X[:4])
    assert (tmp_path / "link").is_symlink()
    assert len(list((tmp_path / "target").iterdir())) == 2
    assert len(load_export(tmp_path / "target").item_factors) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of files")
def test_exports_at_the_same_time_leave_a_whole_one(catalog, tmp_path):
    X, y = catalog
    model = ContentProfileRecommender().fit(X, y)
    export(model, tmp_path, X)

    def write(n_items):
        export(model, tmp_path, X[:n_items])
        return len(load_export(tmp_path).item_factors)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(write, [10, 20, 30] * 20))
    assert set(found) <= {10, 20, 30}
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_export_is_refused(catalog, tmp_path):
    X, y = catalog
    with pytest.raises(FileNotFoundError):
        load_export(tmp_path)
    export(ContentProfileRecommender().fit(X, y), tmp_path, X)
    factors = next(tmp_path.glob("*.safetensors"))
    data = bytearray(factors.read_bytes())
    data[-1] ^= 1
    factors.write_bytes(data)
    with pytest.raises(ValueError, match="SHA-256 differs"):
        load_export(tmp_path)
    manifest = tmp_path / "manifest.json"
    good = json.loads(manifest.read_text())
    other = ({"version": 99}, {"format": "another"}, {"file": "../../etc/passwd"})
    bad = [*(good | change for change in other), {"file": good["file"]}, []]
    for text in (*(json.dumps(each).encode() for each in bad), b"\xff{"):
        manifest.write_bytes(text)
        with pytest.raises(ValueError, match="is not a manifest of"):
            load_export(tmp_path)


def test_a_damaged_export_with_a_right_checksum_is_refused(catalog, tmp_path):
    X, y = catalog
    export(ContentProfileRecommender().fit(X, y), tmp_path, X)
    [factors] = tmp_path.glob("*.safetensors")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    arrays = load_file(factors)
    names = {"item_ids": arrays["item_ids"][:-1]}
    text = {
        "item_ids.text": np.zeros(3, np.uint8),
        "item_ids.offsets": np.zeros((), np.int64),
    }
    without = {name: value for name, value in arrays.items() if name != "item_ids"}
    for data in (save(arrays | names), save(without), save(without | text), b"x"):
        digest = hashlib.sha256(data).hexdigest()
        factors.write_bytes(data)
        changed = json.dumps(manifest | {"sha256": digest})
        (tmp_path / "manifest.json").write_text(changed)
        with pytest.raises(ValueError, match=r"30 items|not a whole file of export"):
            load_export(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes")
@pytest.mark.parametrize("name", ["manifest.json", "*.safetensors"])
def test_a_pipe_in_place_of_an_exported_file_is_refused(name, catalog, tmp_path):
    X, y = catalog
    export(ContentProfileRecommender().fit(X, y), tmp_path, X)
    [file] = tmp_path.glob(name)
    file.unlink()
    os.mkfifo(file)
    reading = "import sys, skcoldstart; skcoldstart.load_export(sys.argv[1])"
    command = [sys.executable, "-c", reading, tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert "ValueError" in found.stderr


def test_factors_that_are_no_numbers_in_float32_are_refused(catalog, tmp_path):
    X, y = catalog
    model = ContentProfileRecommender().fit(X, y)
    with pytest.raises(ValueError, match="item_factors are not finite as float32"):
        export(model, tmp_path, item_factors=np.full((2, 4), 1e300))
