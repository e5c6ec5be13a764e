"""torch as the caller left it: types, modes, generators, threads and forks."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from torch import nn

from skcoldstart import (
    AudioEmbedding,
    CNNFactorRegressor,
    ContrastiveEncoder,
    load_model,
    save_model,
)
from tests.neural.conftest import SMALL


class Own(nn.Module):
    """A network with a layer of each habit: drawn, dropped out, normalised."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.norm = nn.BatchNorm1d(n_features)
        self.drop = nn.Dropout(0.3)
        self.dense = nn.Linear(n_features, n_outputs)
        self.register_buffer("share", torch.tensor([0.5]))

    def forward(self, windows):
        return self.dense(self.drop(self.norm(windows.mean(1) * self.share)))


NETWORKS = {
    "plain": {},
    "ranking": {"objective": "ranking", "batch_norm": True},
    "softmax": {"objective": "softmax"},
    "wpe": {"objective": "wpe", "architecture": "shortchunk"},
    "gram": {"objective": "gram", "n_jobs": 2},
    "dropout": {"architecture": "nips2013", "dropout": 0.4},
    "half": {"precision": "bfloat16"},
    "bytes": {"device_storage": "uint8"},
    "own": {"architecture": Own},
}


@contextmanager
def held(get, set_to, value):
    before = get()
    set_to(value)
    try:
        yield
    finally:
        set_to(before)


def default_dtype(dtype):
    return held(torch.get_default_dtype, torch.set_default_dtype, dtype)


MODES = {
    "float64": lambda: default_dtype(torch.float64),
    "half": lambda: default_dtype(torch.bfloat16),
    "inference": torch.inference_mode,
    "no gradients": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "deterministic": lambda: held(
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
        True,
    ),
}


def state_of_torch():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_num_threads(),
        torch.default_generator.get_state().tolist(),
    )


@pytest.fixture
def problem(clips, rng):
    """Return a function that fits, and the frames."""
    frames, factors = clips
    users = rng.normal(size=(9, 3))
    usage = (rng.random((40, 9)) < 0.4).astype(float)
    return lambda model: model.fit(
        frames, factors, user_factors=users, usage=usage
    ), frames


@pytest.mark.parametrize(
    ("network", "mode"),
    [
        *((network, "float64") for network in NETWORKS),
        *((network, mode) for network in ("half", "own") for mode in [*MODES][1:]),
    ],
)
def test_what_the_caller_does_with_torch_changes_nothing(
    network, mode, problem, tmp_path
):
    fit, frames = problem
    params = SMALL | {"max_epochs": 2} | NETWORKS[network]
    expected = fit(CNNFactorRegressor(**params))
    warm = pickle.dumps(fit(CNNFactorRegressor(**params, warm_start=True)))
    further = fit(pickle.loads(warm)).predict(frames)
    known = network != "own"  # others cannot be saved without running code
    if known:
        save_model(expected, tmp_path / "model")
    with MODES[mode]():
        before = state_of_torch()
        found = [
            fit(CNNFactorRegressor(**params)).predict(frames),
            expected.predict(frames),
            pickle.loads(pickle.dumps(expected)).predict(frames),
        ]
        if known:
            found.append(load_model(tmp_path / "model").predict(frames))
        loaded = pickle.loads(warm)
        found_further = fit(pickle.loads(warm)).predict(frames)
        assert state_of_torch() == before
    for predicted in found:
        assert_array_equal(predicted, expected.predict(frames))
    assert_array_equal(found_further, further)
    # What was loaded within a mode can be trained outside.
    assert_array_equal(fit(loaded).predict(frames), further)


@pytest.mark.parametrize("content", ["table", "frames"])
@pytest.mark.parametrize("mode", MODES)
def test_a_space_of_taste_is_the_same_whatever_the_caller_does(
    mode, content, clips, rng, tmp_path
):
    X, params = rng.normal(size=(40, 5)), {}
    if content == "frames":
        X = clips[0]
        params = {"architecture": "nips2013", "window": 24, "n_filters": (4, 4)}
    plays = rng.poisson(0.5, (40, 9))
    params |= {"hidden": (8,), "max_epochs": 2, "device": "cpu", "random_state": 0}
    encoder = ContrastiveEncoder(3, **params)
    expected = clone(encoder).fit(X, plays).transform(X)
    encoder.fit(X, plays)
    save_model(encoder, tmp_path / "model")
    with MODES[mode]():
        before = state_of_torch()
        found = [
            clone(encoder).fit(X, plays).transform(X),
            encoder.transform(X),
            load_model(tmp_path / "model").transform(X),
        ]
        assert state_of_torch() == before
    for vectors in found:
        assert_array_equal(vectors, expected)


@pytest.mark.parametrize("mode", MODES)
def test_a_pretrained_network_listens_the_same_whatever_the_caller_does(mode, rng):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(400, 8), nn.ReLU(), nn.Linear(8, 3))
    sound = [rng.normal(size=n) * 0.1 for n in (4000, 900)]
    embed = AudioEmbedding(net, sr=4000, window=0.1, device="cpu").fit(sound)
    expected = embed.transform(sound)
    with MODES[mode]():
        before = state_of_torch()
        found = clone(embed).fit(sound).transform(sound)
        assert state_of_torch() == before
    assert_array_equal(found, expected)


def test_fits_in_threads_are_those_of_one(problem):
    fit, frames = problem
    params = SMALL | NETWORKS["own"]
    expected = fit(CNNFactorRegressor(**params)).predict(frames)
    before = state_of_torch()
    with ThreadPoolExecutor(4) as pool:
        models = [CNNFactorRegressor(**params) for _ in range(4)]
        found = list(pool.map(lambda model: fit(model).predict(frames), models))
    assert state_of_torch() == before
    for predicted in found:
        assert_array_equal(predicted, expected)


FORKS = """
import os, signal, sys, threading
import numpy as np, torch
from skcoldstart import CNNFactorRegressor
torch.set_num_threads(2)
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 200, 64)).astype("f4")  # enough for two threads
y = rng.normal(size=(40, 3))
def make():
    return CNNFactorRegressor(window=64, n_filters=(64, 64), hidden=(128,), dropout=0.5,
        max_epochs=1, validation_fraction=0, device="cpu", random_state=0, n_jobs=2)
model = make().fit(X, y)
expected = model.predict(X)
stop = threading.Event()
def work():
    while not stop.is_set():
        make().fit(X, y)
thread = threading.Thread(target=work)
thread.start()
for k in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(600)
        found = model if k % 2 else make().fit(X, y)
        close = np.abs(found.predict(X) - expected).max() < 1e-4
        os._exit(0 if close else 1)
    status = os.waitpid(pid, 0)[1]
    if status:
        print("child", k, "ended with", status)
        stop.set()
        break
stop.set()
thread.join()
print("done")
"""


@pytest.mark.slow
def test_forked_children_predict_and_fit():
    done = subprocess.run(
        [sys.executable, "-c", FORKS, "12"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["done"]
