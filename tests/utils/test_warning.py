"""A warning points at the user's line, however deep in the package it is given."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skcoldstart
from skcoldstart._utils.warning import warn

SOURCE = """
def outer(X):
    return inner(X)

def inner(X):
    warn("here")
    return X
"""


@pytest.fixture
def outer():
    """Return a function of a file that would lie in the package."""
    names = {"warn": warn}
    place = skcoldstart.__file__.replace("__init__", "made_up")
    exec(compile(SOURCE, place, "exec"), names)
    return names["outer"]


def test_the_line_outside_the_package_is_named(outer):
    with pytest.warns(UserWarning, match="here") as caught:
        outer(0)
    assert [w.filename for w in caught] == [__file__]


def test_frames_of_scikit_learn_are_passed_over(outer):
    with pytest.warns(UserWarning, match="here") as caught:
        make_pipeline(FunctionTransformer(outer)).fit_transform(np.zeros((2, 1)))
    assert [w.filename for w in caught] == [__file__]


def test_a_call_from_outside_is_its_own_line():
    with pytest.warns(FutureWarning, match="soon") as caught:
        warn("soon", FutureWarning)
    assert [w.filename for w in caught] == [__file__]
