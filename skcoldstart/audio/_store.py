"""Frames on disk: computed once, resumed where they stopped, shared between runs.

A store is a folder with one folder per analysis, that is, per set of parameters and
versions. Frames lie in shards: ``<name>.npy`` holds the frames of some items, one
after the other, and ``<name>.json`` says whose they are. Shards are never changed.
Both files appear whole or not at all, the frames first, so a shard counts from the
moment its JSON is there; names are random, so writers never meet. A writer that is
killed loses the shard in progress and nothing else.
"""

import errno
import hashlib
import json
import os
import time
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skcoldstart._sequences.collector import ItemCollector
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart._sequences.windows import window_array, window_bounds
from skcoldstart._utils.atomic import atomic_write
from skcoldstart._utils.cached import cached_property
from skcoldstart.audio._extraction import Analysis
from skcoldstart.audio._reading import (
    Reading,
    check_waveform,
    is_missing,
    is_path,
)

__all__ = ["FrameStore", "StoredFrames", "item_key"]

# Frames wait in memory until there are so many bytes of them. A shard in progress is
# what a killed run loses: a few hundred clips.
_SHARD_BYTES = 1 << 26

# Maps of shards kept open; each holds a file descriptor.
_MAX_OPEN = 128

# Files that a killed writer left are swept when they are this old, in seconds.
_STALE_S = 24 * 3600


class Location(NamedTuple):
    """Where the frames of an item lie."""

    shard: str  # name without suffix; empty for an item without frames
    start: int
    stop: int
    offset: int  # bytes of the shard's file before its first frame
    notice: str | None  # what made its file look truncated


_NOWHERE = Location("", 0, 0, 0, None)


