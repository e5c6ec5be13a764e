"""Indexes find what an exact search finds, each backend alike."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import build_index

BACKENDS = ["exact", "usearch", "voyager", "faiss"]


@pytest.fixture
def vectors(rng):
    """Return factors as models have them, of few directions and unequal length."""
    spread = (1.0 + np.arange(16)) ** -1.0
    V = rng.normal(size=(800, 16)) * spread * rng.lognormal(0, 0.3, size=(800, 1))
    return V.astype(np.float32), (rng.normal(size=(40, 16)) * spread).astype(np.float32)


def index_of(backend, V, **options):
    pytest.importorskip(backend if backend != "exact" else "numpy")
    # A graph that several threads build differs from run to run.
    return build_index(V, backend, **{"n_jobs": 1, **options})


def best(V, Q, n, hidden=None):
    scores = Q @ V.T
    if hidden is not None:
        scores = np.where(hidden, -np.inf, scores)
    return np.argsort(-scores, axis=1, kind="stable")[:, :n], -np.sort(-scores)[:, :n]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_best_are_found(backend, vectors):
    V, Q = vectors
    rows, scores = index_of(backend, V, search_width=512).query(Q, n=10)
    expected, values = best(V, Q, 10)
    found = [np.intersect1d(a, b).size for a, b in zip(rows, expected, strict=True)]
    assert np.mean(found) >= (10 if backend == "exact" else 9.5)
    assert_allclose(scores, np.einsum("qnk,qk->qn", V[rows], Q), rtol=1e-5, atol=1e-6)
    assert (np.diff(scores) <= 0).all()
    assert_allclose(scores[:, 0], values[:, 0], rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("form", ["lists", "series", "table", "sparse"])
def test_what_is_excluded_is_never_found(backend, form, vectors, rng):
    V, Q = vectors[0][:60], vectors[1]
    hidden = rng.random((40, 60)) < 0.3
    hidden[:, best(V, Q, 1)[0][:, 0]] |= np.eye(40, dtype=bool)
    lists = [np.flatnonzero(row).tolist() for row in hidden]
    given = {
        "lists": lists,
        "series": pd.Series(lists),
        "table": hidden.astype(float),
        "sparse": sp.coo_array(hidden.astype(float)),
    }[form]
    index = index_of(backend, V, search_width=512)
    rows, _ = index.query(Q, n=5, exclude=given)
    assert_array_equal(rows, best(V, Q, 5, hidden)[0])
    rows, scores = index.query(Q[:2], n=60, exclude=hidden[:2])
    assert_array_equal(
        (~np.ma.getmaskarray(rows)).sum(axis=1), (~hidden[:2]).sum(axis=1)
    )
    assert_array_equal(np.ma.getmaskarray(scores), np.ma.getmaskarray(rows))


@pytest.mark.parametrize("backend", BACKENDS)
def test_short_answers_are_masked(backend, vectors):
    V, Q = vectors[0][:3], vectors[1]
    rows, scores = index_of(backend, V).query(Q, n=5)
    assert_array_equal(rows[:, :3], best(V, Q, 3)[0])
    assert_array_equal(rows.filled()[:, 3:], -1)
    assert_array_equal(scores.filled()[:, 3:], -np.inf)
    assert len(index_of(backend, V).query(Q[:1], n=1)[0]) == 1


def test_queries_that_do_not_fit_are_refused(vectors):
    V, Q = vectors
    index = build_index(V, "exact")
    for queries, n, exclude, message in (
        (Q[:, 1:], 1, None, "15 components but the index has 16"),
        (Q[:1] * np.nan, 1, None, "NaN"),
        (Q * 1e38, 1, None, "may be beyond float32"),
        (Q, 0, None, "n=0"),
        (Q[:1], 1, [[800]], "row 800 but the index has 800 rows"),
        (Q[:1], 1, [["a"]], r"exclude holds .*; expected rows"),
        (Q[:1], 1, [[0.5]], r"exclude holds .*; expected rows"),
        (Q, 1, np.ones((2, 2)), r"exclude has shape \(2, 2\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            index.query(queries, n, exclude=exclude)
    with pytest.raises(ValueError, match="'backend' parameter"):
        build_index(V, "annoy")


def test_a_missing_library_is_named_with_its_extra(vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ImportError, match=r"pip install skcoldstart\[serve\], or use"):
        build_index(vectors[0], "usearch")


def factors(rng, n_vectors, k):
    """Return vectors of a decaying spectrum, and of lengths with a wide spread."""
    V = rng.normal(size=(n_vectors, k)) * (1.0 + np.arange(k)) ** -0.5
    return (V * rng.lognormal(0, 0.5, size=(n_vectors, 1))).astype(np.float32)


def assert_exact(V, Q, n, hidden=None, **options):
    """Compare rows and scores with float64 products, rounded to float32."""
    V, Q = np.asarray(V, np.float32), np.asarray(Q, np.float32)
    products = (Q.astype(float) @ V.T.astype(float)).astype(np.float32)
    if hidden is not None:
        products = np.where(hidden, -np.inf, products)
    order = np.argsort(-products, axis=1, kind="stable")[:, :n]
    expected = np.take_along_axis(products, order, axis=1)
    rows, scores = build_index(V, **options).query(Q, n, exclude=hidden)
    if n > len(V):
        padding = ((0, 0), (0, n - len(V)))
        order = np.pad(order, padding)
        expected = np.pad(expected, padding, constant_values=-np.inf)
    assert scores.dtype == np.float32
    assert_array_equal(scores.filled(), expected)
    assert_array_equal(rows.filled(), np.where(expected == -np.inf, -1, order))


@pytest.mark.parametrize("n_vectors", [1, 255, 256, 257, 3000])
@pytest.mark.parametrize("k", [1, 7, 8, 9, 64])
def test_the_exact_search_equals_comparing_all(n_vectors, k, rng):
    V, Q = factors(rng, n_vectors, k), factors(rng, 70, k)
    assert_exact(V, Q, 10)
    assert_exact(V, Q[:1], 300)
    assert_exact(V, Q, 10, hidden=rng.random((70, n_vectors)) < 0.4)


def test_the_best_may_all_be_hidden(rng):
    V, Q = factors(rng, 2000, 16), factors(rng, 30, 16)
    hidden = np.zeros((30, 2000), bool)
    np.put_along_axis(hidden, best(V, Q, 700)[0], True, axis=1)
    assert_exact(V, Q, 10, hidden)
    hidden[:] = True
    hidden[:, :4] = False
    assert_exact(V, Q, 10, hidden)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 9999),
    n_vectors=st.integers(1, 700),
    k=st.integers(1, 20),
    n=st.integers(1, 40),
    span=st.integers(0, 3),
    share=st.sampled_from([0.0, 0.1, 0.9]),
)
def test_ties_zeros_and_negative_scores_are_exact(seed, n_vectors, k, n, span, share):
    # Products of small integers are exact, so ties are ties.
    rng = np.random.default_rng(seed)
    V, Q = rng.integers(-span, 2, (n_vectors, k)), rng.integers(-span, 2, (9, k))
    V[rng.random(n_vectors) < 0.2] = 0
    Q[0] = 0
    assert_exact(V, Q, n, hidden=rng.random((9, n_vectors)) < share)
    assert_exact(-abs(V), abs(Q), n)


def test_vectors_that_differ_by_rounding_are_told_apart(rng):
    # Lengths and bounds of these are equal up to rounding, but products differ.
    direction = rng.normal(size=40)
    V = direction + 3e-7 * rng.normal(size=(5000, 40))
    assert_exact(V, direction + 0.1 * rng.normal(size=(60, 40)), 10)


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e-3, 1e15])
def test_lengths_of_any_size_are_exact(scale, rng):
    V, Q = factors(rng, 1500, 12), factors(rng, 20, 12)
    V[::2] *= np.float32(scale)
    assert_exact(V, Q, 400)
    assert_exact(V, Q * np.float32(scale), 10)


def test_products_that_round_to_equal_scores_are_ties(rng):
    V, Q = factors(rng, 1500, 12), factors(rng, 20, 12)
    assert_exact(V * np.float32(3e-23), Q * np.float32(3e-23), 10)


def test_rows_do_not_depend_on_threads_batches_or_type(rng):
    V, Q = factors(rng, 3000, 24), factors(rng, 300, 24)
    index = build_index(V, n_jobs=1)
    rows, scores = index.query(Q)
    again = build_index(V.astype(float), n_jobs=2).query(Q.astype(float))
    one = [index.query(Q[[i]]) for i in range(20)]
    assert_array_equal(again[0], rows)
    assert_array_equal(again[1], scores)
    assert_array_equal(np.concatenate([r for r, _ in one]), rows[:20])
    assert_array_equal(np.concatenate([s for _, s in one]), scores[:20])
    assert_array_equal(pickle.loads(pickle.dumps(index)).query(Q)[0], rows)


def test_a_table_to_exclude_is_not_changed(vectors):
    V, Q = vectors
    given = sp.csr_array(
        (np.array([1.0, 0.0, 1.0]), np.array([7, 5, 2]), np.array([0, 3])), (1, len(V))
    )
    before = given.copy()
    build_index(V).query(Q[:1], exclude=given)
    for name in ("data", "indices", "indptr"):
        assert_array_equal(getattr(given, name), getattr(before, name))
