"""Displays are drawn without a screen, and their figures closed."""

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp


@pytest.fixture(autouse=True)
def off_screen():
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # fonts do not depend on the machine
        matplotlib.use("agg", force=True)
        yield
        import matplotlib.pyplot as plt

        plt.close("all")


@pytest.fixture
def items(rng):
    """Make content of 80 items, and their plays by 60 users who like some of it."""
    X = rng.normal(size=(80, 5))
    return X, sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(5, 60)) - 1)))
