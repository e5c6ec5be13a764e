"""Vectors in compiled code against arrays in uncompiled code."""

import numba
import numpy as np
import pytest
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._kernels.vectors import (
    VECTOR_BYTES,
    load,
    load_eight,
    load_four,
    load_row,
    prefetch,
    splat,
    splat_eight,
    splat_four,
    splats,
    store,
    total,
    totals,
    transpose,
)

DTYPES = [np.float32, np.float64]
LOADS = {load: None, load_eight: 8, load_four: 4}


@pytest.fixture(params=DTYPES)
def dtype(request):
    return request.param


def compiled_and_plain(function, *args):
    """Return what both write to an array of zeros that comes last."""
    found = np.zeros((2, 200), args[0].dtype)
    function(*args, found[0])
    getattr(function, "py_func", function)(*args, found[1])
    return found


@pytest.mark.parametrize("load_vector", LOADS)
def test_arithmetic_is_that_of_arrays(rng, dtype, load_vector):
    n = LOADS[load_vector] or VECTOR_BYTES // np.dtype(dtype).itemsize

    @njit
    def calculate(x, out):
        a, b = load_vector(x, 0), load_vector(x, 3)
        store(out, 0, a + b)
        store(out, 20, a - b)
        store(out, 40, a * b)
        store(out, 60, a + x[5])
        store(out, 80, a - x[6])
        store(out, 100, a * x[7])

    x = rng.standard_normal(40).astype(dtype)
    found, plain = compiled_and_plain(calculate, x)
    a, b = x[:n], x[3 : 3 + n]
    expected = np.zeros((6, 20), dtype)
    expected[:, :n] = [a + b, a - b, a * b, a + x[5], a - x[6], a * x[7]]
    assert_array_equal(found[:120], expected.ravel())
    assert_array_equal(plain, found)


def test_numbers_are_spread(rng, dtype):
    @njit
    def spread(x, out):
        store(out, 0, splat(x[4]))
        store(out, 20, splat_eight(x[5]))
        store(out, 40, splat_four(x[6]))
        a, b, c, d = splats(load_four(x, 1))
        store(out, 60, a)
        store(out, 80, b)
        store(out, 100, c)
        store(out, 120, d)

    x = rng.standard_normal(16).astype(dtype)
    found, plain = compiled_and_plain(spread, x)
    n = VECTOR_BYTES // np.dtype(dtype).itemsize
    expected = np.zeros((7, 20), dtype)
    for row, (i, length) in enumerate([
        (4, n),
        (5, 8),
        (6, 4),
        (1, n),
        (2, n),
        (3, n),
        (4, n),
    ]):
        expected[row, :length] = x[i]
    assert_array_equal(found[:140], expected.ravel())
    assert_array_equal(plain, found)


def test_totals_are_sums(rng, dtype):
    @njit
    def sum_up(x, out):
        a, b, c, d = load(x, 0), load(x, 5), load(x, 11), load(x, 16)
        store(out, 0, totals(a, b, c, d))
        out[4] = total(a)
        out[5] = total(load_four(x, 2))

    x = rng.standard_normal(40).astype(dtype)
    n = VECTOR_BYTES // x.itemsize
    expected = [x[i : i + n].sum() for i in (0, 5, 11, 16, 0)] + [x[2:6].sum()]
    for found in compiled_and_plain(sum_up, x):
        assert_allclose(found[:6], expected, rtol=0, atol=50 * np.finfo(dtype).eps)


def test_rows_of_a_matrix_are_read_at_any_place(rng, dtype):
    @njit
    def read(matrix, out):
        prefetch(matrix, 2, 1)
        store(out, 0, load_row(matrix, 2, 1))
        store(out, 50, load_row(matrix, 0, 5))

    matrix = rng.standard_normal((3, 21)).astype(dtype)
    n = VECTOR_BYTES // matrix.itemsize
    found, plain = compiled_and_plain(read, matrix)
    assert_array_equal(found[:n], matrix[2, 1 : 1 + n])
    assert_array_equal(found[50 : 50 + n], matrix[0, 5 : 5 + n])
    assert_array_equal(plain, found)


def test_transpose_of_eight_vectors(dtype):
    @njit
    def turn(x, out):
        rows = transpose(
            load_eight(x, 0), load_eight(x, 8), load_eight(x, 16), load_eight(x, 24),
            load_eight(x, 32), load_eight(x, 40), load_eight(x, 48), load_eight(x, 56),
        )  # fmt: skip
        for i in range(8):
            store(out, 8 * i, rows[i])

    x = np.arange(64, dtype=dtype)
    found, plain = compiled_and_plain(turn, x)
    assert_array_equal(found[:64].reshape(8, 8), x.reshape(8, 8).T)
    assert_array_equal(plain, found)


def test_numbers_that_are_not_finite_stay_visible(dtype):
    @njit
    def sum_up(x, out):
        out[0] = total(load(x, 0) * load(x, 0))

    for value, expected in ((np.nan, np.nan), (np.inf, np.inf)):
        x = np.ones(16, dtype)
        x[3] = value
        found, _ = compiled_and_plain(sum_up, x)
        assert_array_equal(found[0], expected)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("x", [np.ones(32, np.int64), np.ones(64, np.float32)[::2]])
def test_arrays_that_are_no_neighbouring_floats_are_refused(x):
    @njit
    def read(x):
        store(x, 0, load(x, 0))

    with pytest.raises(numba.TypingError):
        read(x)
