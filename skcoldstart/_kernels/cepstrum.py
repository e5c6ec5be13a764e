"""Cepstral coefficients and their deltas from log mel frames."""

import numpy as np

from skcoldstart._kernels.compilation import njit

# Allows sums to be split over vector lanes; NaN and infinity keep their meaning.
_REASSOCIATE = {"contract", "reassoc", "nsz", "arcp"}


@njit(cache=True, nogil=True, fastmath=_REASSOCIATE)
def mfcc_frames(log_mel, floor, basis, out):
    """Project decibels onto cosines: c_k = sum over m of max(L_m, floor) B_km.

    Shapes: `log_mel` (n_frames, n_mels), `basis` (n_mfcc, n_mels), `out` (n_frames,
    n_mfcc).

    The floor is left out of the sums, because it would cost precision: it only affects
    c_0, because the other rows of the basis sum to zero. c_0 is large and summed in
    double precision.
    """
    n_frames, n_mels = log_mel.shape
    n_mfcc = basis.shape[0]
    above = np.empty(n_mels, np.float32)
    for t in range(n_frames):
        loudness = 0.0
        for m in range(n_mels):
            above[m] = max(log_mel[t, m] - np.float32(floor), np.float32(0.0))
            loudness += above[m]
        out[t, 0] = (loudness + n_mels * floor) * basis[0, 0]
        for k in range(1, n_mfcc):
            total = np.float32(0.0)
            for m in range(n_mels):
                total += above[m] * basis[k, m]
            out[t, k] = total


@njit(cache=True, nogil=True, fastmath=_REASSOCIATE)
def delta_frames(frames, weights, out):
    """Correlate frames with derivative weights: d_t = sum over j of w_j c_(t+j).

    Shapes: `frames` (n_frames, n_features), `weights` (width,), `out` (n_frames,
    n_features).

    The first and last ``len(weights) // 2`` frames use the nearest complete fit, whose
    highest derivative is constant. Clips shorter than the weights are extended with
    their first and last frame.
    """
    n_frames, n_features = frames.shape
    width = len(weights)
    half = width // 2
    for t in range(n_frames):
        for k in range(n_features):
            out[t, k] = np.float32(0.0)
        for j in range(width):
            source = min(max(t + j - half, 0), n_frames - 1)
            weight = weights[j]
            for k in range(n_features):
                out[t, k] += weight * frames[source, k]
    if n_frames < width:
        return
    for t in range(half):
        for k in range(n_features):
            out[t, k] = out[half, k]
            out[n_frames - 1 - t, k] = out[n_frames - 1 - half, k]
