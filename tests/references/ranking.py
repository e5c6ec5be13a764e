"""Ranking metrics one user at a time, by sorting: slow and readable."""

import numpy as np


def candidates(y, scores, exclude=None):
    """Yield (played, scores) of each user over the user's candidates."""
    y, scores = np.asarray(y), np.asarray(scores)
    kept = np.ones(y.shape, bool) if exclude is None else np.asarray(exclude) == 0
    for u in range(y.shape[1]):
        yield y[kept[:, u], u] > 0, scores[kept[:, u], u]


def hits(played, scores):
    """Return which ranks hold a played item; ties go to the lower index."""
    return played[np.argsort(-scores, kind="stable")]


def average_precision(played, scores, k):
    hit = hits(played, scores)[:k]
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    n_positives = played.sum() if k is None else min(played.sum(), k)
    return (precision * hit).sum() / n_positives


def ndcg(played, scores, k):
    def gain(hit):
        return (hit[:k] / np.log2(np.arange(2, 2 + len(hit)))[:k]).sum()

    return gain(hits(played, scores)) / gain(np.sort(played)[::-1])


def recall(played, scores, k):
    return hits(played, scores)[:k].sum() / played.sum()


def capped_recall(played, scores, k):
    n_possible = played.sum() if k is None else min(played.sum(), k)
    return hits(played, scores)[:k].sum() / n_possible


def precision(played, scores, k):
    return hits(played, scores)[:k].sum() / (len(played) if k is None else k)


def hit_rate(played, scores, k):
    return float(hits(played, scores)[:k].any())


def mrr(played, scores, k):
    hit = hits(played, scores)[:k]
    return 1.0 / (1 + np.argmax(hit)) if hit.any() else 0.0


def per_user(metric, y, scores, *args, exclude=None):
    """Apply a metric to each user; NaN for users without positives."""
    values = []
    for played, s in candidates(y, scores, exclude):
        values.append(metric(played, s, *args) if played.any() else np.nan)
    return np.array(values)
