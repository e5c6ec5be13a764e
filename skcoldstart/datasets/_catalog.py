"""Load your own catalogue: plays from a table, audio from a folder."""

import os
from array import array
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._scores.plays import check_play_counts, labelled
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path
from skcoldstart._utils.warning import warn
from skcoldstart.datasets._audio_files import (
    AudioFolder,
    FileTable,
    NamedFiles,
    file_names,
)
from skcoldstart.datasets._blocks import Columns
from skcoldstart.datasets._events import add_up
from skcoldstart.datasets._frames import (
    column_names,
    is_text,
    read_frame,
    rows_of,
    take_frame,
)
from skcoldstart.datasets._ids import as_ids
from skcoldstart.datasets._names import NameIndex, near_miss, some
from skcoldstart.datasets._pairs import PairCounts, ordered, take_rows
from skcoldstart.datasets._tables import count_of, find_columns, read_rows

BLOCK = 1 << 20  # rows


@dataclass(frozen=True)
class Plays:
    """Plays: names, sorted if possible, and counts.

    Shapes: `plays` (n_items, n_users), `n_rows` (n_items,).
    """

    item_ids: np.ndarray
    user_ids: np.ndarray
    plays: sp.csr_array
    n_rows: np.ndarray


def read_plays(source: Any, name: str) -> Plays:
    """Read plays from text, from a frame or parquet, or from a Bunch."""
    if isinstance(source, Mapping) and "plays" in source:
        return _from_bunch(source)
    if is_text(source):
        return _from_text(check_path(source))
    header = column_names(source, "plays")
    places = find_columns(name, header, ("user", "song"), {"plays": "1"})
    columns = Columns(*(header[place] for place in places if place is not None))
    found = add_up(source, columns, name)
    missing = {k: n for k, n in found.n_dropped.items() if n and k != "missing_count"}
    if missing:
        raise ValueError(
            f"{sum(missing.values())} of {found.n_events} rows of {name} have no user "
            "or no song; leave such rows out."
        )
    n_rows = np.diff(found.plays.indptr)
    return Plays(found.item_ids, found.user_ids, found.plays, n_rows)


def _from_bunch(source: Mapping[str, Any]) -> Plays:
    plays = check_play_counts(source["plays"], input_name="plays")
    names = []
    for axis, key in enumerate(("item_ids", "user_ids")):
        ids = source.get(key)
        if ids is None or len(ids) != plays.shape[axis]:
            n_ids = "none" if ids is None else len(ids)
            raise ValueError(
                f"plays is a Bunch with {n_ids} of {key}; expected one for each of the "
                f"{plays.shape[axis]} {'columns' if axis else 'rows'} of its plays."
            )
        names.append(np.asarray(ids))
    return Plays(names[0], names[1], sp.csr_array(plays), np.diff(plays.indptr))


def _from_text(path: Path) -> Plays:
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
        block[2].append(count_of(count, path, line))
        if len(block[2]) == BLOCK:
            n_rows = add_block()
    n_rows = add_block()
    item_ids, user_ids = np.array(list(songs)), np.array(list(users))
    orders = np.argsort(item_ids), np.argsort(user_ids)
    plays = ordered(pairs.to_csr(len(item_ids), len(user_ids)), *orders)
    plays.eliminate_zeros()
    return Plays(item_ids[orders[0]], user_ids[orders[1]], plays, n_rows[orders[0]])


@documented()
def load_catalog(
    plays: Any = None,
    audio: str | os.PathLike[str] | None = None,
    groups: Any = None,
    *,
    files: Any = None,
    metadata: Any = None,
) -> Bunch:
    r"""Load plays from a table, and join them with audio files, artists and metadata.

    Parameters
    ----------
    plays : str, PathLike, dataframe or Bunch, default=None
        A table of who played what: a dataframe (pandas, polars, pyarrow, ...), a
        parquet file, or UTF-8 text with tabs, commas or semicolons, whose first line
        names the columns. It needs a column for the user (``user``, ``user_id``,
        ``listener``, ...) and one for the song (``song``, ``song_id``, ``item``,
        ``track``, ...). Without a column of counts (``plays``, ``play_count``,
        ``count``, ...) each row counts 1. Rows of the same pair are added up. In
        tab-separated text, quotation marks are ordinary characters. A Bunch of another
        loader, such as `plays_from_events`, is also accepted. ``None`` loads only new
        songs: the files, or else the rows of `metadata`.
    audio : str or PathLike, default=None
        Folder of the audio files, searched with its sub-folders; files are known by
        their suffix. A song's id is its file's path relative to the folder or the
        file's name, with or without suffix. If no file has that name, a file whose name
        differs only in case, spaces, leading zeros, separators, suffix or folder is
        used, if it is the only one. Songs without a file are dropped with a warning;
        files without plays are kept as new songs. ``None`` loads only plays.
    groups : str, PathLike, dataframe or mapping, default=None
        A table with a column for the song and one for its ``artist`` (or ``group``,
        ``album``), or a mapping of these: songs that must be held out together. A song
        is named by its id, or by any unique name of its file. Songs that are not listed
        are groups of their own.
    files : str, PathLike, dataframe or mapping, default=None
        If the names of files are not ids: a table with a column for the song and one
        for its ``path`` (or ``file``, ``filename``), or a mapping of these. Paths are
        relative to `audio`, or else to the folder of the table. Songs of the table
        without plays are new songs.
    metadata : str, PathLike or dataframe, default=None
        A table with a column for the song and any others, such as title and year.

    <bunch>

        paths : list of n_items str, or None
            The audio files, in item order; absolute.
        plays : csr_array of shape (n_items, n_users)
            Play counts. They carry `user_ids` and `item_ids`, which a model takes over
            in `fit`.
        item_ids : ndarray of shape (n_items,)
            Songs, sorted; ids from text and files are text.
        user_ids : ndarray of shape (n_users,)
            Users, sorted; all have plays.
        groups : ndarray of shape (n_items,), or None
            Artist of each song.
        is_new : ndarray of shape (n_items,)
            Whether nobody has played the song.
        metadata : dataframe with n_items rows, or None
            `metadata` in item order, with missing values for songs that are not listed;
            for a file, a frame of pandas, polars or pyarrow, whichever is installed.
        <summary>

    Raises
    ------
    ValueError
        If a table is empty, is not UTF-8 or lacks a column; if a row is incomplete or
        its count is not a number >= 0 (the error names file and line); if no song
        matches a file, a song matches several files, or two songs match the same file;
        if a song has two artists or two rows of metadata.
    TypeError
        If a table is neither a dataframe nor a path.
    ImportError
        If a parquet file is given and pyarrow is not installed:
        ``pip install skcoldstart[parquet]``.
    <unopened>

    Warns
    -----
    UserWarning
        If songs have no audio file, no group or no metadata.

    See Also
    --------
    plays_from_events : Plays from a log of events, with a period of time.
    make_music_catalog : A synthetic catalogue with the same attributes.
    skcoldstart.MFCCExtractor : Reads the files.

    Notes
    -----
    A million rows of text take about 3 s. Memory at the peak is some 35 bytes for each
    pair of song and user, and 500 for each id of 40 letters. Audio is not opened here.

    .. versionadded:: 0.1
    .. versionchanged:: 0.2
        Dataframes, parquet, new songs without plays, and the parameters `files` and
        `metadata`.

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
    source = _name_of(plays, "plays")
    paths, found = None, _files_of(files, audio)
    if plays is None:
        table = _without_plays(found, metadata)
    else:
        table = read_plays(plays, source)
    if found is not None:
        table, paths = _join(table, found, source)
    played = np.bincount(table.plays.indices, minlength=len(table.user_ids)) > 0
    users = np.flatnonzero(played)
    counts = ordered(table.plays, np.arange(len(table.item_ids)), users)
    if counts.nnz == 0 and plays is not None:
        raise ValueError(f"All counts in {source} are 0; expected at least one play.")
    names: list[tuple[str, ...]] = [(str(item),) for item in table.item_ids.tolist()]
    if isinstance(found, AudioFolder) and paths is not None:
        names = [
            (*name, *file_names(Path(path).relative_to(found.folder).as_posix()))
            for name, path in zip(names, paths, strict=True)
        ]
    is_new = np.diff(counts.indptr) == 0
    index = NameIndex(names)
    return Bunch(
        paths=paths,
        plays=labelled(counts, table.user_ids[users], table.item_ids),
        item_ids=table.item_ids,
        user_ids=table.user_ids[users],
        groups=None if groups is None else _read_groups(groups, names, index),
        is_new=is_new,
        metadata=None if metadata is None else _read_metadata(metadata, names, index),
        DESCR=(
            f"{len(names)} songs, {int(is_new.sum())} of them new; "
            f"{counts.sum():g} plays by {len(users)} users ({counts.nnz} pairs)."
        ),
    )


def _name_of(source: Any, name: str) -> str:
    """Return the name of a table for messages."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else name


def _files_of(files: Any, audio: Any) -> NamedFiles | None:
    """Return the files listed in a table, or those of a folder."""
    if files is None:
        return None if audio is None else AudioFolder(audio)
    name = _name_of(files, "files")
    folder = Path.cwd()
    if audio is not None:
        folder = check_path(audio, "audio").absolute()
    elif isinstance(files, str | os.PathLike):
        folder = check_path(files).absolute().parent
    return FileTable(files, name, folder)


def _without_plays(found: NamedFiles | None, metadata: Any) -> Plays:
    """Return songs without plays: those of files, or those of metadata."""
    if found is not None:
        ids = [found.name(file) for file in range(len(found.files))]
    elif metadata is None:
        raise ValueError(
            "There are no plays and no songs; pass plays, or audio=, files= or "
            "metadata= of new songs."
        )
    else:
        name = _name_of(metadata, "metadata")
        ids = [song for _, (song,) in rows_of(metadata, ("song",), name)]
        twice = [song for song, n in Counter(ids).items() if n > 1]
        if not ids or twice:
            what = f"{some(twice)} more than once" if twice else "no rows"
            raise ValueError(f"{name} has {what}; expected a row for each song.")
        ids = sorted(_of_one_type(ids))
    names = as_ids(ids)
    nothing = sp.csr_array((len(names), 0), dtype=np.float64)
    return Plays(names, np.empty(0, object), nothing, np.zeros(len(names), int))


