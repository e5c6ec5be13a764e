"""Views of content: scalings chosen by plays, kernels of few items."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler, normalize

from skcoldstart.compose import ContentScaler, KernelFeatures


@pytest.fixture
def world(rng):
    X = rng.normal(size=(200, 4))
    return X, rng.poisson(np.exp(X @ rng.normal(size=(4, 60)) - 2))


def test_columns_of_other_units_change_nothing(world):
    X, y = world
    scaled = ContentScaler(random_state=0).fit(X, y)
    moved = X * [1.0, 1e3, 1e-3, 50.0] + [0.0, 2e4, 0.0, -9.0]
    other = ContentScaler(random_state=0).fit(moved, y)
    assert other.scaling_ in ("standard", "constant")
    assert other.scores_[other.scaling_] >= max(scaled.scores_.values()) - 0.03
    assert other.scores_["none"] < other.scores_[other.scaling_] - 0.05


def test_noise_of_an_embedding_is_not_blown_up(world, rng):
    X, y = world
    embedding = np.hstack([X, 0.03 * rng.normal(size=(200, 30))])
    assert ContentScaler(random_state=0).fit(embedding, y).scaling_ == "none"


def test_length_of_one_column_is_kept(rng):
    X = rng.normal(size=(150, 1))
    y = rng.poisson(np.exp(-((X - rng.normal(size=(1, 40))) ** 2) * 3))
    scaler = ContentScaler(random_state=0).fit(X, y)
    assert scaler.scaling_ == "constant"
    assert len(np.unique(scaler.transform(X)[:, 0].round(6))) > 100


@pytest.mark.parametrize("scaling", ["none", "standard", "tfidf"])
def test_rows_are_those_of_scikit_learn_scaled_to_unit_length(rng, scaling):
    X = rng.poisson(1.0, size=(30, 6)).astype(float)
    expected = {
        "none": X,
        "standard": StandardScaler().fit_transform(X),
        "tfidf": TfidfTransformer(sublinear_tf=True).fit_transform(X).toarray(),
    }[scaling]
    found = ContentScaler(scaling=scaling).fit_transform(X)
    assert_allclose(found, normalize(expected), atol=1e-12)
    if scaling != "standard":
        sparse = ContentScaler(scaling=scaling).fit_transform(sp.csr_matrix(X))
        assert_allclose(sparse.toarray(), found, atol=1e-12)
        dense = ContentScaler(10, scaling=scaling).fit_transform(sp.csr_matrix(X))
        assert_allclose(dense, found, atol=1e-12)


def test_sparse_table_of_many_columns_becomes_as_many_as_asked(rng):
    X = sp.random_array((50, 40), density=0.3, rng=rng, format="csr")
    scaler = ContentScaler(8, random_state=0)
    rows = scaler.fit_transform(X)
    assert rows.shape == (50, 8)
    assert_allclose(rows, scaler.transform(X), atol=1e-10)
    assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    assert scaler.scaling_ == "none"  # these are weights already
    assert len(scaler.get_feature_names_out()) == 8


def test_scalings_that_do_not_suit_a_table_are_refused():
    with pytest.raises(ValueError, match="makes a sparse table dense"):
        ContentScaler(scaling="standard").fit(sp.csr_array(np.eye(3)))
    for table in (-np.eye(3), sp.csr_array(-np.eye(3))):
        scaler = ContentScaler(scaling="tfidf").fit(np.eye(3))
        for method in (scaler.transform, scaler.fit):
            with pytest.raises(ValueError, match="Negative values in data"):
                method(table)


def test_kernel_of_few_items_is_exact(rng):
    X = rng.normal(size=(20, 3))
    F = KernelFeatures(100, gamma=0.5).fit_transform(X)
    assert_allclose(F @ F.T, rbf_kernel(X, gamma=0.5), atol=1e-8)


def test_features_are_those_of_nystroem(rng):
    X = rng.normal(size=(60, 3))
    ours = KernelFeatures(20, gamma=0.5, random_state=0).fit(X)
    theirs = Nystroem(gamma=0.5, n_components=20, random_state=0).fit(X)
    kernels = [F @ F.T for F in (ours.transform(X), theirs.transform(X))]
    assert_allclose(*kernels, atol=1e-8)
