"""Recommenders of factors predicted from content, blends and baselines."""

from skcoldstart._scores.covariance import FactorCovariance
from skcoldstart.compose._baselines import (
    ContentProfileRecommender,
    OracleRecommender,
    RandomRecommender,
)
from skcoldstart.compose._blend import BlendRecommender
from skcoldstart.compose._coldstart import ColdStartRecommender
from skcoldstart.compose._coldstart_cv import ColdStartRecommenderCV
from skcoldstart.compose._content import ContentScaler, KernelFeatures
from skcoldstart.compose._kernel_regressor import KernelRegressor

# Used by explanations and model files; not public.
from skcoldstart.compose._linear import LINEAR_REGRESSORS as LINEAR_REGRESSORS
from skcoldstart.compose._linear import dual_weights as dual_weights
from skcoldstart.compose._make import make_recommender
from skcoldstart.compose._moments import ScoreOverTime, score_over_time
from skcoldstart.compose._moments import score_by_window as score_by_window
from skcoldstart.compose._neighbors import ContentKNNRecommender
from skcoldstart.compose._popularity import PopularityRecommender
from skcoldstart.compose._regressors import RegressorPerFactor as RegressorPerFactor
from skcoldstart.compose._regressors import features_and_head as features_and_head
from skcoldstart.compose._spectral import SpectralEncoder
from skcoldstart.compose._words import WordCounter as WordCounter

__all__ = [
    "BlendRecommender",
    "ColdStartRecommender",
    "ColdStartRecommenderCV",
    "ContentKNNRecommender",
    "ContentProfileRecommender",
    "ContentScaler",
    "FactorCovariance",
    "KernelFeatures",
    "KernelRegressor",
    "OracleRecommender",
    "PopularityRecommender",
    "RandomRecommender",
    "ScoreOverTime",
    "SpectralEncoder",
    "make_recommender",
    "score_over_time",
]
