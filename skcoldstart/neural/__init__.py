"""Networks: factors from spectrograms, and embeddings learned from plays.

torch and skorch are imported only when a network is fitted or used.
"""

from skcoldstart.neural._contrastive import ContrastiveEncoder
from skcoldstart.neural._one_thread import one_torch_thread as one_torch_thread
from skcoldstart.neural._regressor import CNNFactorRegressor
from skcoldstart.neural._user_factors import UserFactors

__all__ = ["CNNFactorRegressor", "ContrastiveEncoder", "UserFactors"]
