"""Plain numpy twins of the codebook's search, sums and counts."""

import numpy as np


def nearest_codewords(frames, codebook):
    """Compare every frame with every codeword by float64 differences."""
    frames = np.asarray(frames, dtype=np.float64)
    codebook = np.asarray(codebook, dtype=np.float64)
    labels = np.empty(len(frames), dtype=np.int32)
    distances = np.empty(len(frames))
    for start in range(0, len(frames), 64):
        part = slice(start, start + 64)
        table = ((frames[part, None, :] - codebook[None]) ** 2).sum(axis=2)
        labels[part] = table.argmin(axis=1)
        distances[part] = table.min(axis=1)
    return labels, distances


def codeword_means(frames, labels, n_codewords):
    """Return sums and counts of the frames of each codeword."""
    sums = np.zeros((n_codewords, frames.shape[1]))
    np.add.at(sums, labels, frames)
    return sums, np.bincount(labels, minlength=n_codewords)


def count_table(items, n_codewords):
    """Count the codes of each item, one item after the other."""
    return np.array([np.bincount(item, minlength=n_codewords) for item in items])
