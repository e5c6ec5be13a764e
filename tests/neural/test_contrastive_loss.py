"""Bags, the vector of a user without the item asked for, and the loss of a batch."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart.neural._bags import Bags
from skcoldstart.neural._torch.contrastive_loss import softmax_loss, user_vectors
from tests.references.contrastive import (
    contrastive_loss,
    numeric_gradient,
    unit,
)


def random_plays(rng, n_users=40, n_items=60, density=0.15):
    plays = sp.csr_array(rng.random((n_users, n_items)) < density, dtype=np.float32)
    plays.sort_indices()
    return plays


def make_bags(plays, groups=None, bag_size=5, batch_size=50, seed=0):
    return Bags(plays, groups, bag_size=bag_size, batch_size=batch_size, seed=seed)


def loss_of_batch(vectors, batch, temperature):
    places = torch.from_numpy(batch.places[batch.asked])
    hidden = batch.hidden_rows, batch.hidden_places
    users = user_vectors(vectors, batch)
    return softmax_loss(users, vectors, places, hidden, temperature)


def lines_of_plane(p):
    """Return plays of which two users share at most one: points on lines, p prime."""
    x, y = slopes, starts = np.divmod(np.arange(p * p), p)
    on_line = (np.outer(slopes, x) + starts[:, np.newaxis] - y) % p == 0
    return sp.csr_array(on_line, dtype=np.float32)


def owners_of(plays, batch):
    """Return the bags of a batch as a user and items, for lines of a plane."""
    sets = [set(plays[[user]].indices.tolist()) for user in range(plays.shape[0])]
    found = []
    for bag in range(batch.bags.max() + 1):
        items = batch.items[batch.places[batch.bags == bag]].tolist()
        [user] = [u for u, own in enumerate(sets) if own >= set(items)]
        found.append((user, items))
    return found


@pytest.mark.parametrize("bag_size", [2, 3, 9, 100])
def test_every_play_is_in_one_bag_of_a_pass(bag_size, rng):
    plays = random_plays(rng)
    plays = sp.csr_array(sp.vstack([plays, np.eye(3, 60), np.zeros((2, 60))]))
    bags = make_bags(plays, bag_size=bag_size)
    seen, sizes = np.zeros(60, int), []
    for batch in bags.batches(epoch=0):
        seen += np.bincount(batch.items[batch.places], minlength=60)
        sizes += np.bincount(batch.bags).tolist()
    # Users of one item have nothing to predict it from.
    several = plays[np.flatnonzero(np.diff(plays.indptr) > 1)]
    assert_array_equal(seen, (several > 0).sum(axis=0))
    assert min(sizes) >= 2
    assert max(sizes) <= max(3, bag_size)


def test_passes_differ_and_repeat(rng):
    plays = random_plays(rng)
    first, again, next_pass, other_seed = (
        [batch.places for batch in make_bags(plays, seed=seed).batches(epoch)]
        for epoch, seed in [(0, 0), (0, 0), (1, 0), (0, 1)]
    )
    for a, b in zip(first, again, strict=True):
        assert_array_equal(a, b)
    assert not np.array_equal(first[0], next_pass[0])
    assert not np.array_equal(first[0], other_seed[0])


def test_batches_have_about_the_plays_asked_for(rng):
    plays = random_plays(rng, n_users=200)
    bags = make_bags(plays, batch_size=200)
    n_pairs = [len(batch.places) for batch in bags.batches(0)]
    assert len(n_pairs) == len(bags)
    assert np.abs(np.array(n_pairs) - 200).max() < 40


def test_loss_of_a_batch_is_that_of_loops(rng):
    plays = lines_of_plane(7)
    vectors = torch.from_numpy(unit(rng.normal(size=(49, 7))))
    for groups in (None, rng.integers(4, size=49)):
        batch = next(make_bags(plays, groups, bag_size=4).batches(0))
        bags = owners_of(plays, batch)
        played = {user: set(plays[[user]].indices) for user, _ in bags}
        loss = loss_of_batch(vectors[torch.from_numpy(batch.items)], batch, 0.1)
        expected = contrastive_loss(vectors.numpy(), bags, played, 0.1, groups)
        assert_allclose(float(loss), expected, rtol=1e-12)


def test_gradient_of_a_step_is_that_of_differences(rng):
    """Of the whole step: a layer, unit vectors, users without the item, softmax."""
    plays = lines_of_plane(5)
    batch = next(make_bags(plays, bag_size=3, batch_size=40).batches(0))
    bags = owners_of(plays, batch)
    played = {user: set(plays[[user]].indices) for user, _ in bags}
    X, weights = rng.normal(size=(25, 4)), rng.normal(size=(4, 3))

    def loss_of(weights):
        return contrastive_loss(unit(X @ weights), bags, played, 0.2)

    leaf = torch.tensor(weights, requires_grad=True)
    rows = torch.from_numpy(X[batch.items]) @ leaf
    loss = loss_of_batch(torch.nn.functional.normalize(rows), batch, 0.2)
    loss.backward()
    assert_allclose(float(loss.detach()), loss_of(weights), rtol=1e-12)
    assert_allclose(leaf.grad, numeric_gradient(loss_of, weights), rtol=1e-5)


@pytest.mark.parametrize("n_users", [1, 255, 256, 257, 700])
def test_blocks_of_the_loss_do_not_show(n_users, rng):
    users, items = (
        torch.tensor(unit(rng.normal(size=(n, 5))), requires_grad=True)
        for n in (n_users, 40)
    )
    places = torch.from_numpy(rng.integers(40, size=n_users))
    hidden = rng.random((n_users, 40)) < 0.2
    hidden[np.arange(n_users), places] = False
    loss = softmax_loss(users, items, places, np.nonzero(hidden), 0.1)
    own = torch.autograd.grad(loss, (users, items))
    logits = (users @ items.T / 0.1).masked_fill(torch.from_numpy(hidden), -torch.inf)
    expected = torch.nn.functional.cross_entropy(logits, places)
    assert_allclose(float(loss), float(expected), rtol=1e-12)
    for a, b in zip(own, torch.autograd.grad(expected, (users, items)), strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_vector_of_a_user_does_not_hold_the_item_asked_for(rng):
    plays = random_plays(rng)
    groups = rng.integers(5, size=60)
    for of_items in (None, groups):
        batch = next(make_bags(plays, of_items).batches(0))
        vectors = torch.randn(len(batch.items), 6, dtype=torch.float64)
        before = user_vectors(vectors, batch)
        for row, pair in enumerate(batch.asked[:20]):
            item = batch.places[pair]
            changed = [item]
            if of_items is not None:
                own = of_items[batch.items] == of_items[batch.items[item]]
                changed = np.flatnonzero(own)
            moved = vectors.clone()
            moved[changed] += 10
            assert_allclose(user_vectors(moved, batch)[row], before[row], atol=1e-12)


def test_pairs_of_one_group_alone_are_not_asked_for(rng):
    plays = random_plays(rng)
    one_artist = np.zeros(60, int)
    batch = next(make_bags(plays, one_artist).batches(0))
    assert len(batch.asked) == 0
    two = np.arange(60) % 2
    batch = next(make_bags(plays, two).batches(0))
    bag_groups = [
        set(two[batch.items[batch.places[batch.bags == bag]]]) for bag in batch.bags
    ]
    assert_array_equal(batch.asked, np.flatnonzero([len(g) == 2 for g in bag_groups]))
