"""Clips and audio files shared by the audio tests."""

import numpy as np
import pytest
import soundfile


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
