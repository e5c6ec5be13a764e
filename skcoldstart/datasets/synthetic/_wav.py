"""Sound files that say of what they were made, so that they need not be made again."""

import os
import struct
import wave
from pathlib import Path

import numpy as np

from skcoldstart._utils.atomic import atomic_write

__all__ = ["holds_song", "write_wav"]

HEADER_BYTES = 44


def _comment(fingerprint: str) -> bytes:
    """Return a RIFF list of one comment, for behind the samples."""
    text = fingerprint.encode("ascii") + b"\0\0"
    body = b"INFOICMT" + struct.pack("<I", len(text)) + text
    return b"LIST" + struct.pack("<I", len(body)) + body


def write_wav(
    path: str | os.PathLike[str], waveform: np.ndarray, sr: int, fingerprint: str
) -> None:
    """Write 16-bit mono, whole or not at all.

    Shapes: `waveform` (n_samples,).
    """
    samples = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype("<i2")
    with atomic_write(path) as file:
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(sr)
            sound.writeframes(samples.tobytes())
        file.seek(0, os.SEEK_END)
        file.write(_comment(fingerprint))
        n_bytes = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", n_bytes - 8))


def holds_song(path: str | os.PathLike[str], n_samples: int, fingerprint: str) -> bool:
    """Tell whether a file is one that `write_wav` wrote for this waveform."""
    comment = _comment(fingerprint)
    place = Path(path)
    if not place.is_file():
        return False
    expected = HEADER_BYTES + 2 * n_samples + len(comment)
    if place.stat().st_size != expected:
        return False
    with open(place, "rb") as file:
        file.seek(-len(comment), os.SEEK_END)
        return file.read() == comment
