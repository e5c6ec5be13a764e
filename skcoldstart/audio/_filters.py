"""Windows, mel bands, cosine bases and delta weights, as arrays."""

import numpy as np

__all__ = [
    "cosine_basis",
    "delta_weights",
    "hann_window",
    "mel_band_edges",
    "mel_filterbank",
]

# Slaney's scale (Auditory Toolbox, 1998): linear to 1 kHz, then 27 steps for each
# factor of 6.4.
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hann_window(n_fft: int) -> np.ndarray:
    """Return the periodic Hann window, float64 of shape (n_fft,)."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)


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


def cosine_basis(n_mfcc: int, n_mels: int) -> np.ndarray:
    """Return the first rows of the orthonormal DCT-II, float64 (n_mfcc, n_mels)."""
    orders = np.arange(n_mfcc)[:, None]
    basis = np.cos(np.pi * orders * (np.arange(n_mels) + 0.5) / n_mels)
    basis *= np.sqrt(2.0 / n_mels)
    basis[0] /= np.sqrt(2.0)
    return basis


def delta_weights(width: int, order: int) -> np.ndarray:
    """Return Savitzky-Golay weights of a derivative, float64 of shape (width,).

    They give the `order`-th derivative of the polynomial of degree `order` that fits
    `width` neighbouring frames best in least squares.
    """
    steps = np.arange(width) - width // 2
    squares = float(np.sum(steps**2))
    if order == 1:
        return steps / squares
    fourths = float(np.sum(steps**4))
    return 2.0 * (steps**2 - squares / width) / (fourths - squares**2 / width)


def _hz_to_mel(hz: float) -> float:
    if hz < _BREAK_HZ:
        return hz / _HZ_PER_MEL
    return _BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP
