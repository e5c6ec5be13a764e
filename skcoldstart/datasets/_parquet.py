"""Read events from parquet files by row group."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skcoldstart.datasets._blocks import (
    ROWS,
    Block,
    Columns,
    arrow_blocks,
    require_pyarrow,
)

PARQUET = b"PAR1"  # first bytes of its files
# pyarrow otherwise reads all row groups of the wanted columns ahead.
GROUP_BY_GROUP = {"pre_buffer": False}


def parquet_blocks(path: Path, columns: Columns) -> Iterator[Block]:
    with parquet(path) as pq:
        with pq.ParquetFile(path, **GROUP_BY_GROUP) as file:
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


def parquet_files(path: Path) -> list[Path]:
    """Return a file, or the files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.rglob("*.parquet") if p.is_file())
    if not files:
        raise ValueError(f"{path} is a folder without .parquet files.")
    return files
