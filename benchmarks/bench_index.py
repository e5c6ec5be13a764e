"""The best 10 of a million vectors: recall and throughput of indexes against all.

    python benchmarks/bench_index.py [--vectors 1000000] [--components 64]
        [--backends exact usearch voyager faiss] [--connectivity 32] [--build-width 256]

Vectors look like factors of items: clusters of a decaying spectrum, and lengths that
differ (log-normal). Queries look like factors of users: a mixture of a few clusters.
"Comparing all" is the faster of two exact searches that compute all products, with the
same number of threads: BLAS with a selection, and, where faiss is installed, its
IndexFlatIP. The recall of an index is the share of its 10 whose products reach the
10th best product of all, up to rounding. Rates are medians of three searches, in turns
with comparing all: of one batch of queries, and of the same queries one at a time.

    python benchmarks/bench_index.py --factors FOLDER [--sets citeulike-a hetrec]

Factors of `WMF` with 64 components for items and users of the sets of
``real_sets.py``: items for users, and users for items.

    python benchmarks/bench_index.py --data FOLDER [--sets citeulike-a hetrec]

Vectors of a model that has none: `make_recommender` learns from the training items of
the sets of ``real_sets.py``, and `export` approximates its scores of held-out items by
more and more factors. Printed are the recall@100 of plays by the exact scores and by
the factors, and what the manifest says.
"""

import argparse
import os
import platform
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from real_sets import SETS

from skcoldstart import (
    WMF,
    __version__,
    build_index,
    export,
    load_export,
    make_recommender,
)
from skcoldstart._scores.top_n import top_n_per_user
from skcoldstart.metrics import LowRankScores, recall

WIDTHS = (32, 64, 96, 128, 192, 256, 384)
N_COMPONENTS = (64, 128, 256, 512)


