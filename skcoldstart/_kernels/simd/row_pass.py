"""The pass over the entries of one row, a vector of entries at a time."""

import numpy as np
from llvmlite import binding

from skcoldstart._kernels.row_pass import inlined, weigh
from skcoldstart._kernels.simd.rows import (
    add_row,
    add_rows,
    dot,
    dots,
    read_row,
    write_row,
)
from skcoldstart._kernels.simd.vectors import (
    lanes_of,
    load,
    load_at,
    prefetch_at,
    splat,
    store,
    total,
)

LOOKAHEAD = 16  # entries between the current one and the prefetched one
# Vectors of a row that stay in registers during the pass, in two copies; measured with
# AVX-512, which has twice as many and twice as wide registers, and with AVX2. Passes
# over 16 to 128 numbers gain 10 to 50 percent.
MOST_VECTORS = 8 if binding.get_host_cpu_features().get("avx512f") else 5


def width_of(Z):
    """Return a tuple with one element for each vector of a row, None for many."""
    n_vectors = Z.shape[1] // lanes_of(Z)
    return (0,) * n_vectors if n_vectors <= MOST_VECTORS else None


@inlined
def accumulate(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored, width
):
    """Accumulate like `accumulate` of the plain pass."""
    if width is None:
        return _accumulate_from_memory(
            *(Z, indices, weights, begin, end),
            *(vector, base, slope, out, prefetch, n_stored),
        )
    return _accumulate_in_registers(
        *(Z, indices, weights, begin, end),
        *(vector, base, slope, out, prefetch, n_stored, width),
    )


@inlined
def _accumulate_in_registers(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored, width
):
    """Read `vector` and `out` once; read each row of Z twice."""
    lanes = lanes_of(Z)
    value = splat(Z.dtype.type(0))
    x, q = read_row(vector, width), read_row(out, width)
    n = begin
    while n + lanes <= end:
        ahead = prefetch and n + LOOKAHEAD + lanes <= n_stored
        t = dots(Z, indices, n, x, LOOKAHEAD if ahead else 0)
        c, share = weigh(t, load(weights, n), base, slope)
        value = value + share
        q = add_rows(q, c, Z, indices, n)
        n += lanes
    rest = np.float64(total(value))
    while n < end:
        if prefetch and n + LOOKAHEAD < n_stored:
            for j in range(0, Z.shape[1], lanes):
                prefetch_at(Z, indices[n + LOOKAHEAD], j)
        c_n, share_n = weigh(total(dot(Z, indices[n], x)), weights[n], base, slope)
        rest += share_n
        q = add_row(q, c_n, Z, indices[n])
        n += 1
    write_row(out, q)
    return rest


@inlined
def _accumulate_from_memory(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored
):
    """Read `vector` and `out` once for each four entries."""
    lanes = lanes_of(Z)
    zero = splat(Z.dtype.type(0))
    n_dims = Z.shape[1]
    value = 0.0
    n = begin
    while n + 4 <= end:
        ahead = n + LOOKAHEAD if n + LOOKAHEAD + 4 <= n_stored else n
        i0, i1, i2, i3 = indices[n], indices[n + 1], indices[n + 2], indices[n + 3]
        t0 = t1 = t2 = t3 = zero
        for j in range(0, n_dims, lanes):
            x = load(vector, j)
            t0 = t0 + load_at(Z, i0, j) * x
            t1 = t1 + load_at(Z, i1, j) * x
            t2 = t2 + load_at(Z, i2, j) * x
            t3 = t3 + load_at(Z, i3, j) * x
            if prefetch:
                for later in range(ahead, ahead + 4):
                    prefetch_at(Z, indices[later], j)
        c0, share0 = weigh(total(t0), weights[n], base, slope)
        c1, share1 = weigh(total(t1), weights[n + 1], base, slope)
        c2, share2 = weigh(total(t2), weights[n + 2], base, slope)
        c3, share3 = weigh(total(t3), weights[n + 3], base, slope)
        value += share0 + share1 + share2 + share3
        for j in range(0, n_dims, lanes):
            even = load_at(Z, i0, j) * c0 + load(out, j)
            odd = load_at(Z, i1, j) * c1
            even = even + load_at(Z, i2, j) * c2
            odd = odd + load_at(Z, i3, j) * c3
            store(out, j, even + odd)
        n += 4
    while n < end:
        t = zero
        for j in range(0, n_dims, lanes):
            t = t + load_at(Z, indices[n], j) * load(vector, j)
        c, share = weigh(total(t), weights[n], base, slope)
        value += share
        for j in range(0, n_dims, lanes):
            store(out, j, load(out, j) + load_at(Z, indices[n], j) * c)
        n += 1
    return value
