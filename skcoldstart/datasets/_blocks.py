"""Rows of events in blocks, from Arrow and parquet."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._utils.warning import warn
from skcoldstart.datasets._files import files_under
from skcoldstart.datasets._tables import ROLES, plain
from skcoldstart.datasets._times import read_times

ROWS = 1 << 20


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read; None for a column that is not read."""

    user: str
    item: str
    count: str | None = None
    timestamp: str | None = None

    def names(self) -> list[str]:
        columns = (self.user, self.item, self.count, self.timestamp)
        return [name for name in columns if name is not None]

    def check(self, there: Iterable[Any], source: str) -> None:
        """Reject rows that lack a column, and suggest the likely one."""
        there = list(there)
        if len(set(self.names())) < len(self.names()):
            raise ValueError(
                f"user, item, count and timestamp are {', '.join(self.names())}; "
                "expected a column of its own for each."
            )
        for role in ("user", "item", "count", "timestamp"):
            name = getattr(self, role)
            if name is None or there.count(name) == 1:
                continue
            if name in there:
                raise ValueError(f"{source} has {there.count(name)} columns {name!r}.")
            words = ROLES[{"item": "song", "count": "plays"}.get(role, role)]
            likely = [n for n in there if plain(n) in words]
            hint = f" Pass {role}={likely[0]!r}?" if likely else f" Pass {role}=."
            raise ValueError(
                f"{source} has no column {name!r}; it has "
                f"{', '.join(map(repr, there))}.{hint}"
            )
        ignored = [n for n in there if plain(n) in ROLES["plays"]]
        if self.count is None and ignored:
            warn(
                f"The column {ignored[0]!r} is ignored: each row counts as one play. "
                f"Pass count={ignored[0]!r} to add it up, or drop the column."
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
        """Return the first row with a negative or infinite count, or None."""
        if self.counts is None:
            return None
        bad = (self.counts < 0) | np.isinf(self.counts)
        return int(np.argmax(bad)) if bad.any() else None


def require_columns(path: Any, there: Iterable[str], *wanted: str) -> None:
    missing = set(wanted) - set(there)
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(sorted(missing))}; it has "
            f"{', '.join(there)}."
        )


def require_pyarrow(what: Any) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Reading {what} needs pyarrow. Install it with "
            "`pip install skcoldstart[parquet]`."
        ) from error


def arrow_blocks(
    batches: Iterable[Any],
    columns: Columns,
    source: str,
    prepare: Callable[[Any], Any] = lambda ids: ids,
) -> Iterator[Block]:
    import pyarrow as pa

    first_row = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        counts = times = None
        if columns.count is not None:
            counts = _numbers(batch.column(columns.count), columns.count, source)
        if (name := columns.timestamp) is not None:
            times = _times(batch.column(name), name, source, first_row)
        names = columns.user, columns.item
        for name in names:
            if pa.types.is_nested(batch.column(name).type):
                raise not_ids(name, batch.column(name).type, source)
        users, items = (prepare(batch.column(name)) for name in names)
        yield Block(users, items, counts, times, source, first_row)
        first_row += batch.num_rows


def _numbers(column: Any, name: str, source: str) -> np.ndarray:
    import pyarrow as pa

    types = pa.types
    if types.is_boolean(column.type):
        column = column.cast(pa.int8())
    known = (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    if not any(is_kind(column.type) for is_kind in known):
        raise not_numbers(name, column.type, source)
    return column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()


def _times(column: Any, name: str, source: str, first_row: int) -> np.ndarray:
    """Return times as datetime64 in UTC, or as numbers."""
    import pyarrow as pa

    kind = column.type
    try:
        if _is_text(kind):
            column = _parsed(column)
            if _is_text(column.type):
                return read_times(column.to_pylist(), name, source, first_row)
        elif pa.types.is_temporal(kind) and not pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("s"))
        if not pa.types.is_timestamp(column.type):
            return _numbers(column, name, source)
        return column.cast(pa.timestamp(column.type.unit)).to_numpy(
            zero_copy_only=False
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError) as error:
        raise not_times(name, source, error) from error


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _parsed(column: Any) -> Any:
    """Parse text that has numbers, or times, all of them with zones or without."""
    import pyarrow as pa

    column = column.cast(pa.string())
    if column.null_count == len(column):
        return column.cast(pa.timestamp("us"))
    for kind in (pa.float64(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        with suppress(pa.ArrowInvalid):
            return column.cast(kind)
    return column


def not_numbers(name: str, kind: Any, source: str) -> TypeError:
    return TypeError(f"{source}: {name!r} has the type {kind}; expected numbers >= 0.")


def not_ids(name: str, what: Any, source: str) -> TypeError:
    return TypeError(
        f"{source}: {name!r} has values that cannot be ids ({what}); expected text, "
        "numbers or other single values."
    )


def not_times(name: str, source: str, error: Exception) -> ValueError:
    return ValueError(
        f"{source}: {name!r} has a value that is not a time "
        f"({str(error).splitlines()[0]}); expected datetimes, dates, text of ISO 8601 "
        "such as '2024-01-31 12:00', or numbers."
    )


PARQUET = b"PAR1"  # first bytes of its files
# pyarrow otherwise reads all row groups of the wanted columns ahead.
GROUP_BY_GROUP = {"pre_buffer": False}


def parquet_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    with parquet(path) as pq, pq.ParquetFile(path, **GROUP_BY_GROUP) as file:
        columns.check(file.schema_arrow.names, str(path))
        batches = file.iter_batches(ROWS, columns=columns.names())
        yield from arrow_blocks(batches, columns, str(path))


@contextmanager
def parquet(path: Any) -> Iterator[Any]:
    """Yield pyarrow.parquet, and name the damaged file in its errors."""
    require_pyarrow(path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield pq
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{path} is a damaged parquet file ({error}).") from error


def whole_numbers(table: Any, name: str, path: Any) -> np.ndarray:
    """Return a column of whole numbers, none of them missing, (n_rows,)."""
    import pyarrow as pa

    column = table.column(name)
    if not pa.types.is_integer(column.type) or column.null_count:
        missing = f" and {column.null_count} missing values" * bool(column.null_count)
        raise ValueError(
            f"{path}: {name} has the type {column.type}{missing}; expected whole "
            "numbers."
        )
    return np.asarray(column.to_numpy())


def parquet_files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = files_under(path, ".parquet")
    if not files:
        raise ValueError(f"{path} is a folder without .parquet files.")
    return [*map(Path, files)]
