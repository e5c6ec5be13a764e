"""A catalogue of one's own: plays in a table, audio in a folder."""

import math
import os
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._utils.warning import warn
from skcoldstart.datasets._audio_files import AudioFolder, file_names
from skcoldstart.datasets._files import check_path
from skcoldstart.datasets._names import NameIndex, near_miss, some
from skcoldstart.datasets._pairs import PairCounts, ordered, take_rows
from skcoldstart.datasets._tables import read_rows

__all__ = ["load_catalog"]

BLOCK = 1 << 20  # rows


def load_catalog(
    plays: str | os.PathLike[str],
    audio: str | os.PathLike[str] | None = None,
    groups: str | os.PathLike[str] | None = None,
) -> Bunch:
    r"""Load plays from a table, and join them with audio files and artists.

    Parameters
    ----------
    plays : str or PathLike
        A table of who played what: UTF-8 text with tabs, commas or semicolons, whose
        first line names the columns. It needs a column for the user (``user``,
        ``user_id``, ``listener``, ...) and one for the song (``song``, ``song_id``,
        ``item``, ``track``, ...). The count (``plays``, ``play_count``, ``count``,
        ...) is 1 where there is no such column. Rows of one pair add up. A row is one
        line; where tabs separate the fields, quotation marks are letters.
    audio : str or PathLike, default=None
        Folder of the audio files, searched with its sub-folders. A song's id is its
        file's path relative to the folder or the file's name, with or without suffix.
        Where no file has that name, one whose name differs only by case, spaces,
        leading zeros, separators, suffix or the folder before it is taken, if it is
        the only one. Songs without a file are dropped with a warning; files without
        plays are kept as new songs. ``None`` loads plays alone.
    groups : str or PathLike, default=None
        A table with a column for the song and one for its ``artist`` (or ``group``,
        ``album``): songs that must be held out together. A song that it lacks is a
        group of its own. A song goes by its id, or by any name of its file that no
        other file has.

    Returns
    -------
    Bunch
        With the attributes:

        paths : list of n_items str, or None
            The audio files, in item order; absolute.
        plays : csr_array of shape (n_items, n_users)
            Play counts.
        item_ids : ndarray of shape (n_items,)
            Songs, sorted.
        user_ids : ndarray of shape (n_users,)
            Users, sorted; all have plays.
        groups : ndarray of shape (n_items,), or None
            Artist of each song.
        is_new : ndarray of shape (n_items,)
            Whether nobody has played the song.
        DESCR : str
            What was found.

    Raises
    ------
    ValueError
        If a table is empty, is not UTF-8 or lacks a column; if a row is incomplete or
        its count is not a number >= 0 (file and line are named); if no song matches a
        file, or one matches several, or two songs match the same file; if a song has
        two artists.
    OSError
        If a file cannot be opened.

    Warns
    -----
    UserWarning
        If songs have no audio file, or no group.

    See Also
    --------
    make_music_catalog : The same form, synthetic.
    skcoldstart.MFCCExtractor : Reads the files; with ``on_error="warn"`` one that
        cannot be decoded becomes an item of zero frames.

    Notes
    -----
    The table is read row by row into 24 bytes a row: a million rows take about 2 s.
    Audio is not opened here.

    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_catalog
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "plays.csv")
    ...     _ = table.write_text("user,song\nAda,Blue\nBo,Blue\nBo,Red\nAda,Blue\n")
    ...     catalog = load_catalog(table)
    >>> catalog.item_ids.tolist(), catalog.user_ids.tolist()
    (['Blue', 'Red'], ['Ada', 'Bo'])
    >>> catalog.plays.toarray()
    array([[2., 1.],
           [0., 1.]])
    """
    table = _read_plays(check_path(plays, "plays"))
    paths = None
    if audio is not None:
        table, paths = _join_audio(table, audio, plays)
    played = np.bincount(table.plays.indices, minlength=len(table.user_ids)) > 0
    users = np.flatnonzero(played)
    counts = ordered(table.plays, np.arange(len(table.item_ids)), users)
    if counts.nnz == 0:
        raise ValueError(f"All counts in {plays} are 0; nobody has played anything.")
    names: list[tuple[str, ...]] = [(item,) for item in table.item_ids.tolist()]
    if audio is not None and paths is not None:
        folder = check_path(audio).absolute()
        names = [
            (*name, *file_names(Path(path).relative_to(folder).as_posix()))
            for name, path in zip(names, paths, strict=True)
        ]
    is_new = np.diff(counts.indptr) == 0
    return Bunch(
        paths=paths,
        plays=counts,
        item_ids=table.item_ids,
        user_ids=table.user_ids[users],
        groups=None if groups is None else _read_groups(groups, names),
        is_new=is_new,
        DESCR=(
            f"{len(names)} songs, {int(is_new.sum())} of them new; "
            f"{counts.sum():g} plays by {len(users)} users ({counts.nnz} pairs)."
        ),
    )


@dataclass(frozen=True)
class _Plays:
    """Who played what: names, sorted, and counts.

    Shapes: `plays` (n_items, n_users), `n_rows` (n_items,).
    """

    item_ids: np.ndarray
    user_ids: np.ndarray
    plays: sp.csr_array
    n_rows: np.ndarray


