"""Recommenders: a factorizer and a regressor joined, and honest baselines."""

from skcoldstart.compose._baselines import (
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.compose._coldstart import ColdStartRecommender
from skcoldstart.compose._moments import ScoreOverTime, score_over_time
from skcoldstart.compose._neighbors import ContentKNNRecommender
from skcoldstart.compose._popularity import PopularityRecommender

__all__ = [
    "ColdStartRecommender",
    "ContentKNNRecommender",
    "ContentProfileRecommender",
    "OracleRecommender",
    "PopularityRecommender",
    "RandomRecommender",
    "ScoreOverTime",
    "score_over_time",
]
