"""The pass over the entries of one row, used by every ALS solver."""

from skcoldstart._kernels.compilation import njit

# Without "nnan" and "ninf", so that NaN is preserved. Sums may be reordered only at
# compile time, so the same machine gives the same bits.
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}

# Without "nrt": these kernels create no arrays, and counting references in each pass
# over a row would cost as much as the pass itself for short rows.
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FAST, "_nrt": False}
jit = njit(cache=True, **_OPTIONS)
inlined = njit(forceinline=True, **_OPTIONS)


def width_of(Z):
    """Return the width of a row of Z for kernels in vectors."""


@inlined
def accumulate(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored, width
):
    """Add the entries of one row to `out`; return their part of a quadratic form.

    With ``t_n = z_n'vector``, ``out += sum_n (base (1 + w_n) + slope w_n t_n) z_n`` and
    the result is ``sum_n t_n (w_n t_n - 2 base (1 + w_n))``. With `prefetch`, for rows
    of Z outside the near caches, kernels in vectors prefetch the rows of later entries,
    up to `n_stored`; `width` is from `width_of`.
    """
    n_dims = Z.shape[1]
    value = 0.0
    for n in range(begin, end):
        z = Z[indices[n]]
        t = Z.dtype.type(0)
        for j in range(n_dims):
            t += z[j] * vector[j]
        c, share = weigh(t, weights[n], base, slope)
        value += share
        for j in range(n_dims):
            out[j] += c * z[j]
    return value


@inlined
def weigh(t, w, base, slope):
    """Return the coefficient and the part of one entry or of a vector of entries."""
    weighted = w * t
    if base == 0:
        return weighted * slope, weighted * t
    ones = w * base + base
    return weighted * slope + ones, t * (weighted - (ones + ones))
