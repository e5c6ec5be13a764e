"""Load play counts of the Echo Nest Taste Profile, and lists of its songs."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import validated
from skcoldstart._utils.threads import read_ahead
from skcoldstart.datasets._files import lines_of, open_bytes, texts_of
from skcoldstart.datasets._name_table import NameTable

MISMATCH = re.compile(r"ERROR: <(SO[A-Z0-9]+) (TR[A-Z0-9]+)> ")


@documented()
def load_unique_tracks(path: str | os.PathLike[str]) -> Bunch:
    """Load the list of tracks of the Million Song Dataset, ``unique_tracks.txt``.

    Parameters
    ----------
    path : str or PathLike
        Lines of track id, song id, artist and title with ``<SEP>`` between them, in
        UTF-8; plain or compressed.

    Returns
    -------
    Bunch
        With the attributes, in the order of the file:

        item_ids, track_ids : ndarray of shape (n_tracks,)
            Ids of songs and tracks. Some songs have several tracks.
        artist_names, titles : ndarray of shape (n_tracks,), dtype object
            Text; a title may be empty.
        <summary>

    Raises
    ------
    ValueError
        If a line is invalid, or the file is empty or damaged; the error names file and
        line.
    <unopened>

    See Also
    --------
    load_msd_songs : All metadata of songs.

    Notes
    -----
    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_unique_tracks
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "unique_tracks.txt")
    ...     _ = path.write_text("TR1<SEP>SO1<SEP>Somebody<SEP>A Song")
    ...     tracks = load_unique_tracks(path)
    >>> tracks.item_ids[0], tracks.titles[0]
    (np.str_('SO1'), 'A Song')
    """
    columns: list[list[str]] = [[], [], [], []]
    for number, line in lines_of(path):
        fields = line.split("<SEP>", 3)
        if len(fields) != 4 or not fields[0] or not fields[1]:
            raise ValueError(
                f"{path}, line {number}: {line[:160]!r} has {len(fields)} fields"
                + (" and an empty id" if len(fields) == 4 else "")
                + "; expected 'track id<SEP>song id<SEP>artist<SEP>title'."
            )
        for column, field in zip(columns, fields, strict=True):
            column.append(field)
    if not columns[0]:
        raise ValueError(f"{path} is empty; expected a line for each track.")
    tracks, songs, artists, titles = columns
    item_ids = np.array(songs)
    return Bunch(
        item_ids=item_ids,
        track_ids=np.array(tracks),
        artist_names=np.array(artists, dtype=object),
        titles=np.array(titles, dtype=object),
        DESCR=f"{len(tracks)} tracks of {len(np.unique(item_ids))} songs.",
    )


@documented()
def load_sid_mismatches(path: str | os.PathLike[str]) -> Bunch:
    """Load the list of songs whose plays may belong to another recording.

    Parameters
    ----------
    path : str or PathLike
        ``sid_mismatches.txt``: lines such as ``ERROR: <SO... TR...> Artist - Title !=
        Other Artist - Other Title``, in UTF-8; plain or compressed.

    <bunch>

        item_ids : ndarray of shape (n_songs,)
            Songs to leave out, sorted, without duplicates.
        song_ids, track_ids : ndarray of shape (n_pairs,)
            Pairs of song and track that do not match, in the order of the file, without
            duplicates.
        <summary>

    Raises
    ------
    ValueError
        If a line is invalid, or the file is empty or damaged; the error names file and
        line.
    <unopened>

    See Also
    --------
    load_taste_profile : Accepts this list as ``mismatches``.

    Notes
    -----
    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_sid_mismatches
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "sid_mismatches.txt")
    ...     _ = path.write_text("ERROR: <SO1 TR1> A  -  B  !=  C  -  D")
    ...     mismatches = load_sid_mismatches(path)
    >>> mismatches.item_ids.tolist()
    ['SO1']
    """
    pairs: dict[tuple[str, str], None] = {}
    for number, line in lines_of(path):
        match = MISMATCH.match(line)
        if match is None:
            raise ValueError(
                f"{path}, line {number}: {line[:160]!r}; expected "
                "'ERROR: <song id track id> ...' such as "
                "'ERROR: <SOUMNSI12AB0182807 TRMMGKQ128F9325E10> ...'."
            )
        pairs[match.group(1), match.group(2)] = None
    if not pairs:
        raise ValueError(f"{path} is empty; expected a line for each mismatch.")
    songs, tracks = map(np.array, zip(*pairs, strict=True))
    item_ids = np.unique(songs)
    return Bunch(
        item_ids=item_ids,
        song_ids=songs,
        track_ids=tracks,
        DESCR=f"{len(item_ids)} songs in {len(pairs)} pairs that do not match.",
    )


# This parser needs 35 bytes per line, including names, and pyarrow.csv 83, in 1.1 times
# the time and without naming a bad line (benchmarks/bench_loaders.py).
CHUNK_BYTES = 1 << 22
HEAD_BYTES = 1 << 12
CHUNK_PAIRS = 1 << 18
EXPECTED = (
    "a user, a tab, a song, a tab and a whole number of plays >= 1, such as "
    r"'b80344d0\tSOAKIMP12A8C130995\t1'"
)


class Triplets:
    """Pairs of a file, by the numbers of their names: `users, songs` (n_names,)."""

    def __init__(
        self, file: IO[bytes], path: str | os.PathLike[str], verbose: int | bool
    ) -> None:
        from skcoldstart._kernels import triplets as kernel

        self._chunks: list[tuple[np.ndarray, ...]] = []
        self.n_pairs = 0
        users, songs = NameTable(), NameTable()
        out, n_out, n_lines = _room(), 0, 0
        with progress_bar(
            description="Read plays", verbose=verbose, unit=" lines"
        ) as bar:
            for buffer, position, stop in _lines_of(file):
                while position < stop:
                    status, position, n_out, n_more = kernel.read_triplets(
                        buffer,
                        position,
                        stop,
                        *(users.arrays, users.count),
                        *(songs.arrays, songs.count),
                        *(out, n_out),
                    )
                    n_lines += n_more
                    bar.update(n_more)
                    if status == kernel.OUT_OF_ROOM:
                        self._chunks.append(out)
                        self.n_pairs += n_out
                        out, n_out = _room(), 0
                    elif status == kernel.GROW_USERS:
                        users.grow()
                    elif status == kernel.GROW_SONGS:
                        songs.grow()
                    elif position < stop:
                        raise ValueError(
                            f"{path}, line {n_lines + 1}: "
                            + _fault(bytes(buffer[position:stop]))
                            + f"; expected {EXPECTED}."
                        )
        self._chunks.append(tuple(part[:n_out].copy() for part in out))
        self.n_pairs += n_out
        self.users, self.songs = users.to_bytes(), songs.to_bytes()

    def users_of(self, is_wanted: np.ndarray) -> np.ndarray:
        """Return which users have a pair with a wanted song.

        Shapes: `is_wanted` (n_songs,) -> (n_users,).
        """
        found = np.zeros(len(self.users), dtype=bool)
        for users, songs, _ in self._chunks:
            found[users[is_wanted[songs]]] = True
        return found

    def to_csr(
        self, rank_of_user: np.ndarray, rank_of_song: np.ndarray
    ) -> tuple[sp.csr_array, int]:
        """Convert the pairs to a matrix and release them.

        Shapes: `rank_of_user, rank_of_song` (n_names,) -> `plays` (n_songs, n_users).
        """
        from skcoldstart._kernels.triplets import count_pairs, scatter_pairs

        ranks = (rank_of_user, rank_of_song)
        n_users, n_songs = (int(rank.max(initial=-1)) + 1 for rank in ranks)
        lengths = np.zeros(n_users, np.int64)
        for users, songs, _ in self._chunks:
            count_pairs(users, songs, *ranks, lengths)
        indptr = np.r_[0, np.cumsum(lengths)]
        n_entries = int(indptr[-1])
        kind = np.int32 if n_entries < 2**31 else np.int64
        indices = np.empty(n_entries, kind)
        data = np.empty(n_entries, np.float32)
        cursors = indptr[:-1].copy()
        while self._chunks:  # each is freed once it is copied
            scatter_pairs(*self._chunks.pop(), *ranks, cursors, indices, data)
        by_user = sp.csc_array((data, indices, indptr.astype(kind)), (n_songs, n_users))
        # The transposition sorts users within songs.
        plays = by_user.tocsr()
        plays.sum_duplicates()
        return plays, n_entries - plays.nnz


def _room() -> tuple[np.ndarray, ...]:
    return tuple(np.empty(CHUNK_PAIRS, np.int32) for _ in range(3))


def _lines_of(file: IO[bytes]) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield padded buffers and where their lines start and stop.

    Bytes are read after a head with the unfinished line of the last chunk.
    """
    from skcoldstart._kernels.names import PADDING

    def fill(buffer: bytearray) -> tuple[bytearray, int]:
        room = memoryview(buffer)[HEAD_BYTES : HEAD_BYTES + CHUNK_BYTES]
        return buffer, HEAD_BYTES + file.readinto(room)  # type: ignore[attr-defined]

    # One that is used, and two that are read ahead.
    buffers = [bytearray(HEAD_BYTES + CHUNK_BYTES + PADDING) for _ in range(3)]
    rest, mark = b"", b"\xef\xbb\xbf"
    for buffer, end in read_ahead(fill, itertools.cycle(buffers), 1):
        if end == HEAD_BYTES:
            break
        start = HEAD_BYTES + len(mark) * buffer.startswith(mark, HEAD_BYTES)
        mark = b""  # only at the start of a file
        stop = 1 + buffer.rfind(b"\n", start, end)
        if stop:
            start -= len(rest)
            buffer[start : start + len(rest)] = rest
            yield np.frombuffer(buffer, np.uint8), start, stop
            rest = bytes(buffer[stop:end])
        else:
            rest += buffer[start:end]
        if len(rest) > HEAD_BYTES:  # longer than any allowed line
            break
    if rest:
        last = np.frombuffer(rest + b"\n" + bytes(PADDING), np.uint8).copy()
        yield last, 0, len(rest) + 1


