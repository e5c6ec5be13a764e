"""Displays are drawn without a screen, and their figures closed."""

import matplotlib
import pytest


@pytest.fixture(autouse=True)
def off_screen():
    with matplotlib.rc_context():
        matplotlib.use("agg", force=True)
        yield
        import matplotlib.pyplot as plt

        plt.close("all")
