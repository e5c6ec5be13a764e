"""Read events from text tables in blocks, with pyarrow."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from skcoldstart.datasets._blocks import ROWS, Block, Columns, arrow_blocks
from skcoldstart.datasets._files import open_bytes
from skcoldstart.datasets._ids import encoded
from skcoldstart.datasets._tables import find_header, is_null, read_records

CSV_BYTES = 1 << 22
SQL_NULLS = ["", r"\N", "NULL"]


def csv_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    import pyarrow as pa

    n_before, separator, header = find_header(path, ", ".join(columns.names()))
    columns.check(header, str(path))
    ids = (columns.user, columns.item)
    types = dict.fromkeys(ids, pa.string())
    if columns.count is not None:
        types[columns.count] = pa.float64()
    if columns.timestamp is not None:
        types[columns.timestamp] = pa.string()
    tables = _batches(path, header, separator, types, n_before)
    try:
        for block in arrow_blocks(tables, columns, str(path), prepare=_tidy):
            if block.bad_count() is not None:
                raise pa.ArrowInvalid(f"{columns.count} is negative or not finite")
            yield block
    except pa.ArrowInvalid as error:
        _explain(path, columns, header)
        raise ValueError(f"{path} cannot be read as a table: {error}.") from error


def _batches(
    path: Path, header: list[str], separator: str, types: dict[str, Any], skip_rows: int
) -> Iterator[Any]:
    """Yield columns of a text file, block by block."""
    from pyarrow import csv

    with open_bytes(path) as file:
        source = _Lines(file)
        is_plain = separator == "\t" and isinstance(file, io.BufferedReader)
        reader = csv.open_csv(
            path if is_plain else source,
            csv.ReadOptions(
                column_names=header, skip_rows=skip_rows, block_size=CSV_BYTES
            ),
            csv.ParseOptions(
                delimiter=separator, quote_char=False if separator == "\t" else '"'
            ),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=SQL_NULLS,
                strings_can_be_null=True,
            ),
        )
        n_rows = skip_rows
        for table in _grouped(reader):
            n_rows += table.num_rows
            yield table
        if separator != "\t" and n_rows != source.n_lines:
            # A quoted field spans lines, or there are blank lines.
            for _ in read_records(path, ""):
                pass


def _grouped(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield tables of many rows, so that names are looked up together."""
    import pyarrow as pa

    waiting: list[Any] = []
    n_rows = 0
    for batch in batches:
        waiting.append(batch)
        n_rows += batch.num_rows
        if n_rows >= ROWS:
            yield pa.Table.from_batches(waiting)
            waiting, n_rows = [], 0
    if n_rows:
        yield pa.Table.from_batches(waiting)


def _tidy(text: Any) -> Any:
    """Return dictionary-encoded text, trimmed, in composed Unicode form."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = encoded(text)
    names = text.dictionary
    if not pc.all(pc.string_is_ascii(names)).as_py():
        names = pc.utf8_normalize(names, "NFC")
    names = pc.utf8_trim_whitespace(names)
    names = pc.if_else(pc.equal(names, ""), None, names)
    return pa.DictionaryArray.from_arrays(text.indices, names)


class _Lines(io.RawIOBase):
    """A stream that counts the lines read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._last = b"\n"
        self.n_lines = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Read bytes."""
        data = self._file.read(-1 if size is None else size)
        self.n_lines += data.count(b"\n")
        if not data and self._last != b"\n":
            self.n_lines, self._last = self.n_lines + 1, b"\n"
        self._last = data[-1:] or self._last
        return data


def _explain(path: Path, columns: Columns, header: list[str]) -> None:
    """Read a table slowly to find the line of its first error."""
    place = None if columns.count is None else header.index(columns.count)
    records = read_records(path, "")
    next(records)
    for line, row in records:
        text = "" if place is None else row[place].strip()
        if not text or is_null(text):
            continue
        try:
            good = 0 <= float(text) < np.inf
        except ValueError:
            good = False
        if not good:
            raise ValueError(
                f"{path}, line {line}: {columns.count} is {text!r}; expected a number "
                ">= 0 such as 3 or 2.5."
            )
