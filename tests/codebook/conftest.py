"""Frames that look like those of music."""

import numpy as np
import pytest


def coloured_frames(rng, n_frames, n_features, *, decay=0.7, smooth=0.9):
    """Return autoregressive frames whose variance falls from axis to axis."""
    noise = rng.standard_normal((n_frames, n_features))
    for t in range(1, n_frames):
        noise[t] = smooth * noise[t - 1] + np.sqrt(1 - smooth**2) * noise[t]
    rotation = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    return 30 * (noise * decay ** np.arange(n_features)) @ rotation


@pytest.fixture
def make_frames(rng):
    def make(n_frames, n_features, **options):
        return coloured_frames(rng, n_frames, n_features, **options).astype(np.float32)

    return make
