"""Most violated rankings of losses that depend only on the first k ranks."""

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.separation import (
    count_below,
    heap_of_irrelevant,
    pop_best,
    prefix_sums,
    query_of,
    write_relevant,
)


@njit(cache=True, nogil=True)
def _fill_table(falling, best, gains, w, tail, values, last_is_relevant):
    """Fill the table of best costs of first ranks; return its best end.

    Shapes: `falling` (P,), `best` (B,), `gains` (depth,), `tail` (depth + 1,), `values`
    (depth + 1, depth + 1).

    values[a, b] is the largest cost of a ranking that begins with the a best relevant
    and the b best irrelevant items, of what is decided by then.
    """
    depth, n_relevant = len(gains), len(falling)
    remaining = np.zeros(n_relevant + 1)
    for a in range(n_relevant - 1, -1, -1):
        remaining[a] = remaining[a + 1] + falling[a]
    values[:] = -np.inf
    values[0, 0] = 1.0
    best_a, best_value = -1, -np.inf
    for a in range(min(depth, n_relevant) + 1):
        # Violations, in score order, of pairs removed by the first ranks.
        taken = 0.0
        for b in range(min(depth - a, len(best)) + 1):
            if a > 0:
                values[a, b] = values[a - 1, b] - gains[a + b - 1]
                last_is_relevant[a, b] = True
            if b > 0:
                t = best[b - 1]
                pairs = (n_relevant - a) * t - remaining[a]
                other = values[a, b - 1] + w * pairs
                if other > values[a, b]:
                    values[a, b] = other
                    last_is_relevant[a, b] = False
                for i in range(n_relevant - 1, a - 1, -1):
                    if falling[i] >= t:
                        break
                    taken += t - falling[i]
            if a + b == depth:
                end = values[a, b] + w * (tail[a] - taken)
                if end > best_value:
                    best_a, best_value = a, end
    return best_a, best_value


@njit(cache=True, nogil=True)
def separate_at_k(scores, queries, groups, indptr, items, gradients, hinges, discounts):
    """Find the most violated rankings under 1 - (discounted) precision at k.

    Shapes: `discounts` (k,).

    A relevant item at rank p <= k subtracts discounts[p] / (the largest possible sum of
    discounts of relevant items) from the loss. The first k ranks contain the best items
    of both kinds, each kind in score order, and are found by dynamic programming; the
    others are in score order.
    """
    for q in range(len(scores)):
        row, gradient = scores[q], gradients[q]
        relevant, order, rising, n_irrelevant, w = query_of(
            q, row, queries, groups, indptr, items, gradient
        )
        n_relevant = len(relevant)
        depth = min(len(discounts), n_relevant + n_irrelevant)
        gains = discounts[:depth] / discounts[: min(depth, n_relevant)].sum()

        heap = heap_of_irrelevant(row, gradient, n_irrelevant)
        best = np.empty(min(depth, n_irrelevant), np.int32)
        for b in range(len(best)):
            best[b] = pop_best(heap, row, n_irrelevant - b)

        # In score order: the relevant items below each irrelevant one, and the
        # violation of each relevant item.
        counts = np.zeros(n_relevant + 1, np.int64)
        sums = np.zeros(n_relevant + 1)
        for j in range(len(row)):
            if gradient[j] != 0.0:
                below = count_below(rising, row[j])
                counts[below] += 1
                sums[below] += row[j]
                gradient[j] = below
        tail = np.zeros(depth + 1)
        violations = np.zeros(n_relevant)
        above, above_sum = 0, 0.0
        for p in range(n_relevant - 1, -1, -1):
            above += counts[p + 1]
            above_sum += sums[p + 1]
            violations[p] = above_sum - above * rising[p]
        upto = prefix_sums(violations)
        for a in range(min(depth, n_relevant) + 1):
            tail[a] = upto[n_relevant - a]

        values = np.empty((depth + 1, depth + 1))
        last_is_relevant = np.zeros((depth + 1, depth + 1), np.bool_)
        a, hinges[q] = _fill_table(
            rising[::-1], row[best], gains, w, tail, values, last_is_relevant
        )
        b = depth - a

        # Irrelevant items of the tail are above relevant items of the tail with lower
        # scores.
        n_low = n_relevant - a
        for c in range(n_low + 1, n_relevant + 1):
            counts[n_low] += counts[c]
            counts[c] = 0
        for j in range(len(row)):
            gradient[j] = w * min(gradient[j], n_low)
        for place in range(b):
            counts[min(count_below(rising, row[best[place]]), n_low)] -= 1
        while a + b > 0:
            if last_is_relevant[a, b]:
                a -= 1
            else:
                b -= 1
                counts[n_relevant - a] += 1
                gradient[best[b]] = w * (n_relevant - a)
        write_relevant(relevant, order, counts, w, gradient)
