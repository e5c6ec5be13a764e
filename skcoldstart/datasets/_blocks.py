"""Rows of events from frames and files, block by block."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from skcoldstart.datasets._files import begins_with, check_path, open_bytes
from skcoldstart.datasets._ids import Coded, encoded
from skcoldstart.datasets._tables import ROLES, find_header, is_null, read_records

__all__ = [
    "Block",
    "Columns",
    "blocks_of",
    "csv_batches",
    "parquet",
    "parquet_files",
    "require_pyarrow",
]

ROWS = 1 << 20
CSV_BYTES = 1 << 22
PARQUET = b"PAR1"  # what its files begin with
SQL_NULLS = ("", r"\N", "NULL")


@dataclass(frozen=True)
class Columns:
    """The names of the columns that are read; None for one that is not."""

    user: str
    item: str
    count: str | None = None
    timestamp: str | None = None

    def names(self) -> list[str]:
        """Return the columns that are read."""
        columns = (self.user, self.item, self.count, self.timestamp)
        return [name for name in columns if name is not None]

    def check(self, there: Iterable[str], source: str) -> None:
        """Refuse rows that lack a column, and name the likely one."""
        there = list(there)
        for role in ("user", "item", "count", "timestamp"):
            name = getattr(self, role)
            if name is None or there.count(name) == 1:
                continue
            if name in there:
                raise ValueError(f"{source} has {there.count(name)} columns {name!r}.")
            words = ROLES[{"item": "song", "count": "plays"}.get(role, role)]
            likely = [n for n in there if n.lower().replace("_", "") in words]
            hint = f" Pass {role}={likely[0]!r}?" if likely else f" Pass {role}=."
            raise ValueError(
                f"{source} has no column {name!r}; it has "
                f"{', '.join(map(repr, there))}.{hint}"
            )


@dataclass(frozen=True)
class Block:
    """Some rows of events.

    Shapes: `counts, times` (n_rows,); times are datetime64 or float64.
    """

    users: Any
    items: Any
    counts: np.ndarray | None
    times: np.ndarray | None
    source: str
    first_row: int

    def bad_count(self) -> int | None:
        """Return the first row whose count is negative or infinite, if there is one."""
        if self.counts is None:
            return None
        bad = (self.counts < 0) | np.isinf(self.counts)
        return int(np.argmax(bad)) if bad.any() else None

    def where(self, row: int) -> str:
        """Name a row."""
        return f"{self.source}, row {self.first_row + row + 1}"


def require_pyarrow(what: Any) -> None:
    """Refuse what only pyarrow reads where that is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Reading {what} needs pyarrow. Install it with "
            "`pip install skcoldstart[parquet]`."
        ) from error


def blocks_of(events: Any, columns: Columns, name: str = "events") -> Iterator[Block]:
    """Yield the rows of a frame, a file, a folder of files, or a list of these."""
    if isinstance(events, str | os.PathLike):
        yield from _file_blocks(check_path(events, name), columns)
    elif isinstance(events, list | tuple) or isinstance(events, Iterator):
        n_parts = 0
        for n_parts, part in enumerate(events, 1):
            yield from blocks_of(part, columns, f"{name}[{n_parts - 1}]")
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
        table: Any = nw.from_native(frame)
        there = table.collect_schema().names()
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"{source} has columns of one name: {error}") from error
    except TypeError as error:
        if hasattr(frame, "__arrow_c_stream__"):
            import pyarrow as pa

            stream = pa.RecordBatchReader.from_stream(frame)
            columns.check(stream.schema.names, source)
            yield from _arrow_blocks(stream, columns, source)
            return
        raise TypeError(
            f"{source} is a {type(frame).__name__}; expected a dataframe (pandas, "
            "polars, pyarrow, ...), a path, or a list of these."
        ) from error
    columns.check(there, source)
    table = table.select(columns.names())
    if isinstance(table, nw.LazyFrame):
        require_pyarrow(source)
        table = table.collect("pyarrow")
    if table.implementation.is_pandas():
        yield _pandas_block(table.to_native(), columns, source)
        return
    require_pyarrow(f"a frame of {table.implementation}")
    batches = table.to_arrow().to_batches(max_chunksize=ROWS)
    yield from _arrow_blocks(batches, columns, source)


def _pandas_block(frame: Any, columns: Columns, source: str) -> Block:
    import pandas as pd

    def ids(name: str) -> Coded:
        rows, values = pd.factorize(frame[name])
        return Coded(values.tolist(), rows)

    counts = times = None
    if columns.count is not None:
        if not pd.api.types.is_numeric_dtype(frame[columns.count]):
            raise _not_numbers(columns.count, frame[columns.count].dtype, source)
        counts = frame[columns.count].to_numpy(np.float64, na_value=np.nan)
    if columns.timestamp is not None:
        column = frame[columns.timestamp]
        if pd.api.types.is_numeric_dtype(column):
            times = column.to_numpy(np.float64, na_value=np.nan)
        else:
            try:
                format = None if column.dtype.kind in "mM" else "ISO8601"
                utc = pd.to_datetime(column, utc=True, format=format)
            except (ValueError, TypeError) as error:
                raise _not_times(columns.timestamp, source, error) from error
            times = utc.dt.tz_localize(None).to_numpy()
    return Block(ids(columns.user), ids(columns.item), counts, times, source, 0)


