"""One item of audio to frames, and many items' frames into one array."""

import os
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart.audio._reading import (
    AudioReadError,
    Clip,
    describe_bad_sample,
    read_clip,
)

__all__ = [
    "ClipExtractor",
    "ClipFrames",
    "FrameFunction",
    "check_audio_items",
    "check_waveform",
    "is_path",
]


class FrameFunction(Protocol):
    """Turns a mono float32 waveform into float32 frames; picklable."""

    @property
    def n_features(self) -> int:
        """Features of a frame."""
        ...

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return frames of shape (n_frames, n_features)."""
        ...


class ClipFrames(NamedTuple):
    """What became of one item."""

    frames: np.ndarray  # (n_frames, n_features); no frames where there is an error
    error: AudioReadError | None
    notice: str | None  # what makes its file look truncated, if anything does


@dataclass(frozen=True)
class ClipExtractor:
    """Turn one item, a path or a waveform, into frames; never raise on its content.

    Holds parameters only, so that it travels cheaply to worker processes.
    """

    compute: FrameFunction
    sr: float
    max_duration: float | None
    dtype: np.dtype
    salvage: bool = False

    def __call__(self, index: int, item: Any) -> ClipFrames:
        """Return the frames of `item`, which is entry `index` of X."""
        path = item if is_path(item) else None
        try:
            clip = self._read(index, item)
            frames = self.compute(clip.waveform)
            return ClipFrames(self._cast(frames), None, clip.notice)
        except AudioReadError as error:
            reason = error.reason
        except OverflowError:
            reason = describe_bad_sample(clip.waveform)
        nothing = np.empty((0, self.compute.n_features), self.dtype)
        return ClipFrames(nothing, AudioReadError(path, reason, index), None)

    def _read(self, index: int, item: Any) -> Clip:
        from skcoldstart._kernels.waveform import all_finite

        if is_path(item):
            return read_clip(item, self.sr, self.max_duration, self.salvage)
        waveform = check_waveform(index, item)
        if self.max_duration is not None:
            waveform = waveform[: int(self.max_duration * self.sr)]
        if len(waveform) == 0:
            raise AudioReadError(None, "it holds no samples")
        with np.errstate(over="ignore"):
            # One type of array, so that kernels are compiled once.
            single = np.require(waveform, np.float32, ["C", "A", "W"])
        if not all_finite(single):
            raise AudioReadError(None, describe_bad_sample(waveform))
        return Clip(single, None)

    def _cast(self, frames: np.ndarray) -> np.ndarray:
        if self.dtype == frames.dtype:
            return frames
        with np.errstate(over="ignore"):
            cast = frames.astype(self.dtype)
        if not (np.isfinite(cast.max()) and np.isfinite(cast.min())):
            raise AudioReadError(
                None,
                f"features as large as {np.abs(frames).max():.3g} do not fit into "
                f"{self.dtype}; use dtype='float32'",
            )
        return cast


def check_audio_items(X: Any) -> Any:
    """Accept a sequence of paths or of mono waveforms; name the first odd item."""
    items = check_item_sequence(X)
    if isinstance(items, LazySequence):
        return items
    if isinstance(items, RaggedArray):
        check_waveform(0, items.values)
        return items
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
        raise ValueError(
            "X is a table with columns; expected one path or waveform per item. Pass "
            "one column of paths, or X.to_numpy() where rows are waveforms."
        )
    for index, item in enumerate(items):
        if not is_path(item):
            check_waveform(index, item)
    return items


def is_path(item: Any) -> bool:
    """Tell whether an item is a path and not a waveform."""
    return isinstance(item, (str, bytes, os.PathLike))


def check_waveform(index: int, item: Any) -> np.ndarray:
    """Return an item as a 1-D floating array, or refuse its type or shape."""
    waveform = np.asarray(item)
    if waveform.dtype == object and waveform.ndim == 1:
        # A row of equal-length waveforms that numpy joined to a 2-D object array.
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
