"""The pass over the entries of one row that every solver of ALS is made of."""

import numba
import numpy as np

from skcoldstart._kernels.vectors import (
    VECTOR_BYTES,
    load,
    load_four,
    load_row,
    prefetch,
    splat,
    splat_four,
    splats,
    store,
    total,
    totals,
)

# No "nnan" and no "ninf": NaN must stay visible. Sums may be reordered, at compile
# time only, so the same machine gives the same bits.
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}
LOOKAHEAD = 16  # entries between the one at work and the one asked for

jit = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
inlined = numba.njit(nogil=True, error_model="numpy", fastmath=FAST, forceinline=True)


@inlined
def accumulate(
    Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored
):
    """Add the entries of one row to `out`; return their share of a quadratic form.

    With ``t_n = z_n'vector``, ``out += sum_n (base (1 + w_n) + slope w_n t_n) z_n``
    and the result is ``sum_n t_n (w_n t_n - 2 base (1 + w_n))``. Four entries at a
    time: each element of `vector` and `out` is loaded once for four rows of Z. `far`
    says that these are not in a near cache; then those of later entries, of the next
    row too, are asked for ahead.
    """
    if Z.shape[1] * Z.itemsize == 4 * VECTOR_BYTES:
        return _accumulate_in_registers(
            Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored
        )
    lanes = VECTOR_BYTES // Z.itemsize
    n_dims = Z.shape[1]
    bases, slopes = splat_four(base), splat_four(slope)
    zero = splat(Z.dtype.type(0))
    value = splat_four(Z.dtype.type(0))
    n = begin
    while n + 4 <= end:
        ahead = n + LOOKAHEAD if n + LOOKAHEAD + 4 <= n_stored else n
        f0, f1 = np.intp(indices[ahead]), np.intp(indices[ahead + 1])
        f2, f3 = np.intp(indices[ahead + 2]), np.intp(indices[ahead + 3])
        r0, r1 = np.intp(indices[n]), np.intp(indices[n + 1])
        r2, r3 = np.intp(indices[n + 2]), np.intp(indices[n + 3])
        t0 = t1 = t2 = t3 = zero
        for j in range(0, n_dims, lanes):
            x = load(vector, j)
            t0 = t0 + load_row(Z, r0, j) * x
            t1 = t1 + load_row(Z, r1, j) * x
            t2 = t2 + load_row(Z, r2, j) * x
            t3 = t3 + load_row(Z, r3, j) * x
            if far:
                prefetch(Z, f0, j)
                prefetch(Z, f1, j)
                prefetch(Z, f2, j)
                prefetch(Z, f3, j)
        t = totals(t0, t1, t2, t3)
        w = load_four(weights, n)
        ones = bases * w + bases
        value = value + t * (w * t - (ones + ones))
        c = slopes * (w * t) + ones
        c0, c1, c2, c3 = splats(c)
        for j in range(0, n_dims, lanes):
            even = load_row(Z, r0, j) * c0 + load(out, j)
            odd = load_row(Z, r1, j) * c1
            even = even + load_row(Z, r2, j) * c2
            odd = odd + load_row(Z, r3, j) * c3
            store(out, j, even + odd)
        n += 4
    rest = np.float64(total(value))
    while n < end:
        row = np.intp(indices[n])
        dot = zero
        for j in range(0, n_dims, lanes):
            dot = dot + load_row(Z, row, j) * load(vector, j)
        t_n = total(dot)
        ones_n = base * weights[n] + base
        rest += t_n * (weights[n] * t_n - (ones_n + ones_n))
        c_n = splat(slope * (weights[n] * t_n) + ones_n)
        for j in range(0, n_dims, lanes):
            store(out, j, load_row(Z, row, j) * c_n + load(out, j))
        n += 1
    return rest


@inlined
def _accumulate_in_registers(
    Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored
):
    """Do as `accumulate` for rows of four vectors, each read once."""
    lanes = VECTOR_BYTES // Z.itemsize
    bases, slopes = splat_four(base), splat_four(slope)
    value = splat_four(Z.dtype.type(0))
    x, q = _four_vectors(vector), _four_vectors(out)
    n = begin
    while n + 4 <= end:
        if far and n + LOOKAHEAD + 4 <= n_stored:
            _prefetch(Z, np.intp(indices[n + LOOKAHEAD]))
            _prefetch(Z, np.intp(indices[n + LOOKAHEAD + 1]))
            _prefetch(Z, np.intp(indices[n + LOOKAHEAD + 2]))
            _prefetch(Z, np.intp(indices[n + LOOKAHEAD + 3]))
        z0 = _row_of_four(Z, np.intp(indices[n]))
        z1 = _row_of_four(Z, np.intp(indices[n + 1]))
        z2 = _row_of_four(Z, np.intp(indices[n + 2]))
        z3 = _row_of_four(Z, np.intp(indices[n + 3]))
        t = totals(_dot(z0, x), _dot(z1, x), _dot(z2, x), _dot(z3, x))
        w = load_four(weights, n)
        ones = bases * w + bases
        value = value + t * (w * t - (ones + ones))
        c0, c1, c2, c3 = splats(slopes * (w * t) + ones)
        q = _plus(_plus(q, c0, z0), c1, z1)
        q = _plus(_plus(q, c2, z2), c3, z3)
        n += 4
    rest = np.float64(total(value))
    while n < end:
        z0 = _row_of_four(Z, np.intp(indices[n]))
        t_n = total(_dot(z0, x))
        ones_n = base * weights[n] + base
        rest += t_n * (weights[n] * t_n - (ones_n + ones_n))
        q = _plus(q, splat(slope * (weights[n] * t_n) + ones_n), z0)
        n += 1
    for k in range(4):
        store(out, k * lanes, q[k])
    return rest


@inlined
def _four_vectors(array):
    lanes = VECTOR_BYTES // array.itemsize
    return (
        load(array, 0),
        load(array, lanes),
        load(array, 2 * lanes),
        load(array, 3 * lanes),
    )


@inlined
def _row_of_four(Z, row):
    lanes = VECTOR_BYTES // Z.itemsize
    return (
        load_row(Z, row, 0),
        load_row(Z, row, lanes),
        load_row(Z, row, 2 * lanes),
        load_row(Z, row, 3 * lanes),
    )


@inlined
def _dot(z, x):
    return z[0] * x[0] + z[1] * x[1] + z[2] * x[2] + z[3] * x[3]


@inlined
def _plus(q, c, z):
    return (q[0] + c * z[0], q[1] + c * z[1], q[2] + c * z[2], q[3] + c * z[3])


@inlined
def _prefetch(Z, row):
    lanes = VECTOR_BYTES // Z.itemsize
    prefetch(Z, row, 0)
    prefetch(Z, row, lanes)
    prefetch(Z, row, 2 * lanes)
    prefetch(Z, row, 3 * lanes)
