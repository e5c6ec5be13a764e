"""A small table of results: named columns, no dependency."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["Table"]


class Table(Mapping):
    """Results in named columns of equal length, one observation per row."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._columns = {name: np.asarray(values) for name, values in columns.items()}
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Columns differ in length: {lengths}; expected one.")

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Any]]) -> "Table":
        """Make a table of rows that have the same names."""
        return cls({name: [row[name] for row in rows] for name in rows[0]})

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dicts of plain Python values."""
        columns = [values.tolist() for values in self._columns.values()]
        return [dict(zip(self, row, strict=True)) for row in zip(*columns, strict=True)]

    def to_frame(self) -> Any:
        """Return the table as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self._columns)

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in cells]
        numeric = [values.dtype.kind in "iuf" for values in self._columns.values()]
        lines = [
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, numeric, strict=True)
            ).rstrip()
            for row in zip(*cells, strict=True)
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *body = zip(*self._cells(), strict=True)
        html = [f"<tr>{''.join(f'<th>{escape(c)}</th>' for c in head)}</tr>"]
        html += [
            f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in r)}</tr>" for r in body
        ]
        return f"<table>{''.join(html)}</table>"

    def _cells(self) -> list[list[str]]:
        return [
            [name, *(_text(value) for value in values.tolist())]
            for name, values in self._columns.items()
        ]


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.4f}"
