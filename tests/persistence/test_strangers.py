"""Files from strangers run nothing, write nothing, crash nothing, and stay small."""

import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skcoldstart import (
    WMF,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContrastiveEncoder,
    VectorQuantizer,
    load_model,
    save_model,
)
from skcoldstart.persistence._states import SET_ASIDE
from tests.persistence.files import (
    KNOWN_CLASSES,
    nodes,
    read,
    set_attribute,
    state_of,
    write,
)
from tests.persistence.fitted import KINDS, NETWORK, PLAYS, RNG, WORDS, X, Y

OVERFLOW = [2**31 - 1, -2]  # the differences of 0, these and 3 are positive
WITH_KINDS = (KINDS, np.array([0.0, 5.0, 9.0, 0.0] * 10))
SPARSE = (sp.csr_array(X), PLAYS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


@pytest.fixture
def forge(path):
    """Save a model, change its document and arrays, and return the file."""

    def forged(model, change):
        save_model(model, path)
        document, arrays = read(path)
        change(document, arrays)
        write(path, document, arrays)
        return path

    return forged


def test_loading_runs_no_code(path, monkeypatch):
    model = ColdStartRecommender(Ridge(), WMF(2, random_state=0)).fit(X, PLAYS)
    save_model(model, path)
    expected = load_model(path).predict(X)  # and what it needs is imported

    def refuse(*args, **kwargs):
        raise AssertionError("code was about to run")

    for module, name in [
        *((pickle, "loads"), (pickle, "load"), (pickle, "Unpickler")),
        *((importlib, "import_module"), (np, "load"), (os, "system")),
    ]:
        monkeypatch.setattr(module, name, refuse)
    again = load_model(path)
    monkeypatch.undo()
    assert_array_equal(again.predict(X), expected)


@pytest.mark.parametrize("name", ["os.system", "object", "KMeans"])
def test_unknown_classes_are_refused(forge, name):
    def rename(document, arrays):
        document["estimator"]["name"] = name

    with pytest.raises(ValueError, match=f"unknown class '{name}'"):
        load_model(forge(Ridge(), rename))


@pytest.mark.parametrize(
    "name", ["predict", "__class__", "_parameter_constraints", "__sklearn_tags__", 5]
)
def test_what_a_class_has_cannot_be_replaced(forge, name):
    node = {"is": "function", "name": "exp", "keywords": []}
    with pytest.raises(ValueError, match="Ridge has no attribute"):
        load_model(forge(Ridge(), lambda d, a: set_attribute(d, "Ridge", name, node)))


@pytest.mark.parametrize(
    "content",
    [
        5,
        [1, 2],
        {"is": "dict", "items": []},
        {"is": "estimator", "name": "Ridge", "state": []},
        {"is": "estimator", "name": "KFold", "state": [["n_splits", 2]]},
        {"is": "function", "name": "system", "keywords": []},
        {"is": "same", "id": 0},
        {"is": "decode", "node": 1},
        {"no": "kind"},
    ],
)
def test_what_is_no_estimator_is_refused(forge, content):
    def replace(document, arrays):
        document["estimator"] = content

    with pytest.raises(ValueError, match="not a complete file of save_model"):
        load_model(forge(Ridge(), replace))


def test_a_deeply_nested_file_is_refused(path):
    save_model(Ridge(), path)
    document, arrays = read(path)
    deep = 1
    for _ in range(600):
        deep = [deep]
    set_attribute(document, "Ridge", "deep_", deep)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(5000)
    write(path, document, arrays)
    sys.setrecursionlimit(limit)
    with pytest.raises(ValueError, match="not a complete file of save_model"):
        load_model(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"pos": 2**30},
        {"pos": -1},
        {"pos": 1.5},
        {"key": np.zeros(10, np.uint32)},
        {"key": np.zeros(624, np.uint32)},
        {"key": np.ones(624, np.float64)},
    ],
)
def test_a_random_state_that_reads_elsewhere_or_never_ends_is_refused(forge, changes):
    def break_state(document, arrays):
        node = of_kind(document, "random")
        inner = dict(dict(node["state"]["items"])["state"]["items"])
        inner["key"] = inner["key"] | {"dtype": "<u4", "shape": [624]}
        if "key" in changes:
            arrays[inner["key"]["name"]] = key = changes["key"]
            inner["key"] |= {"dtype": key.dtype.str, "shape": list(key.shape)}
        else:
            inner |= changes
        node["state"]["items"] = [
            [k, v if k != "state" else {"is": "dict", "items": list(inner.items())}]
            for k, v in node["state"]["items"]
        ]

    model = WMF(2, random_state=np.random.RandomState(0))
    with pytest.raises(ValueError, match="RandomState"):
        load_model(forge(model, break_state))


