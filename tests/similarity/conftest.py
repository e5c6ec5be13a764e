"""Small worlds in which some features decide who listens, and others are noise."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_wine


@dataclass(frozen=True)
class World:
    """Items, their plays and their artists."""

    X: np.ndarray
    y: sp.csr_array
    artists: np.ndarray


def make_world(seed, n_items=120, n_users=60, n_features=8):
    """Return items whose first two features decide who plays them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_items, n_features))
    X[:, 2:] *= 2.0
    tastes = rng.normal(size=(n_users, 2))
    gaps = ((X[:, None, :2] - tastes) ** 2).sum(axis=2)
    plays = rng.poisson(3.0 * np.exp(-2.0 * gaps))
    return World(X, sp.csr_array(plays), rng.integers(0, n_items // 3, n_items))


@pytest.fixture
def world(global_random_seed):
    return make_world(global_random_seed)


@pytest.fixture(scope="session")
def wine():
    """Return the wine table, standardised, and its classes."""
    X, y = load_wine(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y
