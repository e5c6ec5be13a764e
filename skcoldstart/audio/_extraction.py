"""Identify audio items, and convert one to frames of one or several kinds."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from skcoldstart._utils.cached import cached_property
from skcoldstart._utils.paths import check_regular_file
from skcoldstart.audio._items import (
    AudioReadError,
    check_waveform,
    describe_bad_sample,
    is_missing,
    is_path,
)
from skcoldstart.audio._reading import Reading

_CHUNK_BYTES = 1 << 20


class ItemIdentity:
    """Name, state and content of an item.

    The name of a file is its path and size. Its state is its inode and times, which
    change with every write. A file with another state is compared by content: it may
    have been replaced, or only copied or touched.
    """

    def __init__(self, name: str, path: str | bytes | None) -> None:
        self.name = name
        self._path = path
        self.state = "" if path is None else _state(os.stat(path))

    @cached_property
    def content(self) -> str:
        """A checksum of the file."""
        return "" if self._path is None else file_content(self._path)

    def is_current(self) -> bool:
        """Return whether the file has not changed since it was identified."""
        try:
            return self._path is None or self.state == _state(os.stat(self._path))
        except OSError:
            return False


def identify(index: int, item: Any, reading: Reading) -> ItemIdentity | None:
    """Identify a file by its name and a waveform by its samples; None for others."""
    if is_missing(item):
        return None
    if is_path(item):
        try:
            path = os.path.abspath(reading.absolute(item))
            return ItemIdentity(f"{os.stat(path).st_size}:{os.fsdecode(path)}", path)
        except (OSError, ValueError):
            # A function may read items that are not files; they are identified by name
            # only.
            name = os.fsdecode(item)
            return ItemIdentity(f"::{name}", None) if callable(reading.reader) else None
    samples = np.ascontiguousarray(check_waveform(index, item))
    digest = hashlib.blake2b(samples.data, digest_size=16).hexdigest()
    return ItemIdentity(f"{samples.dtype.str}:{digest}", None)


def file_content(path: str | bytes) -> str:
    """Return a checksum of the content of a file, or "" if it cannot be read."""
    from skcoldstart._kernels.checksum import block_sums

    digest = hashlib.blake2b(digest_size=16)
    buffer = np.empty(_CHUNK_BYTES, np.uint8)
    try:
        check_regular_file(os.fsdecode(path))  # a pipe would block, a device has no end
        with open(path, "rb", buffering=0) as file:
            while n_read := file.readinto(buffer.data):
                digest.update(block_sums(buffer[:n_read]).data)
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def _state(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_mtime_ns}:{status.st_ctime_ns}"


class FrameFunction(Protocol):
    """Maps a mono float32 waveform to float32 frames; picklable.

    Its repr describes the frames completely and identifies them in a store. It raises
    OverflowError if features are not finite, AudioReadError if it has none.
    """

    @property
    def n_features(self) -> int:
        """Features of a frame."""
        ...

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return frames of shape (n_frames, n_features)."""
        ...


@dataclass(frozen=True)
class Analysis:
    """One kind of frames: their function, sampling rate and type."""

    compute: FrameFunction
    sr: float
    dtype: np.dtype

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of a waveform at `sr`, (n_frames, n_features)."""
        try:
            frames = self.compute(waveform)
        except OverflowError as error:
            raise AudioReadError(None, describe_bad_sample(waveform)) from error
        if self.dtype == frames.dtype:
            return frames
        with np.errstate(over="ignore"):
            cast = frames.astype(self.dtype)
        if not (np.isfinite(cast.max()) and np.isfinite(cast.min())):
            raise AudioReadError(
                None,
                f"features as large as {np.abs(frames).max():.3g} exceed the range of "
                f"{self.dtype}; use dtype='float32'",
            )
        return cast


class ClipFrames(NamedTuple):
    """The result for one item."""

    frames: tuple[np.ndarray, ...]  # of each analysis; empty if there is an error
    error: AudioReadError | None
    notice: str | None = None  # why its file seems truncated, if it does
    decoder: str | None = None  # the decoder, if it is not libsndfile
    content: str | None = None  # a checksum of its file, if requested


@dataclass(frozen=True)
class ClipExtractor:
    """Convert a path or waveform to frames; errors in its content are returned.

    Holds only parameters, so it is cheap to send to worker processes.
    """

    analyses: tuple[Analysis, ...]
    reading: Reading
    identifies: bool = False  # whether to compute a checksum of each file

    def __call__(
        self, index: int, item: Any, wanted: Sequence[int] | None = None
    ) -> ClipFrames:
        """Return the frames of entry `index` of X, of all analyses or of some."""
        analyses = self.analyses
        if wanted is not None:
            analyses = tuple(analyses[i] for i in wanted)
        content = None
        try:
            if self.identifies and is_path(item):
                content = file_content(self.reading.absolute(item))
            clip = self.reading.clip(index, item, [a.sr for a in analyses])
            frames = tuple(a.frames(clip.waveforms[a.sr]) for a in analyses)
            return ClipFrames(frames, None, clip.notice, clip.decoder, content)
        except AudioReadError as error:
            path = item if is_path(item) else None
            named = AudioReadError(path, error.reason, index)
            nothing = [np.empty((0, a.compute.n_features), a.dtype) for a in analyses]
            return ClipFrames(tuple(nothing), named)
