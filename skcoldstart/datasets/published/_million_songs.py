"""Load metadata of songs of the Million Song Dataset, from HDF5, SQLite or text."""

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path
from skcoldstart._utils.warning import warn
from skcoldstart.datasets._blocks import require_columns
from skcoldstart.datasets._files import MOST_EXPANSION, begins_with, texts_of
from skcoldstart.datasets._names import some
from skcoldstart.datasets._tables import number_of, read_records
from skcoldstart.datasets.published._sqlite import SQLITE, open_database

HDF5 = b"\x89HDF\r\n\x1a\n"  # first bytes of its files


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"Reading {path} needs h5py. Install it with "
            "`pip install skcoldstart[hdf5]`."
        ) from error
    if not begins_with(path, HDF5):
        raise ValueError(f"{path} is not an HDF5 file.")
    try:
        with h5py.File(check_path(path), "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError, MemoryError) as error:
        raise ValueError(
            f"{path} is a damaged or incomplete HDF5 file ({error})."
        ) from error


def require_dataset(
    file: Any, name: str, path: str | os.PathLike[str], fields: tuple[str, ...] = ()
) -> Any:
    """Return a required dataset that is complete and stored in this file."""
    import h5py

    place = file
    for part in name.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            raise ValueError(
                f"{name} of {path} is a link to {link.path!r}; links are not followed. "
                "Expected a file that holds its own data."
            )
        place = None if link is None else place.get(part)
    if not isinstance(place, h5py.Dataset) or place.shape is None:
        groups = ", ".join(sorted(file)) or "nothing"
        raise ValueError(
            f"{path} has no dataset {name!r}; at its top are {groups}. Expected an "
            "analysis file of the Million Song Dataset."
        )
    if place.external or place.is_virtual:
        raise ValueError(
            f"{name} of {path} is stored in other files, which are not read. Expected "
            "a file that holds its own data."
        )
    stored = place.id.get_storage_size()
    if place.nbytes > MOST_EXPANSION * stored:
        raise ValueError(
            f"{name} of {path} declares {place.nbytes} bytes of which {stored} are "
            "stored; the file is damaged or incomplete."
        )
    missing = [field for field in fields if field not in (place.dtype.names or ())]
    if missing:
        raise ValueError(
            f"{name} of {path} lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(place.dtype.names or ()) or 'no columns'}."
        )
    return place


def texts(values: np.ndarray) -> np.ndarray:
    """Decode bytes of an HDF5 file: `values` (n,) -> (n,)."""
    if not all(isinstance(value, bytes | str) for value in values.tolist()):
        raise ValueError(f"Names have dtype {values.dtype}; expected bytes.")
    return np.array(
        [
            value.decode("utf-8", "backslashreplace")
            if isinstance(value, bytes)
            else value
            for value in values.tolist()
        ],
        dtype=object,
    )


ROWS = 4096


@dataclass(frozen=True)
class Field:
    """A column: our name, the name in the file, the type, and the missing value."""

    name: str
    column: str
    kind: type
    absent: Any
    table: str = "metadata/songs"  # of an HDF5 file


FIELDS = (
    Field("item_ids", "song_id", str, None),
    Field("track_ids", "track_id", str, "", "analysis/songs"),
    Field("artist_ids", "artist_id", str, ""),
    Field("artist_names", "artist_name", object, ""),
    Field("titles", "title", object, ""),
    Field("releases", "release", object, ""),
    Field("years", "year", int, 0, "musicbrainz/songs"),
    Field("duration_s", "duration", float, np.nan, "analysis/songs"),
    Field("tempo", "tempo", float, np.nan, "analysis/songs"),
    Field("loudness_db", "loudness", float, np.nan, "analysis/songs"),
    Field("key", "key", int, -1, "analysis/songs"),
    Field("mode", "mode", int, -1, "analysis/songs"),
    Field("time_signature", "time_signature", int, -1, "analysis/songs"),
    Field("artist_familiarity", "artist_familiarity", float, np.nan),
    Field("artist_hotttnesss", "artist_hotttnesss", float, np.nan),
    Field("song_hotttnesss", "song_hotttnesss", float, np.nan),
)


@documented()
def load_msd_songs(
    path: str | os.PathLike[str], *, songs: Iterable[str] | None = None
) -> Bunch:
    r"""Load the metadata of songs of the Million Song Dataset.

    Parameters
    ----------
    path : str or PathLike
        One of: a UTF-8 table whose first line names the columns (``song_id`` is
        required; tabs, commas or semicolons; plain or compressed); an HDF5 file, either
        of one song or the summary ``msd_summary_file.h5``; the SQLite database
        ``track_metadata.db``.
    songs : iterable of str, default=None
        Ids of the songs to return, in this order; the first track of each is used.
        ``None`` returns every row of the file in its order.

    Returns
    -------
    Bunch
        With the attributes, one entry per song, or ``None`` if the file has no such
        column:

        item_ids, track_ids, artist_ids : ndarray of shape (n_songs,)
            Identifiers. Artists are the groups to hold out.
        artist_names, titles, releases : ndarray of shape (n_songs,), dtype object
            Text.
        years : ndarray of shape (n_songs,)
            Year of release, 0 if unknown.
        duration_s, tempo, loudness_db : ndarray of shape (n_songs,)
            Seconds, beats per minute, decibels; NaN if unknown.
        key, mode, time_signature : ndarray of shape (n_songs,)
            Pitch class from 0 for C, 1 for major, beats per bar; -1 if unknown.
        artist_familiarity, artist_hotttnesss, song_hotttnesss : ndarray
            Popularity measured by The Echo Nest, of shape (n_songs,), NaN if unknown.
            It is computed from listening, so a new song does not have it.
        <summary>

    Raises
    ------
    ValueError
        If a row is invalid (the error names file and line or row), or the file lacks
        the song ids, is empty or damaged, or has none of `songs`.
    ImportError
        If it is in HDF5 and h5py is not installed: ``pip install skcoldstart[hdf5]``.
    <unopened>

    Warns
    -----
    UserWarning
        If some of `songs` are not in the file.

    See Also
    --------
    load_msd_segments : Timbre of the songs.
    load_artist_terms : Terms of their artists.

    Notes
    -----
    .. versionadded:: 0.1

    References
    ----------
    .. [1] T. Bertin-Mahieux, D. P. W. Ellis, B. Whitman, P. Lamere, "The Million Song
       Dataset", ISMIR 2011.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_msd_songs
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "songs.tsv")
    ...     rows = ["song_id\tartist_id\ttempo", "SO1\tAR1\t92.2", "SO2\tAR1\t"]
    ...     _ = table.write_text("\n".join(rows))
    ...     known = load_msd_songs(table, songs=["SO2", "SO1"])
    >>> known.item_ids.tolist(), known.tempo
    (['SO2', 'SO1'], array([ nan, 92.2]))
    """
    if begins_with(path, HDF5):
        columns = _from_hdf5(path)
    elif begins_with(path, SQLITE):
        columns = _from_sqlite(path)
    else:
        columns = _from_table(path)
    bunch = Bunch(**{field.name: columns.get(field.name) for field in FIELDS})
    if songs is not None:
        chosen = rows_of(songs, bunch.item_ids, path)
        for name, values in bunch.items():
            if values is not None:
                bunch[name] = values[chosen]
    n_songs = len(bunch.item_ids)
    n_artists = 0 if bunch.artist_ids is None else len(np.unique(bunch.artist_ids))
    bunch.DESCR = f"{n_songs} songs by {n_artists or 'unnamed'} artists."
    return bunch


def rows_of(
    wanted: Iterable[str], there: np.ndarray, path: str | os.PathLike[str]
) -> np.ndarray:
    """Return the positions of given songs, and warn about missing ones.

    Shapes: `there` (n_rows,) -> (n_found,).
    """
    ids = texts_of(wanted, "songs", "song ids")
    if len(set(ids)) < len(ids):
        twice = sorted({song for song in ids if ids.count(song) > 1})[:3]
        raise ValueError(f"songs has {some(twice)} more than once; expected each once.")
    rows: dict[str, int] = {}
    for row, song in enumerate(there.tolist()):
        rows.setdefault(song, row)
    lost = [song for song in ids if song not in rows]
    if len(lost) == len(ids):
        raise ValueError(
            f"{path} has none of the {len(ids)} songs wanted: {some(ids)}. It has "
            f"{some(list(rows))}."
        )
    if lost:
        warn(
            f"{len(lost)} of {len(ids)} songs are not in {path} and are left out: "
            f"{some(lost)}."
        )
    return np.array([rows[song] for song in ids if song in rows], dtype=np.int64)


def _from_table(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    records = read_records(path, "song_id")
    _, header = next(records)
    require_columns(path, header, "song_id")
    return _parsed(header, ((f"{path}, line {n}", row) for n, row in records))


def _from_sqlite(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    with open_database(path) as database:
        there = database.require("songs", "song_id")
        names = [field.column for field in FIELDS if field.column in there]
        rows = database.rows(f"SELECT {', '.join(names)} FROM songs ORDER BY rowid")
        texts = (["" if v is None else str(v) for v in row] for row in rows)
        places = (f"{path}, row {number} of songs" for number in itertools.count(1))
        return _parsed(names, zip(places, texts, strict=False))


def _parsed(
    header: list[str], rows: Iterable[tuple[str, list[str]]]
) -> dict[str, np.ndarray]:
    """Read the known columns of rows, each after its place."""
    there = [field for field in FIELDS if field.column in header]
    places = [header.index(field.column) for field in there]
    columns: list[list[Any]] = [[] for _ in there]
    for where, row in rows:
        for field, place, column in zip(there, places, columns, strict=True):
            column.append(_value(field, row[place], where))
    return {
        field.name: np.array(column, dtype=field.kind)
        for field, column in zip(there, columns, strict=True)
    }


def _value(field: Field, text: str, where: str) -> Any:
    """Read one value, or the missing value."""
    if not text:
        if field.absent is None:
            raise ValueError(f"{where}: {field.column} is empty.")
        return field.absent
    if field.kind in (str, object):
        return text
    try:
        value = number_of(text, field.kind)
        return value if field.kind is float else np.int64(value)
    except (ValueError, OverflowError):
        expected = "a whole number" if field.kind is int else "a number"
        raise ValueError(
            f"{where}: {field.column} is {text[:80]!r}; expected {expected}, or an "
            f"empty field if it is unknown."
        ) from None


def _from_hdf5(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    with open_hdf5(path) as file:
        tables = {field.table for field in FIELDS}
        found = {table: require_dataset(file, table, path) for table in sorted(tables)}
        require_dataset(file, "metadata/songs", path, ("song_id",))
        n_songs = {table: len(rows) for table, rows in found.items()}
        if len(set(n_songs.values())) > 1 or 0 in n_songs.values():
            raise ValueError(f"The tables of {path} have {n_songs} rows; expected one.")
        there = [f for f in FIELDS if f.column in (found[f.table].dtype.names or ())]
        parts: dict[str, list[np.ndarray]] = {field.name: [] for field in there}
        for name, table in found.items():
            for first in range(0, len(table), ROWS):
                block = table[first : first + ROWS]
                for field in there:
                    if field.table != name:
                        continue
                    values = block[field.column]
                    if field.kind in (str, object):
                        values = texts(values)
                    parts[field.name].append(values.astype(field.kind))
    return {name: np.concatenate(blocks) for name, blocks in parts.items()}
