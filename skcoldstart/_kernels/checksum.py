"""Checksums of blocks of bytes, at the speed of memory."""

import numpy as np

from skcoldstart._kernels.compilation import njit

__all__ = ["BLOCK_BYTES", "block_sums"]

BLOCK_BYTES = 4096


def _keys():
    """Return fixed odd numbers without a pattern: SplitMix64 of 1, 2, ..."""
    z = np.arange(1, BLOCK_BYTES // 4 + 1, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)


_KEYS = _keys()


def block_sums(content):
    """Return a sum of each block of bytes, the last one filled with zeros.

    Shapes: `content` (n_bytes,), uint8 -> (ceil(n_bytes / 4096),), uint64.
    """
    n_whole = len(content) // BLOCK_BYTES
    sums = np.empty(-(-len(content) // BLOCK_BYTES), np.uint64)
    whole = content[: n_whole * BLOCK_BYTES]
    _sum_blocks(whole.view(np.uint32), _KEYS, sums)
    if n_whole < len(sums):
        last = np.zeros(BLOCK_BYTES, np.uint8)
        last[: len(content) - len(whole)] = content[len(whole) :]
        _sum_blocks(last.view(np.uint32), _KEYS, sums[n_whole:])
    return sums


@njit(cache=True, nogil=True)
def _sum_blocks(words, keys, out):
    """Sum keys times words of each block: any one changed word changes the sum."""
    n_words = len(keys)
    for block in range(len(words) // n_words):
        of_block = words[block * n_words : (block + 1) * n_words]
        total = np.uint64(0)
        for i in range(n_words):
            total += keys[i] * np.uint64(of_block[i])
        out[block] = total
