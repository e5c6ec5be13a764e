"""Write numbered pairs of user and song to the rows of a compressed matrix."""

from skcoldstart._kernels.compilation import njit


@njit(cache=True, nogil=True)
def count_pairs(users, songs, rank_of_user, rank_of_song, lengths):
    """Count the songs of every user.

    Shapes: `users, songs` (n,), `lengths` (n_ranks,).
    """
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
