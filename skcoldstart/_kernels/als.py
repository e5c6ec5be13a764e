"""Alternating least squares: the rows of one side, with the other side fixed.

Every kernel releases the GIL and works on rows ``begin:end``, so that Python threads
run chunks of rows side by side. Row factors are ``a``, fixed factors are rows of
``Z``, and row i minimises

    a'diag(m)a + sum_n [(1 + w_n)(1 - z_n'a)^2 - (z_n'a)^2],   m = spectrum + penalty_i,

over its stored entries n, in coordinates in which ``Z'Z`` is diag(spectrum) (or is
part of a unit penalty): eq. 3 of van den Oord et al. (2013) up to a constant, as a
problem whose cost does not depend on the number of columns.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# No "nnan" and no "ninf": NaN must stay visible. Sums may be reordered, at compile
# time only, so the same machine gives the same bits.
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}
LOOKAHEAD = 16
CACHE_LINE = 64


@intrinsic
def _prefetch_row(typingctx, Z, row):
    """Ask for a row of a C-contiguous matrix, one hint a cache line."""

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        stride = cgutils.unpack_tuple(builder, array.strides, 2)[0]
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        hint = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]),
            "llvm.prefetch.p0",
        )
        start = builder.ptrtoint(array.data, stride.type)
        start = builder.add(start, builder.mul(args[1], stride))
        zero, line = ir.Constant(stride.type, 0), ir.Constant(stride.type, CACHE_LINE)
        with cgutils.for_range_slice(builder, zero, stride, line) as (offset, _):
            address = builder.inttoptr(builder.add(start, offset), byte)
            builder.call(hint, [address, i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(Z, types.intp), codegen


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _accumulate(Z, indices, weights, begin, end, vector, base, slope, out):
    """Add the entries of one row to `out`; return their share of a quadratic form.

    With ``t_n = z_n'vector``, ``out += sum_n (base (1 + w_n) + slope w_n t_n) z_n``
    and the result is ``sum_n t_n (w_n t_n - 2 base (1 + w_n))``. Four entries at a
    time: each element of `vector` and `out` is loaded once for four rows of Z.
    """
    one, two = Z.dtype.type(1), Z.dtype.type(2)
    n_dims = Z.shape[1]
    value = 0.0
    n = begin
    while n + 4 <= end:
        if n + LOOKAHEAD + 4 <= end:
            for ahead in range(n + LOOKAHEAD, n + LOOKAHEAD + 4):
                _prefetch_row(Z, np.intp(indices[ahead]))
        z0, z1 = Z[indices[n]], Z[indices[n + 1]]
        z2, z3 = Z[indices[n + 2]], Z[indices[n + 3]]
        t0 = t1 = t2 = t3 = Z.dtype.type(0)
        for j in range(n_dims):
            t0 += z0[j] * vector[j]
            t1 += z1[j] * vector[j]
            t2 += z2[j] * vector[j]
            t3 += z3[j] * vector[j]
        b0, b1 = base * (one + weights[n]), base * (one + weights[n + 1])
        b2, b3 = base * (one + weights[n + 2]), base * (one + weights[n + 3])
        s0, s1 = weights[n] * t0, weights[n + 1] * t1
        s2, s3 = weights[n + 2] * t2, weights[n + 3] * t3
        value += t0 * (s0 - two * b0) + t1 * (s1 - two * b1)
        value += t2 * (s2 - two * b2) + t3 * (s3 - two * b3)
        c0, c1 = b0 + slope * s0, b1 + slope * s1
        c2, c3 = b2 + slope * s2, b3 + slope * s3
        for j in range(n_dims):
            out[j] += (c0 * z0[j] + c1 * z1[j]) + (c2 * z2[j] + c3 * z3[j])
        n += 4
    while n < end:
        z0 = Z[indices[n]]
        t0 = Z.dtype.type(0)
        for j in range(n_dims):
            t0 += z0[j] * vector[j]
        b0 = base * (one + weights[n])
        s0 = weights[n] * t0
        value += t0 * (s0 - two * b0)
        c0 = b0 + slope * s0
        for j in range(n_dims):
            out[j] += c0 * z0[j]
        n += 1
    return value


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
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
):
    """Move rows towards their minimum by conjugate gradients; return the objective.

    Row i solves ``(diag(m) + Z_i'W Z_i) a = Z_i'(1 + w)`` (eq. 4 of Hu et al., 2008,
    in coordinates that make its dense part diagonal), from where A stands, with
    diag(m) as preconditioner, and moves `omega` times the step found. The step d of
    conjugate gradients minimises the objective along d, so that no omega between 0
    and 2 can raise it.

    Parameters
    ----------
    Z : ndarray of shape (n_columns, n_dims)  # IN
        Fixed factors; n_dims is a multiple of the vector width.
    indptr, indices, weights : int64, int32 and float ndarrays  # IN
        Stored entries of all rows (CSR); weights are confidences minus one.
    spectrum : ndarray of shape (n_dims,)  # IN
    penalties : ndarray of shape (n_rows,)  # IN
        Above zero.
    begin, end : int
        Rows to solve.
    n_steps : int
        Steps at most.
    tol : float
        Stop when the residual is `tol` times what it was, in the norm of
        1 / diag(m).
    omega : float
        Relaxation, between 0 and 2; 1 takes the step as it is.
    work : ndarray of shape (5, n_dims)
        Scratch.
    A : ndarray of shape (end - begin, n_dims)  # INOUT
        Row factors; a row without entries becomes 0.

    Returns
    -------
    float
        Sum over the rows of their objective after the move, without the constant
        ``sum_n (1 + w_n)``.
    """
    zero, one = Z.dtype.type(0), Z.dtype.type(1)
    n_dims = Z.shape[1]
    r, p, q, m, inverse = work[0], work[1], work[2], work[3], work[4]
    penalty = -one
    total = 0.0
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
        value = 0.0
        for j in range(n_dims):
            r[j] = -m[j] * a[j]
            value -= r[j] * a[j]
        value += _accumulate(Z, indices, weights, first, last, a, one, -one, r)
        rho = zero
        for j in range(n_dims):
            p[j] = inverse[j] * r[j]
            rho += p[j] * r[j]
        stop = Z.dtype.type(tol * tol) * rho
        gain = 0.0
        for _ in range(n_steps):
            if rho <= stop:
                break
            curvature = zero
            for j in range(n_dims):
                q[j] = m[j] * p[j]
                curvature += p[j] * q[j]
            curvature += Z.dtype.type(
                _accumulate(Z, indices, weights, first, last, p, zero, one, q)
            )
            length = rho / curvature
            gain += length * rho
            moved = Z.dtype.type(omega) * length
            before, rho = rho, zero
            for j in range(n_dims):
                a[j] += moved * p[j]
                r[j] -= length * q[j]
                q[j] = inverse[j] * r[j]
                rho += r[j] * q[j]
            conjugate = rho / before
            for j in range(n_dims):
                p[j] = q[j] + conjugate * p[j]
        total += value - (2 * omega - omega * omega) * gain
    return total


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def observed_objective(A, B, indptr, indices, weights, begin, end):
    """Return the part of the objective that stored entries add, in float64.

    Parameters
    ----------
    A : ndarray of shape (n_rows, n_components)  # IN
    B : ndarray of shape (n_columns, n_components)  # IN
    indptr, indices, weights : int64, int32 and float ndarrays  # IN
        Stored entries (CSR); weights are confidences minus one.
    begin, end : int
        Rows to sum over.

    Returns
    -------
    float
        ``sum_n [(1 + w_n)(1 - s_n)^2 - s_n^2]`` with ``s_n = a_i'b_n``.
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