def _read_plays(path: Path) -> _Plays:
    songs: dict[str, int] = {}
    users: dict[str, int] = {}
    block = (array("i"), array("i"), array("d"))
    pairs, n_rows = PairCounts(), np.zeros(0, np.int64)

    def add_block() -> np.ndarray:
        items = np.array(block[0], np.int32)
        pairs.add(items, np.array(block[1], np.int32), np.array(block[2]))
        for part in block:
            del part[:]
        found = np.bincount(items, minlength=len(n_rows))
        found[: len(n_rows)] += n_rows
        return found

    for line, (user, song, count) in read_rows(path, ("user", "song"), {"plays": "1"}):
        block[0].append(songs.setdefault(song, len(songs)))
        block[1].append(users.setdefault(user, len(users)))
        block[2].append(_number(count, path, line))
        if len(block[2]) == BLOCK:
            n_rows = add_block()
    n_rows = add_block()
    item_ids, user_ids = np.array(list(songs)), np.array(list(users))
    orders = np.argsort(item_ids), np.argsort(user_ids)
    plays = ordered(pairs.to_csr(len(item_ids), len(user_ids)), *orders)
    plays.eliminate_zeros()
    return _Plays(item_ids[orders[0]], user_ids[orders[1]], plays, n_rows[orders[0]])


def _number(text: str, path: Path, line: int) -> float:
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if 0.0 <= count < math.inf and "_" not in text:
        return count
    hint = "such as 3 or 2.5"
    if text.replace(",", "").replace(".", "").isdigit():
        hint += ", with a point and no commas"
    elif not text or text.upper() in ("\\N", "NULL", "NA", "NAN", "NONE"):
        hint += "; leave out rows without a count, or the whole column"
    raise ValueError(
        f"{path}, line {line}: plays is {text!r}; expected a number >= 0 {hint}."
    )


def _join_audio(
    table: _Plays, audio: str | os.PathLike[str], source: object
) -> tuple[_Plays, list[str]]:
    """Keep the rows of songs that have a file, and add the files that have no rows."""
    folder = AudioFolder(audio)
    songs = table.item_ids.tolist()
    file_of_song = folder.match(songs)
    song_of_file: dict[int, int] = {}
    for song, file in enumerate(file_of_song):
        if file is not None and song_of_file.setdefault(file, song) != song:
            raise ValueError(
                f"Songs {songs[song_of_file[file]]!r} and {songs[song]!r} of {source} "
                f"are the same file, {folder.files[file]!r}; use one id for it."
            )
    if not song_of_file:
        raise ValueError(
            f"None of the {len(songs)} songs in {source} matches one of the "
            f"{len(folder.files)} audio files under {audio}. Songs are "
            f"{some(songs)}; files are {some(folder.files)}. A song's id must be its "
            "file's name or its path relative to the folder, with or without suffix."
        )
    has_file = np.array([file is not None for file in file_of_song])
    if not has_file.all():
        lost = table.item_ids[~has_file].tolist()
        n_rows = int(table.n_rows[~has_file].sum())
        unclaimed = [f for i, f in enumerate(folder.files) if i not in song_of_file]
        warn(
            f"{len(lost)} of {len(songs)} songs in {source} have no audio file "
            f"under {audio} and are dropped with {n_rows} of {table.n_rows.sum()} "
            f"rows: {some(lost)}." + near_miss(lost, unclaimed)
        )
    names = np.array([
        songs[song_of_file[file]] if file in song_of_file else folder.name(file)
        for file in range(len(folder.files))
    ])
    order = np.argsort(names)
    rows = np.array([song_of_file.get(file, -1) for file in order.tolist()])
    joined = _Plays(
        names[order], table.user_ids, take_rows(table.plays, rows), np.empty(0)
    )
    return joined, [folder.path(file) for file in order]


def _read_groups(
    path: str | os.PathLike[str], names: list[tuple[str, ...]]
) -> np.ndarray:
    """Read the group of each item, which may go by several names, its id first."""
    index = NameIndex(names)
    group_of: dict[int, tuple[str, str, int]] = {}
    known: list[str] = []
    for line, (song, artist) in read_rows(path, ("song", "artist")):
        known.append(song)
        items = index.find(song)
        if len(items) != 1:
            continue
        group, name, first = group_of.setdefault(items[0], (artist, song, line))
        if group != artist:
            raise ValueError(
                f"{path}: {name!r} has artist {group!r} in line {first} but {song!r} "
                f"has artist {artist!r} in line {line}; they are the same song, which "
                "belongs to one group."
            )
    lost = [item for i, (item, *_) in enumerate(names) if i not in group_of]
    if len(lost) == len(names):
        raise ValueError(
            f"None of the {len(names)} songs of the catalogue is in {path}. Songs are "
            f"{some(lost)}; the table has {some(known)}."
        )
    if lost:
        warn(
            f"{len(lost)} of {len(names)} songs have no artist in {path}; each is a "
            f"group of its own: {some(lost)}."
        )
    return np.array([
        group_of[i][0] if i in group_of else f"(song) {item}"
        for i, (item, *_) in enumerate(names)
    ])
