"""Read SQLite databases of unknown origin without writing to them."""

import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from skcoldstart._utils.paths import check_regular_file
from skcoldstart.datasets._files import begins_with

SQLITE = b"SQLite format 3\0"  # first bytes of its files
ROWS = 1 << 15


class Database:
    """A database opened for reading."""

    def __init__(
        self, connection: sqlite3.Connection, path: str | os.PathLike[str]
    ) -> None:
        self._connection = connection
        self.path = path

    def require(self, table: str, *columns: str) -> list[str]:
        """Return the columns of a table that must have some of them."""
        rows = self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        )
        tables = [name for (name,) in rows]
        if table not in tables:
            raise ValueError(
                f"{self.path} has no table {table!r}; it has "
                f"{', '.join(map(repr, tables)) or 'none'}."
            )
        rows = self.rows("SELECT name FROM pragma_table_info(?)", [table])
        there = [name for (name,) in rows]
        missing = [column for column in columns if column not in there]
        if missing:
            raise ValueError(
                f"Table {table!r} of {self.path} has no column "
                f"{' and '.join(missing)}; it has {', '.join(there)}."
            )
        return there

    def rows(self, statement: str, values: Sequence[str] = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def numbers(self, statement: str, n_columns: int) -> np.ndarray:
        """Read columns of numbers, NaN for other values, (n_rows, n_columns)."""
        cursor = self.rows(statement)
        blocks = [np.empty((0, n_columns))]
        while rows := cursor.fetchmany(ROWS):
            try:
                block = np.array(rows, dtype=np.float64)
            except (TypeError, ValueError):
                block = np.array([[_number(value) for value in row] for row in rows])
            blocks.append(block.reshape(-1, n_columns))
        return np.concatenate(blocks)


@contextmanager
def open_database(path: str | os.PathLike[str]) -> Iterator[Database]:
    """Open a database read-only, without writing files next to it."""
    if not begins_with(path, SQLITE):
        raise ValueError(f"{path} is not a SQLite database.")
    uri = check_regular_file(path).resolve().as_uri() + "?mode=ro"
    connection = sqlite3.connect(uri, uri=True)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        yield Database(connection, path)
    except sqlite3.Error as error:
        message = f"{path} cannot be read as a SQLite database: {error}."
        raise ValueError(message) from error
    finally:
        connection.close()


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
