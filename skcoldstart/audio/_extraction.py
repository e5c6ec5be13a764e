"""One item of audio to frames, of one kind or of several kinds at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from skcoldstart.audio._errors import AudioReadError, describe_bad_sample
from skcoldstart.audio._identity import file_content
from skcoldstart.audio._items import is_path
from skcoldstart.audio._reading import Reading

__all__ = ["Analysis", "ClipExtractor", "ClipFrames", "FrameFunction"]


class FrameFunction(Protocol):
    """Turns a mono float32 waveform into float32 frames; picklable.

    Its repr tells what it computes: a store knows the frames by it. It raises
    OverflowError where features are not finite, AudioReadError where it has none.
    """

    @property
    def n_features(self) -> int:
        """Features of a frame."""
        ...

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return frames of shape (n_frames, n_features)."""
        ...


@dataclass(frozen=True)
class Analysis:
    """One kind of frames: what computes them, at which sampling rate, of which type."""

    compute: FrameFunction
    sr: float
    dtype: np.dtype

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of a waveform at `sr`, (n_frames, n_features)."""
        try:
            frames = self.compute(waveform)
        except OverflowError as error:
            raise AudioReadError(None, describe_bad_sample(waveform)) from error
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

    def no_frames(self) -> np.ndarray:
        """Return the frames of an item that cannot be used."""
        return np.empty((0, self.compute.n_features), self.dtype)


class ClipFrames(NamedTuple):
    """What became of one item."""

    frames: tuple[np.ndarray, ...]  # of each analysis; empty where there is an error
    error: AudioReadError | None
    notice: str | None  # what makes its file look truncated, if anything does
    decoder: str | None  # what decoded it, where that is not libsndfile
    content: str | None  # a checksum of its file, where that is wanted


@dataclass(frozen=True)
class ClipExtractor:
    """Turn one item, a path or a waveform, into frames; never raise on its content.

    Holds parameters only, so that it travels cheaply to worker processes.
    """

    analyses: tuple[Analysis, ...]
    reading: Reading
    identifies: bool = False  # whether a checksum of each file is wanted

    def __call__(
        self, index: int, item: Any, wanted: Sequence[int] | None = None
    ) -> ClipFrames:
        """Return the frames of entry `index` of X, of all analyses or of some."""
        analyses = self.analyses
        if wanted is not None:
            analyses = tuple(analyses[i] for i in wanted)
        content = None
        try:
            if self.identifies and is_path(item):
                content = file_content(self.reading.absolute(item))
            clip = self.reading.clip(index, item, [a.sr for a in analyses])
            frames = tuple(a.frames(clip.waveforms[a.sr]) for a in analyses)
            return ClipFrames(frames, None, clip.notice, clip.decoder, content)
        except AudioReadError as error:
            path = item if is_path(item) else None
            named = AudioReadError(path, error.reason, index)
            nothing = tuple(a.no_frames() for a in analyses)
            return ClipFrames(nothing, named, None, None, None)