def _arrow_blocks(
    batches: Iterable[Any],
    columns: Columns,
    source: str,
    prepare: Callable[[Any], Any] = lambda ids: ids,
) -> Iterator[Block]:
    first_row = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        counts = times = None
        if columns.count is not None:
            counts = _numbers(batch.column(columns.count), columns.count, source)
        if columns.timestamp is not None:
            times = _times(batch.column(columns.timestamp), columns.timestamp, source)
        yield Block(
            prepare(batch.column(columns.user)),
            prepare(batch.column(columns.item)),
            counts,
            times,
            source,
            first_row,
        )
        first_row += batch.num_rows


def _numbers(column: Any, name: str, source: str) -> np.ndarray:
    import pyarrow as pa

    kind = column.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        raise _not_numbers(name, kind, source)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    return column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()


def _times(column: Any, name: str, source: str) -> np.ndarray:
    """Return times as datetime64 in UTC, or as numbers."""
    import pyarrow as pa

    kind = column.type
    try:
        if pa.types.is_temporal(kind) and not pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("s"))
        elif not pa.types.is_timestamp(kind) and not _is_text(kind):
            return _numbers(column, name, source)
        elif _is_text(kind):
            column = _parsed(column)
        return column.cast(pa.timestamp(column.type.unit)).to_numpy(
            zero_copy_only=False
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError) as error:
        raise _not_times(name, source, error) from error


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    )


def _parsed(column: Any) -> Any:
    """Parse times of ISO 8601, with zones or without, or numbers written as text."""
    import pyarrow as pa

    column = column.cast(pa.string())
    for kind in (pa.float64(), pa.timestamp("us")):
        try:
            parsed = column.cast(kind)
            return parsed
        except pa.ArrowInvalid:
            pass
    return column.cast(pa.timestamp("us", "UTC"))


def _not_numbers(name: str, kind: Any, source: str) -> TypeError:
    return TypeError(f"{source}: {name!r} has the type {kind}; expected numbers >= 0.")


def _not_times(name: str, source: str, error: Exception) -> ValueError:
    return ValueError(
        f"{source}: {name!r} holds what is no time ({error}); expected datetimes, "
        "dates, text of ISO 8601 such as '2024-01-31 12:00', or numbers."
    )


def _file_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    require_pyarrow(path)
    for file in parquet_files(path):
        if begins_with(file, PARQUET):
            yield from _parquet_blocks(file, columns)
        else:
            yield from _csv_blocks(file, columns)


def _parquet_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    with parquet(path) as pq:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
        columns.check(schema.names, str(path))
        ids = (columns.user, columns.item)
        text = [name for name in ids if _is_text(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=text) as file:
            batches = file.iter_batches(ROWS, columns=columns.names())
            yield from _arrow_blocks(batches, columns, str(path))


@contextmanager
def parquet(path: Any) -> Iterator[Any]:
    """Give pyarrow.parquet, and name the file whose damage it meets."""
    require_pyarrow(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield pq
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{path} is a damaged parquet file ({error}).") from error


def parquet_files(path: Path) -> list[Path]:
    """Return a file, or those of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.rglob("*.parquet") if p.is_file())
    if not files:
        raise ValueError(f"{path} is a folder without .parquet files.")
    return files


def _csv_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    import pyarrow as pa

    n_before, separator, header = find_header(path, ", ".join(columns.names()))
    columns.check(header, str(path))
    ids = (columns.user, columns.item)
    types = dict.fromkeys(ids, pa.string())
    if columns.count is not None:
        types[columns.count] = pa.float64()
    if columns.timestamp is not None:
        types[columns.timestamp] = pa.string()
    tables = csv_batches(path, header, separator, types, skip_rows=n_before)
    try:
        for block in _arrow_blocks(tables, columns, str(path), prepare=_tidy):
            if block.bad_count() is not None:
                raise pa.ArrowInvalid(f"{columns.count} is negative or not finite")
            yield block
    except pa.ArrowInvalid as error:
        _explain(path, columns, header)
        raise ValueError(f"{path} cannot be read as a table: {error}.") from error


def csv_batches(
    path: str | os.PathLike[str],
    header: list[str],
    separator: str,
    types: dict[str, Any],
    *,
    skip_rows: int = 0,
    nulls: Iterable[str] = SQL_NULLS,
) -> Iterator[Any]:
    """Yield columns of a text file, block by block."""
    from pyarrow import csv

    with open_bytes(path) as file:
        source = _Lines(file)
        is_plain = separator == "\t" and isinstance(file, io.BufferedReader)
        reader = csv.open_csv(
            check_path(path) if is_plain else source,
            csv.ReadOptions(
                column_names=header, skip_rows=skip_rows, block_size=CSV_BYTES
            ),
            csv.ParseOptions(
                delimiter=separator, quote_char=False if separator == "\t" else '"'
            ),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=list(nulls),
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
    """Yield tables of many rows, for which names are looked up at once."""
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
    """Return text in a dictionary, trimmed, with letters and accents composed."""
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
        """Return True: it can be read."""
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
    """Read a table with care, and name the line of its first fault."""
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
