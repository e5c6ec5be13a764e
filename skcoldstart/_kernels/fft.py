"""Power spectra of eight real frames at a time, one frame per vector lane.

Arrays are flat: row r holds one number of each of the eight frames and starts at 8 r. A
complex transform of length h has its real parts in rows 0 to h - 1 and its imaginary
parts in rows h to 2 h - 1 of one buffer.

With this code mel bands are computed 8 times as fast as by librosa, with the transform
of scipy only 2.3 times.
"""

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.simd.vectors import load_eight as load
from skcoldstart._kernels.simd.vectors import store

LANES = 8
_HALF_ROOT = np.float32(np.sqrt(0.5))


def pass_strides(h: int) -> list[int]:
    """Return the strides of the radix-8 passes of a transform of length `h`.

    The factor that remains, ``h / 8 ** len(strides)``, is 1, 2 or 4.
    """
    strides = []
    while h >= 8:
        h //= 8
        strides.append(h)
    return strides


def bin_rows(h: int) -> np.ndarray:
    """Return the row of the power of each frequency, of shape (h + 1,).

    Decimation in frequency leaves frequencies in the order of reversed digits;
    frequency h takes the imaginary row of frequency 0.
    """
    rows = np.zeros(h, np.int64)
    digits = np.arange(h)
    for stride in pass_strides(h):
        rows += digits % 8 * stride
        digits //= 8
    return np.append(rows + digits, h)


