"""Most violated rankings of structured hinge losses: AUC, MRR and MAP.

A query has P relevant items of scores s_i, N irrelevant ones of scores t_j, and
w = 2 / (P N). A ranking of them costs its loss plus w (t_j - s_i) for each pair that it
inverts (irrelevant j above relevant i), and the hinge is the largest cost. Kernels
return it with its gradient in the scores: w times the relevant items below an
irrelevant one, -w times the irrelevant items above a relevant one.

McFee, Lanckriet, "Metric learning to rank", ICML 2010, section 3.2.
"""

import numpy as np

from skcoldstart._kernels.compilation import njit

MARGIN = 0.5  # an inverted pair costs 1 / (P N) of AUC, which is w / 2
LINEAR_SEARCH = 16  # relevant items up to which counting beats a binary search


@njit(cache=True, nogil=True)
def query_of(q, row, queries, groups, indptr, items, marks):
    """Return a query's relevant items, their order and rising scores, N, and w.

    Shapes: `row` (n_items,), `groups` (n_items,), `marks` (n_items,) -> `relevant`
    (P,), `order` (P,), `rising` (P,).

    Writes 1 for irrelevant items to `marks`, 0 for the others. The items of the query's
    own group, the query among them, are neither relevant nor irrelevant.
    """
    relevant = items[indptr[q] : indptr[q + 1]]
    n_irrelevant = -len(relevant)
    for j in range(len(groups)):
        is_candidate = groups[j] != groups[queries[q]]
        marks[j] = is_candidate
        n_irrelevant += is_candidate
    for i in relevant:
        marks[i] = 0.0
    order = np.argsort(row[relevant], kind="mergesort")
    w = 2.0 / (len(relevant) * n_irrelevant)
    return relevant, order, row[relevant][order], n_irrelevant, w


@njit(cache=True, nogil=True)
def prefix_sums(rising):
    """Return the sums of the first 0, 1, ..., P scores."""
    sums = np.zeros(len(rising) + 1)
    for p in range(len(rising)):
        sums[p + 1] = sums[p] + rising[p]
    return sums


