"""Displays and tables that explain a fitted recommender."""

from skcoldstart.inspection._explanation import ExplanationDisplay
from skcoldstart.inspection._extremes import FactorExtremesDisplay
from skcoldstart.inspection._loss_curve import LossCurveDisplay
from skcoldstart.inspection._moments import MomentsDisplay
from skcoldstart.inspection._releases import NewReleaseDisplay
from skcoldstart.inspection._similar import SimilarItemsTable
from skcoldstart.inspection._spectrogram import SpectrogramDisplay
from skcoldstart.inspection._taste_map import TasteMapDisplay
from skcoldstart.inspection._trade_off import TradeOffDisplay
from skcoldstart.inspection._warmup import WarmupDisplay

__all__ = [
    "ExplanationDisplay",
    "FactorExtremesDisplay",
    "LossCurveDisplay",
    "MomentsDisplay",
    "NewReleaseDisplay",
    "SimilarItemsTable",
    "SpectrogramDisplay",
    "TasteMapDisplay",
    "TradeOffDisplay",
    "WarmupDisplay",
]
