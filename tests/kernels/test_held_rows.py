"""Rows held in registers, in compiled code and in uncompiled, against arrays."""

import numba
import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._kernels.held_rows import (
    add_row,
    add_rows,
    ask_for,
    dot,
    dots,
    load_held,
    store_held,
)
from skcoldstart._kernels.vectors import VECTOR_BYTES, load, store, total
from skcoldstart._kernels.weighted_rows import (
    FAST,
    LOOKAHEAD,
    MOST_HELD,
    accumulate,
    held_of,
)


@pytest.fixture(params=[np.float32, np.float64])
def dtype(request):
    return request.param


@pytest.fixture(params=[1, 2, 3, 4, 7, 8])
def n_vectors(request):
    return request.param


def drawn(rng, dtype, n_vectors, n_rows=50):
    """Return a matrix, a row, and places in the matrix."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    Z = rng.standard_normal((n_rows, n_vectors * lanes)).astype(dtype)
    return Z, Z[0].copy(), rng.integers(0, n_rows, 3 * lanes).astype(np.int32)


def close(found, expected):
    tol = 50 * np.finfo(found.dtype).eps
    assert_allclose(found, expected, rtol=tol, atol=tol * 10)


def forms(function):
    return [function, njit(function)]


def test_rows_are_read_and_written(rng, dtype, n_vectors):
    def copy(source, held, out):
        store_held(out, load_held(source, held))

    _, row, _ = drawn(rng, dtype, n_vectors)
    for call in forms(copy):
        out = np.zeros_like(row)
        call(row, (0,) * n_vectors, out)
        assert_array_equal(out, row)


@pytest.mark.parametrize("ahead", [0, 3])
def test_products_with_many_rows_and_with_one(rng, dtype, n_vectors, ahead):
    def multiply(Z, indices, n, row, held, ahead, out):
        x = load_held(row, held)
        ask_for(Z, indices[n], held)
        store(out, 0, dots(Z, indices, n, x, ahead))
        out[20] = total(dot(Z, indices[n], x))

    Z, row, indices = drawn(rng, dtype, n_vectors)
    lanes = VECTOR_BYTES // row.itemsize
    expected = Z[indices[5 : 5 + lanes]] @ row
    for call in forms(multiply):
        out = np.zeros(21, dtype)
        call(Z, indices, 5, row, (0,) * n_vectors, ahead, out)
        close(out[:lanes], expected)
        close(out[20], expected[0])


def test_sums_of_many_rows_and_of_one(rng, dtype, n_vectors):
    def add(Z, indices, n, row, c, held, out):
        q = add_rows(load_held(row, held), load(c, 0), Z, indices, n)
        store_held(out, add_row(q, c[2], Z, indices[n]))

    Z, row, indices = drawn(rng, dtype, n_vectors)
    lanes = VECTOR_BYTES // row.itemsize
    c = rng.standard_normal(lanes).astype(dtype)
    expected = row + c @ Z[indices[4 : 4 + lanes]] + c[2] * Z[indices[4]]
    for call in forms(add):
        out = np.zeros_like(row)
        call(Z, indices, 4, row, c, (0,) * n_vectors, out)
        close(out, expected)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.int64, np.int64)])
def test_numbers_of_another_type_are_refused(dtypes):
    @njit
    def read(source, held, out):
        store_held(out, load_held(source, held))

    with pytest.raises(numba.TypingError):
        read(np.ones(16, dtypes[0]), (0, 0), np.ones(16, dtypes[1]))


@njit(fastmath=FAST)  # without a cache, which would not see a change of the kernel
def _pass(Z, indices, weights, begin, end, vector, base, slope, out, far, held):
    return accumulate(
        *(Z, indices, weights, begin, end, vector),
        *(base, slope, out, far, len(indices), held),
    )


@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize(("base", "slope"), [(1, -1), (0, 1), (0.5, 2)])
@pytest.mark.parametrize("n_vectors", [1, 3, 4, 5, MOST_HELD, MOST_HELD + 1])
def test_a_pass_is_its_formula_for_rows_of_any_length(
    rng, dtype, n_vectors, base, slope, far
):
    Z, vector, _ = drawn(rng, dtype, n_vectors)
    held = held_of(Z)
    assert (held is None) == (n_vectors > MOST_HELD)
    for length in (0, 1, 3, 4, 7, 8, 15, 16, 17, 2 * LOOKAHEAD + 5):
        indices = rng.integers(0, len(Z), 3 + length + 2).astype(np.int32)
        weights = rng.random(len(indices)).astype(dtype)
        start = rng.standard_normal(Z.shape[1]).astype(dtype)
        entries = slice(3, 3 + length)
        w, rows = weights[entries].astype(float), Z[indices[entries]].astype(float)
        t = rows @ vector
        out = start.copy()

        value = _pass(
            *(Z, indices, weights, 3, 3 + length, vector),
            *(dtype(base), dtype(slope), out, far, held),
        )

        c = base * (1 + w) + slope * w * t
        tol = 1e3 * np.finfo(dtype).eps
        assert_allclose(out, start + c @ rows, rtol=tol, atol=tol)
        assert_allclose(
            value, np.sum(t * (w * t - 2 * base * (1 + w))), rtol=tol, atol=tol
        )


def test_nan_in_a_row_stays_visible(rng, dtype, n_vectors):
    Z, vector, _ = drawn(rng, dtype, n_vectors)
    Z[1, 2] = np.nan
    indices = np.arange(20, dtype=np.int32)
    for place in (1, 19):  # in a full vector of entries, and after it
        indices[[1, place]] = indices[[place, 1]]
        out = np.zeros_like(vector)
        value = _pass(
            *(Z, indices, np.ones(20, dtype), 0, 20, vector),
            *(dtype(0), dtype(1), out, False, held_of(Z)),
        )
        assert np.isnan(value)
        assert np.isnan(out).all()
