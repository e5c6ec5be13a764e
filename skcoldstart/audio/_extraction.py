"""Convert one audio item to frames of one or several kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from skcoldstart.audio._errors import AudioReadError, describe_bad_sample
from skcoldstart.audio._identity import file_content
from skcoldstart.audio._items import is_path
from skcoldstart.audio._reading import Reading


class FrameFunction(Protocol):
    """Maps a mono float32 waveform to float32 frames; picklable.

    Its repr describes the frames completely and identifies them in a store. It raises
    OverflowError if features are not finite, AudioReadError if it has none.
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
    """One kind of frames: their function, sampling rate and type."""

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
                f"features as large as {np.abs(frames).max():.3g} exceed the range of "
                f"{self.dtype}; use dtype='float32'",
            )
        return cast

    def no_frames(self) -> np.ndarray:
        """Return the frames of an item that cannot be used."""
        return np.empty((0, self.compute.n_features), self.dtype)


class ClipFrames(NamedTuple):
    """The result for one item."""

    frames: tuple[np.ndarray, ...]  # of each analysis; empty if there is an error
    error: AudioReadError | None
    notice: str | None  # why its file seems truncated, if it does
    decoder: str | None  # the decoder, if it is not libsndfile
    content: str | None  # a checksum of its file, if requested


@dataclass(frozen=True)
class ClipExtractor:
    """Convert a path or waveform to frames; errors in its content are returned.

    Holds only parameters, so it is cheap to send to worker processes.
    """

    analyses: tuple[Analysis, ...]
    reading: Reading
    identifies: bool = False  # whether to compute a checksum of each file

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
