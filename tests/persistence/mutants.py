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
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from skcoldstart import (
    WMF,
    AudioUnion,
    BagOfWords,
    BlendRecommender,
    CNNFactorRegressor,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    ContentKNNRecommender,
    ContentProfileRecommender,
    ContrastiveEncoder,
    FactorTargetEncoder,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    PopularityRecommender,
    VectorQuantizer,
    load_model,
    make_recommender,
    save_model,
)
from skcoldstart._scores.plays import labelled
from skcoldstart._scores.user_names import as_names
from skcoldstart.compose import ContentScaler, KernelFeatures
from tests.persistence.files import nodes, read, write

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


def models():
    """Yield fitted models that contain what is not plain data, and their input."""
    rng = np.random.default_rng(0)
    X, plays = rng.random((40, 4)), sp.csr_array(rng.poisson(1.0, (40, 12)))
    y, state = X[:, 0] + X[:, 1], np.random.RandomState(3)
    words = np.array([["a"], ["b"], ["d"], ["a"]] * 10, dtype=object)
    mixed = np.hstack([X[:, :1], words, np.array([["one two"], ["two"]] * 20, object)])
    frames = [rng.normal(size=(n, 5)).astype("f4") for n in (20, 0, 25, 18, 30, 17)]
    clip = rng.normal(size=3000).astype("f4")
    svd = TruncatedSVD(3, random_state=state)
    content = ColumnTransformer([
        ("x", SplineTransformer(4), [0]),
        ("word", OneHotEncoder(min_frequency=11), [1]),
        ("text", TfidfVectorizer(), 2),
    ])
    forest = RandomForestRegressor(2, max_depth=3, random_state=0)
    boosting = HistGradientBoostingRegressor(
        max_iter=2, min_samples_leaf=3, categorical_features=[1]
    )
    network = CNNFactorRegressor(
        **{"window": 16, "n_filters": (4,), "hidden": (4,), "max_epochs": 1},
        **{"validation_fraction": 0, "device": "cpu", "random_state": state},
    )
    extractor = MFCCExtractor(on_error="ignore").fit([clip])
    extractor.transform([clip, Path("nowhere.wav")])
    named = labelled(sp.csr_array(plays), as_names(range(100, 112), "users", "users"))
    cold = ColdStartRecommender(KernelRidge(kernel="rbf"), WMF(2), play_weight=0.3)
    kernel = make_pipeline(ContentScaler(), KernelFeatures(5, random_state=state))
    blend = BlendRecommender(
        [
            ("kernel", make_pipeline(kernel, ColdStartRecommender(factorizer=WMF(2)))),
            ("neighbours", ContentKNNRecommender(3, weighting="softmax")),
            ("artist", PopularityRecommender(0)),
        ],
        weights="cv",
        cv=2,
    )
    encoder = ContrastiveEncoder(
        **{"n_components": 2, "hidden": (3,), "max_epochs": 1, "device": "cpu"},
        **{"validation_fraction": 0, "random_state": state},
    )
    union = AudioUnion([("mfcc", MFCCExtractor()), ("mel", MelSpectrogram(n_mels=8))])
    for model, data, target in (
        (ColdStartRecommender(make_pipeline(svd, Ridge()), WMF(3)), X, plays),
        (ColdStartRecommender(Ridge(), NMF(3, random_state=state)), X, plays),
        (ContentKNNRecommender(3), sp.csr_array(np.round(X)), plays),
        (make_pipeline(content, forest), mixed, X),
        (boosting, np.c_[X[:, 0], np.arange(40) % 5], y),
        (KNeighborsRegressor(3), X, X),
        (GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=KFold(2)), X, X),
        (StackingRegressor([("a", Ridge()), ("b", forest)], cv=2), X, y),
        (make_recommender("table", random_state=state), X, plays),
        (blend, np.round(X, 1), plays),
        (cold, X, named),
        (ColdStartRecommenderCV((1.0, 9.0), n_components=(2,), cv=2), X, plays),
        (ContentProfileRecommender(), sp.csr_array(np.round(X)), named),
        (MLRSimilarity(diagonal=True, n_relevant=2, max_iter=5), X, plays),
        (FactorTargetEncoder(WMF(2)), np.round(X, 1), plays),
        (make_pipeline(FramePooling(delta=True), Ridge()), frames, X[:6]),
        (encoder, X, plays),
        (make_pipeline(VectorQuantizer(4), BagOfWords(sparse_output=True)), frames, 0),
        (ColdStartRecommender(network, WMF(2)), frames, plays[:6]),
    ):
        yield clone(model, safe=False).fit(data, target), data
    yield extractor, [clip]
    yield union.fit([clip]), [clip]


def answers(model, data):
    answer = model.predict(data) if hasattr(model, "predict") else model.transform(data)
    if isinstance(answer, dict):  # of a union
        answer = np.hstack([frames.values for frames in answer.values()])
    answer = getattr(answer, "values", answer)
    return answer.toarray() if sp.issparse(answer) else np.asarray(answer)


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
