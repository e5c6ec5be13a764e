"""The tables of `plays.make_plays`, drawn by torch on the device it is told."""

import numpy as np
import scipy.sparse as sp
import torch
from plays import GENRES_PER_USER, N_GENRES, draw_tastes


def draw_plays(n_users, n_items, n_pairs, seed, device):
    """Return play counts as `plays.make_plays` does, from the same distribution.

    Only what is small comes from the host: popularity, genres and activity.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    taste, n_draws, likes, shares = (
        torch.as_tensor(array, device=device)
        for array in draw_tastes(n_users, n_items, n_pairs, rng)
    )
    users = torch.arange(n_users, device=device)
    user = torch.repeat_interleave(users, n_draws)

    def uniform():
        return torch.rand(len(user), dtype=torch.float64, device=device)

    chosen = uniform()
    slot = torch.zeros_like(user)
    for k in range(GENRES_PER_USER - 1):
        slot += chosen > shares[user, k]
    genre = likes[user, slot]
    anywhere = torch.randint(N_GENRES, (len(user),), device=device)
    genre = torch.where(uniform() < 0.05, anywhere, genre)

    item, draws = torch.zeros_like(user), uniform()
    for g in range(N_GENRES):
        of_genre = genre == g
        item[of_genre] = torch.searchsorted(taste[g], draws[of_genre])
    pair, copies = torch.unique(
        item.clamp_(max=n_items - 1) * n_users + user, return_inverse=True
    )
    counts = torch.empty(len(user), device=device).log_normal_(0.2, 1.1).ceil_()
    counts = torch.zeros(len(pair), device=device).index_add_(0, copies, counts)
    kept = torch.rand(len(pair), device=device) <= n_pairs / len(pair)
    pair, counts = pair[kept], counts[kept]
    rows = torch.bincount(pair // n_users, minlength=n_items)
    indptr = torch.cat([rows.new_zeros(1), rows.cumsum(0)])
    table = (counts, (pair % n_users).to(torch.int32), indptr)
    return sp.csr_array(
        tuple(part.cpu().numpy() for part in table), shape=(n_items, n_users)
    )
