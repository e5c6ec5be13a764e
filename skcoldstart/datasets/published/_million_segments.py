"""Load segments of the Million Song Dataset: the timbre of songs as frames."""

import itertools
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch

from skcoldstart._sequences.ragged import RaggedArray
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path, check_regular_file
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import StrOptions, validated
from skcoldstart._utils.warning import warn
from skcoldstart.datasets._files import begins_with, files_under, open_npz
from skcoldstart.datasets.published._million_songs import (
    HDF5,
    open_hdf5,
    require_dataset,
    rows_of,
    texts,
)

FILES_A_TASK = 64
WIDTHS = {"timbre": (12,), "pitches": (12,), "start": ()}  # of a row


@dataclass
class Song:
    """The segments of one song, or the reason why they could not be read."""

    item_id: str
    track_id: str
    path: str
    timbre: np.ndarray
    start_s: np.ndarray
    pitches: np.ndarray | None = None
    fault: str | None = None


@documented()
@validated(
    path=[str, os.PathLike],
    pitches=["boolean"],
    dtype=[StrOptions({"float32", "float16"})],
    on_error=[StrOptions({"raise", "warn", "ignore"})],
    n_jobs=[int, None],
    verbose=["verbose"],
)
def load_msd_segments(
    path: str | os.PathLike[str],
    *,
    songs: Iterable[str] | None = None,
    pitches: bool = False,
    dtype: str = "float32",
    on_error: str = "raise",
    n_jobs: int | None = None,
    verbose: int | bool = 0,
) -> Bunch:
    """Load the timbre of the segments of songs as frames.

    A segment is a piece of about 0.25 s with nearly constant sound. It has 12
    coefficients of timbre (much like MFCC) and the strength of 12 pitch classes.

    Parameters
    ----------
    path : str or PathLike
        One of: an HDF5 analysis file, of one song or of several; a folder of such
        files, searched with its sub-folders; a NumPy archive ``.npz`` with the arrays
        ``song_id`` (n_songs,), ``timbre`` (n_segments, 12), ``offsets`` (n_songs + 1,)
        and optionally ``start`` (n_segments,), ``pitches`` (n_segments, 12) and
        ``track_id`` (n_songs,).
    songs : iterable of str, default=None
        Ids of the songs to return, in this order. ``None`` returns all, files in the
        order of their paths.
    pitches : bool, default=False
        Whether to load pitch classes as well.
    dtype : {"float32", "float16"}, default="float32"
        Type of the frames. float16 saves memory, but its sums overflow.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What to do with a file of a folder that cannot be read. "warn" and "ignore" keep
        it as a song of zero frames with the name of its file.
    n_jobs : int, default=None
        Processes that read the files of a folder, as in joblib; ``None`` means 1.
    <progress>

    <bunch>

        frames : RaggedArray of n_songs
            Timbre; item i is (n_segments_i, 12), frame-major.
        pitches : RaggedArray of n_songs, or None
            Strength of pitch classes C, C#, ..., B in [0, 1]; item i is
            (n_segments_i, 12).
        start_s : RaggedArray of n_songs, or None
            Start of the segments, in seconds; item i is (n_segments_i,), float64.
        item_ids, track_ids : ndarray of shape (n_songs,)
            Songs and tracks; empty if the file does not have them.
        errors : list of (int, str, str)
            Row, path and reason of each file that could not be read.
        <summary>

    Raises
    ------
    ValueError
        If a file is missing or damaged, lacks a dataset, or has values that `dtype`
        cannot hold; the error names the file.
    ImportError
        If h5py is needed and not installed: ``pip install skcoldstart[hdf5]``.
    <unopened>

    Warns
    -----
    UserWarning
        If songs are missing, or with ``on_error="warn"`` files cannot be read.

    See Also
    --------
    skcoldstart.VectorQuantizer : Learns codewords of frames.
    skcoldstart.MFCCExtractor : Frames from audio.
    load_msd_songs : Titles, artists and years.

    Notes
    -----
    A song has about 750 segments: 36 kB in float32, 36 GB for a million songs. Reading
    a file takes about 2 ms.

    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skcoldstart.datasets import load_msd_segments
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "segments.npz")
    ...     np.savez(path, song_id=["SO1", "SO2"], timbre=np.ones((5, 12)),
    ...              offsets=[0, 2, 5])
    ...     segments = load_msd_segments(path)
    >>> segments.item_ids.tolist(), segments.frames.lengths.tolist()
    (['SO1', 'SO2'], [2, 3])
    """
    place = check_path(path)
    if place.is_dir():
        found = _read_folder(place, pitches, dtype, on_error, n_jobs, verbose)
    else:
        check_regular_file(place)
        if zipfile.is_zipfile(place):
            return _from_npz(place, songs, pitches, dtype)
        if not begins_with(place, HDF5):
            raise ValueError(
                f"{path} is neither an HDF5 file nor a whole NumPy archive (.npz)."
            )
        found = _read_hdf5(str(place), pitches, dtype)
    if songs is not None:
        rows = rows_of(songs, np.array([song.item_id for song in found]), path)
        found = [found[row] for row in rows]
    errors = [
        (row, song.path, song.fault)
        for row, song in enumerate(found)
        if song.fault is not None
    ]
    if errors and on_error == "warn":
        row, _, reason = errors[0]
        warn(
            f"{len(errors)} of {len(found)} files could not be read and are songs of "
            f"zero frames; the first is row {row}: {reason}"
        )
    of_pitch = [song.pitches for song in found] if pitches else None
    return _bunch(
        frames=RaggedArray.from_sequence([song.timbre for song in found]),
        pitches=None if of_pitch is None else RaggedArray.from_sequence(of_pitch),
        start_s=RaggedArray.from_sequence([song.start_s for song in found]),
        item_ids=np.array([song.item_id for song in found]),
        track_ids=np.array([song.track_id for song in found]),
        errors=errors,
    )