def twiddles(h: int) -> np.ndarray:
    """Return e^(-2 pi i r j / (8 q)) of all passes of stride q, for j < q, r = 1..7.

    Real and imaginary parts alternate, r runs fastest, passes follow each other. At
    the end come e^(-pi i k / h) for k = 0..h/2, which split a real transform.
    """
    angles = [
        np.outer(np.arange(q), np.arange(1, 8)).ravel() / (8 * q)
        for q in pass_strides(h)
    ]
    angles.append(np.arange(h // 2 + 1) / (2 * h))
    roots = np.exp(-2j * np.pi * np.concatenate(angles))
    return np.column_stack([roots.real, roots.imag]).ravel().astype(np.float32)


@njit(cache=True, nogil=True)
def transform(z, roots, h):
    """Transform in place: passes of radix 8, then one of radix 4 or 2.

    Shapes: `z` (2 * h * 8,).
    """
    first, q = 0, h
    while q >= 8:
        q //= 8
        _pass8(z, roots[first:], h, q)
        first += 14 * q
    if q == 4:
        _pass4(z, h)
    elif q == 2:
        _pass2(z, h)


@njit(cache=True, nogil=True)
def _pass8(z, roots, h, q):
    """Replace x_r = z[b + j + q r] by w^(r j) sum_s e^(-2 pi i r s / 8) x_s."""
    step, imag = q * LANES, h * LANES
    for block in range(0, h, 8 * q):
        for j in range(q):
            i0 = (block + j) * LANES
            i1, i2, i3, i4 = i0 + step, i0 + 2 * step, i0 + 3 * step, i0 + 4 * step
            i5, i6, i7 = i0 + 5 * step, i0 + 6 * step, i0 + 7 * step
            x0r, x0i = load(z, i0), load(z, imag + i0)
            x1r, x1i = load(z, i1), load(z, imag + i1)
            x2r, x2i = load(z, i2), load(z, imag + i2)
            x3r, x3i = load(z, i3), load(z, imag + i3)
            x4r, x4i = load(z, i4), load(z, imag + i4)
            x5r, x5i = load(z, i5), load(z, imag + i5)
            x6r, x6i = load(z, i6), load(z, imag + i6)
            x7r, x7i = load(z, i7), load(z, imag + i7)
            # Sums of opposite inputs make the even outputs.
            ar, ai, br, bi = x0r + x4r, x0i + x4i, x1r + x5r, x1i + x5i
            cr, ci, dr, di = x2r + x6r, x2i + x6i, x3r + x7r, x3i + x7i
            pr, pi, qr, qi = ar + cr, ai + ci, ar - cr, ai - ci
            rr, ri, sr, si = br + dr, bi + di, bi - di, dr - br
            store(z, i0, pr + rr)
            store(z, imag + i0, pi + ri)
            _turn(z, i4, imag, pr - rr, pi - ri, roots, 14 * j + 6)
            _turn(z, i2, imag, qr + sr, qi + si, roots, 14 * j + 2)
            _turn(z, i6, imag, qr - sr, qi - si, roots, 14 * j + 10)
            # Differences, times eighth roots of unity, make the odd ones.
            ar, ai, br, bi = x0r - x4r, x0i - x4i, x1r - x5r, x1i - x5i
            cr, ci, dr, di = x2i - x6i, x6r - x2r, x3r - x7r, x3i - x7i
            br, bi = (br + bi) * _HALF_ROOT, (bi - br) * _HALF_ROOT
            dr, di = (di - dr) * _HALF_ROOT, (dr + di) * _HALF_ROOT
            pr, pi, qr, qi = ar + cr, ai + ci, ar - cr, ai - ci
            rr, ri, sr, si = br + dr, bi - di, bi + di, dr - br
            _turn(z, i1, imag, pr + rr, pi + ri, roots, 14 * j)
            _turn(z, i5, imag, pr - rr, pi - ri, roots, 14 * j + 8)
            _turn(z, i3, imag, qr + sr, qi + si, roots, 14 * j + 4)
            _turn(z, i7, imag, qr - sr, qi - si, roots, 14 * j + 12)


# Compiled with its caller: a separate cache entry would contain the vector type, and
# could not be read after that type is moved.
@njit(nogil=True)
def _turn(z, start, imag, real, imaginary, roots, k):
    """Store a complex row times one root of unity."""
    c, s = roots[k], roots[k + 1]
    store(z, start, real * c - imaginary * s)
    store(z, imag + start, real * s + imaginary * c)


@njit(cache=True, nogil=True)
def _pass4(z, h):
    """Transform neighbouring rows four by four."""
    imag = h * LANES
    for i0 in range(0, imag, 4 * LANES):
        i1, i2, i3 = i0 + LANES, i0 + 2 * LANES, i0 + 3 * LANES
        x0r, x0i = load(z, i0), load(z, imag + i0)
        x1r, x1i = load(z, i1), load(z, imag + i1)
        x2r, x2i = load(z, i2), load(z, imag + i2)
        x3r, x3i = load(z, i3), load(z, imag + i3)
        pr, pi, qr, qi = x0r + x2r, x0i + x2i, x0r - x2r, x0i - x2i
        rr, ri, sr, si = x1r + x3r, x1i + x3i, x1i - x3i, x3r - x1r
        store(z, i0, pr + rr)
        store(z, imag + i0, pi + ri)
        store(z, i1, qr + sr)
        store(z, imag + i1, qi + si)
        store(z, i2, pr - rr)
        store(z, imag + i2, pi - ri)
        store(z, i3, qr - sr)
        store(z, imag + i3, qi - si)


@njit(cache=True, nogil=True)
def _pass2(z, h):
    """Transform neighbouring rows two by two, real and imaginary ones alike."""
    for i0 in range(0, 2 * h * LANES, 2 * LANES):
        a, b = load(z, i0), load(z, i0 + LANES)
        store(z, i0, a + b)
        store(z, i0 + LANES, a - b)


@njit(cache=True, nogil=True)
def power_rows(z, roots, rows, h):
    """Turn the transform of packed real frames into their power, in place.

    Shapes: `z` (2 * h * 8,), `rows` (h + 1,).

    With E and O the transforms of even and odd samples, X_k = E + u_k O and conj
    X_(h-k) = E - u_k O, where 2 E = Z_k + conj Z_(h-k), 2i O = Z_k - conj Z_(h-k) and
    u_k = e^(-pi i k / h). The window must include the factor 2.
    """
    imag = h * LANES
    half = h // 2
    first = len(roots) - 2 * (half + 1)
    four = np.float32(4.0)
    total = load(z, 0) + load(z, imag)
    alternating = load(z, 0) - load(z, imag)
    store(z, 0, total * total * four)
    store(z, imag, alternating * alternating * four)
    for k in range(1, half + 1):
        a, b = rows[k] * LANES, rows[h - k] * LANES
        c, s = roots[first + 2 * k], roots[first + 2 * k + 1]
        ar, ai = load(z, a), load(z, imag + a)
        br, bi = load(z, b), load(z, imag + b)
        even_r, even_i, odd_r, odd_i = ar + br, ai - bi, ai + bi, br - ar
        turned_r, turned_i = odd_r * c - odd_i * s, odd_r * s + odd_i * c
        pr, pi = even_r + turned_r, even_i + turned_i
        mr, mi = even_r - turned_r, even_i - turned_i
        store(z, a, pr * pr + pi * pi)
        store(z, b, mr * mr + mi * mi)
