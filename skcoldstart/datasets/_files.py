"""Files as they are published: plain or compressed, in UTF-8, or damaged."""

import bz2
import gzip
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

__all__ = [
    "begins_with",
    "check_regular_file",
    "named_damage",
    "open_bytes",
    "read_lines",
]

LONGEST_LINE = 1 << 22
_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_DAMAGE = (
    EOFError,
    NotImplementedError,  # a zip archive whose header asks for what nobody does
    gzip.BadGzipFile,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


def check_regular_file(path: str | os.PathLike[str]) -> Path:
    """Refuse what would block or is no file."""
    place = Path(path)
    mode = place.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise ValueError(f"{path} is {kind}; expected a file.")
    return place


def begins_with(path: str | os.PathLike[str], magic: bytes) -> bool:
    """Tell a file's format by its first bytes."""
    with open(check_regular_file(path), "rb") as file:
        return file.read(len(magic)) == magic


@contextmanager
def named_damage(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the archive whose damage, or encryption, is noticed inside the block."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is a damaged or incomplete archive ({error}); fetch it again."
        ) from error
    except RuntimeError as error:
        if "encrypted" not in str(error):
            raise
        raise ValueError(
            f"{path} is an encrypted archive; extract it and pass what is inside."
        ) from error


@contextmanager
def open_bytes(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file, decompressing what its first bytes say is compressed."""
    place = check_regular_file(path)
    with open(place, "rb") as file:
        head = file.read(6)
    try:
        with named_damage(path):
            if head.startswith(_ZIP):
                with zipfile.ZipFile(place) as archive:
                    names = [info for info in archive.infolist() if not info.is_dir()]
                    if len(names) != 1:
                        raise ValueError(
                            f"{path} is an archive of {len(names)} files; expected "
                            "one. Extract the right one and pass its path."
                        )
                    with archive.open(names[0]) as member:
                        yield member
                return
            for magic, opener in _OPENERS.items():
                if head.startswith(magic):
                    with opener(place) as file:
                        yield file
                    return
            with open(place, "rb") as file:
                yield file
    except OSError as error:
        if error.errno is None and "Invalid data stream" in str(error):  # bzip2
            raise ValueError(
                f"{path} is a damaged archive ({error}); fetch it again."
            ) from error
        raise


def read_lines(
    file: IO[bytes], path: str | os.PathLike[str], *, encoding: str = "utf-8"
) -> Iterator[tuple[int, str]]:
    r"""Read lines that end with a newline and with nothing else."""
    lines = iter(lambda: file.readline(LONGEST_LINE), b"")
    for number, raw in enumerate(lines, 1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) == LONGEST_LINE:
            raise ValueError(
                f"{path}, line {number} has more than {LONGEST_LINE} bytes; expected "
                "lines of text."
            )
        try:
            line = raw.decode(encoding)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number} is not {encoding.upper()} text "
                f"({error.reason}: byte {error.object[error.start]:#x})."
            ) from error
        line = line.removesuffix("\n").removesuffix("\r")
        if line:
            yield number, line
