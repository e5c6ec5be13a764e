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


def read_row(array, j, n_vectors):
    """Return the numbers of a row of so many vectors."""
    return array[j : j + n_vectors * LANES[array.dtype]].copy()


def dots(Z, indices, n, j, x):
    rows = indices[n : n + LANES[Z.dtype]]
    return Z[rows, j : j + len(x)] @ x


def add_rows(q, c, Z, indices, n, j):
    return q + c @ Z[indices[n : n + len(c)], j : j + len(q)]


def accumulate(Z, indices, weights, vector, base, slope, out):
    """Return `out` with the entries of a row added, and their share of the form."""
    z, w = Z[indices].astype(float), weights.astype(float)
    t = z @ vector.astype(float)
    added = (base * (1 + w) + slope * w * t) @ z
    return out + added, np.sum(t * (w * t - 2 * base * (1 + w)))
