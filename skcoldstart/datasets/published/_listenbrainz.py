"""Load listens of ListenBrainz, and AcousticBrainz features of the recordings."""

import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._blocks import require_pyarrow
from skcoldstart.datasets._events import plays_from_events
from skcoldstart.datasets._files import (
    WRONG_JSON,
    begins_with,
    files_under,
    lines_of,
    named_damage,
    open_bytes,
    read_lines,
    read_small,
)

LISTENS = 1 << 18  # a block of rows
LAST_SECOND = 1 << 38  # in the year 10680; milliseconds are more
ZSTD = b"\x28\xb5\x2f\xfd"
MBID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PARTS = ("lowlevel", "rhythm", "tonal")


@documented()
def load_listenbrainz(
    path: str | os.PathLike[str],
    *,
    features: str | os.PathLike[str] | None = None,
    since: Any = None,
    until: Any = None,
    items: Iterable[str] | None = None,
    min_item_plays: float = 1,
    min_user_plays: float = 1,
) -> Bunch:
    r"""Load listens of recordings, with features of their sound.

    Parameters
    ----------
    path : str or PathLike
        An export of listens: the archive ``.tar.zst`` (or ``.tar``, ``.tar.gz``,
        ``.tar.xz``), a folder of ``{year}/{month}.listens``, or one such file of JSON
        lines.
    features : str or PathLike, default=None
        Folder of AcousticBrainz with ``lowlevel/ab/c/abc...-0.json``, or the folder
        ``lowlevel`` itself.
    since, until : datetime-like or str, default=None
        Keep listens with ``since <= time < until``, in UTC.
    items : iterable of str, default=None
        MBIDs of the recordings to keep, one row each, in this order. ``None`` keeps
        those with listens, sorted.
    min_item_plays, min_user_plays : float, default=1
        Drop the listens of recordings, and of users, with fewer plays.

    <bunch>

        plays : csr_array of shape (n_items, n_users)
            Number of listens, float64.
        item_ids, user_ids : ndarray of shape (n_items,) and (n_users,)
            MBIDs of recordings, and names of users or their numbers as text.
        first_play : ndarray of shape (n_items,), datetime64[s]
            Time of the first listen in UTC, NaT if there is none.
        X : ndarray of shape (n_items, n_features), or None
            Features that all recordings have, float32; zeros if a recording has none.
        feature_names : ndarray of shape (n_features,), dtype object, or None
            Names of the columns, such as ``"lowlevel.mfcc.mean[0]"``.
        is_known : ndarray of shape (n_items,), bool, or None
            Whether a recording has features.
        n_events, n_dropped : int and dict
            Number of listens in the files, and of dropped listens by reason;
            ``"missing_item"`` are those without an MBID.
        <summary>

    Raises
    ------
    ValueError
        If a line is not a listen (the error names file and line), a file is damaged, no
        listen is left, or no recording has features.
    <pyarrow>
    <unopened>

    See Also
    --------
    plays_from_events : Loads any log of events.

    Notes
    -----
    The MBID of a listen is the mapped one if it exists, otherwise the one sent by the
    player. Archives are not unpacked. Features whose number differs between recordings,
    such as times of beats, are left out. The loader was written from the public
    description of the format and tested on files written in it.

    .. versionadded:: 0.2

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_listenbrainz
    >>> song = "0a000000-0000-4000-8000-000000000001"
    >>> listen = {"user_name": "ann", "listened_at": 1704067200, "track_metadata": {
    ...     "track_name": "A", "mbid_mapping": {"recording_mbid": song}}}
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "2024").mkdir()
    ...     _ = Path(folder, "2024", "1.listens").write_text(json.dumps(listen) + "\n")
    ...     taste = load_listenbrainz(folder)
    >>> taste.user_ids.tolist(), taste.plays.toarray(), taste.first_play[0]
    (['ann'], array([[1.]]), np.datetime64('2024-01-01T00:00:00'))
    """
    require_pyarrow(path)
    wanted = None if items is None else list(items)
    taste = plays_from_events(
        _blocks(check_path(path)),
        timestamp="time",
        since=since,
        until=until,
        items=wanted,
        min_item_plays=min_item_plays,
        min_user_plays=min_user_plays,
    )
    taste.update(X=None, feature_names=None, is_known=None)
    if features is not None:
        place = check_path(features, "features")
        taste.update(_features(place, taste.item_ids.tolist()))
    return taste