@njit(cache=True, nogil=True)
def count_below(rising, threshold):
    """Count scores below a threshold in an increasing array."""
    n = len(rising)
    if n <= LINEAR_SEARCH:
        below = 0
        for p in range(n):
            below += rising[p] < threshold
        return below
    low, high = 0, n
    while low < high:
        middle = (low + high) >> 1
        if rising[middle] < threshold:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _sink(heap, row, place, size):
    """Restore the order of a heap below a place."""
    item = heap[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and row[heap[child + 1]] > row[heap[child]]:
            child += 1
        if row[heap[child]] <= row[item]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = item


@njit(cache=True, nogil=True)
def heap_of_irrelevant(row, marks, n_irrelevant):
    """Return a heap of the marked items, with the highest score on top."""
    heap = np.empty(n_irrelevant, np.int32)
    size = 0
    for j in range(len(row)):
        if marks[j] != 0.0:
            heap[size] = j
            size += 1
    for place in range(size // 2 - 1, -1, -1):
        _sink(heap, row, place, size)
    return heap


@njit(cache=True, nogil=True)
def pop_best(heap, row, size):
    best = heap[0]
    heap[0] = heap[size - 1]
    _sink(heap, row, 0, size - 1)
    return best


@njit(cache=True, nogil=True)
def write_relevant(relevant, order, inverted_by, w, gradient):
    """Write -w times the irrelevant items above each relevant one.

    Shapes: `relevant` (P,), `order` (P,), `inverted_by` (P + 1,), `gradient`
    (n_items,).
    """
    above = 0
    for p in range(len(relevant) - 1, -1, -1):
        above += inverted_by[p + 1]
        gradient[relevant[order[p]]] = -w * above


@njit(cache=True, nogil=True)
def separate_auc(scores, queries, groups, indptr, items, gradients, hinges):
    """Find the most violated rankings under 1 - AUC.

    Shapes: `scores` (n_queries, n_items), `queries` (n_queries,), `groups` (n_items,),
    `gradients` (n_queries, n_items), `hinges` (n_queries,).

    Pairs are independent: j is ranked above i iff t_j + 1/2 > s_i.
    """
    for q in range(len(scores)):
        row, gradient = scores[q], gradients[q]
        relevant, order, rising, _, w = query_of(
            q, row, queries, groups, indptr, items, gradient
        )
        sums = prefix_sums(rising)
        inverted_by = np.zeros(len(relevant) + 1, np.int64)
        hinge = 0.0
        for j in range(len(row)):
            if gradient[j] != 0.0:
                reach = row[j] + MARGIN
                below = count_below(rising, reach)
                hinge += below * reach - sums[below]
                inverted_by[below] += 1
                gradient[j] = w * below
        hinges[q] = w * hinge
        write_relevant(relevant, order, inverted_by, w, gradient)


@njit(cache=True, nogil=True)
def separate_mrr(scores, queries, groups, indptr, items, gradients, hinges):
    """Find the most violated rankings under 1 - 1 / (rank of the first relevant item).

    With x irrelevant items at the top, the other irrelevant items only cost their
    violations of the relevant items except the best. The best x irrelevant items move
    to the top, and each gains less than the previous one: stop at the first without a
    gain.
    """
    for q in range(len(scores)):
        row, gradient = scores[q], gradients[q]
        relevant, order, rising, n_irrelevant, w = query_of(
            q, row, queries, groups, indptr, items, gradient
        )
        n_relevant = len(relevant)
        sums = prefix_sums(rising)
        lower = rising[:-1]
        heap = heap_of_irrelevant(row, gradient, n_irrelevant)
        inverted_by = np.zeros(n_relevant + 1, np.int64)
        violation = 0.0
        for j in range(len(row)):
            if gradient[j] != 0.0:
                below = count_below(lower, row[j])
                violation += below * row[j] - sums[below]
                inverted_by[below] += 1
                gradient[j] = w * below
        hinge = w * violation
        x = 0
        while x < n_irrelevant:
            best = pop_best(heap, row, n_irrelevant - x)
            t = row[best]
            below = count_below(lower, t)
            more = (n_relevant - below) * t - (sums[n_relevant] - sums[below])
            gain = 1.0 / ((x + 1.0) * (x + 2.0)) + w * more
            if gain <= 0.0:
                break
            hinge += gain
            inverted_by[below] -= 1
            inverted_by[n_relevant] += 1
            gradient[best] = w * n_relevant
            x += 1
        hinges[q] = hinge
        write_relevant(relevant, order, inverted_by, w, gradient)


@njit(cache=True, nogil=True)
def separate_map(scores, queries, groups, indptr, items, gradients, hinges):
    """Find the most violated rankings under 1 - average precision.

    Irrelevant items are placed from the best to the worst. The j-th, put above the K-th
    best relevant item, changes the cost by K / ((K + j - 1)(K + j)) / P - w (s_K -
    t_j); it is placed above the k-th for the k with the largest sum over K >= k, or
    stays last. A later item is never placed above an earlier one.
    """
    for q in range(len(scores)):
        row, gradient = scores[q], gradients[q]
        relevant, order, rising, n_irrelevant, w = query_of(
            q, row, queries, groups, indptr, items, gradient
        )
        n_relevant = len(relevant)
        heap = heap_of_irrelevant(row, gradient, n_irrelevant)
        for j in heap:
            gradient[j] = 0.0
        inverted_by = np.zeros(n_relevant + 1, np.int64)
        hinge = 0.0
        most = n_relevant  # relevant items that the next one may be placed above
        for j in range(1, n_irrelevant + 1):
            best = pop_best(heap, row, n_irrelevant - j + 1)
            t = row[best]
            total = top = 0.0
            below = 0
            for p in range(most):
                K = n_relevant - p
                gain = K / ((K + j - 1.0) * (K + j)) / n_relevant
                total += gain - w * (rising[p] - t)
                if total > top:
                    top, below = total, p + 1
            if below == 0:
                break
            hinge += top
            inverted_by[below] += 1
            gradient[best] = w * below
            most = below
        hinges[q] = hinge
        write_relevant(relevant, order, inverted_by, w, gradient)
