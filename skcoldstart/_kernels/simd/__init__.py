"""Vectors of numbers in registers, with plain kernels as a fallback.

The kernels of ALS and of mel frames use vector operations that are generated here as
LLVM code for numba. They are tested once per process. If they fail, for example because
numba's internals have changed, plain kernels are used, with a warning.
``SKCOLDSTART_SIMD=0`` in the environment selects the plain kernels. Their results agree
up to rounding, at about half the speed.
"""

import functools
import os
import warnings

from skcoldstart._kernels.compilation import COMPILES


@functools.cache
def works():
    """Return whether kernels use vectors."""
    if os.environ.get("SKCOLDSTART_SIMD") == "0" or not COMPILES:
        return False
    try:
        from skcoldstart._kernels.simd.trial import try_vectors

        try_vectors()
    except Exception as error:  # any error of a changed numba
        warnings.warn(
            f"Vector kernels do not work with this version of numba "
            f"({type(error).__name__}: {error}); slower plain kernels are used."
            " Set SKCOLDSTART_SIMD=0 to choose them without this warning.",
            UserWarning,
            stacklevel=2,
        )
        return False
    return True
