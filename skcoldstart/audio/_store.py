"""Frames on disk: computed once, resumable, shared between runs.

A store is a folder with one folder per analysis, that is, per set of parameters and
versions. Frames are in shards: ``<name>.npy`` holds the frames of some items, one after
the other, and ``<name>.json`` names these items. Shards are never changed. Both files
are written completely or not at all, frames first, so a shard is valid once its JSON
exists. Names are random, so writers do not collide. A killed writer loses only the
shard in progress.
"""

import hashlib
import json
import os
import stat
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skcoldstart._sequences.ragged import (
    ItemCollector,
    LazySequence,
    window_array,
    window_bounds,
)
from skcoldstart._utils.cached import cached_property
from skcoldstart._utils.paths import atomic_write
from skcoldstart.audio._extraction import Analysis, ClipFrames, ItemIdentity
from skcoldstart.audio._pyav import version
from skcoldstart.audio._reading import Reading
from skcoldstart.audio._shards import ShardReader, shard_bytes, write_shard

# Frames are buffered until they have this many bytes. A killed run loses the shard in
# progress: a few hundred clips.
_SHARD_BYTES = 1 << 26

# Files of killed writers are removed at this age, in seconds.
_STALE_S = 24 * 3600


class Location(NamedTuple):
    """Place of the frames of an item."""

    shard: str  # name without suffix; empty for an item without frames
    start: int
    stop: int
    notice: str | None  # why its file seemed truncated


class _Entry(NamedTuple):
    """A version of an item in a store."""

    state: str
    content: str
    decoder: str
    location: Location


_NOT_STORED = Location("", 0, 0, None)