def vectors_and_queries(n_vectors, n_queries, k, seed=0):
    rng = np.random.default_rng(seed)
    n_clusters = max(10, n_vectors // 500)
    spectrum = (1 + np.arange(k)) ** -0.5
    centres = rng.normal(size=(n_clusters, k)) * spectrum
    V = np.empty((n_vectors, k), np.float32)
    for start in range(0, n_vectors, 100_000):
        n = min(100_000, n_vectors - start)
        V[start : start + n] = centres[rng.integers(n_clusters, size=n)]
        V[start : start + n] += 0.5 * rng.normal(size=(n, k)) * spectrum
        V[start : start + n] *= rng.lognormal(0, 0.25, size=(n, 1))
    liked = centres[rng.integers(n_clusters, size=(n_queries, 3))]
    shares = rng.dirichlet(np.ones(3), size=n_queries)
    Q = np.einsum("qck,qc->qk", liked, shares)
    Q += 0.2 * rng.normal(size=Q.shape) * spectrum
    return V, Q.astype(np.float32)


def rate(query, Q, size=None):
    """Return queries a second, `size` in each call, and the rows found."""
    size = size or len(Q)
    started = time.perf_counter()
    rows = [query(Q[start : start + size]) for start in range(0, len(Q), size)]
    return len(Q) / (time.perf_counter() - started), np.concatenate(rows)


def products_of(V, Q, rows):
    """Return products in double precision, (n_queries, n)."""
    return np.stack([
        V[found].astype(float) @ q.astype(float)
        for found, q in zip(rows, Q, strict=True)
    ])


def searches_of_all(V):
    """Return functions that compute all products, by name."""

    def blas(Q):
        return top_n_per_user(LowRankScores(V, Q), 10)[0]

    found = {"BLAS": blas}
    if find_spec("faiss") is not None:
        import faiss

        flat = faiss.IndexFlatIP(V.shape[1])
        flat.add(V)
        found["faiss IndexFlatIP"] = lambda Q: flat.search(Q, 10)[1]
    return found


def compare(index, all_searches, Q, expected, label):
    """Print the recall of an index and its rates, in turns with comparing all."""

    def query(Q):
        return index.query(Q, n=10)[0].filled()

    query(Q[:50])
    n_batch, n_single = min(len(Q), 500), 30
    text = ""
    for size, ours, theirs in ((None, len(Q), n_batch), (1, 300, n_single)):
        rates, bases = [], {name: [] for name in all_searches}
        for _ in range(3):
            value, rows = rate(query, Q[:ours], size)
            rates.append(value)
            for name, search in all_searches.items():
                bases[name].append(rate(search, Q[:theirs], size)[0])
        if size is None:
            products, worst = products_of(index.vectors, Q, rows), expected.min(axis=1)
            kept = np.mean(products >= (worst - 1e-6 * abs(worst))[:, np.newaxis])
        base = {name: np.median(values) for name, values in bases.items()}
        fastest = max(base, key=base.get)
        text += (
            f", {'batch' if size is None else 'single'} {np.median(rates):.0f}/s = "
            f"{np.median(rates) / base[fastest]:.1f} x all ("
            + ", ".join(f"{name} {value:.0f}/s" for name, value in base.items())
            + ")"
        )
    print(f"  {label}: recall@10 {kept:.4f}{text}", flush=True)
    return kept


def report_factors(data):
    """Print rates of the exact search for factors learned from a real set."""
    model = WMF(64, random_state=0).fit(data.plays)
    for name, V, Q in (
        ("items for users", model.item_factors_, model.user_factors_),
        ("users for items", model.user_factors_, model.item_factors_),
    ):
        Q = np.random.default_rng(0).permutation(Q)[:4000]
        searches = searches_of_all(V)
        expected = products_of(V, Q, searches["BLAS"](Q))
        print(f"{data.name}, {name}: {len(V)} x {V.shape[1]}", flush=True)
        compare(build_index(V), searches, Q, expected, "exact")


def report_exports(data):
    """Print how well the factors of exports rank held-out items."""
    model = make_recommender(random_state=0)
    model.fit(data.X[data.train], data.plays[data.train])
    X, users = data.X[data.test], data.known_users
    plays = data.plays[data.test][:, users]
    scores = model.read_scores(X).rows(users).T
    weights = dict(zip(model.named_recommenders_, model.weights_.tolist(), strict=True))
    print(f"{data.name}, {len(data.test)} items, {len(users)} users, weights {weights}")
    exact = recall(plays, scores, k=100)
    print(f"  exact scores: recall@100 {exact:.4f}", flush=True)
    for n_components in N_COMPONENTS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            export(model, folder, X, n_components=n_components)
            took = time.perf_counter() - started
            found = load_export(folder)
        served = LowRankScores(found.item_factors, found.user_factors[users])
        kept = recall(plays, served, k=100)
        quality = found.manifest["approximation"]
        print(
            f"  {n_components:4d} factors: recall@100 {kept:.4f}, "
            f"relative error {quality['relative_error']:.3f}, "
            f"best 10 kept {quality['top_10_kept']:.3f}, {took:.1f} s",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of real sets, for exports")
    parser.add_argument("--factors", type=Path, help="folder of real sets, for factors")
    parser.add_argument("--sets", nargs="+", default=["citeulike-a", "hetrec"])
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--backends", nargs="+", default=["exact"])
    parser.add_argument("--connectivity", type=int, default=32)
    parser.add_argument("--build-width", type=int, default=256)
    args = parser.parse_args()
    if args.data is not None:
        print(f"{platform.machine()}, numpy {np.__version__}", flush=True)
        for name in args.sets:
            report_exports(SETS[name](args.data, 0))
        return
    if args.factors is not None:
        for name in args.sets:
            report_factors(SETS[name](args.factors, 0))
        return
    V, Q = vectors_and_queries(args.vectors, args.queries, args.components)
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, numpy {np.__version__}; "
        f"{args.vectors} x {args.components}, {args.queries} queries, "
        f"connectivity={args.connectivity}, build_width={args.build_width}",
        flush=True,
    )
    searches = searches_of_all(V)
    expected = products_of(V, Q, searches["BLAS"](Q))
    for backend in args.backends:
        started = time.perf_counter()
        index = build_index(
            V,
            backend,
            connectivity=args.connectivity,
            build_width=args.build_width,
        )
        took = time.perf_counter() - started
        package = {"faiss": "faiss-cpu", "exact": "skcoldstart"}.get(backend, backend)
        number = __version__ if backend == "exact" else version(package)
        print(f"{backend} ({package} {number}): built in {took:.1f} s", flush=True)
        if backend == "exact":
            compare(index, searches, Q, expected, "exact")
            continue
        for width in WIDTHS:
            index.search_width = width
            label = f"search_width={width:4d}"
            if compare(index, searches, Q, expected, label) > 0.995:
                break


if __name__ == "__main__":
    main()
