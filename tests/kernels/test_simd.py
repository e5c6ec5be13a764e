"""Kernels in vectors and plain ones: each against its numpy twin."""

import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._kernels import row_pass as plain
from skcoldstart._kernels import simd
from skcoldstart._kernels.row_pass import FAST
from skcoldstart._kernels.simd import row_pass, rows, trial, vectors
from tests.references import vectors as twin

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request):
    return request.param


@pytest.fixture(params=[1, 2, 3, 4, 7, 8])
def n_vectors(request):
    return request.param


def run(kernel, *args):
    """Return what a kernel writes to rows of zeros that come last."""
    out = np.zeros((8, 200), args[0].dtype)
    njit(kernel)(*args, out)
    return out


def close(found, expected):
    tol = 50 * np.finfo(found.dtype).eps
    assert_allclose(found, expected, rtol=tol, atol=tol * 10)


@compiled
@pytest.mark.parametrize(("name", "lanes"), [("load", None), ("load_eight", 8)])
def test_arithmetic_is_that_of_arrays(rng, dtype, name, lanes):
    load, store = getattr(vectors, name), vectors.store

    def calculate(x, out):
        a, b = load(x, 0), load(x, 3)
        store(out[0], 0, a + b)
        store(out[1], 0, a - b)
        store(out[2], 0, a * b)
        store(out[3], 0, a + x[5])
        store(out[4], 0, a - x[6])
        store(out[5], 0, a * x[7])

    x = rng.standard_normal(40).astype(dtype)
    a, b = twin.load(x, 0, lanes), twin.load(x, 3, lanes)
    expected = [a + b, a - b, a * b, a + x[5], a - x[6], a * x[7]]
    out = run(calculate, x)
    assert_array_equal(out[:6, : len(a)], expected)
    assert_array_equal(out[:6, len(a) :], 0)


@compiled
def test_numbers_are_spread_summed_and_read_from_a_matrix(rng, dtype):
    load, load_at, splat, splat_eight, store, total = (
        getattr(vectors, name)
        for name in ("load", "load_at", "splat", "splat_eight", "store", "total")
    )

    def spread(Z, out):
        store(out[0], 0, splat(Z[0, 4]))
        store(out[1], 0, splat_eight(Z[0, 5]))
        store(out[2], 0, load_at(Z, 2, 1))
        out[3, 0] = total(load(Z[1], 3))

    Z = rng.standard_normal((3, 40)).astype(dtype)
    out = run(spread, Z)
    whole = twin.splat(Z[0, 4])
    assert_array_equal(out[0, : len(whole)], whole)
    assert_array_equal(out[1, :8], twin.splat(Z[0, 5], 8))
    assert_array_equal(out[2, : len(whole)], twin.load(Z[2], 1))
    close(out[3, 0], twin.load(Z[1], 3).sum())


@compiled
def test_transpose_of_eight_vectors(dtype):
    load, store, transpose = vectors.load_eight, vectors.store, vectors.transpose

    def turn(x, out):
        columns = transpose(
            load(x, 0), load(x, 8), load(x, 16), load(x, 24),
            load(x, 32), load(x, 40), load(x, 48), load(x, 56),
        )  # fmt: skip
        for i in range(8):
            store(out[i], 0, columns[i])

    x = np.arange(64, dtype=dtype)
    expected = twin.transpose(*x.reshape(8, 8))
    assert_array_equal(run(turn, x)[:, :8], expected)


def drawn(rng, dtype, n_vectors, n_rows=50):
    """Return a matrix, a row, and places in the matrix."""
    lanes = twin.LANES[np.dtype(dtype)]
    Z = rng.standard_normal((n_rows, n_vectors * lanes)).astype(dtype)
    return Z, Z[0].copy(), rng.integers(0, n_rows, 3 * lanes).astype(np.int32)


@compiled
@pytest.mark.parametrize("ahead", [0, 3])
def test_products_with_rows_and_sums_of_them(rng, dtype, n_vectors, ahead):
    (add_row, add_rows, dot, dots, prefetch_at, read_row, write_row, store, total) = (
        *(rows.add_row, rows.add_rows, rows.dot, rows.dots, vectors.prefetch_at),
        *(rows.read_row, rows.write_row, vectors.store, vectors.total),
    )

    def multiply(Z, indices, n, ahead, width, out):
        x = read_row(Z[3], width)
        c = dots(Z, indices, n, x, ahead)
        store(out[0], 0, c)
        prefetch_at(Z, indices[n], 0)
        out[1, 0] = total(dot(Z, indices[n], x))
        write_row(out[2], add_rows(x, c, Z, indices, n))
        write_row(out[3], add_row(x, Z[0, 0], Z, indices[n]))

    Z, _, indices = drawn(rng, dtype, n_vectors)
    x = Z[3]
    c = twin.dots(Z, indices, 5, x)
    out = run(multiply, Z, indices, 5, ahead, (0,) * n_vectors)
    found = out[0, : len(c)]
    close(found, c)
    close(out[1, 0], c[0])
    close(out[2, : len(x)], twin.add_rows(x, found, Z, indices, 5))
    close(out[3, : len(x)], x + Z[0, 0] * Z[indices[5]])


