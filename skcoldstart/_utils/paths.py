"""Paths of files: their checks, and files that are written completely or not at all."""

import errno
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


def check_path(path: Any, name: str = "path") -> Path:
    """Return a path with its ``~`` expanded; refuse what is none."""
    if not isinstance(path, str | bytes | os.PathLike) or not os.fspath(path):
        kind = type(path).__name__
        if isinstance(path, io.IOBase):
            raise TypeError(
                f"{name} is an open file or buffer ({kind}); expected a path. Write "
                "it to a file, or read it into a dataframe."
            )
        raise TypeError(f"{name} is {path!r:.80} ({kind}); expected a path.")
    return Path(os.fsdecode(path)).expanduser()


def check_regular_file(path: str | os.PathLike[str]) -> Path:
    """Refuse what would block or is no file."""
    place = check_path(path)
    mode = place.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise ValueError(f"{path} is {kind}; expected a file.")
    return place


try:
    import fcntl
except ImportError:  # Windows: leftovers are kept, and a file in use cannot be removed
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".partial"
_LONGEST_STEM = 200  # bytes of the target's name; file systems allow 255 in total


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the name of a temporary file and rename the file when the block succeeds.

    ``~`` is the home of the user. A link stays a link, and the target keeps its mode.
    Temporary files of killed writers of the same target are removed.
    """
    target = Path(os.path.realpath(os.path.expanduser(path)))
    mode = _mode(target)
    prefix = f".{os.fsdecode(os.fsencode(target.name)[:_LONGEST_STEM])}."
    _sweep(target.parent, prefix)
    handle, name = _create(target.parent, prefix, 0o666 if mode is None else mode)
    try:
        if mode is not None:
            os.chmod(name, mode)
        yield Path(name)
        with open(name, "rb") as written:
            os.fsync(written.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a temporary file next to `path` and rename it when the block succeeds.

    Text is UTF-8; invalid bytes of file names are written as escapes.
    """
    options: dict[str, str] = {}
    if "b" not in mode:
        options = {"encoding": "utf-8", "errors": "backslashreplace"}
    with atomic_path(path) as name, open(name, mode, **options) as file:  # type: ignore[call-overload]
        yield file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one writer at a time change a folder, where the file system has locks."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):  # a forked child may have inherited the handle
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _mode(target: Path) -> int | None:
    """Return the mode of the file to replace, or None if it does not exist."""
    try:
        found = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(found) or stat.S_ISDIR(found)):  # os.replace refuses folders
        raise OSError(
            errno.EINVAL, "not a regular file, so it is not replaced", str(target)
        )
    return stat.S_IMODE(found)


def _create(folder: Path, prefix: str, mode: int) -> tuple[int | None, str]:
    """Create a temporary file and hold its lock until the process ends."""
    while True:
        name = str(folder / f"{prefix}{secrets.token_hex(4)}{_SUFFIX}")
        try:
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            continue
        if fcntl is None:  # a file that is open cannot be renamed
            os.close(handle)
            return None, name
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # still present when the lock was acquired
            return handle, name
        os.close(handle)


def _sweep(folder: Path, prefix: str) -> None:
    """Remove temporary files without a lock holder."""
    if fcntl is None:
        return
    pattern = re.compile(re.escape(prefix) + "[0-9a-f]{8}" + re.escape(_SUFFIX))
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (
                pattern.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            ):
                continue
            with suppress(OSError), open(entry.path, "rb") as left:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)
