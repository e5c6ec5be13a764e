"""Compute mel frames and cepstral coefficients of a waveform."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

# Slaney's scale (Auditory Toolbox, 1998): linear to 1 kHz, then 27 steps for each
# factor of 6.4.
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def mel_band_edges(n_mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Return the corners of triangular bands in Hz, of shape (n_mels + 2,).

    Band m rises from corner m to corner m + 1 and falls to corner m + 2.
    """
    mels = np.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), n_mels + 2)
    linear = mels * _HZ_PER_MEL
    curved = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, linear, curved)


def mel_filterbank(
    sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float
) -> np.ndarray:
    """Return Slaney's mel bands, each triangle of unit area in Hz.

    Shapes: -> (n_mels, 1 + n_fft // 2).
    """
    edges = mel_band_edges(n_mels, fmin, fmax)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sr)
    widths = np.diff(edges)
    rising = (bins - edges[:-2, None]) / widths[:-1, None]
    falling = (edges[2:, None] - bins) / widths[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return triangles.astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _HZ_PER_MEL
    return _BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP


# The compiled FFT supports powers of two from here on.
_SHORTEST_KERNEL = 16

# Frames of one round of other FFTs: spectra of this many frames stay in the cache.
_FRAMES_PER_BLOCK = 128

_LOWEST_POWER = np.float32(1e-10)
_DYNAMIC_RANGE_DB = np.float32(80.0)


@dataclass(frozen=True)
class MelBands:
    """Power in mel bands of overlapping frames, shared by both extractors.

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
        """Return the number of frames of a clip of `n_samples`."""
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length

    def weights(self) -> np.ndarray:
        """Return the weights of frequencies, of shape (n_mels, 1 + n_fft // 2)."""
        return mel_filterbank(self.sr, self.n_fft, self.n_mels, self.fmin, self.fmax)

    def empty_bands(self) -> np.ndarray:
        """Return the bands that are too narrow to contain a frequency bin."""
        return np.flatnonzero(~self.weights().any(axis=1))

    def frames(
        self, waveform: np.ndarray, compression: str | None, scale: float = 1.0
    ) -> np.ndarray:
        """Return mel frames, float32 of shape (n_frames, n_mels).

        Shapes: `waveform` (n_samples,) -> (n_frames, n_mels).
        """
        if _has_kernel(self.n_fft):
            frames = _kernel_frames(waveform, self, compression, scale)
        else:
            frames = _general_frames(waveform, self, compression, scale)
        if frames is None:
            raise OverflowError("mel power exceeds the range of single precision")
        return frames

    def decibels(self, waveform: np.ndarray) -> tuple[np.ndarray, np.float32]:
        """Return the power in decibels, and the floor 80 dB under its maximum."""
        level = self.frames(waveform, "db")
        return level, level.max() - _DYNAMIC_RANGE_DB


@dataclass(frozen=True)
class MelFrames:
    """Compute the frames of `MelSpectrogram` from a waveform."""

    bands: MelBands
    compression: str | None
    log_scale: float

    @property
    def n_features(self) -> int:
        return self.bands.n_mels

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return float32 frames of shape (n_frames, n_mels)."""
        if self.compression == "db":
            level, floor = self.bands.decibels(waveform)
            return np.maximum(level, floor, out=level)
        scale = self.log_scale if self.compression == "log" else 1.0
        return self.bands.frames(waveform, self.compression, scale)


@dataclass(frozen=True)
class MFCCFrames:
    """Compute the frames of `MFCCExtractor` from a waveform."""

    bands: MelBands
    n_mfcc: int
    n_deltas: int
    delta_width: int

    @property
    def n_features(self) -> int:
        return self.n_mfcc * (1 + self.n_deltas)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return float32 frames: coefficients, their first and second deltas."""
        from skcoldstart._kernels.mel import delta_frames, mfcc_frames

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


def _has_kernel(n_fft: int) -> bool:
    from skcoldstart._kernels.simd import works

    return n_fft >= _SHORTEST_KERNEL and n_fft & (n_fft - 1) == 0 and works()


def _kernel_frames(
    waveform: np.ndarray, bands: MelBands, compression: str | None, scale: float
) -> np.ndarray | None:
    """Compute mel frames with the compiled kernel; None if power overflows."""
    from skcoldstart._kernels.mel import COMPRESSIONS, mel_frames

    frames = np.empty((bands.n_frames(len(waveform)), bands.n_mels), np.float32)
    finite = mel_frames(
        waveform,
        bands.hop_length,
        _kernel_plan(bands),
        COMPRESSIONS.index(compression),
        np.float32(scale),
        frames,
    )
    return frames if finite else None


def _general_frames(
    waveform: np.ndarray, bands: MelBands, compression: str | None, scale: float
) -> np.ndarray | None:
    """Compute mel frames of any length with scipy; None if power overflows."""
    import scipy.fft

    n_fft, hop = bands.n_fft, bands.hop_length
    n_frames = bands.n_frames(len(waveform))
    window, weights = _general_plan(bands)
    padded = np.pad(waveform, (n_fft // 2, n_fft - n_fft // 2))
    cuts = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop][:n_frames]
    frames = np.empty((n_frames, bands.n_mels), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n_frames, _FRAMES_PER_BLOCK):
            block = slice(start, start + _FRAMES_PER_BLOCK)
            spectrum = scipy.fft.rfft(cuts[block] * window, axis=1)
            energy = spectrum.real**2 + spectrum.imag**2
            frames[block] = (weights @ energy.T).T
        frames *= np.float32(scale)
    if not np.isfinite(frames.max()):
        return None
    if compression == "db":
        np.log10(np.maximum(frames, _LOWEST_POWER, out=frames), out=frames)
        frames *= np.float32(10.0)
    elif compression == "log":
        np.log1p(frames, out=frames)
    return frames


@lru_cache(maxsize=16)
def _kernel_plan(bands: MelBands) -> Any:
    from skcoldstart._kernels.mel import mel_plan

    return mel_plan(_window(bands.n_fft), bands.weights())


@lru_cache(maxsize=16)
def _general_plan(bands: MelBands) -> tuple[np.ndarray, Any]:
    """Return the float32 window and the mel weights as a sparse matrix."""
    import scipy.sparse as sp

    return _window(bands.n_fft).astype(np.float32), sp.csr_array(bands.weights())


def _window(n_fft: int) -> np.ndarray:
    from scipy.signal import get_window

    return get_window("hann", n_fft)


@lru_cache(maxsize=16)
def _basis(n_mfcc: int, n_mels: int) -> np.ndarray:
    """Return the first rows of the orthonormal DCT-II, (n_mfcc, n_mels)."""
    from scipy.fft import dct

    return dct(np.eye(n_mels), norm="ortho", axis=0)[:n_mfcc].astype(np.float32)


@lru_cache(maxsize=16)
def _weights(width: int, order: int) -> np.ndarray:
    """Return the filter for the derivative of the polynomial that fits frames best."""
    from scipy.signal import savgol_coeffs

    return savgol_coeffs(width, order, deriv=order, use="dot").astype(np.float32)
