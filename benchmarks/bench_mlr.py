"""MLRSimilarity: time, exact objective and rankings, beside other metrics.

    python benchmarks/bench_mlr.py --what wine digits catalogue growth

wine, digits: half of scikit-learn's tables is learnt from, in the other half every item
asks for the others of its class. Peers are plain Euclidean distance, scikit-learn's
NeighborhoodComponentsAnalysis, and LMNN and MLKR of metric-learn where it is installed.
Each system is fitted in turn in every round.

catalogue: 7,449 synthetic songs of 400 features and 20,000 users learn a metric from
plays; 1,881 others are ranked for every user. growth: time of one evaluation of the
objective and its gradient as items, features and rank grow.
"""

import argparse
import time
import warnings
from functools import cache, partial

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.preprocessing import StandardScaler

import skcoldstart
from skcoldstart import (
    ContentProfileRecommender,
    MLRSimilarity,
    make_recommendation_scorer,
)
from skcoldstart._utils.threads import n_kernel_threads, worker_threads
from skcoldstart.similarity._mlr import _in_units, label_precision
from skcoldstart.similarity._objective import RankingObjective
from skcoldstart.similarity._targets import LabelRelevance, find_relevant

N_KNOWN, N_NEW, N_USERS = 7_449, 1_881, 20_000
SLOW_S = 5.0  # a fit that takes longer is timed once


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = {
        "wine": partial(compare, "wine"),
        "digits": partial(compare, "digits"),
        "catalogue": catalogue,
        "growth": growth,
    }
    parser.add_argument("--what", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--peers", nargs="*", default=["NCA", "LMNN", "MLKR"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", type=int, nargs="+", default=[64, 400])
    parser.add_argument(
        "--metrics", nargs="+", default=["cosine", "neg_sqeuclidean"], help="catalogue"
    )
    options = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, numpy {np.__version__}, scipy "
        f"{scipy.__version__}, scikit-learn {sklearn.__version__}, "
        f"{n_kernel_threads(None)} threads"
    )
    warnings.simplefilter("ignore")
    for name in options.what:
        print(f"\n{name}")
        parts[name](options)


def labelled(name):
    """Return a table with classes, standardised; digits as principal components."""
    X, y = (load_wine if name == "wine" else load_digits)(return_X_y=True)
    if name == "wine":
        return StandardScaler().fit_transform(X), y
    X = PCA(25).fit_transform(X[:600])
    return X / np.sqrt(2 * X.var(axis=0).sum()), y[:600]


def compare(name, options):
    X, y = labelled(name)
    order = np.random.default_rng(options.seed).permutation(len(X))
    X, y = X[order], y[order]
    half = len(X) // 2
    systems = {"Euclidean": lambda: None}
    for loss in ("auc", "map", "mrr"):
        for C in (1.0, 10.0):
            systems[f"MLR {loss}, C={C:g}"] = partial(
                MLRSimilarity, loss=loss, C=C, random_state=0
            )
    systems |= {peer: make for peer, make in peers().items() if peer in options.peers}
    for make in systems.values():  # compiled before it is timed
        if isinstance(make(), MLRSimilarity):
            make().fit(X[:half], y[:half])
    times = {system: [] for system in systems}
    results = {}
    for _ in range(options.rounds):
        for system, make in systems.items():
            if times[system] and times[system][0] > SLOW_S:
                continue
            model = make()
            started = time.perf_counter()
            if model is not None:
                model.fit(X[:half], y[:half].astype(float if system == "MLKR" else int))
            times[system].append(time.perf_counter() - started)
            results[system] = model
    auc_of = objective(X[:half], y[:half], "auc", 1.0)
    print(f"{'':16}{'time, s':>10}{'ratio':>8}{'F':>9}{'gap':>9}", end="")
    print(f"{'F(auc, C=1)':>13}{'MAP':>8}{'AUC':>8}")
    ours = np.median(times["MLR auc, C=1"])
    for system, model in results.items():
        L = np.eye(X.shape[1]) if model is None else model.components_
        Z = X[half:] @ L.T
        seconds = np.median(times[system])
        F, gap = (
            getattr(model, "objective_", np.nan),
            getattr(model, "duality_gap_", np.nan),
        )
        print(
            f"{system:16}{seconds:>10.4f}{seconds / ours:>8.1f}{F:>9.4f}{gap:>9.4f}"
            f"{best_scaled(auc_of, L):>13.4f}{label_precision(Z, y[half:]):>8.4f}"
            f"{mean_auc(Z, y[half:]):>8.4f}"
        )


