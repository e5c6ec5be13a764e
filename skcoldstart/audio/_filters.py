"""Mel bands of Slaney's scale."""

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
