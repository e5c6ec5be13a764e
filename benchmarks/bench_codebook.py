"""VectorQuantizer against scikit-learn and faiss: the same frames, in turns.

    python benchmarks/bench_codebook.py [--rounds 5] [--threads 1] [--audio FOLDER]
    python benchmarks/bench_codebook.py --what transform fit counts [--seeds 0 1 2 3 4]
    OPENBLAS_CORETYPE=Haswell python benchmarks/bench_codebook.py

``transform`` gives frames their nearest codewords, raw, scaled to unit variance and as
noise; ``fit`` runs k-means for the same number of passes from random frames and reports
the inertia per frame of every seed beside the time; ``counts`` turns codes into bags of
words. ``products`` is the bare minimum of a search by matrix products: sgemm of blocks
of centred frames, then argmin.

Frames are MFCC of the sound files of a folder, or made: autoregressive, with the
variance shares that MFCC of music have. Every round times every method once, in turns;
a ratio is the median over rounds of one round's times. "wrong" counts labels whose
float64 distance is not the smallest. faiss is left out where it is not installed; its
wheel brings its own BLAS, which OPENBLAS_CORETYPE reaches too.
"""

import argparse
import os
import platform
import time
import warnings
from pathlib import Path

import numba
import numpy as np
import scipy
import sklearn
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

import skcoldstart
from skcoldstart import BagOfWords, MFCCExtractor, RaggedArray, VectorQuantizer

try:
    import faiss
except ImportError:
    faiss = None

# Largest standard deviation first, then the shares of variance of MFCC with deltas.
SPREAD, SHARES = 150.0, (0.67, 0.13, 0.08, 0.03)
FRAMES_PER_ITEM = 1249
SOUND_FILES = {".wav", ".flac", ".ogg", ".mp3"}


def make_frames(n_items, n_features, rng):
    """Make items of slowly changing frames, with features spread as those of MFCC."""
    tail = 0.03 * 0.85 ** np.arange(1, n_features)
    spread = SPREAD * np.sqrt(np.r_[SHARES, tail][:n_features] / SHARES[0])
    values = rng.standard_normal((n_items, FRAMES_PER_ITEM, n_features))
    centres = rng.standard_normal((n_items, 1, n_features))
    for t in range(1, FRAMES_PER_ITEM):
        values[:, t] = 0.9 * values[:, t - 1] + np.sqrt(1 - 0.9**2) * values[:, t]
    values = (values + centres) * spread / np.sqrt(2)
    return RaggedArray.from_sequence(values.astype(np.float32))


def read_frames(folder):
    """Return MFCC and deltas of the sound files of a folder, cut to items of clips."""
    paths = [p for p in sorted(Path(folder).rglob("*")) if p.suffix in SOUND_FILES]
    values = MFCCExtractor(n_jobs=2).fit_transform(paths).values
    n_items = len(values) // FRAMES_PER_ITEM
    cut = values[: n_items * FRAMES_PER_ITEM]
    return RaggedArray(cut, FRAMES_PER_ITEM * np.arange(n_items + 1))


def in_turns(methods, rounds):
    """Time every method once a round; return times of shape (rounds, methods)."""
    for method in methods.values():
        method()
    times = np.empty((rounds, len(methods)))
    for row in times:
        for j, method in enumerate(methods.values()):
            start = time.perf_counter()
            method()
            row[j] = time.perf_counter() - start
    return times


def report(title, methods, times, per, notes=None):
    """Print median rates, and ratios to the first method round by round."""
    print(f"\n{title}")
    for j, name in enumerate(methods):
        ratio = np.median(times[:, j] / times[:, 0])
        rate = per / np.median(times[:, j]) / 1e3
        note = (notes or {}).get(name, "")
        print(f"  {name:<28}{rate:10.0f} k/s   ours is {ratio:6.2f} x   {note}")


def products(frames, codebook):
    """Return labels by sgemm of blocks and argmin, in float32."""
    mean = codebook.mean(axis=0)
    centred = codebook - mean
    weights = np.vstack([-2 * centred.T, (centred**2).sum(axis=1)])
    rows = np.ones((256, frames.shape[1] + 1), np.float32)
    scores = np.empty((256, len(codebook)), np.float32)
    labels = np.empty(len(frames), np.int32)
    for start in range(0, len(frames), 256):
        block = frames[start : start + 256]
        np.subtract(block, mean, out=rows[: len(block), :-1])
        np.dot(rows[: len(block)], weights, out=scores[: len(block)])
        labels[start : start + 256] = scores[: len(block)].argmin(axis=1)
    return labels


def count_wrong(frames, codebook, labels):
    """Count labels whose float64 distance is not the smallest, on some frames."""
    chosen = np.linspace(0, len(frames) - 1, 4096).astype(int)
    codebook, wrong = codebook.astype(np.float64), 0
    for i in chosen:
        distances = ((codebook - frames[i].astype(np.float64)) ** 2).sum(axis=1)
        wrong += distances[labels[i]] > distances.min()
    return f"wrong {wrong} of {len(chosen)}"