@cache
def peers():
    """Return the peers by name, metric-learn's made to call today's scikit-learn."""
    nca = {"NCA": partial(NeighborhoodComponentsAnalysis, random_state=0)}
    try:
        from metric_learn import LMNN, MLKR, _util
    except ImportError:
        print("metric-learn is not installed")
        return nca
    # metric-learn 0.7 passes the old name of ensure_all_finite.
    for name in ("check_array", "check_X_y"):
        function = getattr(_util, name)

        def renamed(*args, _function=function, force_all_finite=True, **kwargs):
            return _function(*args, ensure_all_finite=force_all_finite, **kwargs)

        setattr(_util, name, renamed)
    return nca | {
        "LMNN": partial(LMNN, random_state=0),
        "MLKR": partial(MLKR, random_state=0),
    }


def objective(X, y, loss, C):
    """Return the exact objective of labelled items, in units of their spread."""
    return RankingObjective(
        _in_units(X)[3],
        LabelRelevance(y, np.arange(len(X), dtype=np.int32)),
        np.arange(len(X), dtype=np.int32),
        loss=loss,
        k=10,
        C=C,
        regularizer="trace",
        run=lambda function, items: list(map(function, items)),
        n_threads=1,
    )


def best_scaled(F, L):
    """Return the objective of a metric at its best scale: most peers have none."""
    unit = L / np.sqrt(2 * (F.X @ L.T).var(axis=0).sum())
    return min(F.value(s * unit, F.queries) for s in 10 ** np.arange(-1.5, 2.1, 0.02))


def mean_auc(Z, y):
    """Return the mean over items of the area under their ROC curve."""
    gaps = ((Z[:, np.newaxis] - Z) ** 2).sum(axis=2)
    others = ~np.eye(len(Z), dtype=bool)
    return np.mean([
        roc_auc_score(y[o] == y[q], -gaps[q, o]) for q, o in enumerate(others)
    ])


