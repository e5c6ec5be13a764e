"""Alternating least squares by one Cholesky factorization a row."""

import numpy as np

from skcoldstart._kernels.weighted_rows import accumulate, jit


@jit
def _fill_system(Z, indices, weights, begin, end, m, H):
    """Write the lower half of ``diag(m) + sum_n w_n z_n z_n'`` into `H`."""
    n_dims = Z.shape[1]
    for i in range(n_dims):
        for j in range(i):
            H[i, j] = 0
        H[i, i] = m[i]
    n = begin
    while n + 4 <= end:
        z0, z1 = Z[indices[n]], Z[indices[n + 1]]
        z2, z3 = Z[indices[n + 2]], Z[indices[n + 3]]
        for i in range(n_dims):
            c0, c1 = weights[n] * z0[i], weights[n + 1] * z1[i]
            c2, c3 = weights[n + 2] * z2[i], weights[n + 3] * z3[i]
            row = H[i]
            for j in range(i + 1):
                row[j] += (c0 * z0[j] + c1 * z1[j]) + (c2 * z2[j] + c3 * z3[j])
        n += 4
    while n < end:
        z0 = Z[indices[n]]
        for i in range(n_dims):
            c0 = weights[n] * z0[i]
            row = H[i]
            for j in range(i + 1):
                row[j] += c0 * z0[j]
        n += 1


@jit
def _solve_in_place(H, x):
    """Solve ``H x = x`` for positive definite H given by its lower half."""
    zero = H.dtype.type(0)
    n_dims = len(x)
    for i in range(n_dims):
        row = H[i]
        for j in range(i):
            other = H[j]
            dot = zero
            for t in range(j):
                dot += row[t] * other[t]
            row[j] = (row[j] - dot) / other[j]
        dot = zero
        for t in range(i):
            dot += row[t] * row[t]
        row[i] = np.sqrt(row[i] - dot)
        dot = zero
        for t in range(i):
            dot += row[t] * x[t]
        x[i] = (x[i] - dot) / row[i]
    for i in range(n_dims - 1, -1, -1):
        row = H[i]
        x[i] /= row[i]
        for t in range(i):
            x[t] -= x[i] * row[t]


@jit
def solve_rows_exactly(
    Z, indptr, indices, weights, spectrum, penalties, begin, end, omega, work, A
):
    """Do as `als.solve_rows`, with the exact step.

    Parameters
    ----------
    Z, indptr, indices, weights, spectrum, penalties, begin, end, omega, A
        As in `als.solve_rows`.
    work : ndarray of shape (n_dims + 3, n_dims)
        Scratch.

    Returns
    -------
    float
        As in `als.solve_rows`.
    """
    one = Z.dtype.type(1)
    n_dims = Z.shape[1]
    r, step, m, H = work[0], work[1], work[2], work[3:]
    total = 0.0
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
            Z, indices, weights, first, last, a, one, -one, r, True, indptr[end]
        )
        _fill_system(Z, indices, weights, first, last, m, H)
        step[:] = r
        _solve_in_place(H, step)
        gain = 0.0
        for j in range(n_dims):
            gain += r[j] * step[j]
            a[j] += Z.dtype.type(omega) * step[j]
        total += value - (2 * omega - omega * omega) * gain
    return total
