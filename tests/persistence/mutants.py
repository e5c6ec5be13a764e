"""Mutants of model files, loaded and used: python -m tests.persistence.mutants N SEED.

Half of them are damaged as they lie, and their digests give them away; the others are
what a stranger could write: parameters and arrays are changed and signed anew. Nothing
but ValueError may come of loading them, and no crash of using them.
"""

import copy
import faulthandler
import json
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    MFCCExtractor,
    load_model,
    make_recommender,
    save_model,
)
from skcoldstart._scores.plays import labelled
from skcoldstart._scores.user_names import as_names
from tests.persistence.files import nodes, read, write
from tests.persistence.fitted import CLIPS, PLAYS, TABLE, X, Y, answers, fitted

ODD = [
    *(0, 1, -1, 7, -(2**31), 2**31, 2**63 - 1, 2**70, 0.5, None, True, "", "x", "<f8"),
    *([], {}, [1, 2, 3], {"is": "float", "text": "nan"}, {"is": "same", "id": 0}),
    {"is": "tuple", "items": [1, 2]},
    {"is": "dict", "items": [["a", 1]]},
    {"is": "slice", "bounds": [0, None, -1]},
    {"is": "path", "text": "/nowhere"},
    {"is": "estimator", "name": "Ridge", "state": []},
    {"is": "function", "name": "exp", "keywords": []},
    {"is": "objects", "shape": [2], "items": ["a", 1]},
]


# Those that contain what is not plain data.
NAMES = (
    "AudioUnion BlendRecommender BagOfWords CNNFactorRegressor ColdStartRecommender"
    " ColdStartRecommenderCV ContentKNNRecommender ContentProfileRecommender"
    " ContrastiveEncoder FactorTargetEncoder FramePooling GridSearchCV"
    " HistGradientBoostingRegressor KNeighborsRegressor KernelFeatures MLRSimilarity"
    " NMF RandomForestRegressor StackingRegressor TruncatedSVD VectorQuantizer"
)


def models():
    """Yield fitted models, and their input."""
    state = np.random.RandomState(3)
    for name in NAMES.split():
        model, content = fitted(name)
        if "random_state" in model.get_params():
            model.set_params(random_state=state)
        yield model, content
    content = ColumnTransformer([
        ("x", SplineTransformer(4), ["x"]),
        ("word", OneHotEncoder(min_frequency=11), ["word"]),
        ("text", TfidfVectorizer(), "text"),
    ])
    named = labelled(PLAYS, as_names(range(100, 106), "users", "users"))
    cold = ColdStartRecommender(KernelRidge(kernel="rbf"), WMF(2), play_weight=0.3)
    yield cold.fit(X, named), X
    yield make_pipeline(content, KernelRidge()).fit(TABLE, Y), TABLE
    yield make_recommender("table", random_state=state).fit(X, PLAYS), X
    extractor = MFCCExtractor(on_error="ignore").fit(CLIPS)
    extractor.transform([*CLIPS, Path("nowhere.wav")])
    yield extractor, CLIPS


def damage(content, rng):
    """Flip bits, cut, or leave bytes out."""
    content = bytearray(content)
    if rng.random() < 0.5:
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            content[place] ^= 1 << rng.integers(8)
        return bytes(content)
    first, more = int(rng.integers(len(content))), int(rng.integers(1, 64))
    return bytes(content[:first] + content[first + more * rng.integers(2) + 1 :])


def change(document, arrays, rng):
    """Change a value of the document or a number of an array."""
    if arrays and rng.random() < 0.5:
        array = arrays[list(arrays)[rng.integers(len(arrays))]]
        if array.size:
            odd = [np.nan, np.inf, -1e30, 0.0]
            if array.dtype.kind in "iub":
                most = 1 if array.dtype == bool else np.iinfo(array.dtype).max
                odd = [most, 0, min(most, array.size), -most - 1]
            value = odd[rng.integers(len(odd))]
            array.ravel()[rng.integers(array.size)] = np.array(value).astype(
                array.dtype
            )
        return
    places = [
        (parent, key)
        for parent in nodes(document["estimator"])
        if isinstance(parent, dict | list)
        for key in (parent if isinstance(parent, dict) else range(len(parent)))
    ]
    parent, key = places[rng.integers(len(places))]
    if rng.random() < 0.2:
        del parent[key]
    elif type(parent[key]) is int and rng.random() < 0.5:
        parent[key] += int(rng.choice([-1, 1, 1000]))
    else:
        other, place = places[rng.integers(len(places))]
        odd = other[place] if rng.random() < 0.3 else ODD[rng.integers(len(ODD))]
        parent[key] = copy.deepcopy(odd)


def main(n_mutants, seed):
    """Print what became of the mutants; end with an error if a damage went unseen."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    seen = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        originals = []
        for model, data in models():
            save_model(model, path)
            originals.append((path.read_bytes(), data, answers(model, data)))
        for number in range(seed, seed + n_mutants):
            rng = np.random.default_rng(number)
            content, data, expected = originals[rng.integers(len(originals))]
            path.write_bytes(damage(content, rng))
            signed = rng.random() < 0.5
            if signed:
                path.write_bytes(content)
                document, arrays = read(path)
                for _ in range(rng.integers(1, 4)):
                    change(document, arrays, rng)
                write(path, document, arrays)
            faulthandler.dump_traceback_later(120, exit=True)
            try:
                model = load_model(path)
            except ValueError:
                seen["refused"] += 1
                continue
            try:
                got = answers(model, data)
            except Exception as error:
                got = type(error).__name__
            same = np.array_equal(got, expected)
            if not (same or signed):
                raise AssertionError(f"seed {number}: damage went unseen")
            seen["the same" if same else "other answers or an error"] += 1
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
