"""Waveform to mel frames and cepstral coefficients."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from skcoldstart.audio._filters import (
    cosine_basis,
    delta_weights,
    hann_window,
    mel_filterbank,
)

__all__ = ["MFCCFrames", "MelBands", "MelFrames"]

# Frames of one round of FFTs: spectra of this many frames stay in the cache.
_FRAMES_PER_BLOCK = 128

_LOWEST_POWER = np.float32(1e-10)
_DYNAMIC_RANGE_DB = np.float32(80.0)


@dataclass(frozen=True)
class MelBands:
    """Power in mel bands of overlapping frames: the part both extractors share.

    Frames are centred: frame t covers samples ``t * hop_length - n_fft // 2`` to
    ``t * hop_length + n_fft - n_fft // 2``, with zeros outside the clip.
    """

    sr: float
    n_fft: int
    hop_length: int
    n_mels: int
    fmin: float
    fmax: float

    def n_frames(self, n_samples: int) -> int:
        """Return how many frames a clip of `n_samples` has."""
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length

    def empty_bands(self) -> np.ndarray:
        """Return the bands that are too narrow to hold a frequency bin."""
        weights = mel_filterbank(self.sr, self.n_fft, self.n_mels, self.fmin, self.fmax)
        return np.flatnonzero(~weights.any(axis=1))

    def power(self, waveform: np.ndarray) -> np.ndarray:
        """Return float32 mel power of shape (n_frames, n_mels)."""
        return _mel_power(waveform, self)

    def decibels(self, waveform: np.ndarray) -> tuple[np.ndarray, np.float32]:
        """Return 10 log10 of the power, and the floor 80 dB under its maximum."""
        level = self.power(waveform)
        np.maximum(level, _LOWEST_POWER, out=level)
        np.log10(level, out=level)
        level *= np.float32(10.0)
        return level, level.max() - _DYNAMIC_RANGE_DB


@dataclass(frozen=True)
class MelFrames:
    """Compute the frames of `MelSpectrogram` from a waveform."""

    bands: MelBands
    compression: str | None
    log_scale: float

    @property
    def n_features(self) -> int:
        """Features of a frame."""
        return self.bands.n_mels

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return float32 frames of shape (n_frames, n_mels)."""
        if self.compression == "db":
            level, floor = self.bands.decibels(waveform)
            return np.maximum(level, floor, out=level)
        power = self.bands.power(waveform)
        if self.compression == "log":
            power *= np.float32(self.log_scale)
            np.log1p(power, out=power)
        return power


@dataclass(frozen=True)
class MFCCFrames:
    """Compute the frames of `MFCCExtractor` from a waveform."""

    bands: MelBands
    n_mfcc: int
    n_deltas: int
    delta_width: int

    @property
    def n_features(self) -> int:
        """Features of a frame."""
        return self.n_mfcc * (1 + self.n_deltas)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return float32 frames: coefficients, their first and second deltas."""
        from skcoldstart._kernels.cepstrum import delta_frames, mfcc_frames

        level, floor = self.bands.decibels(waveform)
        mfcc = np.empty((len(level), self.n_mfcc), np.float32)
        mfcc_frames(level, float(floor), _basis(self.n_mfcc, self.bands.n_mels), mfcc)
        if self.n_deltas == 0:
            return mfcc
        frames = np.empty((len(mfcc), self.n_features), np.float32)
        frames[:, : self.n_mfcc] = mfcc
        delta = np.empty_like(mfcc)
        for order in range(1, self.n_deltas + 1):
            delta_frames(mfcc, _weights(self.delta_width, order), delta)
            frames[:, order * self.n_mfcc : (order + 1) * self.n_mfcc] = delta
        return frames


def _mel_power(waveform: np.ndarray, bands: MelBands) -> np.ndarray:
    """Compute mel power with a general FFT, block by block, in single precision."""
    import scipy.fft

    n_fft, hop = bands.n_fft, bands.hop_length
    n_frames = bands.n_frames(len(waveform))
    window, weights = _analysis(bands)
    padded = np.pad(waveform, (n_fft // 2, n_fft - n_fft // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop][:n_frames]
    power = np.empty((n_frames, bands.n_mels), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n_frames, _FRAMES_PER_BLOCK):
            block = slice(start, start + _FRAMES_PER_BLOCK)
            spectrum = scipy.fft.rfft(frames[block] * window, axis=1)
            energy = spectrum.real**2 + spectrum.imag**2
            power[block] = (weights @ energy.T).T
    if not np.isfinite(power.max()):
        raise OverflowError("mel power overflows single precision")
    return power


@lru_cache(maxsize=16)
def _analysis(bands: MelBands) -> tuple[np.ndarray, Any]:
    """Return the float32 window and the mel weights as a sparse matrix."""
    import scipy.sparse as sp

    weights = mel_filterbank(
        bands.sr, bands.n_fft, bands.n_mels, bands.fmin, bands.fmax
    )
    return hann_window(bands.n_fft).astype(np.float32), sp.csr_array(weights)


@lru_cache(maxsize=16)
def _basis(n_mfcc: int, n_mels: int) -> np.ndarray:
    return cosine_basis(n_mfcc, n_mels).astype(np.float32)


@lru_cache(maxsize=16)
def _weights(width: int, order: int) -> np.ndarray:
    return delta_weights(width, order).astype(np.float32)
