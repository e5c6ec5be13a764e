"""Leaks that are planted are found; clean data is met with silence."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold, KFold

from skcoldstart import RaggedArray
from skcoldstart.model_selection import (
    ReleaseDateSplit,
    WarmupSplit,
    content_leakage_check,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def clean(rng):
    X = rng.normal(size=(30, 4))
    return X, sp.csr_array(rng.random((30, 20)) < 0.3), np.arange(30) % 6


def test_clean_content_is_met_with_silence(clean):
    X, y, groups = clean
    table = content_leakage_check(X, y, groups, cv=GroupKFold(3))
    assert_array_equal(table["split"], [0, 1, 2])
    assert_array_equal(table["n_train"] + table["n_test"], 30)
    assert table["n_plays"].sum() == y.nnz
    for name in ("n_duplicates", "n_straddling", "n_typed"):
        assert_array_equal(table[name], 0)


def frames_of(X):
    return [row.reshape(2, 2) for row in X]


CONTAINERS = {
    "array": np.asarray,
    "csr": sp.csr_array,
    "coo": sp.coo_matrix,
    "paths": lambda X: [f"{row[0]:.9f}.wav" for row in X],
    "frames": frames_of,
    "ragged": lambda X: RaggedArray.from_sequence(frames_of(X)),
    "objects": lambda X: X.astype(object),
    "data frame": pd.DataFrame,
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_duplicates_across_a_split_are_found_in_any_container(container, clean):
    X, y, _ = clean
    X[[3, 20]] = X[0]
    X[29] = X[28]  # on the same side of every fold
    with pytest.warns(UserWarning, match="3 of 30 test items have the content") as w:
        table = content_leakage_check(container(X), y, cv=KFold(3))
    assert_array_equal(table["n_duplicates"], [2, 0, 1])
    assert len(w) == 1


def test_items_without_content_are_no_duplicates(clean):
    X, y, _ = clean
    X[::5] = 0
    y = sp.csr_array(np.ones(y.shape))
    words = ["" if i % 5 == 0 else f"song {i}" for i in range(len(X))]
    for content in (X, sp.csr_array(X), words):
        assert not content_leakage_check(content, y)["n_duplicates"].any()


def test_groups_that_straddle_a_split_are_counted(clean):
    X, y, groups = clean
    with pytest.warns(UserWarning, match="belong to a group that is also in training"):
        table = content_leakage_check(X, y, groups, cv=KFold(3))
    assert_array_equal(table["n_straddling"], 10)
    years = np.arange(30)
    with pytest.warns(UserWarning, match="24 of 25 test items belong"):
        content_leakage_check(X, y, groups, cv=ReleaseDateSplit(5), split_groups=years)


def test_content_typed_by_the_users_who_are_tested_is_found(clean, rng):
    X, y, _ = clean
    typed = rng.random((30, 20)) < 0.1
    expected = (typed & (y.toarray() > 0)).sum()
    for container in (np.asarray, sp.csr_array, sp.csc_matrix):
        with pytest.warns(UserWarning, match=f"{expected} of {y.nnz} test plays"):
            table = content_leakage_check(X, y, typed_by=container(typed))
    assert table["n_typed"].sum() == expected
    content_leakage_check(X, y, typed_by=typed & (y.toarray() == 0))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_content_that_grows_with_listeners_is_suspected(container, rng):
    popularity = rng.gamma(1.0, size=200)
    y = rng.poisson(popularity[:, None], size=(200, 30))
    weight = 1 + rng.random((200, 60))
    words = weight * rng.poisson(2.0, size=(200, 60))
    tags = weight * rng.poisson(0.3 * popularity[:, None], size=(200, 60))
    content_leakage_check(container(words), y)
    content_leakage_check(container(tags), y, typed_by=np.zeros(y.shape))
    with pytest.warns(UserWarning, match=r"rank correlation 0\.[5-9]"):
        content_leakage_check(container(tags), y)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"groups": np.ones(29)}, ValueError, r"groups has shape \(29,\)"),
        ({"split_groups": np.ones(29)}, ValueError, r"split_groups has shape \(29,"),
        ({"typed_by": np.ones((20, 30))}, ValueError, r"typed_by has shape \(20, 30\)"),
        ({"y": np.ones((29, 20))}, ValueError, "one row per item"),
        ({"X": np.ma.masked_less(np.eye(30), 1)}, ValueError, "masked entries"),
        ({"X": "song.wav"}, TypeError, "single path"),
        ({"cv": WarmupSplit()}, TypeError, "splits plays"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change, error, message, clean):
    X, y, _ = clean
    with pytest.raises(error, match=message):
        content_leakage_check(**{"X": X, "y": y} | change)
