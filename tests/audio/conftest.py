"""Clips and audio files shared by the audio tests."""

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from skcoldstart.audio import _extraction


@pytest.fixture
def music(rng):
    """Make a mono float32 waveform with tones, noise, an onset and a fade."""

    def make(n_samples, sr=22050):
        t = np.arange(n_samples) / sr
        chirp = 0.3 * np.sin(2 * np.pi * (200 * t + 900 * t**2))
        chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277.2, 329.6)) * 0.1
        noise = 0.05 * rng.standard_normal(n_samples) * np.exp(-2 * (t % 0.25))
        return ((chirp + chord + noise) * np.exp(-t)).astype(np.float32)

    return make


@pytest.fixture
def write_audio(tmp_path):
    """Write samples of shape (n_samples,) or (n_samples, n_channels) to a file."""

    def write(name, samples, sr=22050, **options):
        path = tmp_path / name
        soundfile.write(path, samples, sr, **options)
        return path

    return write


@pytest.fixture
def n_computed(monkeypatch):
    """Count the clips that are computed."""
    calls = []
    compute = _extraction.ClipExtractor.__call__

    def counting(self, index, item):
        calls.append(index)
        return compute(self, index, item)

    monkeypatch.setattr(_extraction.ClipExtractor, "__call__", counting)

    def count():
        n = len(calls)
        calls.clear()
        return n

    return count


@pytest.fixture
def folder(tmp_path):
    """Name a store that does not exist yet."""
    return tmp_path / "store"


def assert_same_frames(actual, expected):
    """Compare sequences of frames: lengths, types and bits."""
    assert len(actual) == len(expected)
    assert_array_equal(actual.lengths, expected.lengths)
    for item, other in zip(actual, expected, strict=True):
        assert item.dtype == other.dtype
        assert_array_equal(item, other)
