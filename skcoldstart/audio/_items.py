"""Check audio items: paths, waveforms, or missing values; and the errors of items."""

import os
from typing import Any

import numpy as np

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.missing import refuse_masked


class AudioReadError(ValueError):
    """An audio item cannot be converted to frames; arguments are also attributes.

    Parameters
    ----------
    path : str, bytes, PathLike or None
        Path of the file, or ``None`` for a waveform.
    reason : str
        Reason why it cannot be used.
    index : int, default=None
        Position of the item in X, if known.

    See Also
    --------
    skcoldstart.MFCCExtractor : Raises it, or records it with ``on_error="warn"``.

    Notes
    -----
    .. versionadded:: 0.1

    Examples
    --------
    >>> from skcoldstart.audio import AudioReadError
    >>> error = AudioReadError("song.mp3", "the file is empty", 4)
    >>> error.path, error.reason, error.index
    ('song.mp3', 'the file is empty', 4)
    >>> print(error)
    Cannot use item 4 ('song.mp3'): the file is empty.
    """

    def __init__(self, path: Any, reason: str, index: int | None = None) -> None:
        # All arguments reach Exception, so that the error survives pickling.
        super().__init__(path, reason, index)
        self.path = path
        self.reason = reason
        self.index = index

    def __str__(self) -> str:
        item = "the waveform" if self.index is None else f"item {self.index}"
        if self.path is not None:
            name = repr(str(os.fsdecode(self.path)))
            item = name if self.index is None else f"{item} ({name})"
        return f"Cannot use {item}: {self.reason}."


def describe_bad_sample(samples: np.ndarray) -> str:
    """Name the first sample that is not finite, or the peak if all are finite."""
    bad = ~np.isfinite(samples.reshape(len(samples), -1)).all(axis=1)
    if bad.any():
        first = int(np.argmax(bad))
        value = samples[first].flat
        odd = next(float(v) for v in value if not np.isfinite(v))
        name = "NaN" if np.isnan(odd) else f"{odd}"
        return f"sample {first} is {name}; all samples must be finite"
    peak = float(np.abs(samples).max())
    return (
        f"samples as large as {peak:.2g} overflow single precision; full scale is 1.0"
    )


def check_audio_items(X: Any, allow_missing: bool = False) -> Any:
    """Check a sequence of paths or mono waveforms; name the first invalid item."""
    items = check_item_sequence(X)
    if isinstance(items, LazySequence):
        return items
    if isinstance(items, RaggedArray):
        check_waveform(0, items.values)
        return items
    if hasattr(items, "columns"):  # of a table
        if items.shape[1] != 1:
            raise ValueError(
                f"X is a table with {items.shape[1]} columns; expected one path or "
                "waveform per item. Pass one column of paths, or X.to_numpy() if rows "
                "are waveforms."
            )
        items = np.asarray(items)[:, 0]
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
    return isinstance(item, (str, bytes, os.PathLike))


def is_missing(item: Any) -> bool:
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
