"""Input and output of all decoders, and limits on both."""

import math
import threading
from typing import NamedTuple

import numpy as np

from skcoldstart.audio._items import AudioReadError

# Outside these limits a header is damaged or forged: resampling from a rate of 1 Hz
# takes minutes, and a declared length of years exhausts the memory.
_MIN_RATE, _MAX_RATE = 4_000, 768_000
_MAX_CHANNELS = 8
_MAX_SAMPLES = 1 << 30

# Clips with more bytes than this get new memory.
_SCRATCH_BYTES = 1 << 24


class Decoded(NamedTuple):
    """The samples of a file; valid until the next file is read, unless final."""

    samples: np.ndarray  # (n_samples, n_channels), float32 or int16
    rate: float
    notice: str | None  # why the file seems truncated, if it does


class Request(NamedTuple):
    """The requested part of a file."""

    rates: tuple[float, ...]  # sampling rates of the results
    max_duration: float | None
    salvage: bool

    def n_to_decode(self, rate: float, n_channels: int, n_samples: int) -> int:
        """Return the number of samples to decode, within the limits."""
        if not _MIN_RATE <= rate <= _MAX_RATE:
            raise AudioReadError(
                None,
                f"its sampling rate is {rate:.10g} Hz; expected {_MIN_RATE} to "
                f"{_MAX_RATE} Hz",
            )
        if not 1 <= n_channels <= _MAX_CHANNELS:
            raise AudioReadError(
                None,
                f"it has {n_channels} channels; expected 1 to {_MAX_CHANNELS}",
            )
        if self.max_duration is not None:
            n_samples = min(n_samples, int(self.max_duration * rate))
        n_resampled = math.ceil(n_samples * max(self.rates) / rate)
        if max(n_samples * n_channels, n_resampled) > _MAX_SAMPLES:
            hours = n_samples / rate / 3600
            raise AudioReadError(
                None,
                f"its {n_samples} samples in {n_channels} channels ({hours:.3g} "
                f"hours) are {n_resampled} at {max(self.rates):.10g} Hz, more than "
                f"the limit of {_MAX_SAMPLES} in all; set max_duration to read only "
                f"its beginning",
            )
        return n_samples


class _Scratch(threading.local):
    """Memory of a thread that is reused for the samples of each clip.

    Megabytes that are released after every clip must be cleared when they are allocated
    again, which takes a third of the time of a WAV file.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return an array that is valid until the next call with the same name."""
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        if n_bytes > _SCRATCH_BYTES:
            return np.empty(shape, dtype)
        block = self._blocks.get(name)
        if block is None or len(block) < n_bytes:
            block = self._blocks[name] = np.empty(n_bytes, np.uint8)
        return block[:n_bytes].view(dtype).reshape(shape)


SCRATCH = _Scratch()
