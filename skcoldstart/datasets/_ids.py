"""Number ids of any type in the order of their first appearance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart.datasets._name_table import NameTable

UNKNOWN = 1000  # ids kept to describe how they differ from known ones
WHOLE, _LONG = "whole numbers", ("text", "bytes")


@dataclass(frozen=True)
class Coded:
    """A column of ids: its unique ids, and the position of each row's id in them.

    Shapes: `rows` (n_rows,), positions in `values`, -1 if the id is missing.
    """

    values: Sequence[Any]
    rows: np.ndarray


class PythonIds:
    """Ids that are Python values. If `fixed` is given, only its ids are numbered."""

    def __init__(self, fixed: Iterable[Any] | None = None) -> None:
        self._code = {value: i for i, value in enumerate(fixed or ())}
        self._is_fixed = fixed is not None
        self.unknown: list[Any] = []

    def codes(self, column: Any) -> np.ndarray:
        """Return the number of each row's id, -1 for a missing or unknown one."""
        if not isinstance(column, Coded):
            column = encoded(column)
            column = Coded(column.dictionary.to_pylist(), _rows(column))
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
            except TypeError:  # ids of several types keep their order
                pass
        return as_ids([values[i] for i in order.tolist()]), order


class ArrowIds:
    """Ids that are Arrow values, numbered in compiled code."""

    def __init__(self, kind: Any, fixed: Iterable[Any] | None = None) -> None:
        import pyarrow as pa

        self._names = NameTable()
        self._is_fixed = fixed is not None
        self._extension: Any = None
        self._type = kind
        self.unknown: list[Any] = []
        if fixed is not None:
            known = self._storage(pa.array(list(fixed)))
            self._type = known.type
            for chunk in _chunks(known):
                self._number(chunk, grows=True)

    def codes(self, column: Any) -> np.ndarray:
        import pyarrow as pa

        if isinstance(column, Coded):
            column = pa.DictionaryArray.from_arrays(
                pa.array(column.rows, mask=column.rows < 0), pa.array(column.values)
            )
        column = self._storage(column)
        if pa.types.is_dictionary(column.type):
            column = encoded(column)
            return np.append(self._codes(column.dictionary), -1)[_rows(column)]
        return self._codes(column)

    def sorted(self) -> tuple[np.ndarray, np.ndarray]:
        import pyarrow as pa
        import pyarrow.compute as pc

        known = self._known()
        order = np.arange(len(known))
        if not self._is_fixed:
            order = pc.sort_indices(known).to_numpy().astype(np.int64)
            known = known.take(pa.array(order))
        if self._extension is not None:
            known = pa.ExtensionArray.from_storage(self._extension, known)
        return as_ids(known.to_pylist()), order

    def _storage(self, column: Any) -> Any:
        """Return a column in a type that all functions of Arrow support.

        These are the storage of an extension type (UUID), and text without views.
        """
        import pyarrow as pa

        views = pa.string_view(), pa.binary_view()
        if column.type in views:
            return column.cast(_long(_kind(column.type)))
        if pa.types.is_dictionary(column.type) and column.type.value_type in views:
            kind = _long(_kind(column.type.value_type))
            chunks = [
                pa.DictionaryArray.from_arrays(c.indices, c.dictionary.cast(kind))
                for c in _chunks(column)
            ]
            return pa.chunked_array(chunks, pa.dictionary(column.type.index_type, kind))
        if not isinstance(column.type, pa.BaseExtensionType):
            return column
        self._extension = column.type
        chunks = [chunk.storage for chunk in _chunks(column)]
        return pa.chunked_array(chunks, column.type.storage_type)

    def _codes(self, values: Any) -> np.ndarray:
        """Return the number of each value, the type of which must be that of before."""
        grows = not self._is_fixed
        found = [np.empty(0, np.int32)]
        for chunk in _chunks(values):
            try:
                found.append(self._number(chunk, grows=grows))
            except TypeError:
                if grows:
                    raise
                found.append(np.full(len(chunk), -1, np.int32))
        codes = np.concatenate(found)
        if not grows and len(self.unknown) < UNKNOWN and (codes < 0).any():
            others = values.filter(codes < 0).drop_null().unique()
            self.unknown += others[:UNKNOWN].to_pylist()
        return codes

    def _number(self, values: Any, *, grows: bool) -> np.ndarray:
        """Number an array, -1 where it is missing or, unless `grows`, new."""
        values = self._cast(values)
        there = None
        if values.null_count:
            there = values.is_valid().to_numpy(zero_copy_only=False)
            values = values.drop_null()
        found = self._names.codes(*_bytes_of(values), grows=grows)
        if there is None:
            return found
        codes = np.full(len(there), -1, np.int32)
        codes[there] = found
        return codes

    def _cast(self, values: Any) -> Any:
        """Cast ids to the type of earlier ones: text to text, numbers to numbers."""
        import pyarrow as pa

        before, here = _kind(self._type), _kind(values.type)
        if before != here:
            try:  # pandas makes whole numbers floats where some are missing
                if before == WHOLE and pa.types.is_floating(values.type):
                    return values.cast(self._type)
            except pa.ArrowInvalid:
                pass
            raise TypeError(f"they are {here} here but {before} before")
        if here in _LONG:
            return values
        return values if values.type == self._type else values.cast(self._type)

    def _known(self) -> Any:
        """Return the ids in the order of their numbers."""
        import pyarrow as pa

        data, offsets = (pa.py_buffer(part) for part in self._names.to_buffer())
        kind = _kind(self._type)
        if kind in _LONG:
            buffers = [None, offsets, data]
            return pa.Array.from_buffers(_long(kind), len(self._names), buffers)
        return pa.Array.from_buffers(self._type, len(self._names), [None, data])


