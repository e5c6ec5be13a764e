"""Frames that are not in memory, and nets that change machines."""

import pickle
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcoldstart import CNNFactorRegressor, MelSpectrogram, RaggedArray
from skcoldstart.neural._torch.loading import window_reader
from skcoldstart.neural._windows import WindowReader
from tests.neural.conftest import SMALL


@pytest.mark.slow
def test_memory_does_not_grow_with_a_memory_map(tmp_path):
    n_items, n_frames, n_bands = 800, 1000, 128
    values = np.lib.format.open_memmap(
        tmp_path / "frames.npy", "w+", np.float16, (n_items * n_frames, n_bands)
    )
    values[::n_frames] = 1
    frames = RaggedArray(values, np.arange(n_items + 1) * n_frames)
    y = np.random.default_rng(0).normal(size=(n_items, 2))
    model = CNNFactorRegressor(**SMALL | {"max_epochs": 2, "batch_size": 64})
    model.fit(frames[:2], y[:2])  # imports are no part of it
    tracemalloc.start()
    try:
        model.fit(frames, y).predict(frames[:100])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert values.nbytes > 200e6
    assert peak < 40e6


def test_a_store_trains_the_same_network_as_arrays(tmp_path, rng):
    sounds = [rng.normal(size=n).astype(np.float32) for n in rng.integers(2e3, 9e3, 24)]
    options = {"n_fft": 256, "hop_length": 128, "n_mels": 12, "dtype": "float16"}
    stored = MelSpectrogram(**options, store=tmp_path / "store").fit_transform(sounds)
    held = MelSpectrogram(**options).fit_transform(sounds)
    y = rng.normal(size=(24, 2))
    for n_jobs in (None, 2):
        model = CNNFactorRegressor(**SMALL, n_jobs=n_jobs)
        expected = model.fit(held, y).predict(held)
        assert_array_equal(model.fit(stored, y).predict(stored), expected)
    lazy = MelSpectrogram(**options, lazy=True).fit_transform(sounds)
    assert_array_equal(model.fit(lazy, y).predict(lazy), expected)


@pytest.mark.parametrize("storage", ["float16", "uint8"])
def test_frames_may_live_on_the_device(storage, clips):
    frames, factors = clips
    host = CNNFactorRegressor(**SMALL).fit(frames, factors)
    device = CNNFactorRegressor(**SMALL, device_storage=storage).fit(frames, factors)
    spread = host.predict(frames).std()
    difference = np.abs(device.predict(frames) - host.predict(frames)).max()
    assert difference < 0.2 * spread


def test_nothing_is_put_on_a_device_that_has_no_memory_of_its_own(clips):
    import torch

    X = RaggedArray.from_sequence(clips[0])
    reader = window_reader(X, X.lengths, 6, "auto", torch.device("cpu"))
    assert isinstance(reader, WindowReader)


def test_a_net_trained_on_a_gpu_loads_on_a_machine_without(clips):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    frames, factors = clips
    model = CNNFactorRegressor(**SMALL).fit(frames, factors)
    expected = model.predict(frames)
    # What a pickle of a GPU says of itself; its tensors cannot be made here.
    model.net_.device = "cuda:0"
    state = pickle.dumps(model)
    with pytest.warns(UserWarning, match="not available"):
        loaded = pickle.loads(state)
    assert torch.device(loaded.net_.device).type == "cpu"
    assert_array_equal(loaded.predict(frames), expected)


def test_bfloat16_is_close_to_float32(clips):
    frames, factors = clips
    wide = CNNFactorRegressor(**SMALL).fit(frames, factors).predict(frames)
    half = CNNFactorRegressor(**SMALL, precision="bfloat16").fit(frames, factors)
    found = half.predict(frames)
    assert found.dtype == np.float32
    assert np.abs(found - wide).max() < 0.2 * wide.std()
    assert np.abs(found - wide).max() > 0


def test_values_beyond_half_precision_are_not_cut_off(clips):
    frames, factors = clips
    loud = [clip * np.float32(1e5) for clip in frames]
    with pytest.raises(ValueError, match=r"device_storage='uint8'"):
        CNNFactorRegressor(**SMALL, device_storage="float16").fit(loud, factors)
    CNNFactorRegressor(**SMALL, device_storage="uint8").fit(loud, factors)
