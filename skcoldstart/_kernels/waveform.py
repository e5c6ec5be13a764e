"""Samples of waveforms: finiteness, and the mean over channels.

Indices are unsigned: with signed ones, which may be negative, the compiler generates no
vector code.
"""

import numpy as np

from skcoldstart._kernels.compilation import njit

_EXPONENT_BITS = np.int32(0x7F800000)
_ONE, _TWO = np.uint64(1), np.uint64(2)


@njit(cache=True, nogil=True)
def all_finite(samples):
    """Return whether all samples are finite, in one pass: `samples` (n_samples,)."""
    bits = samples.view(np.int32)
    highest = np.int32(0)
    for i in range(np.uint64(len(bits))):
        highest = max(highest, np.int32(bits[i] & _EXPONENT_BITS))
    return highest < _EXPONENT_BITS


@njit(cache=True, nogil=True)
def average_channels(samples, out):
    """Average 16-bit samples of one or two channels.

    Shapes: `samples` (n_samples, n_channels), `out` (n_samples,).

    The result is exact: sums of two fit into the 24 bits of single precision.
    """
    n_channels = samples.shape[1]
    n_samples = np.uint64(len(samples))
    scale = np.float32(1.0 / (32768 * n_channels))
    flat = samples.ravel()
    if n_channels == 1:
        for i in range(n_samples):
            out[i] = np.float32(flat[i]) * scale
    else:
        for i in range(n_samples):
            total = np.int32(flat[_TWO * i]) + np.int32(flat[_TWO * i + _ONE])
            out[i] = np.float32(total) * scale


@njit(cache=True, nogil=True)
def average_pairs(samples, out):
    """Average two channels of floating samples, rounded once for their sum.

    Shapes: `samples` (n_samples, 2), `out` (n_samples,).
    """
    half = np.float32(0.5)
    flat = samples.ravel()
    for i in range(np.uint64(len(samples))):
        out[i] = (flat[_TWO * i] + flat[_TWO * i + _ONE]) * half
