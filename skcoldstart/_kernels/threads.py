"""Numba's thread count."""

import numba


def max_threads() -> int:
    """Return the largest number of threads that numba was started with."""
    return numba.config.NUMBA_NUM_THREADS
