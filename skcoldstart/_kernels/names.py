"""Names as bytes, numbered in the order in which they first appear."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skcoldstart._kernels.compilation import njit

PADDING = 8  # bytes that may be read behind the last one
HEAD = 8  # a record: number in 4 bytes, length in 4, the name; in whole words
_HALF, _LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
_PRIME = np.uint64(0x9E3779B97F4A7C15)


@intrinsic
def word_at(typingctx, array, index):
    """Load 8 bytes that need not be aligned, the first one lowest."""
    if not isinstance(array, types.Array) or array.dtype != types.uint8:
        return None

    def codegen(context, builder, signature, args):
        of_array = context.make_array(signature.args[0])(context, builder, args[0])
        place = cgutils.get_item_pointer(
            context, builder, signature.args[0], of_array, [args[1]]
        )
        place = builder.bitcast(place, ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(array, types.int64), codegen


@njit(inline="always")
def _low_bytes(n):
    """Return the mask of the n lowest bytes of a word, n from 0 to 7."""
    return (np.uint64(1) << np.uint64(8 * n)) - np.uint64(1)


@njit(inline="always")
def _hash(buffer, start, stop):
    value = np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        value = (value ^ word_at(buffer, i)) * _PRIME
        value ^= value >> np.uint64(29)
        i += 8
    value = (value ^ (word_at(buffer, i) & _low_bytes(stop - i))) * _PRIME
    return value ^ (value >> np.uint64(32))


@njit(inline="always")
def same_name(buffer, start, stop, arena, first):
    """Return whether a name is that in the arena, of the same length, at `first`."""
    i, j = start, first
    while i + 8 <= stop:
        if word_at(buffer, i) != word_at(arena, j):
            return False
        i += 8
        j += 8
    return ((word_at(buffer, i) ^ word_at(arena, j)) & _low_bytes(stop - i)) == 0


@njit(inline="always")
def find_name(buffer, start, stop, slots, arena):
    """Return the number of a name, or -1 where it is new.

    A slot and a record are one cache line each, mostly, however large the table is.
    """
    value = _hash(buffer, start, stop) >> _HALF
    last_slot = np.uint64(len(slots) - 1)
    length = stop - start
    slot = value & last_slot
    while slots[slot] != 0:
        if slots[slot] >> _HALF == value:
            place = HEAD * np.int64((slots[slot] & _LOW_HALF) - np.uint64(1))
            head = word_at(arena, place)
            if np.int64(head >> _HALF) == length and same_name(
                buffer, start, stop, arena, place + HEAD
            ):
                return np.int64(head & _LOW_HALF)
        slot = (slot + np.uint64(1)) & last_slot
    return np.int64(-1)


@njit
def add_name(buffer, start, stop, slots, arena, starts, n_names):
    """Add a new name and return its number, or -1 if there is no room.

    Kept apart from the search, which is slower with these writes in its loop.
    """
    code = n_names[0]
    length = stop - start
    place = starts[code]
    after = place + (HEAD + length + HEAD - 1) // HEAD * HEAD
    if (
        2 * (code + 1) > len(slots)
        or code + 2 > len(starts)
        or after + PADDING > len(arena)
    ):
        return np.int64(-1)
    for i in range(4):
        arena[place + i] = np.uint8((code >> (8 * i)) & 255)
        arena[place + 4 + i] = np.uint8((length >> (8 * i)) & 255)
    for i in range(length):
        arena[place + HEAD + i] = buffer[start + i]
    starts[code + 1] = after
    value = _hash(buffer, start, stop) >> _HALF
    last_slot = np.uint64(len(slots) - 1)
    slot = value & last_slot
    while slots[slot] != 0:
        slot = (slot + np.uint64(1)) & last_slot
    slots[slot] = (value << _HALF) | np.uint64(place // HEAD + 1)
    n_names[0] = code + 1
    return code


@njit(cache=True, nogil=True)
def number_names(buffer, offsets, row, names, n_names, grows, codes):
    """Number the names of rows from `row` on; return the row at which room runs out.

    Shapes: `buffer` (>= offsets[-1] + PADDING,), `offsets` (n_rows + 1,), `n_names`
    (1,), `codes` (n_rows,), -1 where a name is new and `grows` is false  # OUT
    """
    slots, arena, starts = names
    for i in range(row, len(codes)):
        start, stop = offsets[i], offsets[i + 1]
        code = find_name(buffer, start, stop, slots, arena)
        if code < 0 and grows:
            code = add_name(buffer, start, stop, slots, arena, starts, n_names)
            if code < 0:
                return i
        codes[i] = code
    return len(codes)


@njit(cache=True, nogil=True)
def rehash(slots, new_slots):
    """Move the names of a hash table to a larger one.

    Shapes: `slots` (n_slots,), `new_slots` (n_new_slots,).
    """
    last_slot = np.uint64(len(new_slots) - 1)
    for entry in slots:
        if entry != 0:
            slot = (entry >> _HALF) & last_slot
            while new_slots[slot] != 0:
                slot = (slot + np.uint64(1)) & last_slot
            new_slots[slot] = entry


@njit(cache=True, nogil=True)
def copy_names(arena, starts, places, out):
    """Copy names out of their records, each to its place.

    Shapes: `arena` (n_bytes,), `starts, places` (n_names,), `out` (n_bytes,)  # OUT
    """
    for i in range(len(starts)):
        length = np.int64(word_at(arena, starts[i]) >> _HALF)
        for j in range(length):
            out[places[i] + j] = arena[starts[i] + HEAD + j]
