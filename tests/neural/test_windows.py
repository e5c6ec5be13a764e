"""Windows: which, where, and that every frame is in one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import RaggedArray
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.neural._torch.loading import ResidentFrames, prediction_batches
from skcoldstart.neural._windows import (
    WindowReader,
    frame_moments,
    prediction_starts,
    training_starts,
)


@pytest.mark.parametrize(
    ("n_frames", "starts"),
    [
        (50, [0]),
        (129, [0]),
        (130, [0, 1]),
        (258, [0, 129]),
        (391, [0, 129, 258, 262]),
        (1249, [*range(0, 1161, 129), 1120]),
    ],
)
def test_consecutive_windows_keep_the_tail(n_frames, starts):
    found = prediction_starts(n_frames, 129)
    assert_array_equal(found, starts)
    inside = {t for s in found for t in range(s, min(s + 129, n_frames))}
    assert inside == set(range(n_frames))


def test_training_windows_are_a_function_of_seed_epoch_and_item():
    items = np.arange(500)
    n_frames = np.full(500, 60)
    draw = {"window": 10, "epoch": 3, "seed": 7}
    starts = training_starts(items, n_frames, **draw)
    shuffled = np.random.default_rng(0).permutation(500)
    assert_array_equal(training_starts(shuffled, n_frames, **draw), starts[shuffled])
    short = training_starts(items[:3], np.array([1, 9, 10]), **draw)
    assert_array_equal(short, 0)
    for other in ({"epoch": 4}, {"seed": 8}):
        again = training_starts(items, n_frames, **draw | other)
        assert np.mean(again == starts) < 0.1


def test_training_windows_start_everywhere_alike(global_random_seed):
    n = 51 * 400
    starts = training_starts(
        np.arange(n), np.full(n, 60), window=10, epoch=0, seed=global_random_seed
    )
    counts = np.bincount(starts, minlength=51)
    assert len(counts) == 51
    # chi-squared with 50 degrees of freedom: mean 50, deviation 10
    assert ((counts - 400) ** 2 / 400).sum() < 110


@pytest.mark.parametrize(
    "form",
    [
        RaggedArray.from_sequence,
        lambda clips: LazySequence(np.asarray, clips),
        lambda clips: RaggedArray.from_sequence(clips).astype(np.float64),
    ],
)
def test_readers_cut_and_fill_up_windows(form, clips):
    frames, _ = clips
    X = form(frames)
    items, starts = np.array([0, 3, 3]), np.array([0, 0, 2])
    windows = WindowReader(X, 6)(items, starts, 20)
    assert windows.dtype == np.float32
    for window, item, start in zip(windows, items, starts, strict=True):
        part = frames[item][start : start + 20]
        assert_array_equal(window[: len(part)], part)
        assert not window[len(part) :].any()


@pytest.mark.parametrize(
    ("storage", "atol"), [("float16", 2e-3), ("uint8", 8 / 255 / 2 * 1.01)]
)
def test_frames_on_the_device_are_those_on_the_host(storage, atol, clips):
    frames, _ = clips
    X = RaggedArray.from_sequence([np.clip(clip, -4, 4) for clip in frames])
    resident = ResidentFrames(X, X.lengths, 6, storage, "cpu")
    items = np.arange(len(X))
    starts = np.minimum(3, X.lengths - 1)
    windows = resident(items, starts, 25).numpy()
    host = WindowReader(X, 6)(items, starts, 25)
    assert_allclose(windows, host, rtol=0, atol=atol)
    assert not windows[host == 0].any()


def test_prediction_batches_hold_every_window_once(clips):
    frames, _ = clips
    frames = [*frames, np.empty((0, 6), np.float32)]
    X = RaggedArray.from_sequence(frames)
    found = {}
    for owners, windows in prediction_batches(X, 6, window=16, batch_size=7):
        assert windows.shape == (7, 16, 6)
        assert not windows[len(owners) :].any()
        for owner, window in zip(owners, windows, strict=False):
            found.setdefault(int(owner), []).append(window.copy())
    assert set(found) == set(range(len(frames) - 1))
    for item, windows in found.items():
        starts = prediction_starts(len(frames[item]), 16)
        assert len(windows) == len(starts)
        for window, start in zip(windows, starts, strict=True):
            part = frames[item][start : start + 16]
            assert_array_equal(window[: len(part)], part)


def test_moments_are_those_of_all_frames_also_far_from_zero(clips):
    frames, _ = clips
    far = [(clip + 1e5).astype(np.float64) for clip in frames]
    for clip in far:
        clip[:, 4] = 7
    mean, deviation = frame_moments(RaggedArray.from_sequence(far), np.arange(30))
    joined = np.concatenate(far[:30])
    assert_allclose(mean, joined.mean(axis=0), rtol=1e-12)
    expected = joined.std(axis=0)
    expected[4] = 1  # a constant band
    assert_allclose(deviation, expected, rtol=1e-6)
