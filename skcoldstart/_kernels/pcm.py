"""Integer samples to mono waveforms."""

import numpy as np
from numba import njit

__all__ = ["average_channels"]


@njit(cache=True, nogil=True)
def average_channels(samples, out):
    """Average 16-bit samples of one or two channels.

    The result is exact: sums of two fit into the 24 digits of single precision.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, n_channels), int16, IN
        Interleaved channels, full scale at 32768.
    out : ndarray of shape (n_samples,), float32, OUT
        Mono samples, full scale at 1.0.
    """
    n_samples, n_channels = samples.shape
    scale = np.float32(1.0 / (32768 * n_channels))
    if n_channels == 1:
        for i in range(n_samples):
            out[i] = np.float32(samples[i, 0]) * scale
    else:
        for i in range(n_samples):
            total = np.int32(samples[i, 0]) + np.int32(samples[i, 1])
            out[i] = np.float32(total) * scale