def make_catalog(n_items, n_features, n_users, seed):
    """Return content and plays that share 20 of the directions of the content.

    Features have a falling spectrum, as principal components do; taste looks at some
    strong and some weak ones of them, and songs differ in popularity.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, n_features + 1) ** -0.5
    latent = rng.normal(size=(n_items, n_features))
    heard = rng.choice(
        n_features, min(20, n_features), replace=False, p=_falling(n_features)
    )
    popularity = rng.normal(scale=1.0, size=n_items)
    rows, columns = [], []
    for start in range(0, n_users, 1000):
        stop = min(start + 1000, n_users)
        taste = rng.normal(size=(stop - start, len(heard)))
        taste /= np.linalg.norm(taste, axis=1, keepdims=True)
        liking = 2.0 * taste @ latent[:, heard].T + popularity
        liking += rng.gumbel(size=liking.shape)
        n_played = rng.integers(10, 81, stop - start)
        best = np.argpartition(-liking, 80, axis=1)[:, :80]
        best = np.take_along_axis(
            best, np.argsort(-np.take_along_axis(liking, best, 1), axis=1), 1
        )
        kept = np.arange(80) < n_played[:, np.newaxis]
        rows.append(best[kept])
        columns.append(np.repeat(np.arange(start, stop), n_played))
    items, users = np.concatenate(rows), np.concatenate(columns)
    plays = sp.csr_array(
        (np.ones(len(items)), (items, users)), shape=(n_items, n_users)
    )
    return latent * spectrum, plays


def _falling(n):
    weights = np.arange(1, n + 1) ** -0.5
    return weights / weights.sum()


def catalogue(options):
    X, y = make_catalog(N_KNOWN + N_NEW, 400, N_USERS, options.seed)
    known, new = slice(0, N_KNOWN), slice(N_KNOWN, None)
    print(
        f"{N_KNOWN} songs x 400 features, {N_USERS} users, {y[known].nnz} plays known"
    )
    scorer = make_recommendation_scorer()
    heads = f"{'time, s':>9}{'CPU s':>8}{'F':>9}{'passes':>8}{'mAP@500':>9}{'AUC':>8}"
    print(f"{'':34}{heads}")

    def report(name, model):
        started, before = time.perf_counter(), time.process_time()
        model.fit(X[known], y[known])
        seconds, cpu = time.perf_counter() - started, time.process_time() - before
        scores = scorer.evaluate(model, X[new], y[new])
        F, passes = getattr(model, "objective_", np.nan), getattr(model, "n_iter_", "")
        print(
            f"{name:34}{seconds:>9.1f}{cpu:>8.1f}{F:>9.4f}{passes:>8}"
            f"{scores['map']:>9.4f}{scores['auc']:>8.4f}",
            flush=True,
        )

    report("content cosine", ContentProfileRecommender())
    for rank in options.ranks:
        for C in (10.0, 100.0):
            for metric in options.metrics:
                model = MLRSimilarity(
                    rank if rank < 400 else None, C=C, metric=metric, random_state=0
                )
                report(f"MLR rank {rank}, C={C:g}, {metric}", model)


def growth(options):
    """Print the time of an evaluation and its ratio to the one matrix product in it."""
    print(f"{'items':>8}{'features':>9}{'rank':>6}{'loss':>11}{'time, s':>9}", end="")
    print(f"{'products alone, s':>19}{'share':>7}")
    sizes = [
        *((n, 100, 50) for n in (1000, 2000, 4000, 8000)),
        *((4000, d, 50) for d in (50, 200, 400)),
        *((4000, 400, r) for r in (10, 100, 400)),
    ]
    for n, d, r in sizes:
        one_evaluation(n, d, r, "auc", options)
    for loss in ("map", "mrr", "precision", "ndcg"):
        one_evaluation(4000, 100, 50, loss, options)


def one_evaluation(n, d, r, loss, options):
    X, y = make_catalog(n, d, 2000, options.seed)
    groups = np.arange(n, dtype=np.int32)
    relevance = find_relevant(y, None, None, groups, n_relevant=10, n_jobs=None)
    with worker_threads(None) as run:
        F = RankingObjective(
            _in_units(X)[3],
            relevance,
            groups,
            loss=loss,
            k=10,
            C=10.0,
            regularizer="trace",
            run=run,
            n_threads=n_kernel_threads(None),
        )
        L = np.eye(d)[:r]
        F(L, F.queries[:64])
        times, floors = [], []
        for _ in range(options.rounds):
            started = time.perf_counter()
            F(L)
            times.append(time.perf_counter() - started)
            started = time.perf_counter()
            products(F.X, L)
            floors.append(time.perf_counter() - started)
    seconds, floor = np.median(times), np.median(floors)
    print(f"{n:>8}{d:>9}{r:>6}{loss:>11}{seconds:>9.3f}{floor:>19.3f}", end="")
    print(f"{floor / seconds:>7.2f}", flush=True)


def products(X, L):
    """Make the three products of an evaluation of all queries, in blocks."""
    Z = X @ L.T
    for start in range(0, len(X), 1024):
        scores = Z[start : start + 1024] @ Z.T
        scores @ Z
        scores.T @ Z[start : start + 1024]


if __name__ == "__main__":
    main()
