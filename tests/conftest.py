"""Fixtures shared by all tests."""

import os

import numpy as np
import pytest


@pytest.fixture
def global_random_seed():
    """Seed of a test that must hold for any seed; SKCOLDSTART_TESTS_SEED sets it."""
    return int(os.environ.get("SKCOLDSTART_TESTS_SEED", "42"))


@pytest.fixture
def rng(global_random_seed):
    return np.random.default_rng(global_random_seed)