class StoredFrames(LazySequence):
    """Frames of a store; an item is read on access.

    Indexing works as on a `RaggedArray`: an integer reads the frames of an item, a
    slice, an integer array or a mask gives another `StoredFrames`. Pages of the disk
    are checked when they are read for the first time.
    """

    def __init__(self, reader: ShardReader, places: Sequence[Location]) -> None:
        super().__init__(self._read, places)
        self._reader = reader

    @cached_property
    def lengths(self) -> np.ndarray:
        """Frames of each item, int64 of shape (n_items,); reads nothing."""
        n_frames = (place.stop - place.start for place in self._sources)
        lengths = np.fromiter(n_frames, np.int64, len(self))
        lengths.flags.writeable = False
        return lengths

    @property
    def dtype(self) -> np.dtype:
        """Type of the frames."""
        return self._reader.dtype

    def _read(self, place: Location) -> np.ndarray:
        return self._reader.read(place.shard, place.start, place.stop)

    def _select(self, sources: Sequence[Location]) -> "StoredFrames":
        return StoredFrames(self._reader, sources)

    def windows(
        self, items: Any, starts: Any, n_rows: int, *, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Read windows of equal length from disk, as `RaggedArray.windows` copies them.

        Shapes: `items` (n_windows,), `starts` (n_windows,), `out` (n_windows, n_rows,
        n_features) -> (n_windows, n_rows, n_features).

        Only the pages that contain the windows are read, in the order of the file.
        Several threads may read at once.
        """
        items, starts, stops = window_bounds(items, starts, n_rows, self.lengths)
        out = window_array(
            out, (len(items), n_rows, self._reader.n_features), self.dtype
        )
        places = [self._sources[i] for i in items]
        in_turn = [
            (place.shard, place.start + starts[w], w) for w, place in enumerate(places)
        ]
        for shard, first, w in sorted(in_turn):
            n = int(stops[w] - starts[w])
            out[w, :n] = self._reader.read(shard, int(first), int(first) + n)
            out[w, n:] = 0
        return out

    def __repr__(self) -> str:
        return (
            f"StoredFrames({len(self)} items, {self.lengths.sum()} rows x "
            f"{self._reader.n_features}, {self.dtype})"
        )


class FrameStore:
    """The shards of one analysis, with methods to read and add frames."""

    def __init__(self, folder: Any, analysis: Analysis, reading: Reading) -> None:
        description = _describe(analysis, reading)
        digest = hashlib.sha256(description.encode()).hexdigest()[:16]
        self._folder = Path(folder).expanduser().absolute() / digest
        self._folder.mkdir(parents=True, exist_ok=True)
        self._pyav = version()
        self._n_features = analysis.compute.n_features
        self._dtype = analysis.dtype
        if not (self._folder / "analysis.txt").exists():
            with atomic_write(self._folder / "analysis.txt", "w") as file:
                file.write(description + "\n")
        self._entries: dict[str, list[_Entry]] = {}
        self._shards: dict[str, tuple[int, str]] = {}
        self._open_folder()
        self._start_shard()

    def find(self, item: ItemIdentity | None) -> Location | None:
        """Return the place of the frames of an item, or None if there are none."""
        if item is None:
            return None
        for entry in self._entries.get(item.name, ()):
            # Frames decoded by PyAV are valid for its version, or if it is not
            # installed.
            if entry.decoder in {"", self._pyav or entry.decoder} and (
                entry.state == item.state or entry.content == item.content != ""
            ):
                return entry.location
        return None

    def add(self, item: ItemIdentity, frames: np.ndarray, result: ClipFrames) -> None:
        """Add the frames of an item; they are on disk after `flush` at the latest."""
        state = item.state, result.content or "", result.decoder or ""
        self._pending.extend(frames, [len(frames)])
        self._items.append(("|".join((*state, item.name)), len(frames), result.notice))
        self._n_bytes += frames.nbytes
        if self._n_bytes >= _SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the buffered frames as a shard."""
        if not self._items:
            return
        name = uuid.uuid4().hex
        values, items = self._pending.finish().values, self._items
        self._start_shard()
        digest = write_shard(self._folder / f"{name}.npy", values)
        rows = [*items, ("", 0, f"{_digest(items)} {digest}")]
        with atomic_write(self._folder / f"{name}.json", "w") as file:
            json.dump(rows, file)
        self._register(name, items, digest)

    def frames(self, places: Sequence[Location | None]) -> StoredFrames:
        """Return the frames at these places; empty if there is no place."""
        reader = self._reader(self._shards)
        return StoredFrames(reader, [place or _NOT_STORED for place in places])

    def _reader(self, shards: dict[str, tuple[int, str]]) -> ShardReader:
        return ShardReader(str(self._folder), self._n_features, self._dtype, shards)

    def _start_shard(self) -> None:
        self._pending = ItemCollector((self._n_features,), self._dtype)
        self._items: list[tuple[str, int, str | None]] = []
        self._n_bytes = 0

    def _open_folder(self) -> None:
        """Load all complete shards; remove files of killed writers."""
        files = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(OSError):  # another writer may have removed it
                    if stat.S_ISREG(entry.stat().st_mode):
                        files[entry.name] = entry.stat()
        oldest = time.time() - _STALE_S
        for name, status in sorted(files.items()):
            stem, suffix = os.path.splitext(name)
            is_orphan = suffix == ".npy" and f"{stem}.json" not in files
            if (name.startswith(".") or is_orphan) and status.st_mtime < oldest:
                # Another writer may have removed it, and a store may be read-only.
                with suppress(OSError):
                    os.unlink(self._folder / name)
            elif suffix == ".json" and f"{stem}.npy" in files:
                shard = files[f"{stem}.npy"]
                # A shard is written before its index, and never again.
                is_suspect = shard.st_mtime_ns > status.st_mtime_ns
                self._read_index(stem, shard.st_size, is_suspect)

    def _read_index(self, name: str, n_bytes: int, is_suspect: bool) -> None:
        """Load the items of a shard, unless one of its files is damaged."""
        index = self._folder / f"{name}.json"
        try:
            *rows, (_, _, digests) = json.loads(index.read_text("utf-8"))
            items = [tuple(row) for row in rows]
            of_items, of_frames = digests.split()
            n_frames = sum(n for _, n, _ in items)
            row_bytes = self._n_features * self._dtype.itemsize
            is_whole = n_bytes == shard_bytes(n_frames * row_bytes)
            if not is_whole or of_items != _digest(items):
                return
            if is_suspect:
                self._reader({name: (n_frames, of_frames)}).check(name)
                with suppress(OSError):
                    os.utime(index)
            self._register(name, items, of_frames)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            pass

    def _register(
        self, shard: str, items: Sequence[tuple[str, int, str | None]], digest: str
    ) -> None:
        start = 0
        for text, n, notice in items:
            state, content, decoder, name = text.split("|", 3)
            place = Location(shard, start, start + n, notice)
            entry = _Entry(state, content, decoder, place)
            self._entries.setdefault(name, []).append(entry)
            start += n
        self._shards[shard] = start, digest


def _digest(items: Sequence[tuple[str, int, str | None]]) -> str:
    text = json.dumps(items)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _describe(analysis: Analysis, reading: Reading) -> str:
    """Describe all that determines the frames, including versions of the decoders."""
    import soundfile
    import soxr

    import skcoldstart

    versions = (
        f"skcoldstart {skcoldstart.__version__}, "
        f"libsndfile {soundfile.__libsndfile_version__}, soxr {soxr.__version__}"
    )
    return f"{analysis}\n{reading.description()}\n{versions}"
