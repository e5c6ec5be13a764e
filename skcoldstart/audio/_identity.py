"""Identify items, to find their stored frames."""

import hashlib
import os
from typing import Any

import numpy as np

from skcoldstart._utils.cached import cached_property
from skcoldstart._utils.paths import check_regular_file
from skcoldstart.audio._items import check_waveform, is_missing, is_path
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
