"""Tables in text files: columns found by name, faults named by file and line."""

import csv
import io
import os
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from skcoldstart.datasets._files import open_bytes

__all__ = ["ROLES", "one_spelling", "read_records", "read_rows"]

# What a column may be called, letters and digits only; the first that is there wins.
ROLES = {
    "user": "userid user listenerid listener username uid".split(),
    "song": "songid song itemid item trackid track sid filename file path".split(),
    "plays": (
        "plays playcount playcounts numplays nplays totalplays count counts "
        "listencount listencounts listens scrobbles streams weight"
    ).split(),
    "artist": "artistid artist artistname groupid group albumid album".split(),
}


def read_rows(
    path: str | os.PathLike[str],
    required: tuple[str, ...],
    optional: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[int, list[str]]]:
    """Read the named columns of a table, a row at a time."""
    records = read_records(path, ", ".join(required))
    _, header = next(records)
    columns = _find_columns(path, header, required)
    columns += [_column(header, role) for role in optional]
    _warn_of_unread(path, header, columns, optional)
    absent = [*[""] * len(required), *optional.values()]
    for line, row in records:
        values = [
            default if column is None else one_spelling(row[column].strip())
            for column, default in zip(columns, absent, strict=True)
        ]
        if not all(values[: len(required)]):
            role = required[values.index("")]
            raise ValueError(
                f"{path}, line {line}: {role} is empty; every row needs "
                f"{' and '.join(required)}."
            )
        yield line, values


def read_records(
    path: str | os.PathLike[str], wanted: str
) -> Iterator[tuple[int, list[str]]]:
    """Read a table, a row at a time."""
    with open_bytes(path) as binary:
        file = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
        line = 0
        try:
            first = file.readline()
            separator = next((mark for mark in "\t,;" if mark in first), "\t")
            table = csv.reader([first], delimiter=separator, strict=True)
            header = next(table, [])
            if not any(header):
                raise ValueError(
                    f"{path} is empty; expected a first line that names the columns "
                    f"({wanted}) and a line for each row."
                )
            yield 1, header
            table = csv.reader(file, delimiter=separator, strict=True)
            for row in table:
                if not any(row):
                    continue
                line = 1 + table.line_num
                if len(row) != len(header):
                    raise ValueError(
                        f"{path}, line {line} has {len(row)} fields; expected "
                        f"{len(header)}, one for each column of the first line."
                    )
                yield line, row
        except csv.Error as error:
            raise ValueError(
                f"{path} cannot be read as a table beyond line {max(line, 1)}: {error}."
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 text ({error.reason}: byte "
                f"{error.object[error.start]:#x}); save it as UTF-8."
            ) from error
        if line == 0:
            raise ValueError(f"{path} names its columns but has no rows below them.")


def one_spelling(name: str) -> str:
    """Compose letters and their accents, which some systems write apart."""
    return unicodedata.normalize("NFC", name)


def _find_columns(
    path: str | os.PathLike[str], header: list[str], required: tuple[str, ...]
) -> list[int | None]:
    columns = [_column(header, role) for role in required]
    missing = [role for role, c in zip(required, columns, strict=True) if c is None]
    if missing:
        listed = ", ".join(repr(name) for name in header)
        accepted = "; ".join(f"{role}: {', '.join(ROLES[role])}" for role in missing)
        raise ValueError(
            f"{path} has no column for {' and '.join(missing)}. Its first line names "
            f"{listed}. Accepted names (case, spaces and underscores do not matter) "
            f"are {accepted}."
        )
    return columns


def _warn_of_unread(
    path: str | os.PathLike[str],
    header: list[str],
    columns: list[int | None],
    optional: Mapping[str, str],
) -> None:
    """Say which columns are not read, where an optional one was not recognised."""
    unread = [name for i, name in enumerate(header) if i not in columns]
    lost = [role for role in optional if _column(header, role) is None]
    if unread and lost:
        warnings.warn(
            f"{path} has no column for {' and '.join(lost)}, so each row counts as "
            f"{', '.join(optional[role] for role in lost)}; not read are "
            f"{', '.join(map(repr, unread))}. Accepted names are "
            f"{', '.join(name for role in lost for name in ROLES[role])}.",
            stacklevel=5,
        )


def _column(header: list[str], role: str) -> int | None:
    names = [_plain(name) for name in header]
    return next((names.index(name) for name in ROLES[role] if name in names), None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
