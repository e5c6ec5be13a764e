"""Content and plays for the tests of recommenders."""

import numpy as np
import pytest
import scipy.sparse as sp


@pytest.fixture
def world(rng):
    """Content of 18 artists with five items each, and plays of 40 users.

    Nobody played item 7, and user 3 played nothing.
    """
    X = rng.normal(size=(18, 6))[np.arange(90) // 5] + 0.5 * rng.normal(size=(90, 6))
    y = rng.poisson(np.exp(X @ rng.normal(size=(6, 40)) * 0.8 - 1.5)).astype(float)
    y[7] = 0.0
    y[:, 3] = 0.0
    return X, sp.csr_array(y)


@pytest.fixture
def plays(rng):
    """Plays of 90 items by 50 users."""
    taste = rng.normal(size=(3, 50))
    return sp.csr_array(rng.poisson(np.exp(rng.normal(size=(90, 3)) @ taste - 2.0)))
