"""The error for audio items that cannot be used."""

import os
from typing import Any

import numpy as np


class AudioReadError(ValueError):
    """An audio item cannot be converted to frames.

    Parameters
    ----------
    path : str, bytes, PathLike or None
        Path of the file, or ``None`` for a waveform.
    reason : str
        Reason why it cannot be used.
    index : int, default=None
        Position of the item in X.

    Attributes
    ----------
    path : str, bytes, PathLike or None
        Path of the file, or ``None`` for a waveform.
    reason : str
        Reason why it cannot be used.
    index : int or None
        Position of the item in X, if known.

    See Also
    --------
    skcoldstart.MFCCExtractor : Raises it, or records it with ``on_error="warn"``.

    Notes
    -----
    .. versionadded:: 0.1

    Examples
    --------
    >>> from skcoldstart.audio import AudioReadError
    >>> error = AudioReadError("song.mp3", "the file is empty", 4)
    >>> error.path, error.reason, error.index
    ('song.mp3', 'the file is empty', 4)
    >>> print(error)
    Cannot use item 4 ('song.mp3'): the file is empty.
    """

    def __init__(self, path: Any, reason: str, index: int | None = None) -> None:
        # All arguments reach Exception, so that the error survives pickling.
        super().__init__(path, reason, index)
        self.path = path
        self.reason = reason
        self.index = index

    def __str__(self) -> str:
        item = "the waveform" if self.index is None else f"item {self.index}"
        if self.path is not None:
            name = repr(str(os.fsdecode(self.path)))
            item = name if self.index is None else f"{item} ({name})"
        return f"Cannot use {item}: {self.reason}."


def describe_bad_sample(samples: np.ndarray) -> str:
    """Name the first sample that is not finite, or the peak if all are finite."""
    bad = ~np.isfinite(samples.reshape(len(samples), -1)).all(axis=1)
    if bad.any():
        first = int(np.argmax(bad))
        value = samples[first].flat
        odd = next(float(v) for v in value if not np.isfinite(v))
        name = "NaN" if np.isnan(odd) else f"{odd}"
        return f"sample {first} is {name}; all samples must be finite"
    peak = float(np.abs(samples).max())
    return (
        f"samples as large as {peak:.2g} overflow single precision; full scale is 1.0"
    )
