"""The pass over the entries of one row that every solver of ALS is made of."""

import numpy as np
from llvmlite import binding

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.held_rows import (
    add_row,
    add_rows,
    ask_for,
    dot,
    dots,
    load_held,
    store_held,
)
from skcoldstart._kernels.vectors import (
    lanes_of,
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
# Vectors of a row that is held in registers, twice; measured with AVX-512, whose
# registers are twice as many and twice as wide, and with AVX2.
MOST_HELD = 8 if binding.get_host_cpu_features().get("avx512f") else 5

# No "nrt": these kernels make no arrays, and to count the references of those they are
# given, in each pass over a row, cost as much as the pass where rows are short.
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FAST, "_nrt": False}
jit = njit(cache=True, **_OPTIONS)
inlined = njit(forceinline=True, **_OPTIONS)


def held_of(Z):
    """Return what tells kernels how many vectors a row of Z has, None for many."""
    n_vectors = Z.shape[1] // lanes_of(Z)
    return (0,) * n_vectors if n_vectors <= MOST_HELD else None


@inlined
def accumulate(
    Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored, held
):
    """Add the entries of one row to `out`; return their share of a quadratic form.

    With ``t_n = z_n'vector``, ``out += sum_n (base (1 + w_n) + slope w_n t_n) z_n``
    and the result is ``sum_n t_n (w_n t_n - 2 base (1 + w_n))``. `far` says that the
    rows of Z are not in a near cache; then those of later entries, of the next row
    too, are asked for ahead. `held` is from `held_of`.
    """
    if held is None:
        return _accumulate_from_memory(
            Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored
        )
    add = _accumulate_by_fours if len(held) == 4 else _accumulate_by_vectors
    return add(
        Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored, held
    )


@inlined
def _accumulate_by_vectors(
    Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored, held
):
    """Take as many entries at a time as a vector has numbers; read rows twice."""
    lanes = lanes_of(Z)
    value = splat(Z.dtype.type(0))
    x, q = load_held(vector, held), load_held(out, held)
    n = begin
    while n + lanes <= end:
        asking = far and n + LOOKAHEAD + lanes <= n_stored
        t = dots(Z, indices, n, x, LOOKAHEAD if asking else 0)
        c, share = _weigh(t, load(weights, n), base, slope)
        value = value + share
        q = add_rows(q, c, Z, indices, n)
        n += lanes
    rest, q = _add_rest(
        Z, indices, weights, n, end, x, base, slope, q, far, n_stored, held
    )
    store_held(out, q)
    return rest + np.float64(total(value))


@inlined
def _accumulate_by_fours(
    Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored, held
):
    """Take four entries of four vectors at a time: as many as registers can keep."""
    value = splat_four(Z.dtype.type(0))
    x, q = load_held(vector, held), load_held(out, held)
    n = begin
    while n + 4 <= end:
        if far and n + LOOKAHEAD + 4 <= n_stored:
            for k in range(n + LOOKAHEAD, n + LOOKAHEAD + 4):
                ask_for(Z, indices[k], held)
        z0 = load_held(Z[np.intp(indices[n])], held)
        z1 = load_held(Z[np.intp(indices[n + 1])], held)
        z2 = load_held(Z[np.intp(indices[n + 2])], held)
        z3 = load_held(Z[np.intp(indices[n + 3])], held)
        t = totals(_dot(z0, x), _dot(z1, x), _dot(z2, x), _dot(z3, x))
        c, share = _weigh(t, load_four(weights, n), base, slope)
        value = value + share
        c0, c1, c2, c3 = splats(c)
        q = _plus(_plus(q, c0, z0), c1, z1)
        q = _plus(_plus(q, c2, z2), c3, z3)
        n += 4
    rest, q = _add_rest(
        Z, indices, weights, n, end, x, base, slope, q, far, n_stored, held
    )
    store_held(out, q)
    return rest + np.float64(total(value))


@inlined
def _add_rest(Z, indices, weights, begin, end, x, base, slope, q, far, n_stored, held):
    """Return the share of entries taken one by one, and q with them."""
    value = 0.0
    for n in range(begin, end):
        if far and n + LOOKAHEAD < n_stored:
            ask_for(Z, indices[n + LOOKAHEAD], held)
        c, share = _weigh(total(dot(Z, indices[n], x)), weights[n], base, slope)
        value += share
        q = add_row(q, c, Z, indices[n])
    return value, q


@inlined
def _accumulate_from_memory(
    Z, indices, weights, begin, end, vector, base, slope, out, far, n_stored
):
    """Take four entries of any length at a time, for each part of `vector`, `out`."""
    lanes = lanes_of(Z)
    n_dims = Z.shape[1]
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
        c, share = _weigh(t, load_four(weights, n), base, slope)
        value = value + share
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
        t0 = zero
        for j in range(0, n_dims, lanes):
            t0 = t0 + load_row(Z, row, j) * load(vector, j)
        c_n, share_n = _weigh(total(t0), weights[n], base, slope)
        rest += share_n
        for j in range(0, n_dims, lanes):
            store(out, j, load_row(Z, row, j) * c_n + load(out, j))
        n += 1
    return rest


@inlined
def _weigh(t, w, base, slope):
    """Return coefficient and share of entries, side by side or of one."""
    weighted = w * t
    if base == 0:
        return weighted * slope, weighted * t
    ones = w * base + base
    return weighted * slope + ones, t * (weighted - (ones + ones))


@inlined
def _dot(z, x):
    return z[0] * x[0] + z[1] * x[1] + z[2] * x[2] + z[3] * x[3]


@inlined
def _plus(q, c, z):
    return (q[0] + c * z[0], q[1] + c * z[1], q[2] + c * z[2], q[3] + c * z[3])
