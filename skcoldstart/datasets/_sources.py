"""Read events from frames, text, parquet, folders and lists of these."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._blocks import (
    PARQUET,
    ROWS,
    Block,
    Columns,
    arrow_blocks,
    not_ids,
    not_numbers,
    not_times,
    parquet_blocks,
    parquet_files,
    require_pyarrow,
)
from skcoldstart.datasets._files import begins_with, open_bytes
from skcoldstart.datasets._frames import narwhals_of, not_table
from skcoldstart.datasets._ids import Coded, encoded
from skcoldstart.datasets._tables import NULLS, count_of, find_header, read_records
from skcoldstart.datasets._times import read_times

CSV_BYTES = 1 << 22


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
                null_values=["", *NULLS],
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
        return True

    def read(self, size: int | None = -1) -> bytes:
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
        if text not in ("", *NULLS):
            count_of(text, path, line, str(columns.count))


def blocks_of(events: Any, columns: Columns, name: str = "events") -> Iterator[Block]:
    """Yield the rows of a frame, a file, a folder of files, or a list of these."""
    if isinstance(events, str | os.PathLike):
        path = check_path(events, name)
        require_pyarrow(path)
        for file in parquet_files(path):
            read = parquet_blocks if begins_with(file, PARQUET) else csv_blocks
            yield from read(file, columns)
    elif isinstance(events, list | tuple | Iterator) and not isinstance(
        events, io.IOBase
    ):
        n_parts = 0
        for n_parts, part in enumerate(events, 1):
            where = f"{name}[{n_parts - 1}]"
            if isinstance(part, list | tuple):  # such as a row of values
                raise not_table(part, where)
            yield from blocks_of(part, columns, where)
        if not n_parts:
            raise ValueError(f"{name} is empty; expected at least one frame or path.")
    elif hasattr(events, "npartitions"):  # Dask
        for i in range(events.npartitions):
            part = events.get_partition(i).compute()
            yield from blocks_of(part, columns, f"partition {i} of {name}")
    else:
        yield from _frame_blocks(events, columns, name)


def _frame_blocks(frame: Any, columns: Columns, source: str) -> Iterator[Block]:
    import narwhals as nw

    try:
        table = narwhals_of(frame, source)
    except TypeError:
        stream = _arrow_stream(frame)
        if stream is None:
            raise
        columns.check(stream.schema.names, source)
        yield from arrow_blocks(stream, columns, source)
        return
    there = table.collect_schema()
    columns.check(there.names(), source)
    table = table.select(columns.names())
    for name in (columns.user, columns.item):
        # Arrow would have the addresses of Python objects.
        if table.implementation.is_polars() and there[name] in (nw.Object, nw.Int128):
            raise not_ids(name, there[name], source)
    if isinstance(table, nw.LazyFrame):
        require_pyarrow(source)
        table = table.collect("pyarrow")
    if table.implementation.is_pandas():
        yield from _pandas_blocks(table.to_native(), columns, source)
        return
    require_pyarrow(f"a frame of {table.implementation}")
    batches = table.to_arrow().to_batches(max_chunksize=ROWS)
    yield from arrow_blocks(batches, columns, source)


def _arrow_stream(frame: Any) -> Any:
    """Return a reader of a table that Arrow can import, or None."""
    if not hasattr(frame, "__arrow_c_stream__"):
        return None
    import pyarrow as pa

    try:
        return pa.RecordBatchReader.from_stream(frame)
    except pa.ArrowInvalid:  # a single column
        return None


def _pandas_blocks(frame: Any, columns: Columns, source: str) -> Iterator[Block]:
    """Yield blocks of ids that Arrow can hold, or all rows at once."""
    names = (columns.user, columns.item)
    is_quick = find_spec("pyarrow") is not None and all(
        frame[name].dtype.kind in "iu" or frame[name].dtype == "str" for name in names
    )
    n_rows = ROWS if is_quick else max(len(frame), 1)
    for first in range(0, max(len(frame), 1), n_rows):
        part = frame.iloc[first : first + n_rows]
        users, items = (_pandas_ids(part[name], is_quick, source) for name in names)
        counts, times = _pandas_numbers(part, columns, source, first)
        yield Block(users, items, counts, times, source, first)


def _pandas_ids(column: Any, is_quick: bool, source: str) -> Any:
    if is_quick:
        import pyarrow as pa

        return pa.array(column)
    import pandas as pd

    try:
        rows, values = pd.factorize(column)
    except TypeError as error:
        raise not_ids(column.name, error, source) from error
    return Coded(values.tolist(), rows)


def _pandas_numbers(
    frame: Any, columns: Columns, source: str, first_row: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    import pandas as pd

    counts = times = None
    if columns.count is not None:
        if not pd.api.types.is_numeric_dtype(frame[columns.count]):
            raise not_numbers(columns.count, frame[columns.count].dtype, source)
        counts = frame[columns.count].to_numpy(np.float64, na_value=np.nan)
    if columns.timestamp is not None:
        column = frame[columns.timestamp]
        is_text = pd.api.types.is_string_dtype(column)
        if is_text:
            with suppress(ValueError):
                column = pd.to_numeric(column)
        if pd.api.types.is_numeric_dtype(column):
            times = column.to_numpy(np.float64, na_value=np.nan)
        else:
            try:
                format = None if column.dtype.kind in "mM" else "ISO8601"
                utc = pd.to_datetime(column, utc=True, format=format)
                times = utc.dt.tz_localize(None).to_numpy()
            except (ValueError, TypeError) as error:
                if not is_text:
                    raise not_times(columns.timestamp, source, error) from error
                texts = column.astype(object).where(column.notna(), None)
                times = read_times(texts, columns.timestamp, source, first_row)
    return counts, times