def is_missing(column: Any) -> np.ndarray:
    """Return which rows of a column have no id, (n_rows,)."""
    if isinstance(column, Coded):
        return column.rows < 0
    missing = column.is_null(nan_is_null=True)
    return np.asarray(missing.to_numpy(zero_copy_only=False))


def make_ids(column: Any, fixed: Iterable[Any] | None) -> ArrowIds | PythonIds:
    """Choose how to number ids by their first column."""
    if isinstance(column, Coded):
        return PythonIds(fixed)
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if _kind(kind) not in _LONG and not _has_whole_bytes(kind):
        return PythonIds(fixed)
    try:
        return ArrowIds(kind, fixed)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # of several types
        return PythonIds(fixed)


def as_ids(values: list[Any]) -> np.ndarray:
    """Return ids as an array of text, of integers or of objects, (n_ids,)."""
    kinds = {type(value) for value in values}
    if kinds == {float} and all(value.is_integer() for value in values):
        values = [int(value) for value in values]  # pandas, if some are missing
        kinds = {int}
    ids: np.ndarray
    # NumPy drops NUL at the end of text.
    if kinds <= {str} and not any(value.endswith("\0") for value in values):
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

    The dictionary holds each existing value once.
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


def _rows(column: Any) -> np.ndarray:
    import pyarrow as pa

    return column.indices.cast(pa.int32()).fill_null(-1).to_numpy()


def _chunks(column: Any) -> list[Any]:
    return column.chunks if hasattr(column, "chunks") else [column]


def _kind(kind: Any) -> str:
    """Return what ids are: those of one kind are compared, whatever their type."""
    import pyarrow as pa

    if pa.types.is_integer(kind):
        return WHOLE
    if kind in (pa.string(), pa.large_string(), pa.string_view()):
        return "text"
    is_bytes = kind in (pa.binary(), pa.large_binary(), pa.binary_view())
    return "bytes" if is_bytes else str(kind)


def _long(kind: str) -> Any:
    import pyarrow as pa

    return pa.large_string() if kind == "text" else pa.large_binary()


def _has_whole_bytes(kind: Any) -> bool:
    """Whether values are equal where their bytes are, and of one length."""
    import pyarrow as pa

    try:
        return kind.bit_width % 8 == 0 and not pa.types.is_floating(kind)
    except ValueError:  # no fixed width
        return False


def _bytes_of(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of values that are all there, and where each one starts."""
    n, first = len(values), values.offset
    if not n:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    *_, data = values.buffers()
    data = np.frombuffer(b"" if data is None else data, np.uint8)
    if _kind(values.type) not in _LONG:
        width = values.type.bit_width // 8
        return data, np.arange(first, first + n + 1) * width
    kind = np.int64 if values.type == _long(_kind(values.type)) else np.int32
    return data, np.frombuffer(values.buffers()[1], kind)[first : first + n + 1]
