"""Vectors of numbers in registers: one door, and a plain way where they do not work.

The kernels of ALS and of mel frames are written in operations on vectors, which numba
gets from here as code of LLVM. They are tried once in a process. Where they fail, as
they may with a numba whose inside has changed, plain kernels take their place, with a
warning; ``SKCOLDSTART_SIMD=0`` in the environment chooses these from the start. Results
agree to rounding, at about half the speed.
"""

import functools
import os
import warnings

from skcoldstart._kernels.compilation import COMPILES

__all__ = ["works"]


@functools.cache
def works():
    """Return whether kernels are to use vectors."""
    if os.environ.get("SKCOLDSTART_SIMD") == "0" or not COMPILES:
        return False
    try:
        from skcoldstart._kernels.simd.trial import try_vectors

        try_vectors()
    except Exception as error:  # whatever a changed numba raises
        warnings.warn(
            "Kernels in vectors do not work with this version of numba "
            f"({type(error).__name__}: {error}); plain ones are used, which are slower."
            " Set SKCOLDSTART_SIMD=0 to choose them without this warning.",
            UserWarning,
            stacklevel=2,
        )
        return False
    return True
