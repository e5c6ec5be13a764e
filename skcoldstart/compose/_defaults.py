"""The parts of a recommender that names none, chosen on real sets."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from skcoldstart.factorization import WMF

__all__ = ["default_factorizer", "default_regressor"]

LARGEST_SHARE = 0.1  # of the weight of squared factors at which all factors vanish


def default_regressor() -> Any:
    """Return a ridge whose strength was chosen together with the defaults of WMF."""
    return Ridge(10.0)


def default_factorizer(plays: sp.csr_array | None = None) -> WMF:
    """Return a factorization that leaves factors to small catalogues too."""
    wmf = WMF()
    if plays is None:
        return wmf
    table = wmf.confidences(plays)
    # Power iteration from all ones: the singular vector of a table >= 0 is >= 0.
    vector = np.full(table.shape[1], table.shape[1] ** -0.5)
    size, before = 0.0, -1.0
    while LARGEST_SHARE * size < wmf.reg and size - before > 1e-3 * size:
        image = table @ vector
        before, size = size, float(np.linalg.norm(image))
        vector = table.T @ image
        vector /= np.linalg.norm(vector)
    return wmf.set_params(reg=min(wmf.reg, LARGEST_SHARE * size))