def test_a_file_does_not_decide_where_a_later_fit_writes(path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    memory = str(elsewhere)
    search = GridSearchCV(
        make_pipeline(TruncatedSVD(2), Ridge(), memory=memory),
        [{"memory": [memory]}, {"truncatedsvd__n_iter": [2], "memory": [memory]}],
        cv=2,
    )
    save_model(make_pipeline(search, memory=memory), path)
    with pytest.warns(UserWarning, match=r"GridSearchCV\.param_grid\['memory'\]="):
        load_model(path).fit(X, Y)
    assert not elsewhere.exists()


def shorten(cls, name):
    """Cut a row of an array."""

    def change(document, arrays):
        node = dict(state_of(document, cls))[name]
        node["shape"][0] -= 1
        arrays[node["name"]] = arrays[node["name"]][:-1]

    return change


def of_kind(document, kind):
    """Return the first node of a kind."""
    found = (n for n in nodes(document) if isinstance(n, dict) and n.get("is") == kind)
    return next(found)


def in_nodes(field, value, kind="tree"):
    def change(document, arrays):
        columns = dict(of_kind(document, kind)["nodes"]["items"])
        arrays[columns[field]["name"]][0] = value

    return change


def in_sparse(part, value, place=-1):
    def change(document, arrays):
        arrays[of_kind(document, "sparse")["parts"][part]["name"]][place] = value

    return change


def attribute(cls, name, value):
    return lambda document, arrays: set_attribute(document, cls, name, value)


def number(cls, name, value):
    """Set the first number of the first array of a list."""

    def change(document, arrays):
        arrays[dict(state_of(document, cls))[name][0]["name"]][0] = value

    return change


def renumber(document, arrays):
    terms = dict(state_of(document, "CountVectorizer"))["vocabulary_"]["items"]
    terms[0][1] = 2**40


FOREST = RandomForestRegressor(2, random_state=0)
NEIGHBORS, QUANTIZER = ContentKNNRecommender(2), VectorQuantizer(4)
BOOSTING = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=3)


@pytest.mark.parametrize(
    "model, data, change",
    [
        (FOREST, (X, Y), in_nodes("left_child", 2**40)),
        (FOREST, (X, Y), in_nodes("left_child", 0)),
        (FOREST, (X, Y), in_nodes("right_child", -1)),
        (FOREST, (X, Y), in_nodes("feature", 4)),
        (FOREST, (X, Y), in_nodes("feature", -2)),
        (FOREST, (X, Y), attribute("RandomForestRegressor", "n_features_in_", 2)),
        (BOOSTING, WITH_KINDS, in_nodes("left", 2**31, "predictor")),
        (BOOSTING, WITH_KINDS, in_nodes("feature_idx", 2**40, "predictor")),
        (BOOSTING, WITH_KINDS, in_nodes("bitset_idx", 2**31, "predictor")),
        (BOOSTING, WITH_KINDS, attribute("_BinMapper", "is_categorical_", [0, 0])),
        (BOOSTING, WITH_KINDS, attribute("ColumnTransformer", "transformers_", [])),
        (WMF(2), (PLAYS,), shorten("WMF", "user_factors_")),
        (NMF(2, init="random"), (X,), attribute("NMF", "_n_components", 500)),
        (KNeighborsRegressor(), (X, Y), attribute("KNeighborsRegressor", "_fit_X", 1)),
        (QUANTIZER, ([X],), attribute("VectorQuantizer", "n_features_in_", 2)),
        (
            OneHotEncoder(min_frequency=11, handle_unknown="infrequent_if_exist"),
            (WORDS,),
            number("OneHotEncoder", "_default_to_infrequent_mappings", 2**40),
        ),
        (BagOfWords(4), ([[0, 1]],), attribute("BagOfWords", "n_codewords_", 10**9)),
        (CountVectorizer(), (["a text", "another one"],), renumber),
        (
            StackingRegressor([("a", Ridge())]),
            (X, Y[:, 0]),
            attribute("StackingRegressor", "stack_method_", ["fit"]),
        ),
        (NEIGHBORS, SPARSE, in_sparse(1, 2**30)),
        (NEIGHBORS, SPARSE, in_sparse(2, 2**30)),
        (NEIGHBORS, SPARSE, in_sparse(2, OVERFLOW, slice(1, 3))),
    ],
)
def test_what_compiled_code_does_not_check_is_checked(forge, model, data, change):
    model = clone(model).fit(*data)
    with pytest.raises(ValueError, match="not a complete file of save_model"):
        load_model(forge(model, change))


