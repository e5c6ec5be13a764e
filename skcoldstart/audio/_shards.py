"""Shards: files that hold the frames of many items, with a checksum of every page.

A shard is a NumPy file whose header fills one page, so that frames begin on a page,
followed by a checksum of each page of frames. Pages are read and not mapped, so a file
that is truncated while it is open raises an error instead of a crash.
"""

import errno
import hashlib
import io
import os
import stat
import struct
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart._utils.paths import atomic_write

_PAGE = 4096
_CHECK_BYTES = 1 << 20

# Shards kept open; each holds a file descriptor.
_MAX_OPEN = 128

_SEEKING = threading.Lock()  # on systems without preadv, which also have no fork


def write_shard(path: Any, values: np.ndarray) -> str:
    """Write frames to a file completely or not at all; return its digest."""
    from skcoldstart._kernels.checksum import block_sums

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, np.lib.format.header_data_from_array_1_0(values)
    )
    text = header.getvalue()[10:].rstrip().ljust(_PAGE - 11) + b"\n"
    sums = block_sums(values.reshape(-1).view(np.uint8)).tobytes()
    with atomic_write(path) as file:
        _reserve(file.fileno(), _PAGE + values.nbytes + len(sums))
        file.write(header.getvalue()[:8] + struct.pack("<H", len(text)) + text)
        file.write(values.data)
        file.write(sums)
    return _digest(sums)


def shard_bytes(n_bytes: int) -> int:
    """Return the size of a file with this many bytes of frames."""
    return _PAGE + n_bytes + 8 * -(-n_bytes // _PAGE)


@dataclass(frozen=True)
class ShardReader:
    """Read frames of a folder's shards; picklable, and cheap to send to a process."""

    folder: str
    n_features: int
    dtype: np.dtype
    shards: dict[str, tuple[int, str]]  # frames and digest of each

    def read(self, shard: str, start: int, stop: int) -> np.ndarray:
        """Return frames of a shard, (stop - start, n_features).

        A page is checked when it is read for the first time, and again when the file
        has changed.
        """
        shape = (stop - start, self.n_features)
        if start == stop:
            return np.empty(shape, self.dtype)
        path = f"{self.folder}/{shard}.npy"
        row_bytes = self.n_features * self.dtype.itemsize
        n_frames, digest = self.shards[shard]
        try:
            opened = _open(path, n_frames * row_bytes, digest)
            content = opened.read(start * row_bytes, stop * row_bytes)
        except _DamageError as error:
            # Its frames are computed again if no index names it.
            try:
                os.unlink(f"{self.folder}/{shard}.json")
                after = "Call transform again to compute these frames again."
            except OSError:
                after = "Remove it, and call transform again."
            raise OSError(
                errno.EIO, f"damaged frames ({error}). {after}", path
            ) from None
        return content.view(self.dtype).reshape(shape)

    def check(self, shard: str) -> None:
        """Read all frames of a shard; raise if any of them has changed."""
        n_frames = self.shards[shard][0]
        n_rows = max(1, _CHECK_BYTES // (self.n_features * self.dtype.itemsize))
        for first in range(0, n_frames, n_rows):
            self.read(shard, first, min(first + n_rows, n_frames))


class _DamageError(Exception):
    """A shard is damaged."""


class _OpenShard:
    """A file that stays open for reading pieces without reading ahead."""

    def __init__(self, path: str, n_bytes: int, digest: str) -> None:
        status = os.stat(path)
        self.state = _state(status)
        if not stat.S_ISREG(status.st_mode) or status.st_size != shard_bytes(n_bytes):
            raise _DamageError(
                f"the file has {status.st_size} bytes, expected {shard_bytes(n_bytes)}"
            )
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._descriptor)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        self._n_bytes = n_bytes
        self._sums = np.empty(-(-n_bytes // _PAGE), np.uint64)
        self._fill(_PAGE + n_bytes, self._sums.view(np.uint8))
        if _digest(self._sums.tobytes()) != digest:
            raise _DamageError("its checksums have changed")
        self._is_good = np.zeros(len(self._sums), bool)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return bytes of the frames, uint8 of shape (stop - start,)."""
        from skcoldstart._kernels.checksum import first_changed

        first, last = start // _PAGE, -(-stop // _PAGE)
        if self._is_good[first:last].all():
            content = np.empty(stop - start, np.uint8)
            self._fill(_PAGE + start, content)
            return content
        begin = first * _PAGE
        # Whole pages; bytes after the frames count as zeros.
        content = np.empty((last - first) * _PAGE, np.uint8)
        n_bytes = min(len(content), self._n_bytes - begin)
        self._fill(_PAGE + begin, content[:n_bytes])
        content[n_bytes:] = 0
        bad = first_changed(content, self._sums[first:last])
        if bad >= 0:
            raise _DamageError(f"page {first + bad} has changed")
        self._is_good[first:last] = True
        return content[start - begin : stop - begin]

    def _fill(self, at: int, out: np.ndarray) -> None:
        """Fill an array with the bytes of the file from byte `at` on."""
        view = memoryview(out)  # type: ignore[arg-type]
        while len(view):
            n_read = _read_at(self._descriptor, view, at)
            if n_read == 0:
                raise _DamageError(f"the file ends at byte {at}")
            view, at = view[n_read:], at + n_read


# Open shards have no lock, because a forked child could find it locked forever.
_opened: OrderedDict[str, _OpenShard] = OrderedDict()


def _open(path: str, n_bytes: int, digest: str) -> _OpenShard:
    """Return an open shard, opened again if its file has changed."""
    shard = _opened.pop(path, None)
    if shard is None or shard.state != _state(os.stat(path)):
        shard = _OpenShard(path, n_bytes, digest)
    _opened[path] = shard
    while len(_opened) > _MAX_OPEN:
        _opened.popitem(last=False)
    return shard


def _state(status: os.stat_result) -> tuple[int, ...]:
    """Return the attributes that change with the content of a file."""
    return (
        *(status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


def _read_at(descriptor: int, out: memoryview, at: int) -> int:
    """Read bytes at a position, thread-safe; return their number."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [out], at)
    with _SEEKING:
        os.lseek(descriptor, at, os.SEEK_SET)
        content = os.read(descriptor, len(out))
    out[: len(content)] = content
    return len(content)


def _digest(sums: bytes) -> str:
    return hashlib.blake2b(sums, digest_size=16).hexdigest()


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Reserve space, so that a full disk raises an error before writing."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, n_bytes)
        except OSError as error:
            # Not supported by some file systems; writing then fails on a full disk.
            if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                raise