@compiled
@pytest.mark.parametrize(
    "x", [np.ones(32, np.int64), np.ones(64, np.float32)[::2], np.ones(32, "f2")]
)
def test_arrays_that_are_no_neighbouring_floats_are_refused(x):
    load, store = vectors.load, vectors.store

    def read(x, out):
        store(out[0], 0, load(x, 0))

    with pytest.raises((numba.TypingError, NotImplementedError)):
        run(read, x)


def passes(module):
    """Return the pass of a module as a function of its own."""
    accumulate = module.accumulate

    @njit(fastmath=FAST)  # without a cache, which would not see a change of the kernel
    def call(Z, indices, weights, b, e, vector, base, slope, out, prefetch, width):
        return accumulate(
            *(Z, indices, weights, b, e, vector, base, slope, out),
            *(prefetch, len(indices), width),
        )

    return call


PASSES = {
    "plain": (plain, passes(plain)),
    "vectors": (row_pass, passes(row_pass)),
}


@pytest.fixture(params=PASSES)
def way(request):
    if request.param == "vectors" and numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled")
    return PASSES[request.param]


@pytest.mark.parametrize("prefetch", [False, True])
@pytest.mark.parametrize(("base", "slope"), [(1, -1), (0, 1), (0.5, 2)])
@pytest.mark.parametrize("n_vectors", [1, 3, 4, 5, 8, 9, 13])
def test_a_pass_is_its_formula_for_rows_of_any_length(
    rng, dtype, way, n_vectors, base, slope, prefetch
):
    Z, vector, _ = drawn(rng, dtype, n_vectors)
    width = way[0].width_of(Z)
    for length in (0, 1, 3, 7, 8, 15, 16, 17, 2 * row_pass.LOOKAHEAD + 5):
        indices = rng.integers(0, len(Z), 3 + length + 2).astype(np.int32)
        weights = rng.random(len(indices)).astype(dtype)
        start = rng.standard_normal(Z.shape[1]).astype(dtype)
        out = start.copy()
        value = way[1](
            *(Z, indices, weights, 3, 3 + length, vector),
            *(dtype(base), dtype(slope), out, prefetch, width),
        )
        entries = slice(3, 3 + length)
        expected, share = twin.accumulate(
            Z, indices[entries], weights[entries], vector, base, slope, start
        )
        tol = 1e3 * np.finfo(dtype).eps
        assert_allclose(out, expected, rtol=tol, atol=tol * np.abs(expected).max())
        assert_allclose(value, share, rtol=tol, atol=tol * max(1, abs(share)))


@pytest.mark.parametrize("place", [1, 19])  # in a full vector of entries, after it
@pytest.mark.parametrize("n_vectors", [2, 9])
def test_nan_in_a_row_stays_visible(rng, dtype, way, n_vectors, place):
    Z, vector, _ = drawn(rng, dtype, n_vectors)
    Z[1, 2] = np.nan
    indices = np.arange(20, dtype=np.int32)
    indices[[1, place]] = indices[[place, 1]]
    out = np.zeros_like(vector)
    value = way[1](
        *(Z, indices, np.ones(20, dtype), 0, 20, vector),
        *(dtype(0), dtype(1), out, False, way[0].width_of(Z)),
    )
    assert np.isnan(value)
    assert np.isnan(out[2])


@pytest.fixture
def fresh(monkeypatch):
    """A process in which vectors have not been tried yet."""
    monkeypatch.delenv("SKCOLDSTART_SIMD", raising=False)
    simd.works.cache_clear()
    yield monkeypatch
    simd.works.cache_clear()


@compiled
def test_vectors_work_here_and_are_left_where_the_environment_says_so(fresh):
    assert simd.works()
    simd.works.cache_clear()
    fresh.setenv("SKCOLDSTART_SIMD", "0")
    assert not simd.works()


@compiled
@pytest.mark.parametrize("fault", ["raise", "wrong"])
def test_a_trial_that_fails_warns_once_and_chooses_plain_kernels(fresh, fault):
    def broken(Z, indices, width, out):
        if fault == "raise":
            raise NotImplementedError("no such type")

    fresh.setattr(trial, "_calculate", broken)
    with pytest.warns(UserWarning, match="SKCOLDSTART_SIMD=0") as caught:
        assert not simd.works()
        assert not simd.works()
    assert len(caught) == 1


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["SKCOLDSTART_SIMD=0", "NUMBA_DISABLE_JIT=1"])
def test_estimators_work_without_vectors(setting):
    script = """
import numpy as np
from skcoldstart import WMF, MelSpectrogram
from skcoldstart._kernels.simd import works

assert not works()
Y = np.kron(np.eye(2), np.ones((3, 4)))
for solver in ("cg", "cholesky"):
    wmf = WMF(2, reg=1e-3, random_state=0, max_iter=30, solver=solver).fit(Y)
    assert np.allclose(wmf.inverse_transform(wmf.item_factors_), Y, atol=1e-2)
if "SIMD" in "%s":
    assert MelSpectrogram().fit_transform([np.zeros(3000)])[0].shape == (6, 128)
"""
    subprocess.run(
        ["env", setting, sys.executable, "-c", script % setting],
        check=True,
        timeout=1800,
    )