WIDE = {"is": "tuple", "items": [10**6, 10**6]}
LONG = {"is": "array", "name": "long", "dtype": "<f8", "shape": [3], "fortran": False}


@pytest.mark.parametrize(
    "network, name, value",
    [
        (CNNFactorRegressor(**NETWORK), "n_features_in_", 10**15),
        (CNNFactorRegressor(**NETWORK), "hidden", WIDE),
        (CNNFactorRegressor(**NETWORK), "target_mean_", LONG),
        (ContrastiveEncoder(**NETWORK, architecture="spotify2014"), "hidden", WIDE),
        (
            ContrastiveEncoder(**NETWORK, architecture="spotify2014"),
            *("n_features_in_", 10**15),
        ),
    ],
)
def test_a_network_takes_no_more_memory_than_its_file(forge, network, name, value):
    def change(document, arrays):
        arrays["long"] = np.zeros(3)
        pairs = state_of(document, type(network).__name__)
        if name == "hidden":
            pairs = dict(pairs)["_built_with"]["items"]
        pairs[:] = [pair for pair in pairs if pair[0] != name] + [[name, value]]

    network = clone(network).fit(RNG.normal(size=(4, 20, 5)).astype("f4"), Y[:4])
    with pytest.raises(ValueError, match="weights"):
        load_model(forge(network, change))


def test_keys_made_to_collide_are_refused(forge):
    pairs = [[i * (2**61 - 1), 0] for i in range(100_000)]
    node = {"is": "dict", "items": pairs}
    with pytest.raises(ValueError, match="100000 keys of one hash"):
        load_model(forge(Ridge(), attribute("Ridge", "table_", node)))


def test_parameters_that_may_be_places_are_reviewed():
    """Where a new one names a place to write to, _states.py must set it aside."""
    reviewed = {
        *("AudioEmbedding.device", "AudioEmbedding.layer", "AudioEmbedding.model"),
        "AudioEmbedding.weights",  # of a known digest
        "LibrosaFeatures.features",  # functions of librosa.feature that take a waveform
        *("CNNFactorRegressor.device", "ContrastiveEncoder.device"),
        *("BlendRecommender.scoring", "ColdStartRecommenderCV.scoring"),
        *("PopularityRecommender.on", "WordCounter.encoding"),
        "WordCounter.token_pattern",
    }
    found = {
        f"{name}.{parameter}"
        for name, cls in KNOWN_CLASSES.items()
        if cls.__module__.startswith("skcoldstart")
        for parameter, accepted in getattr(cls, "_parameter_constraints", {}).items()
        if accepted != "no_validation"
        and parameter not in SET_ASIDE
        and (str in accepted or os.PathLike in accepted)
    }
    assert found <= reviewed, "is it a place to write to, or does it run code?"


def test_memory_is_bounded_by_the_size_of_the_file(path):
    """One array of a file is named by ten thousand matrices, each with a copy of it."""
    numbers = np.zeros(1_000_000, np.int64)
    save_model(Ridge(), path)
    document, _ = read(path)
    part = {"is": "array", "name": "a", "dtype": "<i8", "shape": [len(numbers)]}
    part["fortran"] = False
    empty = part | {"name": "b", "shape": [0]}
    matrix = {"is": "sparse", "form": "csr_matrix", "shape": [len(numbers) - 1, 1]}
    matrix["parts"] = [empty, empty, part]
    set_attribute(document, "Ridge", "many_", [matrix] * 10_000)
    write(path, document, {"a": numbers, "b": np.zeros(0, np.int64)})
    script = (
        "import resource, sys; from skcoldstart import load_model\n"
        "import scipy.sparse, sklearn.linear_model, safetensors.numpy\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_model(sys.argv[1])\n"
        "except ValueError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    message, kilobytes = done.stdout.splitlines()
    assert "is used too often" in message
    assert int(kilobytes) < 20 * path.stat().st_size / 1024


@pytest.mark.slow
def test_mutants_are_refused_or_answer_and_crash_nothing():
    command = [sys.executable, "-m", "tests.persistence.mutants", "200", "0"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert sum(seen.values()) == 200 and seen["refused"] > 100
