"""Checksums of blocks of bytes, at the speed of memory."""

import numpy as np

from skcoldstart._kernels.compilation import njit

BLOCK_BYTES = 4096

_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def _keys():
    """Return constant pseudo-random numbers: SplitMix64 of 1, 2, ..."""
    z = np.arange(1, BLOCK_BYTES // 8 + 1, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


_KEYS = _keys()


def block_sums(content):
    """Return a checksum of each block of bytes; the last block is padded with zeros.

    Shapes: `content` (n_bytes,), uint8 -> (ceil(n_bytes / 4096),), uint64.
    """
    n_whole = len(content) // BLOCK_BYTES
    sums = np.empty(-(-len(content) // BLOCK_BYTES), np.uint64)
    whole = content[: n_whole * BLOCK_BYTES]
    _sum_blocks(whole.view(np.uint64), _KEYS, sums)
    if n_whole < len(sums):
        last = np.zeros(BLOCK_BYTES, np.uint8)
        last[: len(content) - len(whole)] = content[len(whole) :]
        _sum_blocks(last.view(np.uint64), _KEYS, sums[n_whole:])
    return sums


def first_changed(blocks, sums):
    """Return the first of these complete blocks with a different checksum, or -1.

    Shapes: `blocks` (n_blocks * 4096,), uint8; `sums` (n_blocks,), uint64.
    """
    return _first_changed(blocks.view(np.uint64), _KEYS, sums)


@njit(cache=True, nogil=True, inline="always")
def _sum(words, keys, start):
    """Sum halves multiplied with each other, plus the words, each with its key.

    A change within one half h of a word changes the sum: it adds that change times h' +
    1 or h' + 2**32 for the other half h', which is not a multiple of 2**64.
    """
    total = np.uint64(0)
    for i in range(len(keys)):
        word = words[start + i] ^ keys[i]
        total += (word & _LOW) * (word >> _HALF) + word
    return total


@njit(cache=True, nogil=True)
def _sum_blocks(words, keys, out):
    for block in range(len(words) // len(keys)):
        out[block] = _sum(words, keys, block * len(keys))


@njit(cache=True, nogil=True)
def _first_changed(words, keys, sums):
    for block in range(len(sums)):
        if _sum(words, keys, block * len(keys)) != sums[block]:
            return block
    return -1
