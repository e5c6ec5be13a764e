"""A fitted estimator of every class that a file may name."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    MelSpectrogram,
)
from tests.persistence.files import KNOWN_CLASSES

RNG = np.random.default_rng(0)
X = RNG.random((40, 4))
Y = X[:, :2] + RNG.random((40, 2))
Y1 = Y[:, 0]
PLAYS = sp.csr_array(RNG.poisson(1.0, (40, 6)))
WORDS = np.array([["a", "b"], ["b", "c"], ["d", "c"], ["a", "e"]] * 10, dtype=object)
TEXTS = ["some text here", "other words", "here words", "some"] * 10
TABLE = pd.DataFrame({"x": X[:, 0], "word": WORDS[:, 0], "text": TEXTS})
KINDS = pd.DataFrame({"x": X[:, 0], "word": pd.Categorical(WORDS[:, 0])})
FRAMES = [RNG.normal(size=(n, 5)).astype("f4") for n in (20, 0, 25)]
CLIPS = [RNG.normal(size=3000).astype("f4")]

NETWORK = {
    **{"window": 16, "n_filters": (4,), "hidden": (4,), "max_epochs": 1},
    **{"device": "cpu", "validation_fraction": 0},
}
PARAMETERS = {
    "AudioUnion": {"extractors": [("mel", MelSpectrogram())]},
    "BlendRecommender": {
        "recommenders": [
            ("factors", ColdStartRecommender(factorizer=WMF(2))),
            ("neighbors", ContentKNNRecommender(3)),
            ("left out", "drop"),
        ],
        "weights": "cv",
        "cv": 2,
    },
    "CNNFactorRegressor": NETWORK,
    "ColdStartRecommender": {"factorizer": WMF(2)},
    "ColumnTransformer": {
        "transformers": [
            ("scaled", StandardScaler(), ["x"]),
            ("word", OneHotEncoder(handle_unknown="ignore"), ["word"]),
        ],
        "remainder": "drop",
    },
    "ContentKNNRecommender": {"n_neighbors": 3},
    "ContrastiveEncoder": NETWORK | {"n_components": 2},
    "FeatureUnion": {"transformer_list": [("a", PCA(2)), ("b", "passthrough")]},
    "FunctionTransformer": {"func": np.log1p, "inverse_func": np.expm1},
    "GaussianRandomProjection": {"n_components": 2},
    "GridSearchCV": {
        "estimator": Ridge(),
        "param_grid": [{"alpha": [0.1, 1.0], "solver": ["auto", "lsqr"]}],
        "cv": KFold(2),
        "error_score": 0.0,
    },
    "HistGradientBoostingRegressor": {"max_iter": 3, "early_stopping": True},
    "KBinsDiscretizer": {"n_bins": 3, "quantile_method": "averaged_inverted_cdf"},
    "LibrosaFeatures": {"features": ("rms", "spectral_centroid"), "n_fft": 64},
    "MLPRegressor": {"hidden_layer_sizes": (3,), "max_iter": 2},
    "MLRSimilarity": {"max_iter": 2},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "NMF": {"n_components": 2, "init": "random"},
    "Nystroem": {"n_components": 5},
    "OneHotEncoder": {"min_frequency": 11, "handle_unknown": "infrequent_if_exist"},
    "OracleRecommender": {"factorizer": WMF(2)},
    "Pipeline": {"steps": [("a", StandardScaler()), ("b", Ridge())]},
    "QuantileTransformer": {"n_quantiles": 5},
    "RandomizedSearchCV": {
        "estimator": Ridge(),
        "param_distributions": {"alpha": [0.1, 1.0, 2.0]},
        "n_iter": 2,
        "scoring": ["r2", "explained_variance"],
        "refit": "r2",
    },
    "RegressorChain": {"estimator": Ridge()},
    "RegressorPerFactor": {"estimator": Ridge()},
    "SelectKBest": {"k": 2},
    "SimpleImputer": {"add_indicator": True},
    "SparseRandomProjection": {"n_components": 2},
    "StackingRegressor": {"estimators": [("a", Ridge()), ("b", Ridge(2.0))]},
    "TransformedTargetRegressor": {"func": np.log1p, "inverse_func": np.expm1},
    "VectorQuantizer": {"n_codewords": 4},
    "VotingRegressor": {"estimators": [("a", Ridge()), ("b", "drop")]},
    "WMF": {"n_components": 2},
}
for ensemble in ("ExtraTrees", "GradientBoosting", "RandomForest"):
    PARAMETERS[f"{ensemble}Regressor"] = {"n_estimators": 3}
RECOMMENDERS = {
    "BlendRecommender",
    *("ColdStartRecommender", "ContentKNNRecommender", "ContentProfileRecommender"),
    *("MLRSimilarity", "PopularityRecommender", "RandomRecommender"),
}
INPUTS = {
    "BagOfWords": ([np.array([0, 1, 1]), np.array([2])], None),
    "CNNFactorRegressor": (FRAMES, Y[:3]),
    "HistGradientBoostingRegressor": (KINDS, Y1),
    "PopularityRecommender": (WORDS, PLAYS),
    "SimpleImputer": (np.where(X < 0.1, np.nan, X), None),
    "TargetEncoder": (WORDS, Y1),
}
# Those of other content or targets than the tables X, with Y or plays.
for names, given in (
    ("ColumnTransformer", (TABLE, None)),
    ("CountVectorizer HashingVectorizer TfidfVectorizer WordCounter", (TEXTS, None)),
    ("AudioUnion LibrosaFeatures MFCCExtractor MelSpectrogram", (CLIPS, None)),
    ("FramePooling VectorQuantizer", (FRAMES, None)),
    ("KBinsDiscretizer", (X, None)),
    ("MultiLabelBinarizer OneHotEncoder OrdinalEncoder", (WORDS, None)),
    ("OracleRecommender WMF", (PLAYS, None)),
    ("BayesianRidge ElasticNetCV LassoCV SelectKBest SelectPercentile", (X, Y1)),
    ("GradientBoostingRegressor StackingRegressor VotingRegressor", (X, Y1)),
    ("TransformedTargetRegressor", (X, Y1)),
):
    INPUTS |= dict.fromkeys(names.split(), given)
ESTIMATORS = {
    name: cls for name, cls in KNOWN_CLASSES.items() if issubclass(cls, BaseEstimator)
}


def fitted(name, **params):
    """Return a fitted estimator of a known class, and its content."""
    model = ESTIMATORS[name](**PARAMETERS.get(name, {}) | params)
    default = (X, PLAYS if name in RECOMMENDERS else Y)
    content, target = INPUTS.get(name, default)
    return model.fit(*(content,) if target is None else (content, target)), content


def answers(model, content):
    """Return what a model predicts, or what it transforms content to."""
    method = "predict" if hasattr(model, "predict") else "transform"
    answer = getattr(model, method)(content)
    if isinstance(answer, dict):  # of a union
        answer = np.hstack([frames.values for frames in answer.values()])
    answer = getattr(answer, "values", answer)  # of ragged items
    return answer.toarray() if sp.issparse(answer) else np.asarray(answer)
