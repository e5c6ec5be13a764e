"""The leave-one-out softmax in loops, after the formula in ContrastiveEncoder."""

import numpy as np


def unit(rows):
    """Scale rows to length 1, zeros left as they are."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def contrastive_loss(vectors, bags, played, temperature, groups=None):
    """Return the mean loss of items predicted from the others of their bag.

    Shapes: `vectors` (n_items, k); `bags` pairs of a user and the items of a bag;
    `played` for each user the items not to be told apart from; `groups` (n_items,).
    """
    in_batch = sorted({item for _, bag in bags for item in bag})
    losses = []
    for user, bag in bags:
        for item in bag:
            others = [j for j in bag if j != item]
            if groups is not None:
                others = [j for j in others if groups[j] != groups[item]]
            if not others:
                continue
            taste = unit(vectors[others].sum(axis=0))
            against = [j for j in in_batch if j == item or j not in played[user]]
            logits = {j: taste @ vectors[j] / temperature for j in against}
            top = max(logits.values())
            total = sum(np.exp(value - top) for value in logits.values())
            losses.append(top + np.log(total) - logits[item])
    return np.mean(losses)


def held_out_loss(train_vectors, vectors, plays_of_train, plays, temperature):
    """Return the mean loss of plays of items that nobody's vector holds.

    Shapes: `train_vectors` (n_train, k), `vectors` (n_items, k), `plays_of_train`
    (n_users, n_train), `plays` (n_users, n_items), 0 or 1.
    """
    losses = []
    for of_train, own in zip(plays_of_train, plays, strict=True):
        if of_train.any():
            logits = vectors @ unit(of_train @ train_vectors) / temperature
            against = np.exp(logits[own == 0]).sum()
            losses += [
                np.log1p(against / np.exp(logits[i])) for i in np.flatnonzero(own)
            ]
    return np.mean(losses)


def numeric_gradient(function, x, step=1e-6):
    """Return central differences of a function of an array."""
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        gradient[place] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return gradient
