"""Last.fm tags of tracks of the Million Song Dataset."""

import json
import math
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path, check_regular_file
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import COUNT, validated
from skcoldstart.datasets._files import (
    WRONG_JSON,
    check_small,
    files_under,
    named_damage,
    read_small,
)
from skcoldstart.datasets.published._artist_terms import tag_table
from skcoldstart.datasets.published._sqlite import Database, open_database

Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@documented()
@validated(path=[str, os.PathLike], n_tags=[*COUNT, None], verbose=["verbose"])
def load_lastfm_tags(
    path: str | os.PathLike[str],
    *,
    tracks: Iterable[str] | None = None,
    n_tags: int | None = None,
    verbose: int | bool = 0,
) -> Bunch:
    """Load the Last.fm tags of tracks as a table with one row per item.

    Parameters
    ----------
    path : str or PathLike
        The SQLite database ``lastfm_tags.db``, or the JSON files: a folder, searched
        with its sub-folders, or a zip archive of it.
    tracks : iterable of str, default=None
        Track id of each item, such as ``load_msd_songs(...).track_ids``: row i has the
        tags of ``tracks[i]``, which may be none. ``None`` returns one row per track.
    n_tags : int, default=None
        Number of tags to keep: those of the most tracks (50 in the paper). ``None``
        keeps all.
    <progress>

    <bunch>

        X : csr_array of shape (n_rows, n_tags)
            Strength of each tag in (0, 100], float32.
        track_ids : ndarray of shape (n_rows,)
            Track of each row; sorted if `tracks` is not given.
        tags : ndarray of shape (n_tags,), dtype object
            Names of the columns, sorted; with `n_tags` by decreasing number of tracks.
        <summary>

    Raises
    ------
    ValueError
        If a file is damaged, or lacks a table, column or key; the error names it.
    <unopened>

    See Also
    --------
    load_artist_terms : Terms of artists.
    load_unique_tracks : Tracks of songs.

    Notes
    -----
    If a track has a tag twice, the larger strength is used.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 5.1.

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_lastfm_tags
    >>> with TemporaryDirectory() as folder:
    ...     track = {"track_id": "TR1", "tags": [["rock", "100"], ["live", "20"]]}
    ...     _ = Path(folder, "TR1.json").write_text(json.dumps(track))
    ...     known = load_lastfm_tags(folder, tracks=["TR1", "TR2"])
    >>> known.tags.tolist(), known.X.toarray().tolist()
    (['live', 'rock'], [[20.0, 100.0], [0.0, 0.0]])
    """
    names, rows, columns, values, tag_names = _read(path, verbose)
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        twice = str(unique[counts > 1][0])
        raise ValueError(f"{path} has track {twice!r} more than once.")
    X, track_ids, tags, known = tag_table(
        rows, columns, values, names, tag_names, n_tags, tracks, "tracks"
    )
    return Bunch(
        X=X,
        track_ids=track_ids,
        tags=tags,
        DESCR=f"{len(names)} tracks, {len(tags)} tags ({X.nnz} pairs){known}.",
    )


def _read(path: str | os.PathLike[str], verbose: int | bool) -> Parts:
    place = check_path(path)
    if place.is_dir():
        files = files_under(place, ".json")
        contents = ((name, read_small(name)) for name in files)
        return _from_json(path, contents, len(files), verbose)
    if zipfile.is_zipfile(check_regular_file(place)):
        with named_damage(path), zipfile.ZipFile(place) as archive:
            members = [
                info
                for info in archive.infolist()
                if info.filename.endswith(".json")
                and not Path(info.filename).name.startswith(".")
            ]
            for info in members:
                check_small(f"{path}: {info.filename}", info.file_size)
            contents = (
                (f"{path}: {info.filename}", archive.read(info)) for info in members
            )
            return _from_json(path, contents, len(members), verbose)
    with open_database(place) as database:
        return _from_database(database)


def _from_json(
    path: Any,
    contents: Iterator[tuple[str, bytes]],
    n_files: int,
    verbose: int | bool,
) -> Parts:
    if n_files == 0:
        raise ValueError(f"{path} has no JSON files; expected one for each track.")
    tracks: list[str] = []
    tag_code: dict[str, int] = {}
    rows, columns, values = [], [], []
    for name, content in progress_bar(
        contents, description="Read tags", verbose=verbose, total=n_files, unit="file"
    ):
        try:
            track = json.loads(content)
            track_id, tags = track["track_id"], track["tags"]
            pairs = [(str(tag), _strength(value)) for tag, value in tags]
        except WRONG_JSON as error:
            raise ValueError(
                f"{name}: {type(error).__name__}: {error}; expected an object with "
                '"track_id" and "tags", a list of pairs such as ["rock", "100"].'
            ) from error
        for tag, value in pairs:
            rows.append(len(tracks))
            columns.append(tag_code.setdefault(tag, len(tag_code)))
            values.append(value)
        tracks.append(str(track_id))
    return (
        np.array(tracks),
        np.array(rows, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.array(values, dtype=np.float32),
        np.array(list(tag_code), dtype=object),
    )


def _strength(value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"a strength is {value!r}, not a number >= 0")
    return number


def _from_database(database: Database) -> Parts:
    database.require("tids", "tid")
    database.require("tags", "tag")
    database.require("tid_tag", "tid", "tag", "val")
    tracks, row_of_track = _named(database, "SELECT rowid, tid FROM tids", "tids")
    tags, row_of_tag = _named(database, "SELECT rowid, tag FROM tags", "tags")
    pairs = database.numbers("SELECT tid, tag, val FROM tid_tag ORDER BY rowid", 3)
    columns = []
    for column, there, name in ((0, row_of_track, "tid"), (1, row_of_tag, "tag")):
        codes = pairs[:, column]
        inside = (codes >= 0) & (codes < len(there)) & (codes == np.floor(codes))
        rows = np.where(inside, there[np.where(inside, codes, 0).astype(np.int64)], -1)
        if np.any(rows < 0):
            row = int(np.argmax(rows < 0))
            raise ValueError(
                f"{database.path}, row {row + 1} of tid_tag: {name} is {codes[row]:g}; "
                f"expected the number of a row of {name}s."
            )
        columns.append(rows)
    values = pairs[:, 2]
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{database.path}, row {row + 1} of tid_tag: val is {values[row]}; "
            "expected a number >= 0."
        )
    return tracks, columns[0], columns[1], values, tags


def _named(
    database: Database, statement: str, table: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the names of a table, and the position of each row number."""
    rows = list(database.rows(statement))
    if not rows:
        raise ValueError(f"Table {table!r} of {database.path} is empty.")
    numbers = np.array([number for number, _ in rows], dtype=np.int64)
    if numbers.min() < 0 or numbers.max() > 16 * len(rows) + 1024:
        raise ValueError(
            f"Rows of table {table!r} of {database.path} are numbered from "
            f"{numbers.min()} to {numbers.max()}; expected 1 to {len(rows)}."
        )
    there = np.full(int(numbers.max()) + 1, -1, dtype=np.int64)
    there[numbers] = np.arange(len(rows))
    names = [str(name) for _, name in rows]
    kind = object if table == "tags" else str
    return np.array(names, dtype=kind), there