def _fault(text: bytes) -> str:
    """Describe the error in the first line of a text, which is not a triplet."""
    from skcoldstart._kernels.triplets import LONGEST_NAME

    line = text[: 3 * LONGEST_NAME].split(b"\n")[0].removesuffix(b"\r")
    shown = line.decode("utf-8", "backslashreplace")
    fields = shown.split("\t")
    if any(ord(letter) < 32 for letter in shown.replace("\t", "")):
        return f"{shown[:80]!r} has control characters; it is not UTF-8 text"
    if max(map(len, fields)) > LONGEST_NAME:
        return f"a name has more than {LONGEST_NAME} bytes"
    if len(fields) != 3:
        return f"{shown[:160]!r} has {len(fields)} fields"
    if not fields[0] or not fields[1]:
        return f"{'song' if fields[0] else 'user'} is empty in {shown[:160]!r}"
    return f"plays is {fields[2][:80]!r}"


def decode(names: np.ndarray, path: Any) -> np.ndarray:
    """Decode bytes, and name those that are not UTF-8.

    Shapes: `names` (n_names,) -> (n_names,).
    """
    try:
        return names.astype(str)  # fast if all of it is ASCII
    except UnicodeDecodeError:
        pass
    try:
        return np.char.decode(names, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason}): {error.object!r}."
        ) from error


