"""Alternating least squares: the rows of one side, with the other side fixed.

Every kernel releases the GIL and works on rows ``begin:end``, so Python threads can run
chunks of rows in parallel. Row factors are ``a``, fixed factors are rows of ``Z``, and
row i minimizes

    a'diag(m)a + sum_n [(1 + w_n)(1 - z_n'a)^2 - (z_n'a)^2],   m = spectrum + penalty_i,

over its stored entries n, in coordinates in which ``Z'Z`` is diag(spectrum) (or is
part of a unit penalty): eq. 3 of van den Oord et al. (2013) up to a constant, as a
problem whose cost does not depend on the number of columns.
"""

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.row_pass import jit
from skcoldstart._kernels.simd import works

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


if works():
    from skcoldstart._kernels.simd.als_exact import solve_rows_exactly
    from skcoldstart._kernels.simd.row_pass import accumulate, width_of
else:
    from skcoldstart._kernels.row_pass import accumulate, width_of

__all__ = ["observed_objective", "solve_rows", "solve_rows_exactly", "width_of"]

NEAR_CACHE_BYTES = 1 << 18  # data that stay in the core's cache between passes


@jit
def solve_rows(
    Z,
    indptr,
    indices,
    weights,
    spectrum,
    penalties,
    begin,
    end,
    n_steps,
    tol,
    omega,
    work,
    A,
    width,
):
    """Move rows towards their minimum by conjugate gradients; return the objective.

    Shapes: `Z` (n_columns, n_dims), `spectrum` (n_dims,), `work` (5, n_dims), `A` (end
    - begin, n_dims).

    Row i solves ``(diag(m) + Z_i'W Z_i) a = Z_i'(1 + w)`` (eq. 4 of Hu et al., 2008, in
    coordinates that make its dense part diagonal), starting from A, with diag(m) as
    preconditioner, and moves by `omega` times the step. The step d of conjugate
    gradients minimizes the objective along d, so no omega between 0 and 2 can increase
    it.
    """
    zero, one = Z.dtype.type(0), Z.dtype.type(1)
    n_dims = Z.shape[1]
    r, p, q, m, inverse = work[0], work[1], work[2], work[3], work[4]
    n_stored = indptr[end]
    penalty = -one
    objective = 0.0
    for i in range(begin, end):
        first, last = indptr[i], indptr[i + 1]
        a = A[i - begin]
        if first == last:
            a[:] = zero
            continue
        if penalties[i] != penalty:
            penalty = penalties[i]
            for j in range(n_dims):
                m[j] = spectrum[j] + penalty
                inverse[j] = one / m[j]
        dot = zero
        for j in range(n_dims):
            mx = m[j] * a[j]
            dot += mx * a[j]
            r[j] = -mx
        prefetch = (last - first) * n_dims * Z.itemsize > NEAR_CACHE_BYTES
        value = np.float64(dot)
        value += accumulate(
            Z, indices, weights, first, last, a, one, -one, r, True, n_stored, width
        )
        rho = zero
        for j in range(n_dims):
            p[j] = inverse[j] * r[j]
            rho += p[j] * r[j]
        stop = Z.dtype.type(tol * tol) * rho
        gain = 0.0
        for _ in range(n_steps):
            if rho <= stop:
                break
            dot = zero
            for j in range(n_dims):
                q[j] = m[j] * p[j]
                dot += q[j] * p[j]
            seen = accumulate(
                Z,
                indices,
                weights,
                first,
                last,
                p,
                zero,
                one,
                q,
                prefetch,
                n_stored,
                width,
            )
            length = rho / (dot + Z.dtype.type(seen))
            gain += length * rho
            move = Z.dtype.type(omega) * length
            before, rho = rho, zero
            for j in range(n_dims):
                a[j] += move * p[j]
                r[j] -= length * q[j]
                q[j] = inverse[j] * r[j]
                rho += q[j] * r[j]
            conjugate = rho / before
            for j in range(n_dims):
                p[j] = q[j] + conjugate * p[j]
        objective += value - (2 * omega - omega * omega) * gain
    return objective


@jit
def observed_objective(A, B, indptr, indices, weights, begin, end):
    """Return the part of stored entries in the objective, in float64.

    Shapes: `A` (n_rows, n_components).
    """
    total = 0.0
    for i in range(begin, end):
        for n in range(indptr[i], indptr[i + 1]):
            b = B[indices[n]]
            score = 0.0
            for j in range(A.shape[1]):
                score += np.float64(A[i, j]) * np.float64(b[j])
            missing = 1.0 - score
            total += (1.0 + weights[n]) * missing * missing - score * score
    return total
