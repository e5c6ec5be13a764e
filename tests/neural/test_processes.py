"""Several processes train the network that one process trains on the same batches."""

import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import WMF
from tests.neural.conftest import SMALL

pytestmark = pytest.mark.slow

PARAMS = SMALL | {
    "validation_fraction": 0.25,
    "batch_size": 15,  # neither batches nor their shares are of one size
    "device": "auto",
}
MODELS = {
    "mse": {"architecture": "spotify2014"},
    "gram": {"lr_schedule": "cosine"},
    "wpe": {"optimizer": "sgd"},
    "ranking": {},
    "softmax": {},
}
TRAIN = """
    import os, pickle, sys
    import torch
    from torch import distributed
    from skcoldstart import CNNFactorRegressor

    torch.set_num_threads(1)
    folder, rank, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if size > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{folder}/group", rank=rank, world_size=size
        )
    with open(f"{folder}/jobs", "rb") as file:
        jobs = pickle.load(file)
    results = {}
    for name, (params, X, y, kwargs) in jobs.items():
        try:
            model = CNNFactorRegressor(**params).fit(X, y[rank % len(y)], **kwargs)
        except ValueError as error:
            results[name] = str(error)
            continue
        results[name] = model.history_, model.predict(X)
    with open(f"{folder}/result{rank}", "wb") as file:
        pickle.dump(results, file)
    if size > 1:  # its threads must not be running when the process ends
        distributed.barrier()
        distributed.destroy_process_group()
"""


def train(folder, jobs, size):
    """Run jobs in as many processes; return what each of them got."""
    folder.mkdir()
    (folder / "jobs").write_bytes(pickle.dumps(jobs))
    command = [sys.executable, "-c", textwrap.dedent(TRAIN), str(folder)]
    started = [
        subprocess.Popen(
            [*command, str(rank), str(size)], env=os.environ, stderr=subprocess.PIPE
        )
        for rank in range(size)
    ]
    for process in started:
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
    return [
        pickle.loads((folder / f"result{rank}").read_bytes()) for rank in range(size)
    ]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process and what each of two get in the same jobs."""
    rng = np.random.default_rng(0)
    frames = [
        rng.normal(size=(n, 6)).astype(np.float32) for n in rng.integers(5, 60, 40)
    ]
    taste = np.array([clip.mean(axis=0)[:3] for clip in frames])
    plays = (taste @ rng.normal(size=(3, 30)) > 0.05).astype(float)
    wmf = WMF(3, random_state=0).fit(plays)
    y = wmf.item_factors_
    usage = {"user_factors": wmf.user_factors_, "usage": wmf.confidences(plays)}
    jobs = {
        objective: (PARAMS | {"objective": objective} | params, frames, [y], usage)
        for objective, params in MODELS.items()
    }
    stopping = {"max_epochs": 40, "patience": 2, "lr": 0.05}
    normalized = {"batch_norm": True, "dropout": 0.3}
    more = {
        "stopped": (stopping, [y]),
        "one held out": ({"validation_fraction": 0.03}, [y]),
        "normalized": (normalized, [y]),
        "other targets": ({}, [y, y + 1]),
        "other seeds": ({"random_state": None}, [y]),
    }
    jobs |= {
        name: (PARAMS | params, frames, targets, {})
        for name, (params, targets) in more.items()
    }
    folder = tmp_path_factory.mktemp("processes")
    return train(folder / "one", jobs, 1)[0], train(folder / "two", jobs, 2)


@pytest.mark.parametrize("name", [*MODELS, "stopped", "one held out"])
def test_two_processes_learn_what_one_learns_from_the_same_batches(results, name):
    alone, (first, second) = results
    history, predicted = alone[name]
    for loss in ("train_loss", "valid_loss"):
        found = first[name][0][:, loss]
        assert_allclose(found, history[:, loss], rtol=2e-5)
        assert_array_equal(found, second[name][0][:, loss])
    found = first[name][1]
    assert_array_equal(found, second[name][1])
    if name in ("ranking", "softmax"):
        # What all items share does not count; AdamW makes steps of rounding errors.
        found, predicted = (
            found - found.mean(axis=0),
            predicted - predicted.mean(axis=0),
        )
    assert_allclose(found, predicted, rtol=1e-3, atol=1e-4)
    if name == "stopped":
        assert len(history) < 40


def test_processes_end_with_the_same_statistics_of_batches(results):
    _, (first, second) = results
    assert_array_equal(first["normalized"][1], second["normalized"][1])
    assert_array_equal(
        first["normalized"][0][:, "valid_loss"],
        second["normalized"][0][:, "valid_loss"],
    )


@pytest.mark.parametrize("name", ["other targets", "other seeds"])
def test_processes_with_different_data_are_refused_in_each_of_them(results, name):
    for result in results[1]:
        assert "2 processes of the group received different" in result[name]
