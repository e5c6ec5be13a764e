"""Read weights from a TensorFlow checkpoint without TensorFlow."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# The last bytes of a table: two block handles, padding, and a magic number.
_FOOTER_SIZE = 48
_MAGIC = bytes.fromhex("57fb808b247547db")

# Bytes after each block: the compression type, and a checksum.
_BLOCK_TRAILER = 5

_DTYPES = {1: "<f4", 3: "<i4", 9: "<i8"}


class CheckpointError(ValueError):
    """The file is not a checkpoint, or it is damaged."""


def read_checkpoint(
    index: bytes, data: bytes, wanted: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    """Return the tensors with the given names from a checkpoint with one data file.

    `index` is a LevelDB table from names to entries in protocol buffers; an entry
    holds type, shape, offset and size of a tensor in `data`.
    """
    if len(index) < _FOOTER_SIZE or index[-8:] != _MAGIC:
        raise CheckpointError("the index is not a table of tensors")
    try:
        _, at = _handle(index, len(index) - _FOOTER_SIZE)
        (start, size), _ = _handle(index, at)
        tensors = {}
        for _, block in _entries(index, start, size):
            (start, size), _ = _handle(block, 0)
            for name, entry in _entries(index, start, size):
                text = name.decode("utf-8")
                if text and wanted(text):
                    tensors[text] = _tensor(entry, data)
    except (IndexError, UnicodeDecodeError) as error:
        raise CheckpointError("the index is damaged") from error
    return tensors


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Decode an integer of seven bits per byte; return it and the next position."""
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise CheckpointError("the index is damaged")


def _handle(buffer: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Decode the start and length of a block."""
    start, at = _varint(buffer, at)
    size, at = _varint(buffer, at)
    return (start, size), at


def _entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block; a key shares a prefix with the last."""
    block = table[start : start + size]
    if len(table) < start + size + _BLOCK_TRAILER or size < 4:
        raise CheckpointError("the index is truncated")
    if table[start + size] != 0:
        raise CheckpointError("the index is compressed; expected an uncompressed one")
    n_restarts = int.from_bytes(block[-4:], "little")
    stop = size - 4 * (n_restarts + 1)
    at, key = 0, b""
    while at < stop:
        n_shared, at = _varint(block, at)
        n_own, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:n_shared] + block[at : at + n_own]
        at += n_own
        yield key, block[at : at + n_value]
        at += n_value


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield numbers and values of the fields of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif kind == 2:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise CheckpointError(f"the index holds a field of unknown kind {kind}")


def _value(
    fields: dict[int, int | bytes], number: int, kind: type, default: Any
) -> Any:
    value = fields.get(number, default)
    if not isinstance(value, kind):
        raise CheckpointError("the index is damaged")
    return value


def _tensor(entry: bytes, data: bytes) -> np.ndarray:
    """Return the tensor that an entry of the index describes."""
    fields = dict(_fields(entry))
    dtype = _DTYPES.get(_value(fields, 1, int, 0))
    if dtype is None:
        raise CheckpointError(f"a tensor has the unknown type {fields.get(1)!r}")
    shape = []
    for number, dim in _fields(_value(fields, 2, bytes, b"")):
        if number == 2:
            size_of_axis = dict(_fields(_value({number: dim}, number, bytes, b"")))
            shape.append(_value(size_of_axis, 1, int, 0))
    offset, size = _value(fields, 4, int, 0), _value(fields, 5, int, 0)
    n_values = math.prod(shape)
    if size != n_values * np.dtype(dtype).itemsize or offset + size > len(data):
        raise CheckpointError("the data file is truncated, or belongs to another index")
    return np.frombuffer(data, dtype, n_values, offset).reshape(shape)
