"""The best entries of rows, and ranks of the items that a user played, by counting."""

import numpy as np

from skcoldstart._kernels.compilation import njit

BLOCK = 32


@njit(cache=True, nogil=True)
def sift_down(values, items, root, size):
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
def make_heap(values, items, size):
    for root in range(size // 2 - 1, -1, -1):
        sift_down(values, items, root, size)


@njit(cache=True, nogil=True)
def sort_heap(values, items, size):
    """Sort the entries of a heap, best first; end the list with -inf and -1."""
    for last in range(size - 1, 0, -1):
        values[0], values[last] = values[last], values[0]
        items[0], items[last] = items[last], items[0]
        sift_down(values, items, 0, last)
    values[size:] = -np.inf
    items[size:] = -1


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
            make_heap(values, items, size)
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
                    sift_down(values, items, 0, capacity)
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
            make_heap(best, who, size)
        sort_heap(best, who, size)
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


RANKED, NAN_SCORE, HIDDEN_POSITIVE = 0, 1, 2
# Counting needs one pass over the items per positive; sorting costs as much as this
# many passes for any number of positives.
SORT_ABOVE = 1024


@njit(cache=True, nogil=True)
def _count_from_above(row, threshold):
    """Count scores above a threshold, and scores at or above it.

    Counters are kept int32 by explicit casts: numba's promotion to int64 would halve
    the scores compared per instruction. The loop runs over positions, because a loop
    over the array is not vectorized.
    """
    above = np.int32(0)
    reached = np.int32(0)
    for i in range(len(row)):
        above = np.int32(above + np.int32(row[i] > threshold))
        reached = np.int32(reached + np.int32(row[i] >= threshold))
    return above, reached


@njit(cache=True, nogil=True)
def _count_nan(row):
    n_nan = np.int32(0)
    for i in range(len(row)):
        n_nan = np.int32(n_nan + np.int32(row[i] != row[i]))
    return n_nan


@njit(cache=True, nogil=True)
def _count_equal(row, threshold, stop):
    n_equal = np.int32(0)
    for i in range(stop):
        n_equal = np.int32(n_equal + np.int32(row[i] == threshold))
    return n_equal


@njit(cache=True, nogil=True)
def _rank_by_sorting(row, positives, hidden, ranks):
    """Write the sorted ranks of positives; return twice the sum of their midranks."""
    kind = np.zeros(len(row), np.int8)
    kind[positives] = 1
    kind[hidden] = 2
    order = np.argsort(-row, kind="mergesort")
    doubled = np.int64(0)
    start = above = n_ranked = 0
    while start < len(order):
        tied = row[order[start]]
        stop, reached, first = start, above, n_ranked
        while stop < len(order) and row[order[stop]] == tied:
            item_kind = kind[order[stop]]
            reached += item_kind != 2
            if item_kind == 1:
                ranks[n_ranked] = reached
                n_ranked += 1
            stop += 1
        doubled += (n_ranked - first) * (above + reached + 1)
        start, above = stop, reached
    return doubled


@njit(cache=True, nogil=True)
def rank_positives(
    scores, indptr, items, hidden_indptr, hidden_items, ranks, midrank_sums
):
    """Rank each user's positives among the user's candidates.

    Shapes: `scores` (n_rows, n_items), `midrank_sums` (n_rows,).

    The rank of a positive with score t is 1 + #{s > t} + #{s = t at a lower item
    index}, as in a stable descending sort; its midrank is #{s > t} + (1 + #{s = t}) /
    2. Hidden items are counted out of both. Users with more than `SORT_ABOVE` positives
    are ranked by one sort, to the same numbers.
    """
    for u in range(len(scores)):
        row = scores[u]
        if _count_nan(row):
            return NAN_SCORE, u
        hidden = hidden_items[hidden_indptr[u] : hidden_indptr[u + 1]]
        first = indptr[u]
        if indptr[u + 1] - first > SORT_ABOVE:
            positives = items[first : indptr[u + 1]]
            if row[positives].min() == -np.inf:
                return HIDDEN_POSITIVE, u
            midrank_sums[u] = _rank_by_sorting(
                row, positives, hidden, ranks[first : indptr[u + 1]]
            )
            continue
        doubled = np.int64(0)
        for p in range(first, indptr[u + 1]):
            item = items[p]
            threshold = row[item]
            if threshold == -np.inf:
                return HIDDEN_POSITIVE, u
            above, reached = _count_from_above(row, threshold)
            for h in hidden:
                above -= row[h] > threshold
                reached -= row[h] >= threshold
            rank = above + 1
            if reached > rank:
                rank += _count_equal(row, threshold, item)
                for h in hidden:
                    rank -= h < item and row[h] == threshold
            doubled += above + reached + 1
            place = p
            while place > first and ranks[place - 1] > rank:
                ranks[place] = ranks[place - 1]
                place -= 1
            ranks[place] = rank
        midrank_sums[u] = doubled
    return RANKED, -1


@njit(cache=True, nogil=True)
def count_between(scores, thresholds, between, equal):
    """Add scores to the histogram between sorted thresholds.

    Shapes: `scores` (n_scores,), `thresholds` (n,), `between` (n + 1,), `equal` (n,).
    """
    for score in scores:
        low, high = 0, len(thresholds)
        while low < high:
            middle = (low + high) >> 1
            if thresholds[middle] < score:
                low = middle + 1
            else:
                high = middle
        if low < len(thresholds) and thresholds[low] == score:
            equal[low] += 1
        else:
            between[low] += 1
