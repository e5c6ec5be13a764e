"""Which items share listeners, pair by pair."""

import numpy as np


def jaccard(plays):
    """Return |A and B| / |A or B| of the sets of listeners of all pairs of items."""
    listens = np.asarray(plays) > 0
    either = (listens[:, None] | listens[None]).sum(axis=2)
    both = (listens[:, None] & listens[None]).sum(axis=2)
    return np.where(both > 0, both / np.maximum(either, 1), 0.0)


def most_alike(plays, n_relevant, groups):
    """Mark the items of the largest index; of equals the lower one, and none of 0."""
    index = jaccard(plays)
    table = np.zeros(index.shape, bool)
    for q, row in enumerate(index):
        row = np.where(np.asarray(groups) == groups[q], 0.0, row)
        best = np.argsort(-row, kind="stable")[:n_relevant]
        table[q, best[row[best] > 0]] = True
    return table
