"""Parse lines of user, song and count, number the names, and sort the pairs."""

import numpy as np

from skcoldstart._kernels.compilation import njit
from skcoldstart._kernels.names import HEAD, add_name, find_name, same_name, word_at


@njit(cache=True, nogil=True)
def count_pairs(users, songs, rank_of_user, rank_of_song, lengths):
    """Count the songs of every user: `users, songs` (n,), `lengths` (n_ranks,)."""
    for i in range(len(users)):
        rank = rank_of_user[users[i]]
        if rank >= 0 and rank_of_song[songs[i]] >= 0:
            lengths[rank] += 1


@njit(cache=True, nogil=True)
def scatter_pairs(
    users, songs, counts, rank_of_user, rank_of_song, cursors, indices, data
):
    """Write pairs to the entries of their users in a compressed matrix.

    Shapes: `users, songs, counts` (n,), `cursors` (n_ranks,), `indices, data`
    (n_entries,).
    """
    for i in range(len(users)):
        user, song = rank_of_user[users[i]], rank_of_song[songs[i]]
        if user >= 0 and song >= 0:
            place = cursors[user]
            cursors[user] = place + 1
            indices[place] = song
            data[place] = counts[i]


OUT_OF_BYTES, OUT_OF_ROOM, GROW_USERS, GROW_SONGS, BAD_LINE = range(5)
LONGEST_NAME = 255
MOST_DIGITS = 9
_TAB, _NEWLINE, _RETURN, _ZERO = 9, 10, 13, 48
_HIGH = np.uint64(0x8080808080808080)
_SPACES = np.uint64(0x2020202020202020)
_HALF = np.uint64(32)


@njit(inline="always")
def _field_end(buffer, start, stop):
    """Return the position of the next control character, including tab and newline."""
    i = start
    while i < stop:
        word = word_at(buffer, i)
        if (word - _SPACES) & ~word & _HIGH:
            break
        i += 8
    while i < stop and buffer[i] >= 32:
        i += 1
    return min(i, stop)


@njit(cache=True, nogil=True)
def read_triplets(buffer, start, stop, users, n_users, songs, n_songs, out, n_out):
    """Read lines of user, tab, song, tab, count from 1 to 999,999,999.

    Shapes: `buffer` (>= stop + PADDING of names,), `n_users, n_songs` (1,), `out` (n,).

    A line ends with a newline, or a carriage return and a newline; an empty line is
    skipped. The caller describes the error in an invalid line.
    """
    of_user, of_song, counts = out
    # Reading a tuple in the loop would count references to its arrays.
    user_slots, user_arena, user_starts = users
    song_slots, song_arena, song_starts = songs
    position, n_lines = start, 0
    user = np.int64(-1)
    while True:
        if n_out == len(counts):
            return OUT_OF_ROOM, position, n_out, n_lines

        # Lines of one user are mostly consecutive.
        known = False
        if user >= 0:
            place = user_starts[user]
            end = position + np.int64(word_at(user_arena, place) >> _HALF)
            known = (
                end < stop
                and buffer[end] == _TAB
                and same_name(buffer, position, end, user_arena, place + HEAD)
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
            user = find_name(buffer, position, end, user_slots, user_arena)
            if user < 0:
                name = (buffer, position, end)
                user = add_name(*name, user_slots, user_arena, user_starts, n_users)
            if user < 0:
                return GROW_USERS, position, n_out, n_lines
        song = find_name(buffer, song_at, song_end, song_slots, song_arena)
        if song < 0:
            name = (buffer, song_at, song_end)
            song = add_name(*name, song_slots, song_arena, song_starts, n_songs)
        if song < 0:
            return GROW_SONGS, position, n_out, n_lines
        of_user[n_out] = user
        of_song[n_out] = song
        counts[n_out] = count
        n_out += 1
        n_lines += 1
        position = i + 1