def _bunch(frames: RaggedArray, errors: list[Any], **parts: Any) -> Bunch:
    return Bunch(
        frames=frames,
        errors=errors,
        **parts,
        DESCR=(
            f"{len(frames)} songs of {len(frames.values)} segments; {len(errors)} "
            "files could not be read."
        ),
    )


def _read_folder(
    folder: Path,
    pitches: bool,
    dtype: str,
    on_error: str,
    n_jobs: int | None,
    verbose: int | bool,
) -> list[Song]:
    files = files_under(folder, ".h5", ".hdf5")
    if not files:
        raise ValueError(
            f"{folder} has no HDF5 files (.h5); expected one for each song."
        )
    tasks = (
        delayed(_read_files)(
            files[first : first + FILES_A_TASK], pitches, dtype, on_error
        )
        for first in range(0, len(files), FILES_A_TASK)
    )
    done: list[Song] = []
    with progress_bar(
        description="Read segments", verbose=verbose, total=len(files), unit="file"
    ) as bar:
        for songs in Parallel(n_jobs=n_jobs, return_as="generator")(tasks):
            done += songs
            bar.update(min(FILES_A_TASK, len(files) - bar.n))
    return done


def _read_files(
    paths: list[str], pitches: bool, dtype: str, on_error: str
) -> list[Song]:
    """Read some files; if errors are allowed, a bad file becomes an empty song."""
    songs = []
    for path in paths:
        try:
            songs += _read_hdf5(path, pitches, dtype)
        except ImportError:  # not an error of the file
            raise
        except Exception as error:
            if on_error == "raise":
                if isinstance(error, ValueError | OSError):
                    raise
                raise ValueError(
                    f"{path} cannot be read ({type(error).__name__}: {error})."
                ) from error
            nothing, reason = np.empty((0, 12), dtype), str(error)
            songs.append(
                Song(
                    *(Path(path).stem, "", path),
                    *(nothing, np.empty(0), nothing if pitches else None),
                    reason or type(error).__name__,
                )
            )
    return songs


