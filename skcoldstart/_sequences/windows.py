"""Windows of items: their positions, and the array they are copied to."""

from typing import Any

import numpy as np


def window_bounds(
    items: Any, starts: Any, n_rows: int, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check windows, and return their starts and stops within their items.

    Shapes: `items, starts` (n_windows,), `lengths` (n_items,) -> `items, starts, stops`
    (n_windows,).
    """
    items, starts = _integers(items), _integers(starts)
    if items.shape != starts.shape or items.ndim != 1:
        raise ValueError(
            f"Windows have items of shape {items.shape} and starts of shape "
            f"{starts.shape}; expected one of each per window."
        )
    if n_rows < 1:
        raise ValueError(f"n_rows={n_rows}; a window has at least one row.")
    unknown = (items < -len(lengths)) | (items >= len(lengths))
    if unknown.any():
        raise IndexError(
            f"Index {items[unknown][0]} is out of range for {len(lengths)} items."
        )
    items = np.where(items < 0, items + len(lengths), items)
    outside = (starts < 0) | (starts > lengths[items])
    if outside.any():
        i = int(np.argmax(outside))
        raise IndexError(
            f"Window {i} starts at row {starts[i]} of item {items[i]}, which has "
            f"{lengths[items[i]]} rows."
        )
    return items, starts, np.minimum(starts + n_rows, lengths[items])


def window_array(
    out: np.ndarray | None, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Return `out` if it has the shape of the windows, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; the windows have {shape}.")
    return out


def _integers(values: Any) -> np.ndarray:
    values = np.asarray(values)
    if values.size and values.dtype.kind not in "iu":
        raise IndexError(
            f"Expected integers for items and rows; got dtype {values.dtype}."
        )
    return values.astype(np.int64)
