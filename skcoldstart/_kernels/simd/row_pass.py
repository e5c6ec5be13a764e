"""The pass over the entries of one row, a vector of entries at a time."""

import numpy as np
from llvmlite import binding

from skcoldstart._kernels.row_pass import inlined, weigh
from skcoldstart._kernels.simd.rows import (
    add_row,
    add_rows,
    dot,
    dots,
    prefetch_row,
    read_row,
    write_row,
)
from skcoldstart._kernels.simd.vectors import lanes_of, load, splat, total

LOOKAHEAD = 16  # entries between the current one and the prefetched one
# Vectors of a row that stay in registers during the pass, in two copies; measured with
# AVX-512, which has twice as many and twice as wide registers, and with AVX2. Passes
# over 16 to 128 numbers gain 10 to 50 percent.
MOST_VECTORS = 8 if binding.get_host_cpu_features().get("avx512f") else 5
PART = (0,) * 4  # of a longer row: vectors at a time, measured
_ONE = (0,)


def width_of(Z):
    """Return a tuple whose length is the number of vectors of a row at a time."""
    n_vectors = Z.shape[1] // lanes_of(Z)
    return (0,) * n_vectors if n_vectors <= MOST_VECTORS else PART


@inlined
def accumulate(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored, width
):
    """Accumulate like `accumulate` of the plain pass."""
    if len(width) == len(PART) and Z.shape[1] > len(PART) * lanes_of(Z):
        return _accumulate_in_parts(
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
    x, q = read_row(vector, 0, width), read_row(out, 0, width)
    n = begin
    while n + lanes <= end:
        ahead = prefetch and n + LOOKAHEAD + lanes <= n_stored
        t = dots(Z, indices, n, 0, x, LOOKAHEAD if ahead else 0)
        c, share = weigh(t, load(weights, n), base, slope)
        value = value + share
        q = add_rows(q, c, Z, indices, n, 0)
        n += lanes
    rest = np.float64(total(value))
    while n < end:
        if prefetch and n + LOOKAHEAD < n_stored:
            prefetch_row(Z, indices[n + LOOKAHEAD], 0, width)
        c_n, share_n = weigh(total(dot(Z, indices[n], 0, x)), weights[n], base, slope)
        rest += share_n
        q = add_row(q, c_n, Z, indices[n], 0)
        n += 1
    write_row(out, 0, q)
    return rest


@inlined
def _accumulate_in_parts(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored
):
    """Read `vector` and `out` in parts for each vector of entries."""
    lanes = lanes_of(Z)
    zero = splat(Z.dtype.type(0))
    n_dims = Z.shape[1]
    step = len(PART) * lanes
    whole = n_dims // step * step
    value = zero
    n = begin
    while n + lanes <= end:
        asking = prefetch and n + LOOKAHEAD + lanes <= n_stored
        ahead = LOOKAHEAD if asking else 0
        t = zero
        for j in range(0, whole, step):
            t = t + dots(Z, indices, n, j, read_row(vector, j, PART), ahead)
        for j in range(whole, n_dims, lanes):
            t = t + dots(Z, indices, n, j, read_row(vector, j, _ONE), ahead)
        c, share = weigh(t, load(weights, n), base, slope)
        value = value + share
        for j in range(0, whole, step):
            write_row(out, j, add_rows(read_row(out, j, PART), c, Z, indices, n, j))
        for j in range(whole, n_dims, lanes):
            write_row(out, j, add_rows(read_row(out, j, _ONE), c, Z, indices, n, j))
        n += lanes
    rest = np.float64(total(value))
    while n < end:
        t_n = zero
        for j in range(0, whole, step):
            t_n = t_n + dot(Z, indices[n], j, read_row(vector, j, PART))
        for j in range(whole, n_dims, lanes):
            t_n = t_n + dot(Z, indices[n], j, read_row(vector, j, _ONE))
        c_n, share_n = weigh(total(t_n), weights[n], base, slope)
        rest += share_n
        for j in range(0, whole, step):
            write_row(out, j, add_row(read_row(out, j, PART), c_n, Z, indices[n], j))
        for j in range(whole, n_dims, lanes):
            write_row(out, j, add_row(read_row(out, j, _ONE), c_n, Z, indices[n], j))
        n += 1
    return rest
