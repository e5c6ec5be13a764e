"""Ids of any type, numbered in the order in which they first appear."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "ArrowIds",
    "Coded",
    "PythonIds",
    "as_ids",
    "encoded",
    "is_missing",
    "make_ids",
]

UNKNOWN = 1000  # ids that are remembered to tell how they differ from known ones


@dataclass(frozen=True)
class Coded:
    """A column of ids: those that are there, and for each row which one it has.

    Shapes: `rows` (n_rows,), positions in `values`, -1 where the id is missing.
    """

    values: Sequence[Any]
    rows: np.ndarray


class PythonIds:
    """Ids that are Python values; those of `fixed` are numbered and no others."""

    def __init__(self, fixed: Iterable[Any] | None = None) -> None:
        self._code = {
            value: i for i, value in enumerate(() if fixed is None else fixed)
        }
        self._is_fixed = fixed is not None
        self.unknown: list[Any] = []

    def codes(self, column: Any) -> np.ndarray:
        """Return the number of each row's id, -1 for a missing or unknown one."""
        if not isinstance(column, Coded):
            column = _coded(column)
        code = self._code
        if self._is_fixed:
            found = [code.get(value, -1) for value in column.values]
            if len(self.unknown) < UNKNOWN:
                self.unknown += [v for v in column.values if v not in code][:UNKNOWN]
        else:
            found = [code.setdefault(value, len(code)) for value in column.values]
        return np.array([*found, -1], np.int32)[column.rows]

    def sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids, sorted unless they are fixed, and the order of the codes."""
        values = list(self._code)
        order = np.arange(len(values))
        if not self._is_fixed:
            try:
                order = np.array(sorted(order.tolist(), key=values.__getitem__), int)
            except TypeError:  # ids of several types stay as they came
                pass
        return as_ids([values[i] for i in order.tolist()]), order


class ArrowIds:
    """Ids that are Arrow values, numbered in compiled code."""

    def __init__(self, fixed: Iterable[Any] | None = None) -> None:
        import pyarrow as pa

        self._is_fixed = fixed is not None
        self._extension: Any = None
        self._known: Any = None
        self.unknown: list[Any] = []
        if fixed is not None:
            self._known = self._storage(pa.array(list(fixed)))

    def codes(self, column: Any) -> np.ndarray:
        """Return the number of each row's id, -1 for a missing or unknown one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if isinstance(column, Coded):
            column = pa.DictionaryArray.from_arrays(
                pa.array(column.rows, mask=column.rows < 0), pa.array(column.values)
            )
        column = encoded(self._storage(column))
        if self._known is None:
            self._known = column.dictionary[:0]
        column = self._cast(column)
        if not self._is_fixed:
            before = pa.DictionaryArray.from_arrays(
                pa.array([], pa.int32()), self._known
            )
            column = pa.chunked_array([before, column]).unify_dictionaries().chunk(1)
            self._known = column.dictionary
            return _rows(column)
        values = column.dictionary
        found = pc.index_in(values, value_set=self._known)
        if found.null_count and len(self.unknown) < UNKNOWN:
            self.unknown += values.filter(found.is_null())[:UNKNOWN].to_pylist()
        return np.append(found.fill_null(-1).to_numpy(), np.int32(-1))[_rows(column)]

    def sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids, sorted unless they are fixed, and the order of the codes."""
        import pyarrow as pa
        import pyarrow.compute as pc

        known = pa.array([], pa.string()) if self._known is None else self._known
        order = np.arange(len(known))
        if not self._is_fixed:
            order = pc.sort_indices(known).to_numpy().astype(np.int64)
            known = known.take(pa.array(order))
        if self._extension is not None:
            known = pa.ExtensionArray.from_storage(self._extension, known)
        return as_ids(known.to_pylist()), order

    def _storage(self, column: Any) -> Any:
        """Return what a column of an extension type (UUID) is stored as."""
        import pyarrow as pa

        if isinstance(column.type, pa.BaseExtensionType):
            self._extension = column.type
            return column.storage
        return column

    def _cast(self, column: Any) -> Any:
        """Cast ids to the type of those before: text to text, numbers to numbers."""
        import pyarrow as pa

        values = column.dictionary
        if values.type == self._known.type:
            return column
        before, here = (_kind(ids.type) for ids in (self._known, values))
        if before != here:
            raise TypeError(f"they are {here} here but {before} before")
        values = values.cast(self._known.type)
        return pa.DictionaryArray.from_arrays(column.indices, values)


def is_missing(column: Any) -> np.ndarray:
    """Return which rows of a column have no id.

    Shapes: -> (n_rows,).
    """
    if isinstance(column, Coded):
        return column.rows < 0
    missing = column.is_null(nan_is_null=True)
    return np.asarray(missing.to_numpy(zero_copy_only=False))


def make_ids(column: Any, fixed: Iterable[Any] | None) -> ArrowIds | PythonIds:
    """Choose how to number ids, by the first column of them."""
    if isinstance(column, Coded):
        return PythonIds(fixed)
    import pyarrow as pa

    try:
        return ArrowIds(fixed)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # of several types
        return PythonIds(fixed)


def as_ids(values: list[Any]) -> np.ndarray:
    """Return ids as an array of text, of integers or of objects.

    Shapes: -> (n_ids,).
    """
    kinds = {type(value) for value in values}
    if kinds == {float} and all(value.is_integer() for value in values):
        values = [int(value) for value in values]  # pandas, where some are missing
        kinds = {int}
    ids: np.ndarray
    if kinds <= {str}:
        return np.array(values, dtype=str)
    if kinds == {int}:
        ids = np.array(values)
        if ids.dtype.kind in "iu":
            return ids
    ids = np.empty(len(values), dtype=object)
    ids[:] = values
    return ids


def encoded(column: Any) -> Any:
    """Return an Arrow column as one array of a dictionary and indices.

    The dictionary holds values that are there, each once.
    """
    import pyarrow as pa

    if hasattr(column, "unify_dictionaries"):  # a ChunkedArray
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
        else:
            column = column.dictionary_encode()
        column = column.combine_chunks()
    elif not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values, rows = column.dictionary, _rows(column)
    used = np.zeros(len(values) + 1, dtype=bool)
    used[rows] = True
    used = used[:-1] & ~values.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    if used.all() and column.indices.type == pa.int32():
        return column
    place = np.append(np.where(used, np.cumsum(used) - 1, -1), -1).astype(np.int32)
    rows = place[rows]
    return pa.DictionaryArray.from_arrays(
        pa.array(rows, mask=rows < 0), values.filter(pa.array(used))
    )


def _coded(column: Any) -> Coded:
    column = encoded(column)
    return Coded(column.dictionary.to_pylist(), _rows(column))


def _rows(column: Any) -> np.ndarray:
    import pyarrow as pa

    return column.indices.cast(pa.int32()).fill_null(-1).to_numpy()


def _kind(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_integer(kind):
        return "whole numbers"
    text = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
    return "text" if any(is_text(kind) for is_text in text) else str(kind)
