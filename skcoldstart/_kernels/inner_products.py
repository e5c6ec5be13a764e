"""Find the largest inner products exactly, without computing all of them.

Vectors are sorted by length, longest first, and stored in blocks of 256: a block holds
groups of eight coordinates, one coordinate of all 256 vectors after the other, so that
plain loops over a block are compiled to wide vector operations.
"""

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.ranking import make_heap, sift_down, sort_heap

BLOCK_VECTORS, STEP = 256, 8

# With unsigned indices the compiler needs no branch for negative ones.
_BLOCK, _STEP, _STRIP = np.uint64(BLOCK_VECTORS), np.uint64(STEP), np.uint64(16)
_0, _1, _2, _3, _4, _5, _6, _7 = (np.uint64(i) for i in range(8))
# Limits are lowered by more than their rounding errors and those of bounds, which are
# a share of the longest vector in the block for each term.
_EPSILON, _TINY = 2.0**-24, 1e-40


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def product_of(vectors, v, queries, q, n_components):
    """Return the float32 product of two rows that begin at v and q, by float64.

    Equal rows give equal bits, because it is called in one place.
    """
    total = 0.0
    for f in range(n_components):
        total += np.float64(vectors[v + f]) * np.float64(queries[q + f])
    return np.float32(total)


@njit(inline="always")
def add_step(blocks, at, heads, place, sums, bounds, lowest, first):
    """Add eight coordinates to the products of a block; bound the products.

    Returns how many bounds reach the lowest that matters.
    """
    n_reaching = np.int32(0)
    q0, q1 = heads[place], heads[place + _1]
    q2, q3 = heads[place + _2], heads[place + _3]
    q4, q5 = heads[place + _4], heads[place + _5]
    q6, q7 = heads[place + _6], heads[place + _7]
    rest = heads[place + _STEP]
    for lane in range(_BLOCK):
        i = at + lane
        s0 = blocks[i] * q0
        i += _BLOCK
        s1 = blocks[i] * q1
        i += _BLOCK
        s0 += blocks[i] * q2
        i += _BLOCK
        s1 += blocks[i] * q3
        i += _BLOCK
        s2 = blocks[i] * q4
        i += _BLOCK
        s3 = blocks[i] * q5
        i += _BLOCK
        s2 += blocks[i] * q6
        i += _BLOCK
        s3 += blocks[i] * q7
        i += _BLOCK
        added = (s0 + s1) + (s2 + s3)
        if not first:
            added += sums[lane]
        sums[lane] = added
        bound = added + blocks[i] * rest
        bounds[lane] = bound
        n_reaching = np.int32(n_reaching + np.int32(bound >= lowest))
    return n_reaching


@njit(inline="always")
def next_reaching(bounds, lane, limit):
    """Return the first lane from here on whose bound reaches the limit, or 256."""
    while lane < _BLOCK:
        if lane % _STRIP == _0:  # counting without branches is vectorized
            n_reaching = np.int32(0)
            for i in range(lane, lane + _STRIP):
                n_reaching = np.int32(n_reaching + np.int32(bounds[i] >= limit))
            if n_reaching == 0:
                lane += _STRIP
                continue
        if bounds[lane] >= limit:
            break
        lane += _1
    return lane


@njit(cache=True, nogil=True)
def _is_hidden(row, hidden, begin, end):
    """Return whether a row is among the sorted hidden ones from begin to end."""
    last = end
    while begin < end:
        middle = (begin + end) // 2
        if hidden[middle] < row:
            begin = middle + 1
        else:
            end = middle
    return begin < last and hidden[begin] == row


@njit(cache=True, nogil=True)
def _offer(value, row, values, items, size):
    """Add a row to the heap of the best if it is one of them; return the size."""
    capacity = len(values)
    if size < capacity:
        values[size] = value
        items[size] = row
        size += 1
        if size == capacity:
            make_heap(values, items, size)
    elif value > values[0] or (value == values[0] and row < items[0]):
        values[0] = value
        items[0] = row
        sift_down(values, items, 0, capacity)
    return size


