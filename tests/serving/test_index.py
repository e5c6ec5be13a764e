"""Indexes find what an exact search finds, each backend alike."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import build_index
from skcoldstart.serving import _index

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
@pytest.mark.parametrize("form", ["lists", "table", "sparse"])
def test_what_is_excluded_is_never_found(backend, form, vectors, rng):
    V, Q = vectors[0][:60], vectors[1]
    hidden = rng.random((40, 60)) < 0.3
    hidden[:, best(V, Q, 1)[0][:, 0]] |= np.eye(40, dtype=bool)
    given = {
        "lists": [np.flatnonzero(row).tolist() for row in hidden],
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
    with pytest.raises(ValueError, match="15 components but the index has 16"):
        index.query(Q[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        index.query(np.full((1, 16), np.nan))
    with pytest.raises(ValueError, match="n=0"):
        index.query(Q, n=0)
    with pytest.raises(ValueError, match="row 800 but the index has 800 rows"):
        index.query(Q[:1], exclude=[[800]])
    for wrong in ([["a"]], [[0.5]]):
        with pytest.raises(TypeError, match=r"exclude holds .*; expected rows"):
            index.query(Q[:1], exclude=wrong)
    with pytest.raises(ValueError, match=r"exclude has shape \(2, 2\)"):
        index.query(Q, exclude=np.ones((2, 2)))
    with pytest.raises(ValueError, match="'backend' parameter"):
        build_index(V, "annoy")


def test_products_beyond_single_precision_are_refused(vectors):
    V, Q = vectors
    index = build_index(V * 1e19, backend="exact")
    assert np.isfinite(index.query(Q, 2)[1]).all()
    with pytest.raises(ValueError, match="may be beyond float32"):
        index.query(Q * 1e22, 2)


def test_a_missing_library_is_named_with_its_extra(vectors, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(_index, "import_module", missing)
    with pytest.raises(ImportError, match=r"pip install skcoldstart\[serve\], or use"):
        build_index(vectors[0])
