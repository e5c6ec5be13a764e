"""Alternating least squares by one Cholesky factorization per row.

Matrices are stored as their upper half, in whole vectors: entries of such a vector
below the diagonal are written but not used.
"""

import numpy as np

from skcoldstart._kernels.row_pass import inlined, jit
from skcoldstart._kernels.simd.row_pass import accumulate
from skcoldstart._kernels.simd.vectors import (
    lanes_of,
    load,
    load_at,
    splat,
    store,
    total,
)


@inlined
def _fill_system(Z, indices, weights, begin, end, m, H):
    """Write ``diag(m) + sum_n w_n z_n z_n'`` to `H`, four entries at a time."""
    lanes = lanes_of(Z)
    n_dims = Z.shape[1]
    zero = splat(Z.dtype.type(0))
    for i in range(n_dims):
        for j in range(i // lanes * lanes, n_dims, lanes):
            store(H[i], j, zero)
        H[i, i] = m[i]
    n = begin
    while n + 4 <= end:
        r0, r1 = np.intp(indices[n]), np.intp(indices[n + 1])
        r2, r3 = np.intp(indices[n + 2]), np.intp(indices[n + 3])
        for j in range(0, n_dims, lanes):
            z0 = load_at(Z, r0, j) * weights[n]
            z1 = load_at(Z, r1, j) * weights[n + 1]
            z2 = load_at(Z, r2, j) * weights[n + 2]
            z3 = load_at(Z, r3, j) * weights[n + 3]
            for i in range(j + lanes):
                h = z0 * Z[r0, i] + load_at(H, i, j)
                h = z2 * Z[r2, i] + (z1 * Z[r1, i] + h)
                store(H[i], j, z3 * Z[r3, i] + h)
        n += 4
    while n < end:
        row = np.intp(indices[n])
        for j in range(0, n_dims, lanes):
            z = load_at(Z, row, j) * weights[n]
            for i in range(j + lanes):
                store(H[i], j, z * Z[row, i] + load_at(H, i, j))
        n += 1


@inlined
def _factorize(H, inverse):
    """Replace H by U with ``U'U = H``, row by row; keep the inverse diagonal."""
    lanes = lanes_of(H)
    n_dims = len(H)
    zero = splat(H.dtype.type(0))
    for i in range(n_dims):
        first = i // lanes * lanes
        for j in range(first, n_dims, lanes):
            even, odd = load_at(H, i, j), zero
            third, fourth = zero, zero
            k = 0
            while k + 4 <= i:
                even = even - load_at(H, k, j) * H[k, i]
                odd = odd - load_at(H, k + 1, j) * H[k + 1, i]
                third = third - load_at(H, k + 2, j) * H[k + 2, i]
                fourth = fourth - load_at(H, k + 3, j) * H[k + 3, i]
                k += 4
            while k < i:
                even = even - load_at(H, k, j) * H[k, i]
                k += 1
            store(H[i], j, (even + odd) + (third + fourth))
        inverse[i] = H.dtype.type(1) / np.sqrt(H[i, i])
        for j in range(first, n_dims, lanes):
            store(H[i], j, load_at(H, i, j) * inverse[i])


@inlined
def _solve(U, inverse, y, x):
    """Solve ``U'U x = y``; y is overwritten."""
    lanes = lanes_of(U)
    n_dims = len(U)
    zero = splat(U.dtype.type(0))
    for k in range(n_dims):
        y[k] *= inverse[k]
        solved = y[k]
        for j in range(k // lanes * lanes, n_dims, lanes):
            store(y, j, load(y, j) - load_at(U, k, j) * solved)
        y[k] = solved
    for j in range(0, n_dims, lanes):
        store(x, j, zero)
    for i in range(n_dims - 1, -1, -1):
        dot = zero
        for j in range(i // lanes * lanes, n_dims, lanes):
            dot = dot + load_at(U, i, j) * load(x, j)
        x[i] = (y[i] - total(dot)) * inverse[i]


@jit
def solve_rows_exactly(
    Z, indptr, indices, weights, spectrum, penalties, begin, end, omega, work, A, width
):
    """Solve rows like `als.solve_rows`, with the exact step.

    Shapes: `work` (n_dims + 5, n_dims).
    """
    one = Z.dtype.type(1)
    n_dims = Z.shape[1]
    r, step, left, m, inverse = work[0], work[1], work[2], work[3], work[4]
    H = work[5:]
    objective = 0.0
    for i in range(begin, end):
        first, last = indptr[i], indptr[i + 1]
        a = A[i - begin]
        if first == last:
            a[:] = 0
            continue
        value = 0.0
        for j in range(n_dims):
            m[j] = spectrum[j] + penalties[i]
            r[j] = -m[j] * a[j]
            value -= r[j] * a[j]
        value += accumulate(
            Z, indices, weights, first, last, a, one, -one, r, True, indptr[end], width
        )
        _fill_system(Z, indices, weights, first, last, m, H)
        _factorize(H, inverse)
        for j in range(n_dims):
            left[j] = r[j]
        _solve(H, inverse, left, step)
        gain = 0.0
        for j in range(n_dims):
            gain += r[j] * step[j]
            a[j] += Z.dtype.type(omega) * step[j]
        objective += value - (2 * omega - omega * omega) * gain
    return objective
