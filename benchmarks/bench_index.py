"""The best 10 of a million vectors: recall and throughput of indexes against all.

    python benchmarks/bench_index.py [--vectors 1000000] [--components 64]
        [--backends usearch voyager faiss] [--connectivity 32] [--build-width 256]

Vectors look like factors of items: clusters of a decaying spectrum, and lengths that
differ (log-normal). Queries look like factors of users: a mixture of a few clusters.
"exact" compares each query with all vectors, in blocks of BLAS and a selection, with
the same number of threads. The recall of an index is the share of the exact best 10
among its 10. Rates are medians of three searches, in turns with the exact one.
"""

import argparse
import os
import platform
import time
from importlib.metadata import version

import numpy as np

from skcoldstart import build_index

WIDTHS = (32, 64, 96, 128, 192, 256, 384)


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


def rate(index, Q):
    started = time.perf_counter()
    rows, _ = index.query(Q, n=10)
    return len(Q) / (time.perf_counter() - started), rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--backends", nargs="+", default=["usearch"])
    parser.add_argument("--connectivity", type=int, default=32)
    parser.add_argument("--build-width", type=int, default=256)
    args = parser.parse_args()
    V, Q = vectors_and_queries(args.vectors, args.queries, args.components)
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, numpy {np.__version__}; "
        f"{args.vectors} x {args.components}, {args.queries} queries, "
        f"connectivity={args.connectivity}, build_width={args.build_width}",
        flush=True,
    )
    exact = build_index(V, "exact")
    exact.query(Q[:50], n=10)
    base, expected = rate(exact, Q)
    print(f"exact: {base:.0f} queries/s", flush=True)
    for backend in args.backends:
        started = time.perf_counter()
        index = build_index(
            V,
            backend,
            connectivity=args.connectivity,
            build_width=args.build_width,
        )
        took = time.perf_counter() - started
        package = {"faiss": "faiss-cpu"}.get(backend, backend)
        print(f"{backend} {version(package)}: built in {took:.0f} s", flush=True)
        for width in WIDTHS:
            index.search_width = width
            index.query(Q[:100], n=10)
            rates, bases = [], []
            for _ in range(3):
                value, rows = rate(index, Q)
                rates.append(value)
                bases.append(rate(exact, Q[:500])[0])
            pairs = zip(rows.filled(), expected, strict=True)
            found = [np.intersect1d(a, b).size for a, b in pairs]
            recall = np.mean(found) / 10
            print(
                f"  search_width={width:4d}: recall@10 {recall:.4f}, "
                f"{np.median(rates):8.0f} queries/s, "
                f"{np.median(rates) / np.median(bases):6.1f} x exact",
                flush=True,
            )
            if recall > 0.995:
                break


if __name__ == "__main__":
    main()
