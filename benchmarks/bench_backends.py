"""Extraction and a search on Ray, Spark, Dask and processes: the same bits everywhere.

    python benchmarks/bench_backends.py [--backends loky dask ray spark] [--songs 96]
        [--jobs 2]

Synthetic songs are written to files. MFCC frames of all files, and a search over the
recommender on two folds, are computed by one process and then under
``joblib.parallel_config(backend=...)``. Frames and results of the search must be those
of one process, bit by bit, and the work must be done in other processes; if not, the
script fails. Each backend starts a cluster of this machine alone, so that times show
what it costs to send work, not what a cluster gains.

Needs ``pip install skcoldstart[ray]``, ``skcoldstart[spark]`` (and Java) or
``skcoldstart[dask]``.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import version

import joblib
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

import skcoldstart
from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MFCCExtractor,
    VectorQuantizer,
    recommendation_scorer,
)
from skcoldstart.datasets import make_music_catalog

PACKAGES = {
    "dask": ["distributed"],
    "ray": ["ray"],
    "spark": ["pyspark", "joblibspark"],
    "loky": ["joblib"],
}


@contextmanager
def cluster(backend, n_jobs):
    """Start a cluster on this machine for a backend, and stop it."""
    if backend == "dask":
        from dask.distributed import Client, LocalCluster

        with (
            LocalCluster(
                n_workers=n_jobs, threads_per_worker=1, dashboard_address=None
            ) as started,
            Client(started),
        ):
            yield
    elif backend == "ray":
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        ray.init(num_cpus=n_jobs, include_dashboard=False, log_to_driver=False)
        try:
            yield
        finally:
            ray.shutdown()
    elif backend == "spark":
        from joblibspark import register_spark
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # that workers run
        session = (
            SparkSession.builder
            .master(f"local[{n_jobs}]")
            .config("spark.ui.enabled", "false")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("ERROR")
        register_spark()
        try:
            yield
        finally:
            session.stop()
    else:
        yield


def extract(catalog):
    """Return the frames of all songs."""
    return MFCCExtractor().fit_transform(catalog.paths)


def search(frames, catalog):
    """Return the results of a search over the recommender."""
    model = make_pipeline(
        VectorQuantizer(32, random_state=0, n_jobs=1),
        BagOfWords(),
        PCA(8, random_state=0),
        ColdStartRecommender(Ridge(), WMF(8, random_state=0, n_jobs=1)),
    )
    grid = {"coldstartrecommender__regressor__alpha": [0.1, 1.0, 10.0]}
    found = GridSearchCV(
        model,
        grid,
        scoring=recommendation_scorer,
        refit=False,
        cv=GroupKFold(2),
        error_score="raise",
    ).fit(frames, catalog.plays, groups=catalog.artists)
    return np.array([found.cv_results_[f"mean_test_{name}"] for name in ("map", "auc")])


def timed(function, *args):
    """Return what a function returns, and seconds."""
    start = time.perf_counter()
    return function(*args), time.perf_counter() - start


def main():
    """Compare backends with one process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--backends", nargs="+", choices=PACKAGES, default=["loky"])
    parser.add_argument("--songs", type=int, default=96)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, joblib {version('joblib')}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, {args.jobs} workers"
    )
    with tempfile.TemporaryDirectory() as folder:
        catalog = make_music_catalog(
            folder, n_songs=args.songs, n_artists=24, n_users=80, duration_s=5,
            random_state=0,
        )  # fmt: skip
        extract(catalog)  # compile
        frames, seconds = timed(extract, catalog)
        results, seconds_of_search = timed(search, frames, catalog)
        print(
            f"one process: extraction {seconds:.1f} s, search {seconds_of_search:.1f} s"
        )
        for backend in args.backends:
            versions = ", ".join(f"{p} {version(p)}" for p in PACKAGES[backend])
            with (
                cluster(backend, args.jobs),
                joblib.parallel_config(backend=backend, n_jobs=args.jobs),
            ):
                calls = (joblib.delayed(os.getpid)() for _ in range(4 * args.jobs))
                if os.getpid() in set(joblib.Parallel()(calls)):
                    raise RuntimeError(f"{backend} computes in the calling process")
                timed(extract, catalog)  # start the workers, compile there
                there, seconds = timed(extract, catalog)
                found, seconds_of_search = timed(search, frames, catalog)
            np.testing.assert_array_equal(there.values, frames.values)
            np.testing.assert_array_equal(there.offsets, frames.offsets)
            np.testing.assert_array_equal(found, results)
            print(
                f"{backend} ({versions}): the same frames and results; extraction "
                f"{seconds:.1f} s, search {seconds_of_search:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
