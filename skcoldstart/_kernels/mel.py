"""Mel frames of a waveform in one pass, for powers of two, and their MFCC."""

from typing import NamedTuple

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.fft import LANES, bin_rows, power_rows, transform, twiddles
from skcoldstart._kernels.simd.vectors import load_eight as load
from skcoldstart._kernels.simd.vectors import splat_eight, store, transpose

# The position of a compression is the kernel's argument.
COMPRESSIONS = (None, "db", "log")

_LOWEST_POWER = np.float32(1e-10)
_LN_2 = np.float32(np.log(2.0))
_DB_PER_NEPER = np.float32(10.0 / np.log(10.0))
_ROOT_HALF_BITS = np.int32(0x3F3504F3)
_INFINITY_BITS = np.int32(0x7F800000)

# Allows sums to be reordered and contracted; NaN and infinity keep their meaning. A
# check for division by zero would prevent vectorization of the logarithm.
_FAST = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


class MelPlan(NamedTuple):
    """Tables of one analysis, which depend only on parameters."""

    window: np.ndarray  # (n_fft,), float32, half the window
    roots: np.ndarray  # of `twiddles`
    rows: np.ndarray  # of `bin_rows`
    weights: np.ndarray  # concatenated nonzero weights of the bands, float32
    sources: np.ndarray  # start of the power for each weight, int64
    bounds: np.ndarray  # (n_mels + 1,): band m has weights bounds[m]:bounds[m + 1]


def mel_plan(window: np.ndarray, filterbank: np.ndarray) -> MelPlan:
    """Build the tables of the kernel.

    Shapes: `window` (n_fft,), `filterbank` (n_mels, 1 + n_fft // 2).
    """
    h = len(window) // 2
    rows = bin_rows(h)
    bands, bins = np.nonzero(filterbank)
    return MelPlan(
        (0.5 * window).astype(np.float32),
        twiddles(h),
        rows,
        filterbank[bands, bins].astype(np.float32),
        rows[bins] * LANES,
        np.searchsorted(bands, np.arange(len(filterbank) + 1)),
    )


@njit(cache=True, nogil=True)
def mel_frames(waveform, hop_length, plan, compression, scale, out):
    """Compute the mel frames of a clip, eight frames at a time.

    Shapes: `waveform` (n_samples,), `out` (n_frames, n_mels).
    """
    n_frames, n_mels = out.shape
    n_fft = len(plan.window)
    h = n_fft // 2
    z = np.empty(n_fft * LANES, np.float32)
    padded = np.zeros(n_fft * LANES, np.float32)
    tile = np.empty(n_mels * LANES, np.float32)
    highest = np.int32(0)
    for first in range(0, n_frames, LANES):
        start = first * hop_length - h
        stop = start + (LANES - 1) * hop_length + n_fft
        if start >= 0 and stop <= len(waveform):
            _pack(waveform, start, hop_length, plan.window, z)
        else:
            _cut(waveform, start, hop_length, padded)
            _pack(padded, 0, n_fft, plan.window, z)
        transform(z, plan.roots, h)
        power_rows(z, plan.roots, plan.rows, h)
        for m in range(n_mels):
            total = splat_eight(np.float32(0.0))
            for i in range(plan.bounds[m], plan.bounds[m + 1]):
                total = total + load(z, plan.sources[i]) * plan.weights[i]
            store(tile, m * LANES, total * scale)
        highest = max(highest, _compress(tile, compression))
        for lane in range(min(LANES, n_frames - first)):
            for m in range(n_mels):
                out[first + lane, m] = tile[m * LANES + lane]
    return highest < _INFINITY_BITS


@njit(cache=True, nogil=True)
def _cut(waveform, start, hop_length, frames):
    """Copy the frames of a block that extends beyond the clip, padded with zeros."""
    n_fft = len(frames) // LANES
    frames[:] = np.float32(0.0)
    for lane in range(LANES):
        offset = start + lane * hop_length
        for i in range(max(-offset, 0), min(n_fft, len(waveform) - offset)):
            frames[lane * n_fft + i] = waveform[offset + i]


@njit(cache=True, nogil=True)
def _pack(source, start, stride, window, z):
    """Window eight frames and store them sample-major, as complex numbers.

    Frame l begins at ``start + l * stride``; its even samples are the real parts and
    its odd ones the imaginary parts of a frame of half the length.
    """
    n_fft = len(window)
    imag = n_fft // 2 * LANES
    for i in range(0, n_fft, LANES):
        w = load(window, i)
        begin = start + i
        x0, x1, x2, x3, x4, x5, x6, x7 = transpose(
            load(source, begin) * w,
            load(source, begin + stride) * w,
            load(source, begin + 2 * stride) * w,
            load(source, begin + 3 * stride) * w,
            load(source, begin + 4 * stride) * w,
            load(source, begin + 5 * stride) * w,
            load(source, begin + 6 * stride) * w,
            load(source, begin + 7 * stride) * w,
        )
        row = i // 2 * LANES
        store(z, row, x0)
        store(z, imag + row, x1)
        store(z, row + LANES, x2)
        store(z, imag + row + LANES, x3)
        store(z, row + 2 * LANES, x4)
        store(z, imag + row + 2 * LANES, x5)
        store(z, row + 3 * LANES, x6)
        store(z, imag + row + 3 * LANES, x7)


@njit(**_FAST)
def _compress(tile, compression):
    """Take logarithms in place; return the largest exponent before them, as bits."""
    highest = np.int32(0)
    for i in range(len(tile)):
        bits = np.float32(tile[i]).view(np.int32)
        highest = max(highest, np.int32(bits & _INFINITY_BITS))
    if compression == 1:
        for i in range(len(tile)):
            x = tile[i] if tile[i] > _LOWEST_POWER else _LOWEST_POWER
            exponent, fraction = _split(x)
            tile[i] = _DB_PER_NEPER * _logarithm(exponent, fraction)
    elif compression == 2:
        # For ln(1 + x) of a small x the fraction is x itself, which keeps its digits.
        for i in range(len(tile)):
            exponent, fraction = _split(np.float32(1.0) + tile[i])
            fraction = tile[i] if exponent == np.float32(0.0) else fraction
            tile[i] = _logarithm(exponent, fraction)
    return highest


@njit(**_FAST)
def _split(x):
    """Return e and f of x = (1 + f) 2^e, with 1 + f next to 1, as floats."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - _ROOT_HALF_BITS) >> np.int32(23))
    mantissa = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32)
    return np.float32(exponent), mantissa - np.float32(1.0)


@njit(**_FAST)
def _logarithm(exponent, fraction):
    """Return ln((1 + f) 2^e) = e ln 2 + 2 artanh(f / (2 + f))."""
    s = fraction / (np.float32(2.0) + fraction)
    t = s * s
    series = np.float32(1 / 7) + t * np.float32(1 / 9)
    series = np.float32(1 / 5) + t * series
    series = np.float32(1 / 3) + t * series
    return exponent * _LN_2 + np.float32(2.0) * (s + s * t * series)


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