def _join(table: Plays, found: NamedFiles, source: str) -> tuple[Plays, list[str]]:
    """Keep the rows of songs with a file, and add files without plays."""
    songs = [str(song) for song in table.item_ids.tolist()]
    file_of_song = found.match(songs)
    song_of_file: dict[int, int] = {}
    for song, file in enumerate(file_of_song):
        if file is not None and song_of_file.setdefault(file, song) != song:
            raise ValueError(
                f"Songs {songs[song_of_file[file]]!r} and {songs[song]!r} of {source} "
                f"are the same file, {found.files[file]!r}; use one id for it."
            )
    if not song_of_file:
        raise ValueError(
            f"None of the {len(songs)} songs in {source} matches one of the "
            f"{len(found.files)} audio files {found.where}. Songs are "
            f"{some(songs)}; files are {some(found.files)}. A song's id must be its "
            "file's name or its path relative to the folder, with or without suffix; "
            "otherwise pass files=, a table of ids and paths."
        )
    has_file = np.array([file is not None for file in file_of_song])
    if not has_file.all():
        lost = [song for song, there in zip(songs, has_file, strict=True) if not there]
        n_rows = int(table.n_rows[~has_file].sum())
        unclaimed = [f for i, f in enumerate(found.files) if i not in song_of_file]
        warn(
            f"{len(lost)} of {len(songs)} songs in {source} have no audio file "
            f"{found.where} and are dropped with {n_rows} of {table.n_rows.sum()} "
            f"rows: {some(lost)}." + near_miss(lost, unclaimed)
        )
    ids = table.item_ids.tolist()
    names = [
        ids[song_of_file[file]] if file in song_of_file else found.name(file)
        for file in range(len(found.files))
    ]
    names = _of_one_type(names)
    order = sorted(range(len(names)), key=names.__getitem__)
    rows = np.array([song_of_file.get(file, -1) for file in order])
    item_ids = as_ids([names[file] for file in order])
    joined = replace(table, item_ids=item_ids, plays=take_rows(table.plays, rows))
    return joined, [found.paths[file] for file in order]


def _of_one_type(ids: list[Any]) -> list[Any]:
    """Return ids that can be sorted: as text if they are of several types."""
    return ids if len({type(name) for name in ids}) < 2 else [*map(str, ids)]


def _read_groups(
    source: Any, names: list[tuple[str, ...]], index: NameIndex
) -> np.ndarray:
    """Read the group of each item, found by its id or another of its names."""
    name = _name_of(source, "groups")
    group_of: dict[int, tuple[str, str, str]] = {}
    known: list[str] = []
    for where, pair in rows_of(source, ("song", "artist"), name):
        song, artist = map(str, pair)
        known.append(song)
        items = index.find(song)
        if len(items) != 1:
            continue
        group, other, first = group_of.setdefault(items[0], (artist, song, where))
        if group != artist:
            raise ValueError(
                f"{name}: {other!r} has artist {group!r} in {first} but {song!r} "
                f"has artist {artist!r} in {where}; they are the same song and must "
                "have one group."
            )
    what = f"artist in {name}; each is a group of its own"
    _check_found(group_of, names, known, name, what)
    return np.array([
        group_of[i][0] if i in group_of else f"(song) {item}"
        for i, (item, *_) in enumerate(names)
    ])


def _read_metadata(source: Any, names: list[tuple[str, ...]], index: NameIndex) -> Any:
    """Return a table of songs as a frame in the order of the items."""
    name = _name_of(source, "metadata")
    frame = read_frame(source, name)
    (place,) = find_columns(name, frame.columns, ("song",))
    known = [str(song) for song in frame[frame.columns[place or 0]].to_list()]
    row_of: dict[int, int] = {}
    for row, song in enumerate(known):
        items = index.find(song)
        if len(items) == 1 and row_of.setdefault(items[0], row) != row:
            raise ValueError(
                f"{name} has two rows of one song, {known[row_of[items[0]]]!r} and "
                f"{song!r}; expected one."
            )
    what = f"row in {name}; their values are missing"
    _check_found(row_of, names, known, name, what)
    return take_frame(frame, np.array([row_of.get(i, -1) for i in range(len(names))]))


def _check_found(
    found: Container[int],
    names: list[tuple[str, ...]],
    known: list[str],
    name: str,
    what: str,
) -> None:
    """Refuse a table that has none of the songs; warn if it lacks some of them."""
    lost = [item for i, (item, *_) in enumerate(names) if i not in found]
    if len(lost) == len(names):
        raise ValueError(
            f"None of the {len(names)} songs of the catalogue is in {name}. Songs are "
            f"{some(lost)}; the table has {some(known)}."
        )
    if lost:
        warn(f"{len(lost)} of {len(names)} songs have no {what}: {some(lost)}.")
