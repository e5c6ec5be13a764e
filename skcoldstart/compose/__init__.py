"""Recommenders: a factorizer and a regressor joined, and honest baselines."""

from skcoldstart.compose._baselines import (
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.compose._blend import BlendRecommender
from skcoldstart.compose._coldstart import ColdStartRecommender
from skcoldstart.compose._moments import ScoreOverTime, score_over_time
from skcoldstart.compose._neighbors import ContentKNNRecommender
from skcoldstart.compose._popularity import PopularityRecommender

# Known to model files, and not meant to be used alone.
from skcoldstart.compose._regressors import RegressorPerFactor as RegressorPerFactor

__all__ = [
    "BlendRecommender",
    "ColdStartRecommender",
    "ContentKNNRecommender",
    "ContentProfileRecommender",
    "OracleRecommender",
    "PopularityRecommender",
    "RandomRecommender",
    "ScoreOverTime",
    "score_over_time",
]
