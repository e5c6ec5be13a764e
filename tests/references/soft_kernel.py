"""Scores of content neighbours, written out item by item."""

import numpy as np


def neighbor_scores(
    X_train,
    plays,
    X,
    n_neighbors,
    *,
    weighting,
    temperature=0.1,
    power=3.0,
    group_bonus=0.0,
    same=None,
):
    """Return scores (n_items, n_users) of binary plays (n_train, n_users)."""
    played = np.asarray(plays.toarray() > 0, float)
    rows = np.flatnonzero(played.any(axis=1))
    scores = np.zeros((len(X), played.shape[1]))
    for i, x in enumerate(X):
        lengths = np.linalg.norm(X_train[rows], axis=1) * np.linalg.norm(x)
        cosine = X_train[rows] @ x / np.where(lengths > 0, lengths, 1)
        if same is not None:
            cosine = cosine + group_bonus * same[i, rows]
        nearest = np.argsort(-cosine, kind="stable")[:n_neighbors]
        kernel = cosine[nearest]
        if weighting == "softmax":
            kernel = np.exp(kernel / temperature)
        else:
            kernel = np.maximum(kernel, 0) ** power
        if not x.any():
            kernel *= cosine[nearest] > 0
        if kernel.sum() > 0:
            scores[i] = kernel @ played[rows[nearest]] / kernel.sum()
    return scores
