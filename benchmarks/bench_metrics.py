"""Ranking metrics against implicit, ranx, scikit-learn, argsort, and scores alone.

    python benchmarks/bench_metrics.py [--case small large] [--rounds 5]

``small`` is 20,000 users x 1,881 items, 50 factors; ``large`` is a sample of users x
46,728 items, 400 factors, the size of the paper's test set. Every method gets the same
float32 factors and the same positives and starts from factors, so each time includes
scoring. Rounds are interleaved: one round times every method once, and ratios are
taken within a round. Slow methods run on fewer users; times are per user.

Values are compared in the same run, to 1e-12 on the same scores: average precision with
a stable argsort and with ranx, AUC with scikit-learn. implicit computes its own scores,
its mAP is compared to 1e-6; its AUC is truncated at K and is another quantity. ranx is
given the best 500 of argpartition, sorted, and is left out where it is not installed.
"""

import argparse
import importlib.util
import os
import platform
import time
from itertools import pairwise

import implicit
import numba
import numpy as np
import scipy.sparse as sp
import sklearn
from implicit.als import AlternatingLeastSquares
from implicit.evaluation import ranking_metrics_at_k
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

import skcoldstart
from skcoldstart import recommendation_scorer
from skcoldstart.metrics import mean_auc, mean_average_precision_at_k

K = 500
HAS_RANX = importlib.util.find_spec("ranx") is not None
CASES = {
    # users, items, factors, positives per user, users of argsort, of roc_auc_score
    "small": (20_000, 1_881, 50, 7.2, 2_000, 200),
    "large": (4_096, 46_728, 400, 5.6, 256, 32),
}


class Factors:
    """A fitted recommender that holds nothing but factors; X is not read."""

    def __init__(self, item_factors, user_factors):
        self.item_factors = item_factors
        self.user_factors_ = user_factors

    def predict_factors(self, X):
        """Return the item factors."""
        return self.item_factors


def make_case(n_users, n_items, n_factors, n_positives):
    """Draw factors and plays; positives score somewhat higher than chance."""
    rng = np.random.default_rng(0)
    V = rng.normal(size=(n_items, n_factors)).astype(np.float32)
    U = rng.normal(size=(n_users, n_factors)).astype(np.float32)
    counts = 1 + rng.poisson(n_positives - 1, size=n_users)
    items = np.concatenate([rng.choice(n_items, c, replace=False) for c in counts])
    users = np.repeat(np.arange(n_users), counts)
    U += np.float32(2 / np.sqrt(n_factors)) * (
        sp.csr_array(
            (np.ones(len(items), np.float32), (users, items)), (n_users, n_items)
        )
        @ V
    )
    return V, U, sp.csr_array((np.ones(len(items)), (items, users)), (n_items, n_users))


def by_argsort(scores, positives, kind=None):
    """Return AP@K and AUC of each user from one sort of all items; ties are not met."""
    n_items = scores.shape[1]
    order = np.argsort(-scores, axis=1, kind=kind)
    hit = np.take_along_axis(positives, order, axis=1)
    place = np.cumsum(hit, axis=1)
    rank = np.arange(1, n_items + 1)
    n_positives = place[:, -1]
    ap = (hit * place / rank)[:, :K].sum(axis=1) / np.minimum(n_positives, K)
    losses = (hit * (rank - place)).sum(axis=1)
    return ap, 1 - losses / (n_positives * (n_items - n_positives))


def by_ranx(scores, qrels):
    """Return AP@K of each user by ranx, from the K best items."""
    from numba.typed import List
    from ranx.metrics import average_precision

    best = np.argpartition(-scores, K, axis=1)[:, :K]
    values = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-values, axis=1)
    run = np.stack(
        [np.take_along_axis(a, order, axis=1) for a in (best, values)], axis=2
    )
    return average_precision(List(qrels), List(list(run)), K, 1)


