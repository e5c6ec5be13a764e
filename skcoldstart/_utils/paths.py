"""Paths that users pass: ``~`` is their home, and a file is a regular file."""

import io
import os
import stat
from pathlib import Path
from typing import Any


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
