"""The same results on a cluster, in processes and in threads as in one process."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
from contextlib import nullcontext
from functools import partial

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MFCCExtractor,
    RaggedArray,
    VectorQuantizer,
    listeners,
    make_recommendation_scorer,
    recommend,
    recommendation_scorer,
)
from skcoldstart.audio import AudioReadError
from skcoldstart.datasets import make_music_catalog
from tests.clusters import two_workers

SR = 8000
N_TRAIN = 48

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client():
    """Two workers of a real cluster, each a process of its own."""
    with two_workers() as client:
        yield client


@pytest.fixture
def worker_pids(client):
    return set(client.run(os.getpid).values())


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return make_music_catalog(
        tmp_path_factory.mktemp("songs"),
        n_songs=64,
        n_artists=32,
        n_genres=4,
        n_users=80,
        duration_s=0.5,
        sr=SR,
        random_state=0,
    )


def extractor(**options):
    return MFCCExtractor(sr=SR, n_fft=256, hop_length=128, n_mels=40, **options)


def recommender():
    return Pipeline([
        ("mfcc", extractor()),
        ("codes", VectorQuantizer(12, random_state=0)),
        ("bag", BagOfWords()),
        ("pca", PCA(6, random_state=0)),
        ("recommend", ColdStartRecommender(Ridge(), WMF(4, random_state=0))),
    ])


def learned(pipeline):
    """Return all that a fitted pipeline learned, step by step."""
    factorizer = pipeline["recommend"].factorizer_
    return {
        "codebook": pipeline["codes"].codebook_,
        "components": pipeline["pca"].components_,
        "coefficients": pipeline["recommend"].regressor_.coef_,
        "item factors": factorizer.item_factors_,
        "user factors": factorizer.user_factors_,
    }


@pytest.fixture(scope="module")
def expected(catalog):
    pipeline = recommender().fit(catalog.paths[:N_TRAIN], catalog.plays[:N_TRAIN])
    return learned(pipeline), pipeline.predict(catalog.paths[N_TRAIN:])


@pytest.mark.parametrize("backend", ["threading", "loky", "dask"])
def test_a_pipeline_learns_and_predicts_the_same_bits(
    backend, catalog, expected, request
):
    if backend == "dask":
        request.getfixturevalue("client")
    with joblib.parallel_config(backend=backend, n_jobs=2):
        pipeline = recommender().fit(catalog.paths[:N_TRAIN], catalog.plays[:N_TRAIN])
        scores = pipeline.predict(catalog.paths[N_TRAIN:])
    for name, value in learned(pipeline).items():
        assert_array_equal(value, expected[0][name], err_msg=name)
    assert_array_equal(scores, expected[1])


class TracedPath(os.PathLike):
    """A path that writes down which process opens it."""

    def __init__(self, path, log):
        self.path, self.log = str(path), str(log)

    def __fspath__(self):
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()}\n")
        return self.path


class DeadlyPath(TracedPath):
    """A path that ends the first process that opens it, as a lack of memory would."""

    def __fspath__(self):
        try:
            pathlib.Path(self.log).touch(exist_ok=False)
        except FileExistsError:
            return self.path
        os.kill(os.getpid(), signal.SIGKILL)


def test_files_are_read_by_all_workers_and_by_nobody_else(
    catalog, worker_pids, tmp_path
):
    paths = [TracedPath(path, tmp_path / "pids") for path in catalog.paths]
    with joblib.parallel_config(backend="dask"):
        frames = extractor().transform(paths)
    assert_array_equal(frames.values, extractor().transform(catalog.paths).values)
    pids = (tmp_path / "pids").read_text().split()
    assert {int(pid) for pid in pids} == worker_pids
    assert os.getpid() not in worker_pids


@pytest.mark.parametrize("on_error", ["ignore", "warn"])
def test_errors_of_all_workers_come_home_in_order(catalog, on_error, client, tmp_path):
    paths = list(catalog.paths)
    for index in range(3, len(paths), 7):
        paths[index] = tmp_path / f"bad{index}.wav"
        if index % 2:
            paths[index].write_bytes(b"not a sound")
    paths[10] = np.array([0.0, np.nan])
    local = extractor(on_error="ignore")
    expected = local.transform(paths)
    cluster = extractor(on_error=on_error)
    warned = pytest.warns(UserWarning, match="9 of 64 items could not be used")
    with joblib.parallel_config(backend="dask"):
        with warned if on_error == "warn" else nullcontext():
            frames = cluster.transform(paths)
    assert [error.index for error in cluster.errors_] == list(range(3, 64, 7))
    assert cluster.errors_ == local.errors_
    assert_array_equal(frames.offsets, expected.offsets)
    assert_array_equal(frames.values, expected.values)


def test_the_first_bad_file_is_raised_here_with_its_name(catalog, client):
    paths = [*catalog.paths[:5], "gone.wav", *catalog.paths[5:], "gone too.wav"]
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(AudioReadError, match="No such file") as caught,
    ):
        extractor().transform(paths)
    assert (caught.value.index, caught.value.path) == (5, "gone.wav")


def test_a_worker_that_dies_is_replaced_and_no_file_is_lost(
    catalog, worker_pids, client, tmp_path
):
    paths = list(catalog.paths)
    paths[20] = DeadlyPath(paths[20], tmp_path / "died")
    with joblib.parallel_config(backend="dask"):
        frames = extractor().transform(paths)
    assert (tmp_path / "died").exists()
    assert_array_equal(frames.values, extractor().transform(catalog.paths).values)
    client.wait_for_workers(2, timeout=300)
    assert set(client.run(os.getpid).values()) != worker_pids


def test_a_store_filled_by_a_cluster_serves_everybody(catalog, client, tmp_path):
    expected = extractor().transform(catalog.paths)
    with joblib.parallel_config(backend="dask"):
        frames = extractor(store=tmp_path / "frames").transform(catalog.paths)
    again = extractor(store=tmp_path / "frames").transform(catalog.paths)
    for i, item in enumerate(expected):
        stored = item.astype(frames[i].dtype)
        assert_array_equal(frames[i], stored)
        assert_array_equal(again[i], stored)


def search(steps, **grid):
    return GridSearchCV(
        steps,
        grid,
        scoring=recommendation_scorer,
        refit=False,
        cv=2,
        error_score="raise",
    )


def results(search, X, y):
    found = search.fit(X, y).cv_results_
    return [found[name] for name in ("mean_test_map", "mean_test_auc", "std_test_map")]


def test_a_search_on_a_cluster_finds_what_a_local_search_finds(catalog, client):
    candidates = search(recommender(), codes__n_codewords=[6, 12])
    expected = results(candidates, catalog.paths, catalog.plays)
    with joblib.parallel_config(backend="dask"):
        found = results(candidates, catalog.paths, catalog.plays)
    assert_array_equal(found, expected)


def test_a_search_sends_its_frames_to_the_cluster_once(catalog, client, monkeypatch):
    frames = extractor().transform(catalog.paths)
    candidates = search(recommender()[1:], recommend__regressor__alpha=[0.1, 10.0])
    expected = results(candidates, frames, catalog.plays)
    n_frames_sent = []

    def reduce(self, protocol):
        n_frames_sent.append(len(self.values))
        return object.__reduce_ex__(self, protocol)

    monkeypatch.setattr(RaggedArray, "__reduce_ex__", reduce, raising=False)
    with joblib.parallel_config(backend="dask"):
        found = results(candidates, frames, catalog.plays)
    assert n_frames_sent == [len(frames.values)]
    assert_array_equal(found, expected)


FORK = """
    import os, sys
    import numpy as np
    from joblib import Parallel, delayed, parallel_config
    from skcoldstart import WMF, MFCCExtractor, VectorQuantizer

    def fit(seed):
        rng = np.random.default_rng(seed)
        waves = rng.uniform(-0.5, 0.5, (6, 4000))
        frames = MFCCExtractor().fit_transform(waves)
        codes = VectorQuantizer(4, random_state=0).fit_transform(frames)
        plays = rng.integers(0, 3, (30, 40))
        return codes.values, WMF(4, random_state=0).fit_transform(plays)

    expected = [fit(seed) for seed in range(3)]  # every kernel has run in the parent
    with parallel_config(backend="multiprocessing", n_jobs=2):
        found = Parallel()(delayed(fit)(seed) for seed in range(3))
    for one, other in zip(expected, found, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked here")
def test_kernels_run_in_a_child_that_was_forked_after_they_ran():
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORK)], check=True, timeout=1800
    )


