"""A catalogue whose content decides the plays."""

import numpy as np
import pytest


@pytest.fixture
def catalog(rng):
    """Content (96, 4), play counts (96, 40), and groups of four items."""
    X = rng.normal(size=(96, 4))
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 40)) - 1))
    return X, y, np.arange(96) % 24
