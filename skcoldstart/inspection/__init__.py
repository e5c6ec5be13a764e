"""Displays and tables that explain a fitted recommender."""

from skcoldstart.inspection._extremes import FactorExtremesDisplay
from skcoldstart.inspection._loss_curve import LossCurveDisplay
from skcoldstart.inspection._moments import MomentsDisplay
from skcoldstart.inspection._similar import SimilarItemsTable
from skcoldstart.inspection._spectrogram import SpectrogramDisplay
from skcoldstart.inspection._taste_map import TasteMapDisplay
from skcoldstart.inspection._warmup import WarmupDisplay

__all__ = [
    "FactorExtremesDisplay",
    "LossCurveDisplay",
    "MomentsDisplay",
    "SimilarItemsTable",
    "SpectrogramDisplay",
    "TasteMapDisplay",
    "WarmupDisplay",
]