def test_blocks_of_users_on_a_cluster_give_the_lists_and_metrics_of_all(client, rng):
    X, plays = rng.normal(size=(60, 5)), rng.integers(0, 2, (60, 90))
    model = ColdStartRecommender(Ridge(), WMF(4, random_state=0)).fit(
        X[:40], plays[:40]
    )
    new, played = X[40:], plays[40:]
    blocks = np.array_split(np.arange(90), 4)

    scorer = partial(make_recommendation_scorer, ("map@500", "auc"))
    with joblib.parallel_config(backend="dask"):
        run = joblib.Parallel()
        lists = run(
            joblib.delayed(recommend)(model, new, 5, users=block) for block in blocks
        )
        values = run(
            joblib.delayed(scorer(users=block).per_user)(model, new, played)
            for block in blocks
        )
        heard = run(
            joblib.delayed(listeners)(model, new[part], 7)
            for part in (slice(9), slice(9, None))
        )
    whole = recommend(model, new, 5)
    assert_array_equal(np.concatenate([part.items for part in lists]), whole.items)
    assert_array_equal(np.concatenate([part.scores for part in lists]), whole.scores)
    for metric, of_all in scorer().per_user(model, new, played).items():
        found = np.concatenate([
            of_block[metric][block]
            for block, of_block in zip(blocks, values, strict=True)
        ])
        assert_array_equal(found, of_all)
    assert_array_equal(
        np.concatenate([part.users for part in heard]), listeners(model, new, 7).users
    )