@njit(cache=True, nogil=True)
def _first_rows(n_rows, hidden, begin, end, values, items):
    """Return how many rows from 0 on are written, all with a product of zero."""
    size = 0
    row = 0
    while size < len(values) and row < n_rows:
        if not _is_hidden(row, hidden, begin, end):
            values[size] = 0
            items[size] = row
            size += 1
        row += 1
    return size


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"})
def search_products(index, queries, hidden, items, values):
    """Write the rows with the largest products with each query, best first.

    Shapes: `index` is blocks (n_blocks * n_steps * 9 * 256,), lengths (n_blocks,),
    vectors (n_vectors * k,), rows (n_vectors,) and the largest length; `queries` is
    heads (n_queries * n_steps * 9,), vectors (n_queries * k,) and lengths (n_queries,);
    `hidden` is indptr (n_queries + 1,) and rows; `items`, `values` (n_queries, n).
    Writes `items`, `values`.

    In rotated coordinates, scaled to lengths of at most 1, the sum over the first
    coordinates and the product of the lengths of the others,

        q'v <= sum_(j < s) q_j v_j + |q_(j >= s)| |v_(j >= s)|,

    bounds a product from above. Rows whose bound reaches the worst product kept so far
    are compared by their products; a query ends where the longest vector left is too
    short for it. Limits are lowered by more than all rounding errors of the bounds.
    """
    blocks, lengths, vectors, rows, longest = index
    heads, flat, query_lengths = queries
    hidden_indptr, hidden_rows = hidden
    n_queries, n_best = items.shape
    n_vectors = len(rows)
    k = np.uint64(len(vectors) // n_vectors)
    n_block = (_STEP + _1) * _BLOCK
    n_blocks = np.uint64(len(lengths))
    n_steps = np.uint64(len(blocks)) // (n_blocks * n_block)
    n_terms = n_steps * (_STEP + _1)
    slack = _EPSILON * (2 * n_terms + 32)
    sums, bounds = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
    active, sizes = np.arange(n_queries), np.zeros(n_queries, np.int64)
    limits = np.full(n_queries, -np.inf)
    n_active = n_queries
    for block in range(n_blocks):
        length = lengths[block]
        first = np.int64(block * _BLOCK)
        n_here = min(np.int64(_BLOCK), n_vectors - first)
        n_left = 0
        for turn in range(n_active):
            i = active[turn]
            best, who, size = values[i], items[i], sizes[i]
            begin, end = hidden_indptr[i], hidden_indptr[i + 1]
            if query_lengths[i] == 0:
                sizes[i] = _first_rows(n_vectors, hidden_rows, begin, end, best, who)
                continue
            limit = limits[i] - slack * length - _TINY
            if length < limit:
                continue
            active[n_left] = i
            n_left += 1
            lowest = np.float32(limit)
            n_reaching = np.int32(_BLOCK)
            step = _0
            if size < n_best:
                bounds[:] = np.inf
            else:
                while step < n_steps and n_reaching:
                    n_reaching = add_step(
                        blocks,
                        (step * n_blocks + block) * n_block,
                        heads,
                        np.uint64(i) * n_terms + step * (_STEP + _1),
                        sums,
                        bounds,
                        lowest,
                        step == _0,
                    )
                    step += _1
            if not n_reaching:
                continue
            lane = next_reaching(bounds, _0, lowest)
            while lane < _BLOCK and np.int64(lane) < n_here:
                place = first + np.int64(lane)
                lane += _1
                value = product_of(
                    vectors, np.uint64(place) * k, flat, np.uint64(i) * k, k
                )
                row = rows[place]
                worse = value < best[0] or (value == best[0] and row > who[0])
                if not (size == n_best and worse) and not _is_hidden(
                    row, hidden_rows, begin, end
                ):
                    size = _offer(value, row, best, who, size)
                    if size == n_best:
                        # A product below this one is never rounded to the worst kept.
                        below = np.nextafter(best[0], np.float32(-np.inf))
                        limits[i] = np.float64(below) / (query_lengths[i] * longest)
                        limit = limits[i] - slack * length - _TINY
                        lowest = np.float32(limit)
                lane = next_reaching(bounds, lane, lowest)
            sizes[i] = size
        n_active = n_left
    for i in range(n_queries):
        make_heap(values[i], items[i], sizes[i])
        sort_heap(values[i], items[i], sizes[i])
