"""Read events from frames, files, folders and lists of these."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._blocks import (
    ROWS,
    Block,
    Columns,
    arrow_blocks,
    not_numbers,
    not_times,
    require_pyarrow,
)
from skcoldstart.datasets._csv import csv_blocks
from skcoldstart.datasets._files import begins_with
from skcoldstart.datasets._ids import Coded
from skcoldstart.datasets._parquet import PARQUET, parquet_blocks, parquet_files


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


def _file_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    require_pyarrow(path)
    for file in parquet_files(path):
        if begins_with(file, PARQUET):
            yield from parquet_blocks(file, columns)
        else:
            yield from csv_blocks(file, columns)


def _frame_blocks(frame: Any, columns: Columns, source: str) -> Iterator[Block]:
    import narwhals as nw

    try:
        table: Any = nw.from_native(frame)
        there = table.collect_schema().names()
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"{source} has columns of one name: {error}") from error
    except TypeError as error:
        stream = _arrow_stream(frame)
        if stream is not None:
            columns.check(stream.schema.names, source)
            yield from arrow_blocks(stream, columns, source)
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
        users, items = (_pandas_ids(part[name], is_quick) for name in names)
        counts, times = _pandas_numbers(part, columns, source)
        yield Block(users, items, counts, times, source, first)


def _pandas_ids(column: Any, is_quick: bool) -> Any:
    if is_quick:
        import pyarrow as pa

        return pa.array(column)
    import pandas as pd

    rows, values = pd.factorize(column)
    return Coded(values.tolist(), rows)


def _pandas_numbers(
    frame: Any, columns: Columns, source: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return counts and times."""
    import pandas as pd

    counts = times = None
    if columns.count is not None:
        if not pd.api.types.is_numeric_dtype(frame[columns.count]):
            raise not_numbers(columns.count, frame[columns.count].dtype, source)
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
                raise not_times(columns.timestamp, source, error) from error
            times = utc.dt.tz_localize(None).to_numpy()
    return counts, times
