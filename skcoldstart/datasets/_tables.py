"""Read text tables: columns are found by name, errors name file and line."""

import csv
import math
import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from skcoldstart._utils.warning import warn
from skcoldstart.datasets._files import open_bytes, read_lines

# Accepted names of columns, letters and digits only; the first existing one is used.
ROLES = {
    "user": "userid user listenerid listener username uid".split(),
    "song": "songid song itemid item trackid track sid filename file path id".split(),
    "plays": (
        "plays playcount playcounts numplays nplays totalplays count counts "
        "listencount listencounts listens scrobbles streams weight"
    ).split(),
    "artist": "artistid artist artistname groupid group albumid album".split(),
    "timestamp": "timestamp time datetime date playedat listenedat ts".split(),
    "file": "filename file filepath path audiopath audiofile audio".split(),
}
_SEPARATORS = "\t,;"
# The first line that Excel writes.
_EXCEL_HINT = re.compile(r"sep=(\t|\S+)\s*", re.IGNORECASE)
NULLS = (r"\N", "NULL")  # missing values of SQL


def read_rows(
    path: str | os.PathLike[str],
    required: tuple[str, ...],
    optional: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[int, list[str]]]:
    """Yield the named columns of a table row by row."""
    records = read_records(path, ", ".join(required))
    _, header = next(records)
    columns = find_columns(path, header, required, optional)
    absent = [*[""] * len(required), *optional.values()]
    for line, row in records:
        values = [
            default if column is None else one_spelling(row[column].strip())
            for column, default in zip(columns, absent, strict=True)
        ]
        for role, value in zip(required, values, strict=False):
            if not value or value in NULLS:
                what = "empty" if not value else f"{value!r}, a missing value of SQL"
                raise ValueError(
                    f"{path}, line {line}: {role} is {what}; every row needs "
                    f"{' and '.join(required)}. Leave such rows out."
                )
        yield line, values


def read_records(
    path: str | os.PathLike[str], wanted: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table, beginning with its header.

    A row is one line. In tab-separated tables, quotation marks are ordinary characters.
    """
    with open_bytes(path) as file:
        lines = read_lines(file, path, is_table=True)
        number, separator, header = _header(lines, path, wanted)
        yield number, header
        n_rows = 0
        for number, line in lines:
            row = _fields(line, separator, path, number)
            if len(row) != len(header):
                hint = "."
                if separator != "\t" and len(row) > len(header):
                    hint = f"; a field that holds {separator!r} needs quotation marks."
                raise ValueError(
                    f"{path}, line {number} has {len(row)} fields; expected "
                    f"{len(header)}, one for each column of the first line{hint}"
                )
            if any(row):
                n_rows += 1
                yield number, row
    if not n_rows:
        raise ValueError(f"{path} has a line of column names but no rows.")


def find_header(
    path: str | os.PathLike[str], wanted: str
) -> tuple[int, str, list[str]]:
    """Return the number of the header line, the separator, and the names."""
    with open_bytes(path) as file:
        return _header(read_lines(file, path, is_table=True), path, wanted)


def find_columns(
    source: Any,
    header: Sequence[str],
    required: tuple[str, ...],
    optional: Mapping[str, str] = MappingProxyType({}),
) -> list[int | None]:
    """Return the column of each role, None for missing optional ones."""
    found: dict[str, int | None] = {}
    for role in (*required, *optional):
        found[role] = _column(source, header, role, found.values())
    columns = [*found.values()]
    missing = [role for role in required if found[role] is None]
    if missing:
        accepted = "; ".join(f"{role}: {', '.join(ROLES[role])}" for role in missing)
        raise ValueError(
            f"{source} has no column for {' and '.join(missing)}. Its columns have "
            f"the names {', '.join(map(repr, header))}. Accepted names (case, spaces "
            f"and underscores do not matter) are {accepted}."
        )
    unread = [name for i, name in enumerate(header) if name and i not in columns]
    lost = [role for role in optional if found[role] is None]
    if unread and lost:
        warn(
            f"{source} has no column for {' and '.join(lost)}, so each row counts as "
            f"{', '.join(optional[role] for role in lost)}; not read are "
            f"{', '.join(map(repr, unread))}. Accepted names are "
            f"{', '.join(name for role in lost for name in ROLES[role])}."
        )
    return columns


def count_of(text: str, path: Any, line: int, name: str = "plays") -> float:
    """Read a number >= 0; refuse others with what to do."""
    try:
        count = number_of(text, float)
    except ValueError:
        count = math.nan
    if 0.0 <= count < math.inf:
        return count
    hint = "such as 3 or 2.5"
    if text.replace(",", "").replace(".", "").isdigit():
        hint += ", with a point and no commas"
    elif not text or text.upper() in ("\\N", "NULL", "NA", "NAN", "NONE"):
        hint += "; leave out rows without a number, or the whole column"
    raise ValueError(
        f"{path}, line {line}: {name} is {text!r}; expected a number >= 0 {hint}."
    )


def number_of(text: str, kind: type) -> Any:
    """Read a number without underscores, which only Python allows."""
    if "_" in text:
        raise ValueError(f"{text!r} is not a number")
    return kind(text)


def one_spelling(name: str) -> str:
    """Compose letters with accents, which some systems store separately."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _header(
    lines: Iterator[tuple[int, str]], path: Any, wanted: str
) -> tuple[int, str, list[str]]:
    """Read the line of column names, after Excel's hint if there is one."""
    number, first = next(lines, (0, ""))
    separator = ""
    if hint := _EXCEL_HINT.fullmatch(first):
        separator = hint[1]
        number, first = next(lines, (0, ""))
    if not first:
        raise ValueError(
            f"{path} is empty; expected a first line that names the columns "
            f"({wanted}) and a line for each row."
        )
    marks = f"{_SEPARATORS}|:~^"
    separator = separator or next((mark for mark in marks if mark in first), "\t")
    if separator not in tuple(_SEPARATORS):
        raise ValueError(
            f"{path} has the first line {first[:160]!r}, whose columns seem to be "
            f"separated by {separator!r}; expected tabs, commas or semicolons. Save it "
            "with one of these."
        )
    return number, separator, _fields(first, separator, path, number)


def _fields(line: str, separator: str, path: Any, number: int) -> list[str]:
    if separator == "\t" or '"' not in line:
        return line.split(separator)
    try:
        (fields,) = csv.reader([line], delimiter=separator, strict=True)
    except csv.Error as error:
        what = "is out of place"
        if "unexpected end" in str(error):
            what = "opens a field that does not end in it"
        raise ValueError(
            f"{path}, line {number}: a quotation mark {what}: {line[:160]!r}; "
            "expected one row per line, closed quotation marks around fields, and "
            "doubled quotation marks inside them."
        ) from error
    return fields


def _column(
    source: Any, header: Sequence[str], role: str, taken: Collection[int | None]
) -> int | None:
    names = ["" if i in taken else plain(name) for i, name in enumerate(header)]
    name = next((name for name in ROLES[role] if name in names), None)
    if name is None:
        return None
    if names.count(name) > 1:
        same = [header[i] for i, n in enumerate(names) if n == name]
        raise ValueError(
            f"{source} has several columns for {role}: {', '.join(map(repr, same))}; "
            "rename all but one."
        )
    return names.index(name)


def plain(name: Any) -> str:
    """Return the lower-case letters and the digits of a column's name."""
    return "".join(letter for letter in str(name).lower() if letter.isalnum())
