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

    def edges(self) -> np.ndarray:
        """Return the corners of triangular bands in Hz, of shape (n_mels + 2,).

        Band m rises from corner m to corner m + 1 and falls to corner m + 2.
        """
        hz = np.array([self.fmin, self.fmax])
        curved = np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
        low, high = np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, _BREAK_MEL + curved)
        mels = np.linspace(low, high, self.n_mels + 2)
        curved = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
        return np.where(mels < _BREAK_MEL, mels * _HZ_PER_MEL, curved)

    def weights(self) -> np.ndarray:
        """Return triangles of unit area in Hz, of shape (n_mels, 1 + n_fft // 2)."""
        edges = self.edges()
        bins = np.fft.rfftfreq(self.n_fft, 1.0 / self.sr)
        widths = np.diff(edges)
        rising = (bins - edges[:-2, None]) / widths[:-1, None]
        falling = (edges[2:, None] - bins) / widths[1:, None]
        triangles = np.maximum(0.0, np.minimum(rising, falling))
        triangles *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
        return triangles.astype(np.float32)

    def frames(
        self, waveform: np.ndarray, compression: str | None, scale: float = 1.0
    ) -> np.ndarray:
        """Return mel frames, float32 of shape (n_frames, n_mels)."""
        from skcoldstart._kernels.mel import COMPRESSIONS, mel_frames
        from skcoldstart._kernels.simd import works

        n_fft, hop = self.n_fft, self.hop_length
        n_frames = 1 + (len(waveform) - n_fft % 2) // hop
        frames = np.empty((n_frames, self.n_mels), np.float32)
        if n_fft >= _SHORTEST_KERNEL and n_fft & (n_fft - 1) == 0 and works():
            code = COMPRESSIONS.index(compression)
            plan = _kernel_plan(self)
            finite = mel_frames(waveform, hop, plan, code, np.float32(scale), frames)
        else:
            finite = general_frames(waveform, self, compression, scale, frames)
        if not finite:
            raise OverflowError("mel power exceeds the range of single precision")
        return frames


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
        scale = self.log_scale if self.compression == "log" else 1.0
        frames = self.bands.frames(waveform, self.compression, scale)
        if self.compression == "db":
            np.maximum(frames, frames.max() - _DYNAMIC_RANGE_DB, out=frames)
        return frames


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

        level = self.bands.frames(waveform, "db")
        floor = float(level.max() - _DYNAMIC_RANGE_DB)
        mfcc = np.empty((len(level), self.n_mfcc), np.float32)
        mfcc_frames(level, floor, _basis(self.n_mfcc, self.bands.n_mels), mfcc)
        if self.n_deltas == 0:
            return mfcc
        frames = np.empty((len(mfcc), self.n_features), np.float32)
        frames[:, : self.n_mfcc] = mfcc
        delta = np.empty_like(mfcc)
        for order in range(1, self.n_deltas + 1):
            delta_frames(mfcc, _weights(self.delta_width, order), delta)
            frames[:, order * self.n_mfcc : (order + 1) * self.n_mfcc] = delta
        return frames


def general_frames(
    waveform: np.ndarray,
    bands: MelBands,
    compression: str | None,
    scale: float,
    frames: np.ndarray,
) -> bool:
    """Fill mel frames for any `n_fft` with scipy; return False if power overflows."""
    import scipy.fft

    n_fft = bands.n_fft
    window, weights = _general_plan(bands)
    padded = np.pad(waveform, (n_fft // 2, n_fft - n_fft // 2))
    cuts = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[:: bands.hop_length]
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(frames), _FRAMES_PER_BLOCK):
            block = slice(start, min(start + _FRAMES_PER_BLOCK, len(frames)))
            spectrum = scipy.fft.rfft(cuts[block] * window, axis=1)
            energy = spectrum.real**2 + spectrum.imag**2
            frames[block] = (weights @ energy.T).T
        frames *= np.float32(scale)
    if not np.isfinite(frames.max()):
        return False
    if compression == "db":
        np.log10(np.maximum(frames, _LOWEST_POWER, out=frames), out=frames)
        frames *= np.float32(10.0)
    elif compression == "log":
        np.log1p(frames, out=frames)
    return True


@lru_cache(maxsize=16)
def _kernel_plan(bands: MelBands) -> Any:
    from scipy.signal import get_window

    from skcoldstart._kernels.mel import mel_plan

    return mel_plan(get_window("hann", bands.n_fft), bands.weights())


@lru_cache(maxsize=16)
def _general_plan(bands: MelBands) -> tuple[np.ndarray, Any]:
    """Return the float32 window and the mel weights as a sparse matrix."""
    import scipy.sparse as sp
    from scipy.signal import get_window

    window = get_window("hann", bands.n_fft).astype(np.float32)
    return window, sp.csr_array(bands.weights())


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
