"""Recommend items that nobody has played yet, with scikit-learn estimators.

An item is a row: ``X`` holds the content of items (audio, text, tags), ``y`` holds who
played them, one column per user. Every public name below is imported on first use.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

__version__ = "0.2.0"

_HOME = {
    "AudioEmbedding": "audio",
    "AudioUnion": "audio",
    "BagOfWords": "codebook",
    "BlendRecommender": "compose",
    "CNNFactorRegressor": "neural",
    "ColdStartRecommender": "compose",
    "ColdStartRecommenderCV": "compose",
    "ContentKNNRecommender": "compose",
    "ContentProfileRecommender": "compose",
    "ContrastiveEncoder": "neural",
    "FactorTargetEncoder": "factorization",
    "FramePooling": "audio",
    "LibrosaFeatures": "audio",
    "MFCCExtractor": "audio",
    "MLRSimilarity": "similarity",
    "MelSpectrogram": "audio",
    "OracleRecommender": "compose",
    "PopularityRecommender": "compose",
    "RaggedArray": "_sequences.ragged",
    "RandomRecommender": "compose",
    "VectorQuantizer": "codebook",
    "WMF": "factorization",
    "diversify": "explanation",
    "explain": "explanation",
    "exposure_report": "explanation",
    "build_index": "serving",
    "export": "serving",
    "fold_in_users": "serving",
    "listeners": "serving",
    "load_export": "serving",
    "load_model": "persistence",
    "make_recommendation_scorer": "metrics",
    "make_recommender": "compose",
    "recommend": "serving",
    "recommendation_scorer": "metrics",
    "save_model": "persistence",
    "to_onnx": "serving",
}
_SUBPACKAGES = (
    "audio",
    "codebook",
    "compose",
    "datasets",
    "explanation",
    "factorization",
    "inspection",
    "metrics",
    "model_selection",
    "neural",
    "persistence",
    "serving",
    "similarity",
)

__all__ = [*sorted(_HOME), *_SUBPACKAGES, "__version__"]


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        value = getattr(_import_module(f"skcoldstart.{_HOME[name]}"), name)
    elif name in _SUBPACKAGES:
        value = _import_module(f"skcoldstart.{name}")
    else:
        raise AttributeError(f"module 'skcoldstart' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