def bench_transform(frames, arguments):
    """Time the search for nearest codewords on three kinds of frames."""
    rng = np.random.default_rng(1)
    values = frames.values
    kinds = {
        "raw frames": values,
        "frames of unit variance": (values - values.mean(0)) / values.std(0),
        "noise": rng.standard_normal(values.shape),
    }
    for kind, all_values in kinds.items():
        n_items = min(len(frames), arguments.items_searched)
        all_values = all_values.astype(np.float32)
        items = RaggedArray(all_values, frames.offsets)[:n_items]
        quantizer = VectorQuantizer(
            arguments.codewords,
            max_frames=30 * arguments.codewords,
            max_iter=2,
            random_state=0,
            n_jobs=arguments.threads,
        ).fit(RaggedArray(all_values, frames.offsets))
        flat, codebook = items.values, quantizer.codebook_
        kmeans = KMeans(len(codebook), init=codebook, n_init=1, max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kmeans.fit(flat[: 2 * len(codebook)])
        kmeans.cluster_centers_ = codebook
        methods = {
            "VectorQuantizer.transform": lambda q=quantizer, X=items: (
                q.transform(X).values
            ),
            "KMeans.predict": lambda k=kmeans, X=flat: k.predict(X),
            "products": lambda X=flat, c=codebook: products(X, c),
        }
        if faiss is not None:
            index = faiss.IndexFlatL2(codebook.shape[1])
            index.add(codebook)
            methods["faiss IndexFlatL2"] = lambda index=index, X=flat: index.search(
                X, 1
            )[1].ravel()
        notes = {
            name: count_wrong(flat, codebook, method())
            for name, method in methods.items()
        }
        times = in_turns(methods, arguments.rounds)
        title = (
            f"transform, {len(flat)} x {flat.shape[1]} {kind}, {len(codebook)} words"
        )
        report(title, methods, times, len(flat), notes)


def bench_fit(frames, arguments):
    """Time k-means at equal passes and report the inertia of every seed."""
    X, K, n_iter = frames.values, arguments.codewords, arguments.passes

    def ours(seed, nested=True):
        # The nested start counts as passes here: 6/9 + 6/3 of one over all frames.
        max_iter = max(1, n_iter - 3) if nested else n_iter
        return (
            VectorQuantizer(
                K,
                max_frames=None,
                max_iter=max_iter,
                tol=0,
                random_state=seed,
                n_jobs=arguments.threads,
            )
            .fit(frames)
            .inertia_
        )

    def scikit_learn(seed):
        kmeans = KMeans(
            K, init="random", n_init=1, max_iter=n_iter, tol=0, random_state=seed
        )
        return kmeans.fit(X).inertia_

    def by_faiss(seed):
        kmeans = faiss.Kmeans(
            X.shape[1], K, niter=n_iter, seed=seed, max_points_per_centroid=len(X)
        )
        kmeans.train(X)
        return kmeans.index.search(X, 1)[0].astype(np.float64).sum()

    methods = {"VectorQuantizer": ours, "KMeans": scikit_learn}
    if faiss is not None:
        methods["faiss.Kmeans"] = by_faiss
    print(f"\nfit, {len(X)} x {X.shape[1]} frames, {K} codewords, {n_iter} passes")
    VectorQuantizer(8, max_iter=1, random_state=0).fit(X[:100])
    times = np.empty((len(arguments.seeds), len(methods)))
    inertia = np.empty_like(times)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, seed in enumerate(arguments.seeds):
            for j, method in enumerate(methods.values()):
                start = time.perf_counter()
                inertia[i, j] = method(seed) / len(X)
                times[i, j] = time.perf_counter() - start
    for j, name in enumerate(methods):
        ratio = np.median(times[:, j] / times[:, 0])
        per_seed = " ".join(f"{value:.2f}" for value in inertia[:, j])
        print(
            f"  {name:<20}{np.median(times[:, j]):8.2f} s   ours is {ratio:6.2f} x   "
            f"inertia/frame {per_seed}"
        )


def bench_counts(frames, arguments):
    """Time counting, in items a second."""
    rng = np.random.default_rng(2)
    codes = RaggedArray(
        rng.integers(0, arguments.codewords, len(frames.values)).astype(np.int32),
        frames.offsets,
    )
    dense = BagOfWords(arguments.codewords).fit(codes)
    sparse = BagOfWords(arguments.codewords, sparse_output=True).fit(codes)
    methods = {
        "BagOfWords, dense": lambda: dense.transform(codes),
        "BagOfWords, sparse": lambda: sparse.transform(codes),
        "bincount of each item": lambda: np.array([
            np.bincount(item, minlength=arguments.codewords) for item in codes
        ]),
    }
    times = in_turns(methods, arguments.rounds)
    report(f"counts, {len(codes)} items", methods, times, len(codes))


BENCHMARKS = {"transform": bench_transform, "fit": bench_fit, "counts": bench_counts}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", nargs="+", choices=BENCHMARKS, default=[*BENCHMARKS])
    parser.add_argument("--codewords", type=int, default=4000)
    parser.add_argument("--features", type=int, default=39, help="of made frames")
    parser.add_argument("--items", type=int, default=96, help="of made frames")
    parser.add_argument("--items-searched", type=int, default=24)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--audio", help="folder of sound files instead of made frames")
    arguments = parser.parse_args()

    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, "
        f"numba {numba.__version__}, "
        f"faiss {faiss.__version__ if faiss else 'not installed'}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for library in threadpool_info():
        core = library.get("architecture", "")
        print(f"  {library['internal_api']} {library['version']} {core}")
    print(
        f"threads {arguments.threads}, "
        f"OPENBLAS_CORETYPE {os.environ.get('OPENBLAS_CORETYPE', 'unset')}"
    )
    if arguments.audio:
        frames = read_frames(arguments.audio)
    else:
        rng = np.random.default_rng(0)
        frames = make_frames(arguments.items, arguments.features, rng)
    if faiss is not None:
        faiss.omp_set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        for name in arguments.what:
            BENCHMARKS[name](frames, arguments)


if __name__ == "__main__":
    main()
