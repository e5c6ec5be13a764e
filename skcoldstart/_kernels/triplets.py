"""Lines of user, song and count: names become numbers while the bytes go by."""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "BAD_LINE",
    "GROW_SONGS",
    "GROW_USERS",
    "LONGEST_NAME",
    "OUT_OF_BYTES",
    "OUT_OF_ROOM",
    "PADDING",
    "count_pairs",
    "read_triplets",
    "rehash",
    "scatter_pairs",
]

OUT_OF_BYTES, OUT_OF_ROOM, GROW_USERS, GROW_SONGS, BAD_LINE = range(5)
PADDING = 8  # bytes that may be read behind the last one
LONGEST_NAME = 255
MOST_DIGITS = 9
_TAB, _NEWLINE, _RETURN, _ZERO = 9, 10, 13, 48
_HIGH = np.uint64(0x8080808080808080)
_SPACES = np.uint64(0x2020202020202020)
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
    """Return the number of a name, a new one if need be, or -1 if there is no room."""
    hashes, codes, arena, ends = names
    value = _hash(buffer, start, stop)
    last_slot = np.uint64(len(codes) - 1)
    slot = value & last_slot
    while codes[slot] >= 0:
        if hashes[slot] == value:
            code = codes[slot]
            first = ends[code]
            if ends[code + 1] - first == stop - start and _same(
                buffer, start, stop, arena, first
            ):
                return code
        slot = (slot + np.uint64(1)) & last_slot
    code = n_names[0]
    first = ends[code]
    length = stop - start
    if (
        2 * (code + 1) > len(codes)
        or code + 2 > len(ends)
        or first + length + PADDING > len(arena)
    ):
        return -1
    for i in range(length):
        arena[first + i] = buffer[start + i]
    ends[code + 1] = first + length
    hashes[slot] = value
    codes[slot] = code
    n_names[0] = code + 1
    return code


@njit(cache=True, nogil=True)
def read_triplets(buffer, start, stop, users, n_users, songs, n_songs, out, n_out):
    """Read lines of user, tab, song, tab, count from 1 to 999,999,999.

    A line ends with a newline, or a carriage return and a newline; an empty line is
    passed over. What a line that is no such line lacks is for the caller to say.

    Parameters
    ----------
    buffer : ndarray of shape (>= stop + PADDING,), uint8, IN
        Text.
    start, stop : int
        The first byte to read, at the beginning of a line, and the end.
    users, songs : tuple of arrays, IN and OUT
        Hash of each slot (a power of two of them, uint64), number of the name in it
        (int32, -1 where there is none), the names' bytes (uint8) and where they begin
        and end (int64).
    n_users, n_songs : ndarray of shape (1,), int64, IN and OUT
        How many names there are.
    out : tuple of three ndarray of shape (n,), int32, OUT
        Number of the user, of the song, and count.
    n_out : int
        How many entries of `out` are taken.

    Returns
    -------
    status : int
        Why it stopped: ``OUT_OF_BYTES``, ``OUT_OF_ROOM`` in `out`, ``GROW_USERS``,
        ``GROW_SONGS``, ``BAD_LINE``.
    position : int
        Where the first line that was not read begins.
    n_out : int
        How many entries of `out` are taken now.
    n_lines : int
        Lines read, the empty ones included.
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
            first = users[3][user]
            end = position + users[3][user + 1] - first
            known = (
                end < stop
                and buffer[end] == _TAB
                and _same(buffer, position, end, users[2], first)
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
            user = np.int64(_code_of(buffer, position, end, users, n_users))
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
def rehash(hashes, codes, new_hashes, new_codes):
    """Move the names of a hash table to a larger one.

    Parameters
    ----------
    hashes, codes : ndarray of shape (n_slots,), uint64 and int32, IN
        The old slots.
    new_hashes, new_codes : ndarray of shape (n_new_slots,), uint64 and int32, OUT
        The new ones, a power of two; codes are -1.
    """
    last_slot = np.uint64(len(new_codes) - 1)
    for old in range(len(codes)):
        if codes[old] >= 0:
            slot = hashes[old] & last_slot
            while new_codes[slot] >= 0:
                slot = (slot + np.uint64(1)) & last_slot
            new_hashes[slot] = hashes[old]
            new_codes[slot] = codes[old]


@njit(cache=True, nogil=True)
def count_pairs(users, songs, rank_of_user, rank_of_song, lengths):
    """Count the songs of every user.

    Parameters
    ----------
    users, songs : ndarray of shape (n,), int32, IN
        Pairs, by the numbers of their names.
    rank_of_user, rank_of_song : ndarray, int32, IN
        Where a name goes; -1 drops its pairs.
    lengths : ndarray of shape (n_ranks,), int64, OUT
        Number of pairs of each user, added to.
    """
    for i in range(len(users)):
        rank = rank_of_user[users[i]]
        if rank >= 0 and rank_of_song[songs[i]] >= 0:
            lengths[rank] += 1


@njit(cache=True, nogil=True)
def scatter_pairs(
    users, songs, counts, rank_of_user, rank_of_song, cursors, indices, data
):
    """Put pairs where their user's entries go in a compressed matrix.

    Parameters
    ----------
    users, songs, counts : ndarray of shape (n,), int32, IN
        Pairs, by the numbers of their names, and their counts.
    rank_of_user, rank_of_song : ndarray, int32, IN
        Where a name goes; -1 drops its pairs.
    cursors : ndarray of shape (n_ranks,), int64, IN and OUT
        Where the next entry of each user goes.
    indices, data : ndarray of shape (n_entries,), OUT
        Songs and counts, in no order within a user.
    """
    for i in range(len(users)):
        user, song = rank_of_user[users[i]], rank_of_song[songs[i]]
        if user >= 0 and song >= 0:
            place = cursors[user]
            cursors[user] = place + 1
            indices[place] = song
            data[place] = counts[i]
