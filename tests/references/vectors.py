"""Numpy twins of the operations on vectors, and of the pass over a row of entries."""

import numpy as np

LANES = {np.dtype(np.float32): 16, np.dtype(np.float64): 8}


def load(array, j, lanes=None):
    """Return a vector, a whole one unless `lanes` says how many numbers."""
    return array[j : j + (lanes or LANES[array.dtype])].copy()


def splat(x, lanes=None):
    return np.full(lanes or LANES[np.dtype(type(x))], x)


def transpose(*rows):
    return np.stack(rows).T


def dots(Z, indices, n, x):
    return Z[indices[n : n + LANES[Z.dtype]]] @ x


def add_rows(q, c, Z, indices, n):
    return q + c @ Z[indices[n : n + len(c)]]


def accumulate(Z, indices, weights, vector, base, slope, out):
    """Return `out` with the entries of a row added, and their share of the form."""
    z, w = Z[indices].astype(float), weights.astype(float)
    t = z @ vector.astype(float)
    added = (base * (1 + w) + slope * w * t) @ z
    return out + added, np.sum(t * (w * t - 2 * base * (1 + w)))
