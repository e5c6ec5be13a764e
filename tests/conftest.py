"""Fixtures shared by all tests."""

import os

import numpy as np
import pytest


@pytest.fixture
def global_random_seed():
    """Seed of a test that must hold for any seed; SKCOLDSTART_TESTS_SEED sets it."""
    return int(os.environ.get("SKCOLDSTART_TESTS_SEED", "42"))


@pytest.fixture(autouse=True)
def seeded_draws(global_random_seed):
    """Make random_state=None draw the same in each run of a test."""
    np.random.seed(global_random_seed)  # noqa: NPY002


@pytest.fixture
def rng(global_random_seed):
    return np.random.default_rng(global_random_seed)