def _blocks(path: Path) -> Iterator[Any]:
    import pyarrow as pa

    schema = pa.schema([
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("time", pa.timestamp("s")),
    ])
    rows: list[tuple[Any, ...]] = []

    def table() -> Any:
        columns = [*zip(*rows, strict=True)] or [(), (), ()]
        return pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema)

    for name, number, line in _lines(path):
        try:
            rows.append(_listen(json.loads(line)))
        except WRONG_JSON as error:
            raise ValueError(
                f"{name}, line {number}: {type(error).__name__}: {error}; expected "
                'a listen, an object with "user_name" or "user_id", "listened_at" or '
                '"timestamp", and "track_metadata".'
            ) from error
        if len(rows) == LISTENS:
            yield table()
            rows.clear()
    yield table()


def _listen(listen: Any) -> tuple[str, str | None, int]:
    """Return user, recording and time of a listen."""
    user = listen.get("user_name")
    if user is None:
        user = listen["user_id"]
    time = listen.get("listened_at")
    time = int(listen["timestamp"] if time is None else time)
    if abs(time) > LAST_SECOND:
        raise ValueError(f"the time is {time}, expected seconds since 1970")
    track = listen["track_metadata"]
    mapped = (track.get("mbid_mapping") or {}).get("recording_mbid")
    sent = (track.get("additional_info") or {}).get("recording_mbid")
    mbid = str(mapped or sent or listen.get("recording_mbid") or "").lower()
    return str(user), mbid if MBID.fullmatch(mbid) else None, time


def _lines(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield the file, the number and the text of each line."""
    n_files = 0
    if path.is_dir() or ".tar" not in path.name:
        for place in files_under(path, ".listens") if path.is_dir() else [str(path)]:
            n_files += 1
            yield from ((place, *line) for line in lines_of(place))
    else:
        with (
            named_damage(path),
            _decompressed(path) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            for member in archive:
                name = os.path.basename(member.name)
                is_hidden = name.startswith(".")
                if member.isreg() and name.endswith(".listens") and not is_hidden:
                    n_files += 1
                    name = f"{path}: {member.name}"
                    file: Any = archive.extractfile(member)
                    yield from ((name, *line) for line in read_lines(file, name))
    if not n_files:
        raise ValueError(f"{path} has no .listens files.")


@contextmanager
def _decompressed(path: Path) -> Iterator[Any]:
    """Open an archive; zstd is decompressed by pyarrow."""
    if not begins_with(path, ZSTD):
        with open_bytes(path) as file:
            yield file
        return
    import pyarrow as pa

    with (
        pa.OSFile(str(path)) as source,
        pa.CompressedInputStream(source, "zstd") as file,
    ):
        try:
            yield file
        except OSError as error:
            raise ValueError(f"{path} is a damaged archive ({error}).") from error


def _features(folder: Path, item_ids: list[str]) -> dict[str, Any]:
    """Read the features that all recordings have."""
    place = folder / "lowlevel" if (folder / "lowlevel").is_dir() else folder
    rows, found = [], []
    shared: dict[str, int] | None = None
    for row, mbid in enumerate(item_ids):
        path = place / mbid[:2] / mbid[2:3] / f"{mbid}-0.json"
        if not path.exists():
            continue
        values = _numbers(path)
        lengths = {name: len(numbers) for name, numbers in values.items()}
        shared = dict(
            lengths.items() if shared is None else shared.items() & lengths.items()
        )
        rows.append(row)
        found.append(values)
    if not shared:
        raise ValueError(
            f"None of the {len(item_ids)} recordings has features in {folder}; "
            "expected lowlevel/ab/c/abc...-0.json, named by the MBID."
        )
    names = sorted(shared)
    X = np.zeros((len(item_ids), sum(shared.values())), np.float32)
    for row, values in zip(rows, found, strict=True):
        X[row] = np.concatenate([values[name] for name in names])
    is_known = np.zeros(len(item_ids), dtype=bool)
    is_known[rows] = True
    columns = [
        name if shared[name] == 1 else f"{name}[{i}]"
        for name in names
        for i in range(shared[name])
    ]
    return {
        "X": X,
        "feature_names": np.array(columns, dtype=object),
        "is_known": is_known,
    }


def _numbers(path: Path) -> dict[str, np.ndarray]:
    """Return the numbers of one analysis by their paths in it."""
    content = read_small(path)
    numbers: dict[str, np.ndarray] = {}

    def collect(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                collect(inner, f"{name}.{key}")
        elif isinstance(value, int | float | list) and not isinstance(value, bool):
            flat = np.asarray(value)
            if flat.dtype.kind in "iuf" and flat.size and np.isfinite(flat).all():
                numbers[name] = flat.astype(np.float32).ravel()

    try:
        document = json.loads(content)
        for part in PARTS:
            if part in document:
                collect(document[part], part)
    except WRONG_JSON as error:
        raise ValueError(f"{path}: {type(error).__name__}: {error}") from error
    if not numbers:
        raise ValueError(f"{path} has no numbers under {', '.join(PARTS)}.")
    return numbers
