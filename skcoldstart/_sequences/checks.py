"""Checks of input: item sequences and frames; and labels of items."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.missing import refuse_masked, unmasked
from skcoldstart._utils.sk import _get_output_config, _num_samples

_BLOCK_FRAMES = 1 << 16


def labels_of(X: Any) -> Any:
    """Return the pandas index of items, or None if they have none."""
    if hasattr(X, "iloc") or isinstance(X, (RaggedArray, LazySequence)):
        return X.index
    return None


def label_rows(rows: Any, X: Any, estimator: Any) -> Any:
    """Return the rows of items with their labels if pandas output is selected.

    scikit-learn takes labels only from pandas objects, but X may be frames or codes.
    """
    labels = labels_of(X)
    container = _get_output_config("transform", estimator)["dense"]
    if labels is None or container != "pandas":
        return rows
    import pandas as pd

    return pd.DataFrame(rows, index=labels)


def check_item_sequence(X: Any, *, input_name: str = "X") -> Any:
    """Check that X is a sequence with one entry per item, and not a single path."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise TypeError(
            f"{input_name} is a single path ({X!r}); expected a sequence with one "
            f"entry per item. Pass [{X!r}] for one item."
        )
    if isinstance(X, (Mapping, Set)) or sp.issparse(X):
        raise TypeError(
            f"{input_name} is a {type(X).__name__}; expected a sequence with one entry "
            "per item, such as a list of paths or of arrays."
        )
    if not hasattr(X, "__len__") or not hasattr(X, "__getitem__"):
        raise TypeError(
            f"{input_name} is a {type(X).__name__} without a length; expected a "
            f"sequence with one entry per item. Pass list({input_name})."
        )
    if getattr(X, "shape", None) == ():
        raise TypeError(f"{input_name} is a scalar array; expected one entry per item.")
    if len(X) == 0:
        raise ValueError(f"{input_name} has no items; at least one is required.")
    return list(X) if hasattr(X, "iloc") and X.ndim == 1 else X


def count_items(X: Any, *, input_name: str = "X") -> int:
    """Count the items of X, which may be any container of rows."""
    if isinstance(X, (str, bytes, os.PathLike)):
        check_item_sequence(X, input_name=input_name)
    refuse_masked(X, input_name)
    n_items = _num_samples(X)
    if n_items == 0:
        raise ValueError(f"{input_name} has no items; at least one is required.")
    return n_items


def check_one_row_per_item(
    shape: tuple[int, ...],
    n_items: int,
    *,
    input_name: str = "y",
    columns: str = " and one column per user",
) -> None:
    """Reject a table whose number of rows differs from the number of items in X."""
    if shape[0] != n_items:
        hint = (
            f" Did you pass users as rows ({input_name}.T)?"
            if n_items in shape[1:]
            else ""
        )
        raise ValueError(
            f"{input_name} has {shape[0]} rows but X has {n_items} items; {input_name} "
            f"must have one row per item{columns}.{hint}"
        )


def check_frames(
    X: Any,
    *,
    n_features: int | None = None,
    input_name: str = "X",
    positions: Sequence[int] | np.ndarray | None = None,
) -> RaggedArray | LazySequence:
    """Validate frames: items of shape (n_frames_i, n_features)."""
    if isinstance(X, LazySequence):
        check_item_sequence(X, input_name=input_name)
        return X
    frames = X if isinstance(X, RaggedArray) else _as_frames(X, input_name)
    if len(frames) == 0:
        raise ValueError(
            f"Found array with 0 sample(s) in {input_name}; at least one item is "
            "required."
        )
    if frames.values.ndim == 1 and frames.values.size == 0 and n_features:
        frames = RaggedArray(np.empty((0, n_features), np.float32), frames.offsets)
    if frames.values.ndim != 2:
        raise ValueError(
            f"Items of {input_name} have {frames.values.ndim} axes; expected frames of "
            "shape (n_frames, n_features) per item. Reshape your data."
        )
    if frames.values.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={frames.values.shape}) while a "
            f"minimum of 1 is required; {input_name} needs features in its frames."
        )
    if n_features is not None and frames.values.shape[1] != n_features:
        raise ValueError(
            f"{input_name} has {frames.values.shape[1]} features per frame, but "
            f"{n_features} features were seen in fit."
        )
    for start in range(0, len(frames.values), _BLOCK_FRAMES):
        finite = np.isfinite(frames.values[start : start + _BLOCK_FRAMES])
        if not finite.all():
            row = start + int(np.argmin(finite.all(axis=1)))
            item = int(np.searchsorted(frames.offsets, row, side="right")) - 1
            place = item if positions is None else positions[item]
            raise ValueError(
                f"Input {input_name} contains NaN or infinity: item {place}, frame "
                f"{row - frames.offsets[item]}. Drop the item, or give it zero frames."
            )
    return frames


def read_frames(
    X: RaggedArray | LazySequence,
    n_features: int | None = None,
    positions: np.ndarray | None = None,
    *,
    items_at_once: int = 32,
) -> Iterator[RaggedArray]:
    """Read and check frames block by block; frames in memory are one block."""
    if isinstance(X, RaggedArray):
        yield X
        return
    order: Any = range(len(X)) if positions is None else positions
    for start in range(0, len(order), items_at_once):
        part = order[start : start + items_at_once]
        block: Any = RaggedArray.from_sequence(X[part])
        if len(block.values):
            block = check_frames(block, n_features=n_features, positions=part)
            n_features = block.values.shape[1]
        yield block


def _as_frames(X: Any, input_name: str) -> RaggedArray:
    if sp.issparse(X):
        raise TypeError(
            f"{input_name} is a sparse {type(X).__name__}; frames must be dense. Use "
            f"{input_name}.toarray()."
        )
    refuse_masked(X, input_name)
    if hasattr(X, "__array__") and not isinstance(X, np.ndarray):
        X = np.asarray(X)
    X = check_item_sequence(X, input_name=input_name)
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim > 1:
        X = X.astype(np.float64)
    if not isinstance(X, np.ndarray) or X.dtype == object:
        items = [unmasked(item, f"Item {i} of X") for i, item in enumerate(X)]
        flat = all(item.ndim == 1 and item.size for item in items)
        if flat and len({item.size for item in items}) == 1:
            X = np.stack(items)
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object:
        raise ValueError(
            f"Expected 2D array, got 1D array instead: {input_name} has shape "
            f"{X.shape}. Reshape your data: frames are (n_frames, n_features) per item."
        )
    frames = RaggedArray.from_sequence(X)
    if frames.dtype.kind == "c":
        raise ValueError("Complex data not supported: frames must be real.")
    if frames.dtype.kind != "f":
        frames = frames.astype(np.float64)
    return frames
