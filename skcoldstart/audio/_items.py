"""Check audio items: paths, waveforms, or missing values."""

import os
from typing import Any

import numpy as np

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.missing import refuse_masked


def check_audio_items(X: Any, allow_missing: bool = False) -> Any:
    """Check a sequence of paths or mono waveforms; name the first invalid item."""
    items = check_item_sequence(X)
    if isinstance(items, LazySequence):
        return items
    if isinstance(items, RaggedArray):
        check_waveform(0, items.values)
        return items
    if hasattr(items, "to_pylist"):  # of pyarrow
        items = items.to_pylist()
    if isinstance(items, np.ndarray) and items.dtype.kind not in "OSU":
        if items.ndim == 1:
            raise ValueError(
                f"X is one array of shape {items.shape} and dtype {items.dtype}; "
                "expected a sequence of waveforms. Pass [X] for one waveform."
            )
        if items.ndim == 2:
            check_waveform(0, items[0])
            return items
    if hasattr(items, "iloc"):
        if items.shape[1] != 1:
            raise ValueError(
                f"X is a table with {items.shape[1]} columns; expected one path or "
                "waveform per item. Pass one column of paths, or X.to_numpy() if rows "
                "are waveforms."
            )
        items = list(items.iloc[:, 0])
    for index, item in enumerate(items):
        if is_missing(item) and not allow_missing:
            raise ValueError(
                f"Item {index} of X is {item!r}; expected a path or a waveform. Drop "
                f"it, or keep its row without frames with on_error='warn' or 'ignore'."
            )
        if not is_path(item) and not is_missing(item):
            check_waveform(index, item)
    return items


def is_path(item: Any) -> bool:
    """Return whether an item is a path."""
    return isinstance(item, (str, bytes, os.PathLike))


def is_missing(item: Any) -> bool:
    """Return whether an item is a missing value."""
    if isinstance(item, (float, np.floating)):
        return bool(np.isnan(item))
    return item is None or type(item).__name__ in {"NAType", "NaTType"}


def check_waveform(index: int, item: Any) -> np.ndarray:
    """Return an item as a 1-D floating array, or reject its type or shape."""
    _refuse_pair(index, item)
    refuse_masked(item, f"Item {index} of X")
    try:
        waveform = np.asarray(item)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Item {index} of X is a {type(item).__name__} that is not an array: "
            f"{error}"
        ) from error
    if waveform.dtype == object and waveform.ndim == 1:
        # A row of equal-length waveforms that numpy made a 2-D object array.
        waveform = np.asarray(waveform.tolist())
    if waveform.dtype.kind not in "fiub":
        raise ValueError(
            f"Item {index} of X is a {type(item).__name__} of dtype {waveform.dtype}; "
            "expected a path (str, bytes, PathLike) or a mono waveform of floats."
        )
    if waveform.ndim != 1:
        raise ValueError(
            f"Item {index} of X has shape {waveform.shape}; expected a mono waveform "
            "of shape (n_samples,). Average its channels first."
        )
    if waveform.dtype.kind != "f":
        raise ValueError(
            f"Item {index} of X has dtype {waveform.dtype}; expected a waveform of "
            "floats with full scale at 1.0. Convert it first: 16-bit samples, for "
            "example, as samples / 32768."
        )
    return waveform


def _refuse_pair(index: int, item: Any) -> None:
    """Reject pairs of samples and rate, as returned by librosa.load."""
    if isinstance(item, (tuple, list)) and len(item) == 2:
        n_axes = sorted(np.ndim(part) for part in item if hasattr(part, "__len__"))
        scalars = [part for part in item if not hasattr(part, "__len__")]
        if n_axes and scalars:
            raise ValueError(
                f"Item {index} of X is a pair of samples and a number ({scalars[0]}), "
                "as librosa.load returns it; expected only the samples, at the "
                "extractor's sr. Pass librosa.load(path, sr=extractor.sr)[0], or the "
                "path itself."
            )
