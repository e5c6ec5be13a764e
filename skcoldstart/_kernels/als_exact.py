"""Alternating least squares by one dense system per row, without vectors."""

import numpy as np

from skcoldstart._kernels.compilation import njit

BLOCK = 4096  # entries of a long row at a time


@njit(cache=True, nogil=True)
def solve_rows_exactly(
    Z, indptr, indices, weights, spectrum, penalties, begin, end, omega, work, A, width
):
    """Solve rows like `als.solve_rows`, with the exact step."""
    one = Z.dtype.type(1)
    objective = 0.0
    for i in range(begin, end):
        a = A[i - begin]
        if indptr[i] == indptr[i + 1]:
            a[:] = 0
            continue
        system = np.diag(spectrum + penalties[i])
        r = -np.dot(system, a)
        value = -float(np.dot(r, a))
        for first in range(indptr[i], indptr[i + 1], BLOCK):
            last = min(first + BLOCK, indptr[i + 1])
            z, w = Z[indices[first:last]], weights[first:last]
            t = np.dot(z, a)
            r += np.dot(one + w - w * t, z)
            value += float(np.dot(t, w * t - 2 * (one + w)))
            system += np.dot(z.T * w, z)
        step = np.linalg.solve(system, r)
        a += Z.dtype.type(omega) * step
        objective += value - (2 * omega - omega * omega) * float(np.dot(r, step))
    return objective
