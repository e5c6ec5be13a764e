"""Numba's thread count."""

import numba


def max_threads() -> int:
    """Return the largest number of threads that numba was started with."""
    return numba.config.NUMBA_NUM_THREADS


def set_threads(n_threads: int) -> int:
    """Set the number of threads and return the one before."""
    before = numba.get_num_threads()
    numba.set_num_threads(n_threads)
    return before
