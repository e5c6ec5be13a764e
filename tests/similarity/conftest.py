"""Small worlds in which some features decide who listens, and others are noise."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_wine
from sklearn.utils import Bunch


def make_world(seed, n_items=120, n_users=60):
    """Return items whose first two features decide who plays them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_items, 8))
    X[:, 2:] *= 2.0
    tastes = rng.normal(size=(n_users, 2))
    gaps = ((X[:, None, :2] - tastes) ** 2).sum(axis=2)
    plays = rng.poisson(3.0 * np.exp(-2.0 * gaps))
    artists = rng.integers(0, n_items // 3, n_items)
    return Bunch(X=X, y=sp.csr_array(plays), artists=artists)


@pytest.fixture
def world(global_random_seed):
    return make_world(global_random_seed)


@pytest.fixture(scope="session")
def wine():
    """Return the wine table, standardised, and its classes."""
    X, y = load_wine(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y
