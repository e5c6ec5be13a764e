"""WAV files with an identifier of their content, to avoid writing them again."""

import os

import numpy as np

from skcoldstart._utils.atomic import atomic_write


def write_wav(path: str, waveform: np.ndarray, sr: int, fingerprint: str) -> None:
    """Write 16-bit mono with a comment, completely or not at all.

    Shapes: `waveform` (n_samples,).
    """
    from soundfile import SoundFile

    samples = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)
    with (
        atomic_write(path, "wb+") as file,
        SoundFile(file, "w", sr, 1, "PCM_16", format="WAV") as sound,
    ):
        sound.comment = fingerprint
        sound.write(samples)


def holds_song(path: str, n_samples: int, fingerprint: str) -> bool:
    """Return whether `write_wav` wrote this file for this waveform."""
    from soundfile import LibsndfileError, SoundFile

    if not os.path.isfile(path):
        return False
    try:
        with SoundFile(path) as sound:
            return len(sound) == n_samples and sound.comment == fingerprint
    except LibsndfileError:
        return False
