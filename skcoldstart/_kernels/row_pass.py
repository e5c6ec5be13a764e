"""The pass over the entries of one row that every solver of ALS is made of."""

from skcoldstart._kernels.compilation import njit

# No "nnan" and no "ninf": NaN must stay visible. Sums may be reordered, at compile
# time only, so the same machine gives the same bits.
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}

# No "nrt": these kernels make no arrays, and to count the references of those they are
# given, in each pass over a row, cost as much as the pass where rows are short.
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": FAST, "_nrt": False}
jit = njit(cache=True, **_OPTIONS)
inlined = njit(forceinline=True, **_OPTIONS)


def width_of(Z):
    """Return what kernels in vectors are told of a row of Z."""


@inlined
def accumulate(
    Z, indices, weights, begin, end, vector, base, slope, out, prefetch, n_stored, width
):
    """Add the entries of one row to `out`; return their share of a quadratic form.

    With ``t_n = z_n'vector``, ``out += sum_n (base (1 + w_n) + slope w_n t_n) z_n``
    and the result is ``sum_n t_n (w_n t_n - 2 base (1 + w_n))``. With `prefetch`, for
    rows of Z that are not in a near cache, kernels in vectors ask for those of later
    entries, up to `n_stored`; `width` is from `width_of`.
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
    """Return coefficient and share of entries, side by side or of one."""
    weighted = w * t
    if base == 0:
        return weighted * slope, weighted * t
    ones = w * base + base
    return weighted * slope + ones, t * (weighted - (ones + ones))
