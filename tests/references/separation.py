"""Rankings of relevant and irrelevant items, tried one by one."""

from itertools import combinations, permutations

import numpy as np


def loss_of(hits, loss, k):
    """Return what a ranking loses; hits says which ranks hold a relevant item."""
    hits = np.asarray(hits, dtype=bool)
    ranks = np.arange(1, len(hits) + 1)
    n_relevant = hits.sum()
    if loss == "auc":
        above = np.cumsum(~hits)[hits].sum()
        return above / (n_relevant * (~hits).sum())
    if loss == "mrr":
        return 1 - 1 / ranks[hits][0]
    if loss == "map":
        return 1 - (np.cumsum(hits) / ranks)[hits].mean()
    discounts = np.ones(len(hits)) if loss == "precision" else 1 / np.log2(ranks + 1)
    return 1 - (discounts[:k] * hits[:k]).sum() / discounts[: min(k, n_relevant)].sum()


def cost_of(ranking, scores, is_relevant, loss, k):
    """Return loss plus violation of a ranking, and the gradient in the scores."""
    hits = is_relevant[ranking]
    w = 2 / (hits.sum() * (~hits).sum())
    gradient = np.zeros(len(scores))
    for place, j in enumerate(ranking):
        if is_relevant[j]:
            gradient[j] = -w * (~hits[:place]).sum()
        else:
            gradient[j] = w * hits[place + 1 :].sum()
    return loss_of(hits, loss, k) + gradient @ scores, gradient


def interleavings(scores, is_relevant):
    """Yield all rankings that keep relevant and irrelevant items in score order."""
    order = np.argsort(-scores, kind="stable")
    relevant = [i for i in order if is_relevant[i]]
    irrelevant = [j for j in order if not is_relevant[j]]
    for places in combinations(range(len(scores)), len(relevant)):
        good, bad = iter(relevant), iter(irrelevant)
        yield np.array([
            next(good) if place in places else next(bad) for place in range(len(scores))
        ])


def all_rankings(scores, is_relevant):
    """Yield every ranking."""
    yield from map(np.array, permutations(range(len(scores))))


def hinge(scores, is_relevant, loss, k=3, rankings=interleavings):
    """Return the largest cost over all rankings."""
    return max(
        cost_of(ranking, scores, is_relevant, loss, k)[0]
        for ranking in rankings(scores, is_relevant)
    )


def ranking_objective(W, X, relevant, loss, *, C, k=3, groups=None, penalty=None):
    """Return the objective of a metric, one query after the other."""
    groups = np.arange(len(X)) if groups is None else groups
    hinges = []
    for q in range(len(X)):
        kept = np.flatnonzero(groups != groups[q])
        is_relevant = np.asarray(relevant)[q, kept] != 0
        if is_relevant.any() and not is_relevant.all():
            gaps = X[kept] - X[q]
            scores = -np.einsum("ij,jk,ik->i", gaps, W, gaps)
            hinges.append(hinge(scores, is_relevant, loss, k))
    penalty = np.trace(W) if penalty is None else penalty(W)
    return penalty / X.shape[1] + C * np.mean(hinges)
