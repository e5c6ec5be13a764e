"""Lines of user, song and count: names become numbers while the bytes go by."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skcoldstart._kernels.compilation import njit

__all__ = [
    "BAD_LINE",
    "GROW_SONGS",
    "GROW_USERS",
    "LONGEST_NAME",
    "OUT_OF_BYTES",
    "OUT_OF_ROOM",
    "PADDING",
    "copy_names",
    "read_triplets",
    "rehash",
]

OUT_OF_BYTES, OUT_OF_ROOM, GROW_USERS, GROW_SONGS, BAD_LINE = range(5)
PADDING = 8  # bytes that may be read behind the last one
LONGEST_NAME = 255
MOST_DIGITS = 9
_TAB, _NEWLINE, _RETURN, _ZERO = 9, 10, 13, 48
_HIGH = np.uint64(0x8080808080808080)
_SPACES = np.uint64(0x2020202020202020)
_HALF, _LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
_HEAD, _ALIGNMENT = 5, 8  # a record: number in 4 bytes, length in one, the name
_PRIME = np.uint64(0x9E3779B97F4A7C15)


@intrinsic
def _word(typingctx, array, index):
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
def _field_end(buffer, start, stop):
    """Return where the next control character is, tab and newline among them."""
    i = start
    while i < stop:
        word = _word(buffer, i)
        if (word - _SPACES) & ~word & _HIGH:
            break
        i += 8
    while i < stop and buffer[i] >= 32:
        i += 1
    return min(i, stop)


@njit(inline="always")
def _hash(buffer, start, stop):
    value = np.uint64(stop - start)
    i = start
    while i + 8 <= stop:
        value = (value ^ _word(buffer, i)) * _PRIME
        value ^= value >> np.uint64(29)
        i += 8
    value = (value ^ (_word(buffer, i) & _low_bytes(stop - i))) * _PRIME
    return value ^ (value >> np.uint64(32))


@njit(inline="always")
def _same(buffer, start, stop, arena, first):
    i, j = start, first
    while i + 8 <= stop:
        if _word(buffer, i) != _word(arena, j):
            return False
        i += 8
        j += 8
    return ((_word(buffer, i) ^ _word(arena, j)) & _low_bytes(stop - i)) == 0


@njit(inline="always")
def _code_of(buffer, start, stop, names, n_names):
    """Return the number of a name, a new one if need be, or -1 if there is no room.

    A slot and a record are one cache line each, mostly, however large the table is.
    """
    slots, arena, starts = names
    value = _hash(buffer, start, stop) >> _HALF
    last_slot = np.uint64(len(slots) - 1)
    length = stop - start
    slot = value & last_slot
    while slots[slot] != 0:
        if slots[slot] >> _HALF == value:
            place = _ALIGNMENT * np.int64((slots[slot] & _LOW_HALF) - np.uint64(1))
            if arena[place + 4] == length and _same(
                buffer, start, stop, arena, place + _HEAD
            ):
                return np.int64(_word(arena, place) & _LOW_HALF)
        slot = (slot + np.uint64(1)) & last_slot
    code = n_names[0]
    place = starts[code]
    after = place + (_HEAD + length + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
    if (
        2 * (code + 1) > len(slots)
        or code + 2 > len(starts)
        or after + PADDING > len(arena)
    ):
        return np.int64(-1)
    for i in range(4):
        arena[place + i] = np.uint8((code >> (8 * i)) & 255)
    arena[place + 4] = np.uint8(length)
    for i in range(length):
        arena[place + _HEAD + i] = buffer[start + i]
    starts[code + 1] = after
    slots[slot] = (value << _HALF) | np.uint64(place // _ALIGNMENT + 1)
    n_names[0] = code + 1
    return code


@njit(cache=True, nogil=True)
def read_triplets(buffer, start, stop, users, n_users, songs, n_songs, out, n_out):
    """Read lines of user, tab, song, tab, count from 1 to 999,999,999.

    Shapes: `buffer` (>= stop + PADDING,), `n_users, n_songs` (1,), `out` (n,).

    A line ends with a newline, or a carriage return and a newline; an empty line is
    passed over. What a line that is no such line lacks is for the caller to say.
    """
    of_user, of_song, counts = out
    position, n_lines = start, 0
    user = np.int64(-1)
    while True:
        if n_out == len(counts):
            return OUT_OF_ROOM, position, n_out, n_lines

        # Lines of one user mostly follow each other.
        known = False
        if user >= 0:
            place = users[2][user]
            end = position + users[1][place + 4]
            known = (
                end < stop
                and buffer[end] == _TAB
                and _same(buffer, position, end, users[1], place + _HEAD)
            )
        if not known:
            end = _field_end(buffer, position, stop)
        if end == stop:
            bad = end - position > LONGEST_NAME
            return BAD_LINE if bad else OUT_OF_BYTES, position, n_out, n_lines
        if end == position and buffer[end] != _TAB:
            end += buffer[end] == _RETURN
            if end == stop:
                return OUT_OF_BYTES, position, n_out, n_lines
            if buffer[end] != _NEWLINE:
                return BAD_LINE, position, n_out, n_lines
            position = end + 1
            n_lines += 1
            continue
        if buffer[end] != _TAB or not 0 < end - position <= LONGEST_NAME:
            return BAD_LINE, position, n_out, n_lines

        song_at = end + 1
        song_end = _field_end(buffer, song_at, stop)
        if song_end - song_at > LONGEST_NAME:
            return BAD_LINE, position, n_out, n_lines
        if song_end == stop:
            return OUT_OF_BYTES, position, n_out, n_lines
        if buffer[song_end] != _TAB or song_end == song_at:
            return BAD_LINE, position, n_out, n_lines

        i = song_end + 1
        count = 0
        while i < stop and 0 <= buffer[i] - _ZERO <= 9:
            if i - song_end > MOST_DIGITS:
                return BAD_LINE, position, n_out, n_lines
            count = 10 * count + (buffer[i] - _ZERO)
            i += 1
        if i < stop and buffer[i] == _RETURN:
            i += 1
        if i == stop:
            return OUT_OF_BYTES, position, n_out, n_lines
        if buffer[i] != _NEWLINE or count == 0:
            return BAD_LINE, position, n_out, n_lines

        if not known:
            user = _code_of(buffer, position, end, users, n_users)
            if user < 0:
                return GROW_USERS, position, n_out, n_lines
        song = _code_of(buffer, song_at, song_end, songs, n_songs)
        if song < 0:
            return GROW_SONGS, position, n_out, n_lines
        of_user[n_out] = user
        of_song[n_out] = song
        counts[n_out] = count
        n_out += 1
        n_lines += 1
        position = i + 1


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
def copy_names(arena, starts, out):
    """Copy names out of their records.

    Shapes: `arena` (n_bytes,), `starts` (n_names,), `out` (n_names, longest).
    """
    for i in range(len(starts)):
        for j in range(arena[starts[i] + 4]):
            out[i, j] = arena[starts[i] + _HEAD + j]
