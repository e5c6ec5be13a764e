"""Spectrograms to item factors: the paper's convolutional network.

torch and skorch are loaded when a network is fitted or used, never before.
"""

from skcoldstart.neural._contrastive import ContrastiveEncoder
from skcoldstart.neural._one_thread import one_torch_thread as one_torch_thread
from skcoldstart.neural._regressor import CNNFactorRegressor
from skcoldstart.neural._user_factors import UserFactors

__all__ = ["CNNFactorRegressor", "ContrastiveEncoder", "UserFactors"]
