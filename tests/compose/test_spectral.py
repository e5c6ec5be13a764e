"""SpectralEncoder: content in which the items of a user are close, in closed form."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skcoldstart import ContentKNNRecommender, make_recommendation_scorer
from skcoldstart.compose import KernelFeatures, SpectralEncoder


@pytest.fixture
def world(rng):
    X = rng.normal(size=(90, 6))
    y = rng.poisson(np.exp(1.2 * X[:, :2] @ rng.normal(size=(2, 50)) - 1.5))
    return X, sp.csr_array(y)


def excess_of_pairs(plays):
    """Return N of the docstring, pair by pair of different items."""
    n_items, n_users = plays.shape
    S = np.zeros((n_items, n_items))
    for u in range(n_users):
        played = np.flatnonzero(plays[:, u])
        for i in played:
            for j in played:
                if i != j:
                    S[i, j] += 1 / (len(played) - 1)
    d = S.sum(axis=1)
    roots = np.sqrt(np.outer(d, d))
    return np.divide(S, roots, out=np.zeros_like(S), where=roots > 0) - roots / d.sum()


def test_directions_solve_the_generalized_eigenproblem(world):
    X, y = world
    model = SpectralEncoder(4, alpha=2.0).fit(X, y)
    A = X.T @ excess_of_pairs(y.toarray()) @ X
    C = X.T @ X + 2.0 * np.eye(6)
    expected = scipy.linalg.eigh(A, C, eigvals_only=True)[::-1]
    kept = expected[:4][expected[:4] > 0]
    assert_allclose(model.eigenvalues_, kept)
    W = model.components_.T
    assert_allclose(A @ W, C @ W * kept, atol=1e-9)
    assert_allclose(W.T @ C @ W, np.diag(kept), atol=1e-9)


def test_vectors_are_unit_rows_of_the_directions(world):
    X, y = world
    model = SpectralEncoder(4).fit(X, y)
    products = X @ model.components_.T
    lengths = np.linalg.norm(products, axis=1, keepdims=True)
    assert_allclose(model.transform(X), products / lengths)
    assert_array_equal(model.transform(np.zeros((1, 6))), 0)


def test_first_directions_are_those_that_users_share(world):
    X, y = world
    model = SpectralEncoder(2).fit(X, y)
    shares = np.square(model.components_).sum(axis=0)
    assert shares[:2].sum() > 0.9 * shares.sum()


def test_counts_do_not_matter_and_precision_is_kept(world):
    X, y = world
    model = SpectralEncoder(3).fit(X, y)
    assert_array_equal(SpectralEncoder(3).fit(X, y > 0).components_, model.components_)
    small = SpectralEncoder(3).fit(X.astype(np.float32), y)
    assert small.transform(X.astype(np.float32)).dtype == np.float32
    assert_allclose(small.eigenvalues_, model.eigenvalues_, rtol=1e-3)


def test_copies_of_all_users_change_nothing(world):
    X, y = world
    copies = sp.hstack([sp.csr_array(y)] * 250)  # more than are read at a time
    expected = SpectralEncoder(3).fit(X, y).eigenvalues_
    assert_allclose(SpectralEncoder(3).fit(X, copies).eigenvalues_, expected)


def test_neighbors_in_the_space_rank_better_than_in_the_content(world):
    X, y = world[0], world[1].toarray()
    kernel = KernelFeatures(gamma=0.1, random_state=0)
    learned = make_pipeline(kernel, SpectralEncoder(8), ContentKNNRecommender())
    scoring = make_recommendation_scorer("map")
    plain = cross_val_score(ContentKNNRecommender(), X, y, scoring=scoring, cv=3)
    found = cross_val_score(learned, X, y, scoring=scoring, cv=3)
    assert found.mean() > plain.mean() + 0.02


def test_items_without_common_users_give_vectors_of_zeros():
    model = SpectralEncoder().fit(np.eye(4), np.eye(4))
    assert_array_equal(model.transform(np.eye(4)), np.zeros((4, 1)))
    assert_array_equal(model.eigenvalues_, [0.0])


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "requires y"),
        (np.ones((3, 2)), "one row per item"),
        (-np.ones((90, 2)), ">= 0"),
    ],
)
def test_malformed_plays_are_refused(world, y, message):
    with pytest.raises(ValueError, match=message):
        SpectralEncoder().fit(world[0], y)
