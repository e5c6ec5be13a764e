"""What WMF holds beside its input: the bound that its docstring gives."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skcoldstart import WMF
from skcoldstart.factorization._als import BLOCK_ROWS

N_ITEMS, N_USERS = 20_000, 30_000
N_THREADS = 2


def peak_bytes(call):
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.fixture(scope="module")
def plays():
    rng = np.random.default_rng(0)
    pairs = rng.integers([[N_ITEMS], [N_USERS]], size=(2, 2_000_000), dtype=np.int32)
    ones = np.ones(pairs.shape[1], np.float32)
    plays = sp.csr_array((ones, tuple(pairs)), shape=(N_ITEMS, N_USERS))
    plays.sum_duplicates()
    return plays


@pytest.mark.slow
@pytest.mark.parametrize("n_components", [4, 50, 64])
def test_fit_holds_the_pairs_once_more_and_a_side_of_factors(plays, n_components):
    n_dims = 16 * -(-n_components // 16)
    wmf = WMF(n_components, max_iter=3, tol=0, random_state=0, n_jobs=N_THREADS)
    wmf.fit(plays[:50])  # compile
    padded = 4 * n_dims * (N_ITEMS + N_USERS)
    fitted = 4 * n_components * (N_ITEMS + N_USERS) if n_dims > n_components else 0
    one_side = 4 * n_dims * N_USERS
    per_row = 50 * (N_ITEMS + N_USERS)  # pointers, penalties and the like
    blocks = N_THREADS * 2 * 8 * BLOCK_ROWS * n_dims + 2_000_000
    bound = 12 * plays.nnz + padded + fitted + one_side + per_row + blocks
    peak = peak_bytes(lambda: wmf.fit(plays))
    assert peak <= bound
    assert peak >= 12 * plays.nnz  # the bound is not idle


@pytest.mark.slow
def test_recommendations_for_all_users_never_hold_all_scores(plays):
    wmf = WMF(16, max_iter=2, random_state=0, n_jobs=N_THREADS).fit(plays)
    wmf.recommend(10, users=[0], exclude=plays)
    peak = peak_bytes(lambda: wmf.recommend(10, exclude=plays))
    tiles = N_THREADS * 2 * 4 * 256 * N_ITEMS
    assert peak <= tiles + 24 * plays.nnz + 40 * 10 * N_USERS
