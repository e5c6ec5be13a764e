"""Synthetic tables of plays with the shape of real ones, for benchmarks.

Items have power-law popularity; genres prefer some of them; a user mixes three genres
and is more or less active. What comes out has long rows and short ones, and structure
of a rank far below its size, which is what a factorization meets.
"""

import numpy as np
import scipy.sparse as sp

SIZES = {
    # name: users, items, about as many played pairs
    "XS": (2_000, 1_500, 60_000),
    "S": (20_000, 9_330, 1_000_000),
    "M": (200_000, 80_000, 10_000_000),
}
N_GENRES = 40
GENRES_PER_USER = 3


def draw_tastes(n_users, n_items, n_pairs, rng):
    """Return what plays are drawn from.

    That is the cumulated shares of items in each genre's plays, and for each user how
    often to draw, the genres liked, and their cumulated shares.
    """
    popularity = (rng.permutation(n_items) + 4.0) ** -0.85
    taste = popularity * (rng.gamma(0.15, size=(N_GENRES, n_items)) + 0.004)
    taste = np.cumsum(taste / taste.sum(axis=1, keepdims=True), axis=1)
    genre_sizes = rng.dirichlet(np.full(N_GENRES, 2.0))

    activity = rng.lognormal(0, 0.9, n_users)
    n_draws = 1.3 * n_pairs * activity / activity.sum()
    n_draws = np.clip(np.rint(n_draws), 5, n_items // 3).astype(np.int64)
    likes = rng.choice(N_GENRES, (n_users, GENRES_PER_USER), p=genre_sizes)
    shares = np.cumsum(rng.dirichlet([1.5, 0.8, 0.4], n_users), axis=1)
    return taste, n_draws, likes, shares


def make_plays(n_users, n_items, n_pairs, seed):
    """Return play counts, items x users, as float32 CSR of about n_pairs entries."""
    rng = np.random.default_rng(seed)
    taste, n_draws, likes, shares = draw_tastes(n_users, n_items, n_pairs, rng)

    user = np.repeat(np.arange(n_users), n_draws)
    slot = (rng.random(len(user))[:, None] > shares[user, :-1]).sum(axis=1)
    genre = likes[user, slot]
    explores = rng.random(len(user)) < 0.05
    genre[explores] = rng.integers(N_GENRES, size=explores.sum())

    item = np.empty(len(user), np.int64)
    for g in range(N_GENRES):
        of_genre = np.flatnonzero(genre == g)
        draws = rng.random(len(of_genre))
        item[of_genre] = np.minimum(np.searchsorted(taste[g], draws), n_items - 1)
    counts = np.ceil(rng.lognormal(0.2, 1.1, len(user))).astype(np.float32)
    plays = sp.csr_array((counts, (item, user)), shape=(n_items, n_users))
    plays.sum_duplicates()
    plays.data[rng.random(plays.nnz) > n_pairs / plays.nnz] = 0
    plays.eliminate_zeros()
    return plays
