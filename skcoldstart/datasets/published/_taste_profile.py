"""Load play counts of the Echo Nest Taste Profile."""

import os
from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart.datasets.published._million_lists import load_sid_mismatches
from skcoldstart.datasets.published._triplets import decode, read_triplets


def load_taste_profile(
    path: str | os.PathLike[str],
    *,
    mismatches: str | os.PathLike[str] | Iterable[str] | None = None,
    songs: Iterable[str] | None = None,
    verbose: int | bool = 0,
) -> Bunch:
    r"""Load play counts from lines of user, song and count.

    Parameters
    ----------
    path : str or PathLike
        ``train_triplets.txt`` or any text of that form: no header, three fields
        separated by tabs, counts of at least 1. Plain, gzip, bzip2, xz, or a zip
        archive of one file.
    mismatches : str, PathLike or iterable of str, default=None
        The list ``sid_mismatches.txt``, or ids of songs: plays of these songs are
        dropped, because they may belong to another recording.
    songs : iterable of str, default=None
        Ids of the songs to keep, such as those with audio. Songs without plays get no
        row.
    verbose : int or bool, default=0
        Whether to show a progress bar on standard error.

    Returns
    -------
    Bunch
        With the attributes:

        plays : csr_array of shape (n_songs, n_users)
            Play counts, float32; exact up to 2 ** 24. Repeated pairs are added up.
        item_ids : ndarray of shape (n_songs,)
            Songs, sorted; each has plays.
        user_ids : ndarray of shape (n_users,)
            Users, sorted; each has plays.
        n_lines : int
            Number of triplets in the file.
        n_dropped : int
            Number of triplets of unwanted songs.
        n_duplicates : int
            Number of triplets added to another of the same pair.
        DESCR : str
            Summary in words.

    Raises
    ------
    ValueError
        If a line is not a user, a song and a whole number from 1 to 999,999,999 (the
        error names file and line); if the file is empty, damaged or not UTF-8; if no
        triplet is left.
    OSError
        If a file cannot be opened.

    See Also
    --------
    load_sid_mismatches : The songs to leave out.
    make_subset : Selects the most popular songs and the most active users.
    load_catalog : Loads tables with column names.

    Notes
    -----
    The file is read in chunks of 4 MiB while the last one is parsed in compiled code;
    each name is stored once, in a hash table of bytes. The peak memory is about 20
    bytes per triplet and 400 bytes per name of 40 letters: 1.5 GB for the 48 million
    triplets and 1.4 million names of the whole Taste Profile. Time grows linearly: 2 s
    for 5 million from a plain file, and by extrapolation 20 s for 48 million.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] B. McFee, T. Bertin-Mahieux, D. P. W. Ellis, G. R. G. Lanckriet, "The Million
       Song Dataset Challenge", WWW 2012 Companion.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_taste_profile
    >>> with TemporaryDirectory() as folder:
    ...     triplets = Path(folder, "triplets.txt")
    ...     _ = triplets.write_text("ann\tSOB\t3\nann\tSOA\t1\nbob\tSOB\t2\n")
    ...     taste = load_taste_profile(triplets)
    >>> taste.item_ids.tolist(), taste.user_ids.tolist()
    (['SOA', 'SOB'], ['ann', 'bob'])
    >>> taste.plays.toarray()
    array([[1., 0.],
           [3., 2.]], dtype=float32)
    """
    unwanted = None if mismatches is None else _unwanted(mismatches)
    kept = None if songs is None else _as_bytes(songs, "songs")
    triplets = read_triplets(path, verbose=verbose)
    n_lines = triplets.n_pairs
    has_song = np.ones(len(triplets.songs), dtype=bool)
    if unwanted is not None:
        has_song &= ~np.isin(triplets.songs, unwanted)
    if kept is not None:
        has_song &= np.isin(triplets.songs, kept)
    rank_of_song, song_names = _ranks(triplets.songs, has_song)
    user_has_plays = triplets.users_of(has_song)
    rank_of_user, user_names = _ranks(triplets.users, user_has_plays)
    if not user_has_plays.any():
        raise ValueError(
            f"None of the {n_lines} triplets in {path} is left; its "
            f"{len(has_song)} songs are all mismatches or not among those to keep."
        )
    item_ids, user_ids = decode(song_names, path), decode(user_names, path)
    plays, n_duplicates = triplets.to_csr(rank_of_user, rank_of_song)
    n_dropped = n_lines - plays.nnz - n_duplicates
    return Bunch(
        plays=plays,
        item_ids=item_ids,
        user_ids=user_ids,
        n_lines=n_lines,
        n_dropped=n_dropped,
        n_duplicates=n_duplicates,
        DESCR=_describe(plays, n_dropped),
    )


def _unwanted(mismatches: str | os.PathLike[str] | Iterable[str]) -> np.ndarray:
    if isinstance(mismatches, str | os.PathLike):
        return np.char.encode(load_sid_mismatches(mismatches).item_ids, "utf-8")
    return _as_bytes(mismatches, "mismatches")


def _as_bytes(songs: Iterable[str], name: str) -> np.ndarray:
    if isinstance(songs, str | bytes):
        raise TypeError(f"{name} is {songs!r}; expected an iterable of song ids.")
    ids = [str(song) for song in songs]
    return np.char.encode(np.array(ids, dtype=str), "utf-8")


def _ranks(names: np.ndarray, is_kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks of names among the kept ones, -1 for others, and kept names."""
    kept = np.flatnonzero(is_kept)
    order = kept[np.argsort(names[kept])]
    ranks = np.full(len(names), -1, np.int32)
    ranks[order] = np.arange(len(order))
    return ranks, names[order]


def _describe(plays: sp.csr_array, n_dropped: int) -> str:
    n_songs, n_users = plays.shape
    total = int(plays.data.sum(dtype=np.float64))
    return (
        f"{total} plays of {n_songs} songs by {n_users} users ({plays.nnz} pairs); "
        f"{n_dropped} triplets of unwanted songs dropped."
    )
