"""Readable twins of the network's objectives: every user, every item, in NumPy."""

import numpy as np


def weighted_prediction_error(factors, user_factors, confidences):
    """Eq. 5 of the paper, the sum over all pairs.

    `confidences` is dense, (n_items, n_users), with 0 where nobody played.
    """
    plays = confidences > 0
    weights = np.where(plays, confidences, 1.0)
    return np.sum(weights * (plays - factors @ user_factors.T) ** 2)


def ranking_loss(factors, user_factors, plays, temperature):
    """Mean over plays of log(1 + sum over unplayed items of exp(difference))."""
    scores = factors @ user_factors.T / temperature
    losses = []
    for item, user in zip(*np.nonzero(plays), strict=True):
        unplayed = np.flatnonzero(plays[:, user] == 0)
        differences = scores[unplayed, user] - scores[item, user]
        losses.append(np.log1p(np.exp(differences).sum()))
    return np.mean(losses)


def softmax_loss(factors, user_factors, plays, temperature):
    """Mean over plays of -log(share of the item in its user's batch) / log(n_items)."""
    odds = np.exp(factors @ user_factors.T / temperature)
    share = odds / odds.sum(axis=0)
    return -np.log(share[np.nonzero(plays)]).mean() / np.log(len(factors))