def _read_hdf5(path: str, pitches: bool, dtype: str) -> list[Song]:
    """Read the songs of one file, split by the index columns of its table."""
    with open_hdf5(path) as file:
        index = ("idx_segments_timbre", "idx_segments_start", "idx_segments_pitches")
        songs = require_dataset(
            file, "analysis/songs", path, index if pitches else index[:2]
        )[()]
        ids = require_dataset(file, "metadata/songs", path, ("song_id",))
        item_ids = texts(ids.fields("song_id")[()])
        if len(item_ids) != len(songs):
            raise ValueError(
                f"{path} has {len(songs)} rows in analysis/songs and {len(item_ids)} "
                "in metadata/songs; expected as many."
            )
        track_ids = (
            texts(songs["track_id"])
            if "track_id" in (songs.dtype.names or ())
            else np.full(len(songs), "")
        )
        parts = [
            _cut(file, "timbre", songs, path, dtype),
            _cut(file, "start", songs, path, "float64"),
        ]
        if pitches:
            parts.append(_cut(file, "pitches", songs, path, dtype))
    read = []
    for item_id, track_id, *arrays in zip(item_ids, track_ids, *parts, strict=True):
        lengths = {len(array) for array in arrays}
        if len(lengths) > 1:
            raise ValueError(
                f"{path}: song {item_id} has {sorted(lengths)} segments in its arrays; "
                "expected one number."
            )
        read.append(Song(item_id, track_id, path, *arrays))
    return read


def _cut(
    file: Any, kind: str, songs: np.ndarray, path: str, dtype: str
) -> list[np.ndarray]:
    name = f"analysis/segments_{kind}"
    values = require_dataset(file, name, path)
    flat = _checked(values, kind, dtype, f"{name} of {path}")
    bounds = np.r_[songs[f"idx_segments_{kind}"].astype(np.int64), len(flat)]
    if len(songs) and (bounds[0] != 0 or np.any(np.diff(bounds) < 0)):
        raise ValueError(
            f"idx_segments_{kind} of {path} is {bounds[:-1].tolist()[:5]}, which does "
            f"not increase from 0 to the {len(flat)} segments."
        )
    return [flat[a:b] for a, b in itertools.pairwise(bounds.tolist())]


def _checked(values: Any, kind: str, dtype: str, what: str) -> np.ndarray:
    """Check the shape of a dataset or array before it is read, then its values."""
    if not values.shape or values.shape[1:] != WIDTHS[kind]:
        expected = "(n_segments, 12)" if WIDTHS[kind] else "(n_segments,)"
        raise ValueError(f"{what} has shape {values.shape}; expected {expected}.")
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{what} has dtype {values.dtype}; expected numbers.")
    values = values[()]
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if not np.isfinite(cast).all():
        worst = "NaN or infinity" if not np.isfinite(values).all() else "values"
        raise ValueError(f"{what} has {worst} that {dtype} cannot hold.")
    return cast


def _from_npz(
    path: Path, songs: Iterable[str] | None, pitches: bool, dtype: str
) -> Bunch:
    try:
        with open_npz(path) as archive:
            needed = ["song_id", "timbre", "offsets", *(["pitches"] if pitches else [])]
            missing = [name for name in needed if name not in archive]
            if missing:
                raise ValueError(
                    f"it has no array {' and '.join(missing)}; it has "
                    f"{', '.join(archive)}."
                )
            arrays = {
                name: archive[name]
                for name in {*needed, "start", "track_id"} & set(archive)
            }
    except (ValueError, OSError, MemoryError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    item_ids = arrays["song_id"].astype(str)
    offsets = arrays["offsets"]
    if offsets.shape != (len(item_ids) + 1,):
        raise ValueError(
            f"{path} has {len(item_ids)} songs and offsets of shape {offsets.shape}; "
            f"expected ({len(item_ids) + 1},)."
        )
    ragged: dict[str, RaggedArray | None] = {"start": None, "pitches": None}
    for name, kind in (("timbre", dtype), ("pitches", dtype), ("start", "float64")):
        if name in arrays and (name != "pitches" or pitches):
            what = f"{name} of {path}"
            values = _checked(arrays[name], name, kind, what)
            try:
                ragged[name] = RaggedArray(values, offsets)
            except ValueError as error:
                raise ValueError(f"{what}: {error}") from error
    track_ids = arrays.get("track_id", np.full(len(item_ids), "")).astype(str)
    parts: dict[str, Any] = {
        "frames": ragged["timbre"],
        "pitches": ragged["pitches"],
        "start_s": ragged["start"],
        "item_ids": item_ids,
        "track_ids": track_ids,
    }
    if songs is not None:
        rows = rows_of(songs, item_ids, path)
        for name, part in parts.items():
            if part is not None:
                parts[name] = part[rows]
    return _bunch(**parts, errors=[])
