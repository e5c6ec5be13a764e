"""The best n entries of each row."""

import numpy as np

from skcoldstart._kernels.compilation import njit

BLOCK = 32


@njit(cache=True, nogil=True)
def _sift_down(values, items, root, size):
    """Restore the heap whose root is its worst entry: lowest value, then last item."""
    while True:
        child = 2 * root + 1
        if child >= size:
            return
        other = child + 1
        if other < size and (
            values[other] < values[child]
            or (values[other] == values[child] and items[other] > items[child])
        ):
            child = other
        if values[child] > values[root] or (
            values[child] == values[root] and items[child] < items[root]
        ):
            return
        values[root], values[child] = values[child], values[root]
        items[root], items[child] = items[child], items[root]
        root = child


@njit(cache=True, nogil=True)
def _offer(row, begin, end, values, items, size):
    """Add entries begin..end of a row to the heap of its best; return its size."""
    capacity = len(values)
    j = begin
    while j < end and size < capacity:
        values[size] = row[j]
        items[size] = j
        size += 1
        j += 1
        if size == capacity:
            for root in range(capacity // 2 - 1, -1, -1):
                _sift_down(values, items, root, capacity)
    while j < end:
        stop = min(j + BLOCK, end)
        worst_kept = values[0]
        n_better = 0
        for t in range(j, stop):  # counting without branches is vectorized
            n_better += row[t] > worst_kept
        if n_better:
            for t in range(j, stop):
                if (
                    row[t] > values[0]
                ):  # a tie is not added, because its item comes later
                    values[0] = row[t]
                    items[0] = t
                    _sift_down(values, items, 0, capacity)
        j = stop
    return size


@njit(cache=True, nogil=True)
def select_top_n(scores, indptr, indices, users, items, values):
    """Write the best entries of each row, best first; return a row with NaN or -1.

    Shapes: `scores` (n_rows, n_items), `users` (n_rows,), `items` (n_rows, n), `values`
    (n_rows, n).
    """
    n_rows, n_items = scores.shape
    n = items.shape[1]
    for i in range(n_rows):
        row = scores[i]
        n_missing = 0
        for j in range(n_items):
            n_missing += row[j] != row[j]
        if n_missing:
            return i
        best, who = values[i], items[i]
        size, begin = 0, 0
        for t in range(indptr[users[i]], indptr[users[i] + 1]):
            size = _offer(row, begin, indices[t], best, who, size)
            begin = indices[t] + 1
        size = _offer(row, begin, n_items, best, who, size)
        if size < n:
            for root in range(size // 2 - 1, -1, -1):
                _sift_down(best, who, root, size)
        for last in range(size - 1, 0, -1):
            best[0], best[last] = best[last], best[0]
            who[0], who[last] = who[last], who[0]
            _sift_down(best, who, 0, last)
        best[size:] = -np.inf
        who[size:] = -1
    return -1


@njit(cache=True, nogil=True)
def keep_best_of_groups(scores, order, starts, n_kept):
    """Set all but the best entries of each group to -inf.

    Shapes: `scores` (n_rows, n_items), `order` (n_items,), items by group and in each
    by index, `starts` (n_groups + 1,).
    """
    values, places = np.empty(n_kept, scores.dtype), np.empty(n_kept, np.int64)
    for i in range(len(scores)):
        row = scores[i]
        for g in range(len(starts) - 1):
            members = order[starts[g] : starts[g + 1]]
            if len(members) <= n_kept:
                continue
            own = row[members]
            _offer(own, 0, len(own), values, places, 0)
            row[members] = -np.inf
            for t in range(n_kept):
                row[members[places[t]]] = values[t]
