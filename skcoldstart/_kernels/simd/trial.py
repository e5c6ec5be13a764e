"""A kernel that tests the operations on vectors."""

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.simd.rows import add_rows, dots, read_row, write_row
from skcoldstart._kernels.simd.vectors import load, load_eight, splat, store, total


@njit(cache=True)
def _calculate(Z, indices, width, out):
    store(out[0], 0, (load(Z[0], 0) - load(Z[1], 0)) * splat(Z[2, 0]))
    store(out[1], 0, load_eight(Z[0], 3) + load_eight(Z[1], 5))
    out[2, 0] = total(load(Z[3], 0))
    row = read_row(Z[4], width)
    c = dots(Z, indices, 0, row, 1)
    store(out[3], 0, c)
    write_row(out[4], add_rows(row, c, Z, indices, 0))


def try_vectors():
    """Raise an error if operations on vectors cannot be compiled, or are wrong."""
    Z = np.random.default_rng(0).standard_normal((20, 32)).astype(np.float32)
    indices = np.arange(19, 2, -1).astype(np.int32)
    found, expected = np.zeros((2, 5, 32), np.float32)
    _calculate(Z, indices, (0, 0), found)
    products = Z[indices[:16]] @ Z[4]
    expected[0, :16] = (Z[0, :16] - Z[1, :16]) * Z[2, 0]
    expected[1, :8] = Z[0, 3:11] + Z[1, 5:13]
    expected[2, 0] = Z[3, :16].sum()
    expected[3, :16] = products
    expected[4] = Z[4] + products @ Z[indices[:16]]
    if not np.allclose(found, expected, rtol=1e-4, atol=1e-4):
        raise ArithmeticError("operations on vectors give wrong numbers")
