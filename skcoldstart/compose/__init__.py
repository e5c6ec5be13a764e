"""Recommenders: a factorizer and a regressor joined, and honest baselines."""

from skcoldstart.compose._baselines import (
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.compose._coldstart import ColdStartRecommender

__all__ = [
    "ColdStartRecommender",
    "ContentProfileRecommender",
    "OracleRecommender",
    "RandomRecommender",
]