def methods_of(V, U, y, n_argsort, n_sklearn):
    """Return a function and a number of users for each method."""
    n_users, n_items = len(U), len(V)
    by_user = y.T.tocsr()
    dense = by_user[:n_argsort].toarray() > 0
    model = Factors(V, U)
    with threadpool_limits(1, "blas"):  # what implicit asks for
        peer = AlternatingLeastSquares(factors=V.shape[1])
    peer.user_factors, peer.item_factors = U, V
    nothing = sp.csr_matrix((n_users, n_items), dtype=np.float32)
    test = sp.csr_matrix(by_user, dtype=np.float32)
    test.indices = test.indices.astype(np.int32)
    test.indptr = test.indptr.astype(np.int32)
    qrels = [
        np.stack([by_user.indices[a:b], np.ones(b - a)], axis=1)
        for a, b in pairwise(by_user.indptr[: n_argsort + 1])
    ]
    block = np.empty((min(n_users, 2048), n_items), np.float32)

    def score_only():
        for start in range(0, n_users, len(block)):
            users = U[start : start + len(block)]
            np.matmul(users, V.T, out=block[: len(users)])

    def peer_metrics():
        with threadpool_limits(1, "blas"):
            return ranking_metrics_at_k(
                peer, nothing, test, K=K, show_progress=False, num_threads=0
            )

    def sort_all():
        for start in range(0, n_argsort, 64):
            tile = slice(start, min(start + 64, n_argsort))
            by_argsort(U[tile] @ V.T, dense[tile])

    def ranx_map():
        return np.concatenate([
            by_ranx(U[start : start + 64] @ V.T, qrels[start : start + 64])
            for start in range(0, n_argsort, 64)
        ])

    def sklearn_auc():
        scores = U[:n_sklearn] @ V.T
        return [roc_auc_score(dense[u], scores[u]) for u in range(n_sklearn)]

    ranx = {"ranx map@500": (ranx_map, n_argsort)} if HAS_RANX else {}
    return {
        "skcoldstart map@500, auc": (
            lambda: recommendation_scorer(model, V, y),
            n_users,
        ),
        "sgemm alone, all BLAS threads": (score_only, n_users),
        "implicit map@500, auc@500": (peer_metrics, n_users),
        "argsort map@500, auc": (sort_all, n_argsort),
        "scikit-learn roc_auc_score": (sklearn_auc, n_sklearn),
        **ranx,
    }


def check_values(V, U, y, methods, n_argsort, n_sklearn):
    """Compare values with argsort and scikit-learn on one table, and with implicit."""
    ours = recommendation_scorer(Factors(V, U), V, y)
    scores, some = V @ U[:n_argsort].T, y[:, :n_argsort]
    dense = some.T.toarray() > 0
    ap, _ = by_argsort(scores.T, dense, kind="stable")
    auc = [roc_auc_score(dense[u], scores[:, u]) for u in range(n_sklearn)]
    gaps = (
        np.abs(mean_average_precision_at_k(some, scores, per_user=True) - ap).max(),
        np.abs(mean_auc(some, scores, per_user=True)[:n_sklearn] - auc).max(),
    )
    if HAS_RANX:
        gap = np.abs(methods["ranx map@500"][0]() - ap).max()
        print(f"  largest gap of a user to ranx's map: {gap:.1e}")
        assert gap <= 1e-12
    theirs = methods["implicit map@500, auc@500"][0]()
    print(f"  map@500 {ours['map']:.6f}   auc {ours['auc']:.6f}")
    print(f"  largest gap of a user: map {gaps[0]:.1e}, auc {gaps[1]:.1e}")
    print(f"  gap to implicit's map: {abs(theirs['map'] - ours['map']):.1e}")
    assert max(gaps) <= 1e-12
    assert abs(theirs["map"] - ours["map"]) <= 1e-6


def measure(methods, rounds):
    """Time every method once per round; return s per user, rounds x methods."""
    times = np.empty((rounds, len(methods)))
    for i in range(rounds):
        for j, (function, n_users) in enumerate(methods.values()):
            start = time.perf_counter()
            function()
            times[i, j] = (time.perf_counter() - start) / n_users
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, load "
        f"{os.getloadavg()[0]:.1f}; numba threads {numba.config.NUMBA_NUM_THREADS}; "
        f"skcoldstart {skcoldstart.__version__}, numpy {np.__version__}, numba "
        f"{numba.__version__}, scikit-learn {sklearn.__version__}, implicit "
        f"{implicit.__version__}"
    )
    for case in options.case:
        n_users, n_items, n_factors, n_positives, n_argsort, n_sklearn = CASES[case]
        V, U, y = make_case(n_users, n_items, n_factors, n_positives)
        print(
            f"\n{case}: {n_users} users x {n_items} items, {n_factors} factors, "
            f"{y.nnz / n_users:.1f} positives a user, {options.rounds} rounds"
        )
        methods = methods_of(V, U, y, n_argsort, n_sklearn)
        check_values(V, U, y, methods, n_argsort, n_sklearn)
        times = measure(methods, options.rounds)
        ratios = np.median(times / times[:, :1], axis=0)
        best = times.min(axis=0)
        print(f"  {'us per user':32}{'min':>9}{'median':>9}{'ratio':>8}{'of mins':>9}")
        for j, name in enumerate(methods):
            print(
                f"  {name:32}{best[j] * 1e6:9.2f}{np.median(times[:, j]) * 1e6:9.2f}"
                f"{ratios[j]:8.2f}{best[j] / best[0]:9.2f}"
            )
        flop = 2 * n_items * n_factors
        print(f"  rate of ours {flop / best[0] / 1e9:.0f} GFLOP/s of scoring alone")


if __name__ == "__main__":
    main()