class StoredFrames(LazySequence):
    """Frames of a store, an item read when it is asked for.

    Indexing works as on a `RaggedArray`: an integer gives the frames of an item, a
    slice, an integer array or a mask gives another `StoredFrames`. An item is a
    read-only view of a mapped file. The system reads such files far ahead, some
    megabyte: right for whole items in turn, wasteful for short pieces of a store
    larger than memory, which `windows` reads alone.
    """

    def __init__(self, reader: "_ShardReader", places: Sequence[Location]) -> None:
        super().__init__(reader, places)
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

    def _select(self, sources: Sequence[Location]) -> "StoredFrames":
        return StoredFrames(self._reader, sources)

    def windows(
        self, items: Any, starts: Any, n_rows: int, *, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Read windows of equal length from disk, as `RaggedArray.windows` copies them.

        Shapes: `items` (n_windows,), `starts` (n_windows,), `out` (n_windows, n_rows,
        n_features) -> (n_windows, n_rows, n_features).

        Nothing but the windows is read, to whole pages of the file, in the order in
        which they lie there. Several threads may read at once.
        """
        items, starts, stops = window_bounds(items, starts, n_rows, self.lengths)
        out = window_array(
            out, (len(items), n_rows, self._reader.n_features), self.dtype
        )
        places = [self._sources[i] for i in items]
        in_turn = [
            (place.shard, place.start + starts[w], w) for w, place in enumerate(places)
        ]
        for _, first, w in sorted(in_turn):
            n = int(stops[w] - starts[w])
            if n:
                self._reader.read(places[w], int(first), out[w, :n])
            out[w, n:] = 0
        return out

    def __repr__(self) -> str:
        return (
            f"StoredFrames({len(self)} items, {self.lengths.sum()} rows x "
            f"{self._reader.n_features}, {self.dtype})"
        )


class FrameStore:
    """The shards of one analysis: what is there, and a way to add to it."""

    def __init__(self, folder: Any, analysis: Analysis, reading: Reading) -> None:
        description = _describe(analysis, reading)
        digest = hashlib.sha256(description.encode()).hexdigest()[:16]
        self._folder = Path(folder).expanduser().absolute() / digest
        self._folder.mkdir(parents=True, exist_ok=True)
        self._n_features = analysis.compute.n_features
        self._dtype = analysis.dtype
        if not (self._folder / "analysis.txt").exists():
            with atomic_write(self._folder / "analysis.txt", "w") as file:
                file.write(description + "\n")
        self._sweep()
        self._locations: dict[str, Location] = {}
        for index in sorted(self._folder.glob("*.json")):
            self._register(index)
        self._start_shard()

    def __contains__(self, key: str | None) -> bool:
        return key in self._locations

    def notice(self, key: str | None) -> str | None:
        """Return what made a stored item's file look truncated."""
        return self._locations.get(key or "", _NOWHERE).notice

    def add(self, key: str, frames: np.ndarray, notice: str | None) -> None:
        """Add the frames of an item; they are on disk after `flush` at the latest."""
        self._pending.append(frames)
        self._items.append((key, len(frames), notice))
        self._n_bytes += frames.nbytes
        if self._n_bytes >= _SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits in memory as a shard."""
        if not self._items:
            return
        name = uuid.uuid4().hex
        values = self._pending.finish().values
        items = self._items
        self._start_shard()
        with atomic_write(self._folder / f"{name}.npy") as file:
            _reserve(file.fileno(), values.nbytes)
            np.lib.format.write_array(file, values, allow_pickle=False)
        with atomic_write(self._folder / f"{name}.json", "w") as file:
            json.dump(items, file)
        self._register(self._folder / f"{name}.json")

    def frames(self, keys: Sequence[str | None]) -> StoredFrames:
        """Return the frames of items in order; none for a key that is not there."""
        reader = _ShardReader(str(self._folder), self._n_features, self._dtype)
        return StoredFrames(
            reader, [self._locations.get(key or "", _NOWHERE) for key in keys]
        )

    def _start_shard(self) -> None:
        self._pending = ItemCollector((self._n_features,), self._dtype)
        self._items: list[tuple[str, int, str | None]] = []
        self._n_bytes = 0

    def _register(self, index: Path) -> None:
        """Take up the items of a shard, unless its files are damaged."""
        try:
            items = json.loads(index.read_text("utf-8"))
            n_frames = sum(n for _, n, _ in items)
            shard = np.load(index.with_suffix(".npy"), mmap_mode="r")
        except (OSError, EOFError, ValueError, TypeError):
            return
        if shard.shape != (n_frames, self._n_features) or shard.dtype != self._dtype:
            return
        start = 0
        for key, n, notice in items:
            place = Location(index.stem, start, start + n, shard.offset, notice)
            self._locations.setdefault(key, place)
            start += n

    def _sweep(self) -> None:
        """Remove what writers left that were killed long ago."""
        oldest = time.time() - _STALE_S
        for path in self._folder.iterdir():
            is_orphan = path.suffix == ".npy" and not path.with_suffix(".json").exists()
            if path.name.startswith(".") or is_orphan:
                try:
                    if path.stat().st_mtime < oldest:
                        path.unlink()
                except FileNotFoundError:  # another writer swept it
                    pass


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Take room on the disk, so that a full one is an error before it is written to."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, max(n_bytes, 1))
        except OSError as error:
            # Some file systems cannot; writing tells whether there is room.
            if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                raise


def item_key(index: int, item: Any) -> str | None:
    """Identify the content of an item: a file by name, size and time, else by bytes."""
    if is_path(item):
        try:
            status = os.stat(item)
        except (OSError, ValueError):
            return None
        name = os.path.abspath(os.fsdecode(item))
        return f"{status.st_size}:{status.st_mtime_ns}:{name}"
    if is_missing(item):
        return None
    samples = np.ascontiguousarray(check_waveform(index, item))
    digest = hashlib.blake2b(samples.data, digest_size=16).hexdigest()
    return f"{samples.dtype.str}:{digest}"


@dataclass(frozen=True)
class _ShardReader:
    """Read an item of a store; picklable, and cheap to send to another process."""

    folder: str
    n_features: int
    dtype: np.dtype

    def __call__(self, place: Location) -> np.ndarray:
        if place.shard == "":
            return np.empty((0, self.n_features), self.dtype)
        return _map_shard(f"{self.folder}/{place.shard}.npy")[place.start : place.stop]

    def read(self, place: Location, first: int, out: np.ndarray) -> None:
        """Fill `out` with frames of an item's shard, from frame `first` on."""
        path = f"{self.folder}/{place.shard}.npy"
        if not hasattr(os, "preadv"):
            out[:] = _map_shard(path)[first : first + len(out)]
            return
        direct = out.dtype == self.dtype and out.flags.c_contiguous
        frames = out if direct else np.empty(out.shape, self.dtype)
        row_bytes = self.n_features * self.dtype.itemsize
        at = place.offset + first * row_bytes
        if _open_shard(path).read(at, frames) < frames.nbytes:
            raise OSError(
                f"{path} is shorter than it was when the store was opened; compute "
                "its frames anew with transform."
            )
        if not direct:
            out[:] = frames


class _OpenShard:
    """A shard open for reading pieces without reading ahead."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, at: int, out: np.ndarray) -> int:
        """Fill an array from byte `at` on; return the bytes read."""
        return os.preadv(self._descriptor, [out.data.cast("B")], at)


_open_shard = lru_cache(maxsize=_MAX_OPEN)(_OpenShard)


@lru_cache(maxsize=_MAX_OPEN)
def _map_shard(path: str) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r"))


def _describe(analysis: Analysis, reading: Reading) -> str:
    """Say what determines the frames, down to the versions of the decoders."""
    import soundfile
    import soxr

    import skcoldstart

    versions = (
        f"skcoldstart {skcoldstart.__version__}, "
        f"libsndfile {soundfile.__libsndfile_version__}, soxr {soxr.__version__}"
    )
    return f"{analysis}\n{reading.max_duration}, {reading.salvage}\n{versions}"
