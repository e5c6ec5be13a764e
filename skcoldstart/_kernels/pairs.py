"""Pairs of user and song, by number, into the rows of a compressed matrix."""

from numba import njit

__all__ = ["count_pairs", "scatter_pairs"]


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