@documented()
@validated(verbose=["verbose"])
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
        The list ``sid_mismatches.txt``, or ids of the songs whose plays are dropped.
    songs : iterable of str, default=None
        Ids of the songs to keep. Songs without plays get no row.
    <progress>

    <bunch>

        plays : csr_array of shape (n_songs, n_users)
            Play counts, float32; exact up to 2 ** 24. Repeated pairs are added up.
        item_ids, user_ids : ndarray of shape (n_songs,) and (n_users,)
            Songs and users, sorted; each has plays.
        n_lines, n_dropped, n_duplicates : int
            Numbers of triplets: in the file, of unwanted songs, and added to another of
            the same pair.
        <summary>

    Raises
    ------
    ValueError
        If a line is not a user, a song and a whole number from 1 to 999,999,999 (the
        error names file and line), the file is damaged, or no triplet is left.
    <unopened>

    See Also
    --------
    load_sid_mismatches : The songs to leave out.
    make_subset : Selects the most popular songs and the most active users.
    load_catalog : Loads tables with column names.

    Notes
    -----
    The peak memory is about 20 bytes per triplet and 400 bytes per name of 40 letters:
    1.5 GB for the 48 million triplets and 1.4 million names of the whole Taste Profile.
    A plain file of 5 million triplets takes 2 s.

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
    if isinstance(mismatches, str | os.PathLike):
        mismatches = load_sid_mismatches(mismatches).item_ids
    unwanted = _as_bytes(() if mismatches is None else mismatches, "mismatches")
    kept = None if songs is None else _as_bytes(songs, "songs")
    with open_bytes(path) as file:
        triplets = Triplets(file, path, verbose)
    n_lines = triplets.n_pairs
    if not n_lines:
        raise ValueError(f"{path} is empty; expected lines of {EXPECTED}.")
    has_song = ~np.isin(triplets.songs, unwanted)
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
        DESCR=(
            f"{plays.data.sum(dtype=np.float64):.0f} plays of {len(item_ids)} songs by "
            f"{len(user_ids)} users ({plays.nnz} pairs); {n_dropped} triplets of "
            "unwanted songs dropped."
        ),
    )


def _as_bytes(songs: Any, name: str) -> np.ndarray:
    ids = texts_of(songs, name, "song ids")
    return np.char.encode(np.array(ids, dtype=str), "utf-8")


def _ranks(names: np.ndarray, is_kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks of names among the kept ones, -1 for others, and kept names."""
    kept = np.flatnonzero(is_kept)
    order = kept[np.argsort(names[kept])]
    ranks = np.full(len(names), -1, np.int32)
    ranks[order] = np.arange(len(order))
    return ranks, names[order]
