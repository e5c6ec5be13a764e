"""Samples of waveforms: whether they are finite, and their mean over channels."""

import numpy as np
from numba import njit

__all__ = ["all_finite", "average_channels"]

_EXPONENT_BITS = np.int32(0x7F800000)


@njit(cache=True, nogil=True)
def all_finite(samples):
    """Tell whether all samples are finite, in one pass.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32, IN
        Samples.

    Returns
    -------
    bool
        False if there is a NaN or an infinity: their exponents have all bits set.
    """
    highest = np.int32(0)
    for i in range(len(samples)):
        bits = np.int32(np.float32(samples[i]).view(np.int32) & _EXPONENT_BITS)
        highest = max(highest, bits)
    return highest < _EXPONENT_BITS


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
