"""Small nets and small clips."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [neural] is not installed")
pytest.importorskip("skorch", reason="the extra [neural] is not installed")

SMALL = {
    "window": 16,
    "n_filters": (8,),
    "hidden": (16,),
    "max_epochs": 4,
    "lr": 0.01,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture
def clips(rng):
    """40 clips of 5 to 59 frames of 6 bands, and what can be heard in them."""
    frames = [
        rng.normal(size=(n, 6)).astype(np.float32) for n in rng.integers(5, 60, 40)
    ]
    return frames, np.array([clip.mean(axis=0)[:3] for clip in frames])
