"""Files as they are published: plain or compressed, in UTF-8, or damaged."""

import bz2
import gzip
import lzma
import math
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from skcoldstart._utils.paths import check_regular_file

LONGEST_LINE = 1 << 22
LARGEST_OBJECT = 1 << 26  # of JSON, in bytes
MOST_EXPANSION = 1100  # of a byte by deflate, whose limit is 1032
_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
# What Python raises for JSON that is damaged or has another form.
WRONG_JSON = (
    *(AttributeError, LookupError, OverflowError, RecursionError, TypeError),
    ValueError,
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_DAMAGE = (
    EOFError,
    NotImplementedError,  # a zip archive whose header names an unknown method
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
# What a file that is not text begins with, and what it is.
_BINARY = {
    b"PAR1": "a parquet file",
    b"ARROW1": "an Arrow (Feather) file",
    b"SQLite format 3\0": "a SQLite database",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x80": "a pickle",
}


def files_under(folder: str | os.PathLike[str], *suffixes: str) -> list[str]:
    """Return the files of a folder and its sub-folders, without hidden ones, sorted."""
    return sorted(
        os.path.join(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(suffixes or "") and not name.startswith(".")
    )


def texts_of(ids: Iterable[Any], name: str, what: str = "ids") -> list[str]:
    """Return ids as text; refuse a single one."""
    if isinstance(ids, str | bytes):
        raise TypeError(f"{name} is {ids!r}; expected an iterable of {what}.")
    return [str(value) for value in ids]


def read_small(path: str | os.PathLike[str]) -> bytes:
    """Read a file of one object."""
    place = check_regular_file(path)
    check_small(str(path), place.stat().st_size)
    return place.read_bytes()


def check_small(name: str, size: int) -> None:
    if size > LARGEST_OBJECT:
        raise ValueError(f"{name} has {size} bytes; expected one object per file.")


def is_whole_number(text: str) -> bool:
    """Return whether text is a whole number >= 0 of fewer than 16 digits."""
    return text.isascii() and text.isdigit() and len(text) < 16


def begins_with(path: str | os.PathLike[str], magic: bytes) -> bool:
    """Recognise a file's format by its first bytes."""
    with open(check_regular_file(path), "rb") as file:
        return file.read(len(magic)) == magic


def refuse_binary(head: bytes, path: Any) -> None:
    """Refuse a file that is not UTF-8 text, and name what it is."""
    kind = next((k for magic, k in _BINARY.items() if head.startswith(magic)), None)
    if kind is not None:
        raise ValueError(
            f"{path} is {kind}; expected UTF-8 text. Save it as text with tabs or "
            "commas."
        )


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
                with (
                    zipfile.ZipFile(place) as archive,
                    archive.open(_only_member(archive, path)) as member,
                ):
                    yield member
            else:
                openers = (o for magic, o in _OPENERS.items() if head.startswith(magic))
                with next(openers, open)(place, "rb") as file:
                    yield file
    except OSError as error:
        if error.errno is None and "Invalid data stream" in str(error):  # bzip2
            raise ValueError(
                f"{path} is a damaged archive ({error}); fetch it again."
            ) from error
        raise


def _only_member(archive: zipfile.ZipFile, path: Any) -> zipfile.ZipInfo:
    names = [info for info in archive.infolist() if not info.is_dir()]
    if any(info.filename == "[Content_Types].xml" for info in names):
        raise ValueError(f"{path} is an Excel workbook; save it as CSV in UTF-8.")
    if len(names) != 1:
        raise ValueError(
            f"{path} is an archive of {len(names)} files; expected one. Extract the "
            "right one and pass its path."
        )
    return names[0]


@contextmanager
def open_npz(path: str | os.PathLike[str]) -> Iterator[Mapping[str, np.ndarray]]:
    """Open a NumPy archive whose arrays are no larger than what is stored of them."""
    place = check_regular_file(path)
    if not zipfile.is_zipfile(place):
        raise ValueError(f"{path} is not a whole NumPy archive (.npz).")
    with named_damage(path), zipfile.ZipFile(place) as archive:
        for info in archive.infolist():
            what = f"{info.filename} of {path}"
            if info.file_size > MOST_EXPANSION * (info.compress_size + 1):
                raise ValueError(
                    f"{what} declares {info.file_size} bytes of which "
                    f"{info.compress_size} are stored; it is damaged or not a NumPy "
                    "archive."
                )
            if info.filename.endswith(".npy"):
                with archive.open(info) as member:
                    check_npy(member, info.file_size, what)
        with np.load(place, allow_pickle=False) as arrays:
            yield arrays


def check_npy(file: IO[bytes], size: int, what: str) -> None:
    """Refuse a NumPy array that declares more bytes than its file has."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{what} has the format {version}; expected (1, 0) or (2, 0).")
    read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
    shape, _, dtype = read(file)
    # Python's integers: sizes in a header can exceed 64 bits.
    n_bytes = math.prod(map(int, shape), start=dtype.itemsize)
    if n_bytes > size and not dtype.hasobject:
        raise ValueError(
            f"{what} declares {n_bytes} bytes but has {size}; it is damaged."
        )


def lines_of(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Read the lines of a file, which may be compressed."""
    with open_bytes(path) as file:
        yield from read_lines(file, path)


def read_lines(
    file: IO[bytes],
    path: str | os.PathLike[str],
    *,
    encoding: str = "utf-8",
    is_table: bool = False,
) -> Iterator[tuple[int, str]]:
    r"""Read lines that are not empty, which end with ``\n`` or ``\r\n``.

    Lines of a table also end with ``\r``, have no NUL, and are not blank.
    """
    lines = iter(lambda: file.readline(LONGEST_LINE), b"")
    for number, raw in enumerate(_cut(lines) if is_table else lines, 1):
        if number == 1:
            refuse_binary(raw[:16], path)
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
                f"{path}, line {number} is not {encoding.upper()} text (byte "
                f"{error.object[error.start]:#x}); save it as {encoding.upper()}."
            ) from error
        if is_table and "\0" in line:
            raise ValueError(f"{path}, line {number} has NUL bytes; expected text.")
        line = line.removesuffix("\n").removesuffix("\r")
        if line.strip() if is_table else line:  # a space may be a word
            yield number, line


def _cut(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Cut lines that old systems end with a carriage return."""
    for line in lines:
        if b"\r" in line:
            yield from line.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")
        else:
            yield line
