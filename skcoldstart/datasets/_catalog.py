"""A catalogue of one's own: plays in a table, audio in a folder."""

import math
import os
import warnings
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart.datasets._audio_files import AudioFolder, file_names, some
from skcoldstart.datasets._tables import read_rows

__all__ = ["load_catalog"]


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
        ...) is 1 where there is no such column. Rows of one pair add up.
    audio : str or PathLike, default=None
        Folder of the audio files, searched with its sub-folders. A song's id is its
        file's path relative to the folder or the file's name, with or without suffix.
        Songs without a file are dropped with a warning; files without plays are kept
        as new songs. ``None`` loads plays alone.
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
            The audio files, in item order.
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
    make_music_catalog : The same form, invented.
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
    songs, users, counts = _read_plays(plays)
    paths = None
    if audio is not None:
        songs, users, counts, paths = _join_audio(plays, audio, songs, users, counts)
    table = sp.csr_array(
        sp.coo_array(
            (counts, (songs.position, users.position)),
            shape=(len(songs.names), len(users.names)),
        )
    )
    table.eliminate_zeros()
    played = np.diff(table.tocsc().indptr) > 0
    table = sp.csr_array(table[:, np.flatnonzero(played)])
    if table.nnz == 0:
        raise ValueError(f"All counts in {plays} are 0; nobody has played anything.")
    item_ids, user_ids = songs.names, users.names[played]
    names: list[tuple[str, ...]] = [(item,) for item in item_ids.tolist()]
    if audio is not None and paths is not None:
        names = [
            (*name, *file_names(Path(path).relative_to(audio).as_posix()))
            for name, path in zip(names, paths, strict=True)
        ]
    is_new = np.diff(table.indptr) == 0
    return Bunch(
        paths=paths,
        plays=table,
        item_ids=item_ids,
        user_ids=user_ids,
        groups=None if groups is None else _read_groups(groups, names),
        is_new=is_new,
        DESCR=(
            f"{len(item_ids)} songs, {int(is_new.sum())} of them new; "
            f"{table.sum():g} plays by {len(user_ids)} users ({table.nnz} pairs)."
        ),
    )


class _Named:
    """Names, sorted, and the position of each row's name among them."""

    def __init__(self, names: np.ndarray, position: np.ndarray) -> None:
        self.names = names
        self.position = position

    @classmethod
    def from_codes(cls, codes: dict[str, int], position: array) -> "_Named":
        names = np.array(list(codes))
        order = np.argsort(names)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return cls(names[order], rank[np.frombuffer(position, dtype=np.int64)])


def _read_plays(path: str | os.PathLike[str]) -> tuple[_Named, _Named, np.ndarray]:
    song_codes: dict[str, int] = {}
    user_codes: dict[str, int] = {}
    songs, users, counts = array("q"), array("q"), array("d")
    rows = read_rows(path, ("user", "song"), {"plays": "1"})
    for line, (user, song, count) in rows:
        songs.append(song_codes.setdefault(song, len(song_codes)))
        users.append(user_codes.setdefault(user, len(user_codes)))
        counts.append(_number(count, path, line))
    return (
        _Named.from_codes(song_codes, songs),
        _Named.from_codes(user_codes, users),
        np.frombuffer(counts, dtype=np.float64),
    )


def _number(text: str, path: str | os.PathLike[str], line: int) -> float:
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if not 0.0 <= count < math.inf or "_" in text:
        raise ValueError(
            f"{path}, line {line}: plays is {text!r}; expected a number >= 0 such as "
            "3 or 2.5."
        )
    return count


def _join_audio(
    plays: str | os.PathLike[str],
    audio: str | os.PathLike[str],
    songs: _Named,
    users: _Named,
    counts: np.ndarray,
) -> tuple[_Named, _Named, np.ndarray, list[str]]:
    """Keep the rows of songs that have a file, and add the files that have no rows."""
    folder = AudioFolder(audio)
    file_of_song = [folder.find(name) for name in songs.names.tolist()]
    song_of_file: dict[int, str] = {}
    for name, file in zip(songs.names.tolist(), file_of_song, strict=True):
        if file is not None and song_of_file.setdefault(file, name) != name:
            raise ValueError(
                f"Songs {song_of_file[file]!r} and {name!r} of {plays} are the same "
                f"file, {folder.files[file]!r}; use one id for it."
            )
    if not song_of_file:
        raise ValueError(
            f"None of the {len(songs.names)} songs in {plays} matches one of the "
            f"{len(folder.files)} audio files under {audio}. Songs are "
            f"{some(songs.names.tolist())}; files are {some(folder.files)}. A song's "
            "id must be its file's name or its path relative to the folder, with or "
            "without suffix."
        )
    has_file = np.array([file is not None for file in file_of_song])
    kept = has_file[songs.position]
    if not has_file.all():
        lost = songs.names[~has_file].tolist()
        warnings.warn(
            f"{len(lost)} of {len(songs.names)} songs in {plays} have no audio file "
            f"under {audio} and are dropped with {int((~kept).sum())} of {len(kept)} "
            f"rows: {some(lost)}.",
            stacklevel=3,
        )
    names = [
        song_of_file.get(file, folder.name(file)) for file in range(len(folder.files))
    ]
    order = np.argsort(names)
    position_of_file = np.empty(len(order), dtype=np.int64)
    position_of_file[order] = np.arange(len(order))
    position_of_song = np.array([
        -1 if file is None else position_of_file[file] for file in file_of_song
    ])
    return (
        _Named(np.array(names)[order], position_of_song[songs.position[kept]]),
        _Named(users.names, users.position[kept]),
        counts[kept],
        [folder.path(file) for file in order],
    )


def _read_groups(
    path: str | os.PathLike[str], names: Sequence[tuple[str, ...]]
) -> np.ndarray:
    """Read the group of each item, which may go by several names, its id first."""
    group_of: dict[str, tuple[str, int]] = {}
    for line, (song, artist) in read_rows(path, ("song", "artist")):
        known, first = group_of.setdefault(song, (artist, line))
        if known != artist:
            raise ValueError(
                f"{path}: song {song!r} has artist {known!r} in line {first} and "
                f"{artist!r} in line {line}; a song belongs to one group."
            )
    n_bearers = Counter(name for of_item in names for name in set(of_item))
    groups, lost = [], []
    for item, *others in names:
        own = [item, *(name for name in others if n_bearers[name] == 1)]
        found = {name: group_of[name][0] for name in own if name in group_of}
        if len(set(found.values())) > 1:
            raise ValueError(
                f"{path}: "
                + " but ".join(
                    f"{name!r} has artist {a!r}" for name, a in found.items()
                )
                + "; they are the same song, which belongs to one group."
            )
        if not found:
            lost.append(item)
        groups.append(next(iter(found.values()), f"(song) {item}"))
    if len(lost) == len(names):
        raise ValueError(
            f"None of the {len(names)} songs of the catalogue is in {path}. Songs are "
            f"{some(lost)}; the table has {some(list(group_of))}."
        )
    if lost:
        warnings.warn(
            f"{len(lost)} of {len(names)} songs have no artist in {path}; each is a "
            f"group of its own: {some(lost)}.",
            stacklevel=3,
        )
    return np.array(groups)
