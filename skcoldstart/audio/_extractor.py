"""Base of all extractors: reading options, transform, and errors of items."""

import os
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from skcoldstart._sequences.checks import check_item_sequence, label_rows, labels_of
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.docstrings import filled
from skcoldstart._utils.sk import Interval, Options, StrOptions, _fit_context
from skcoldstart.audio import _pyav
from skcoldstart.audio._extraction import Analysis, ClipExtractor, FrameFunction
from skcoldstart.audio._items import check_audio_items
from skcoldstart.audio._pooling import FramePooling
from skcoldstart.audio._reading import Reading, here
from skcoldstart.audio._runs import ItemError, LazyFrames, Run

TEXTS = {
    "framing": """\
sr : float, default=22050
    Sampling rate of the analysis, in Hz. Files are resampled to it; waveforms must have
    it.
n_fft : int, default=1024
    Samples in a frame, also the length of its Fourier transform. Powers of two
    are fastest.
hop_length : int, default=512
    Samples from one frame to the next.
""",
    "band edges": """\
fmin : float, default=0.0
    Lower edge of the first band, in Hz.
fmax : float, default=None
    Upper edge of the last band, in Hz; at most ``sr / 2``; ``None`` means ``sr / 2``.
""",
    "dtype": """\
dtype : {"float32", "float16"}, default="float32"
    Type of the frames. Half precision halves the memory; frames are computed in single
    precision.
""",
    "reading": """\
reader : {"auto", "soundfile", "av"} or callable, default="auto"
    The decoder of files. "auto" is libsndfile (WAV, FLAC, OGG, OPUS, MP3, AIFF and
    more), and for other formats (M4A, AAC, WMA, video files) PyAV, if it is installed:
    ``pip install skcoldstart[av]``. "soundfile" and "av" use one of them for all files.
    A callable takes an item's path, of any kind, and returns ``(samples, sr)``: floats
    of shape (n_samples,) or (n_samples, n_channels) with full scale at 1.0, and their
    rate in Hz. If it raises an exception, the item cannot be used.

    .. versionadded:: 0.2
max_duration : float, default=None
    Seconds to keep from the start of each item; ``None`` keeps all.
on_error : {"raise", "warn", "ignore"}, default="raise"
    What to do with an item whose content cannot be used: a file that cannot be
    decoded, no samples, NaN. "raise" raises `AudioReadError`. "warn" and "ignore" keep
    its row as an item of zero frames and record it in `errors_`. They also accept
    ``None``, NaN and ``pd.NA`` as items without audio.
salvage : bool, default=False
    If True, a file whose decoding fails in the middle, such as a truncated FLAC file,
    is used up to the damage, with a warning. If False, it cannot be used. A file that
    ends early without an error of the decoder is always used, with the same warning.
lazy : bool, default=False
    If True, `transform` returns a sequence that computes an item on each access, and
    `n_jobs` items at once when they are accessed in order.
store : str or PathLike, default=None
    Folder that keeps the frames on disk. `transform` computes only frames that are not
    in the folder, and returns a sequence that reads from it, so `lazy` has no effect.
    Several runs can share it at the same time, and a run continues after a killed one.
    A file is computed again if its name or content changes, and all files if a
    parameter of the frames changes. Damaged frames are detected.
n_jobs : int, default=None
    Number of items processed at once; ``None`` means 1 unless in a
    ``joblib.parallel_config`` context, -1 means all processors. The frames are
    the same bits for any number and any backend.
verbose : int, default=0
    1 shows a progress bar.

Attributes
----------
errors_ : list of (index, path, reason)
    Named tuples of the items without frames in the last `transform`; empty if there
    were no errors, and with ``lazy=True``. ``path`` is ``None`` for waveforms.

Raises
------
AudioReadError
    By `transform`, if an item cannot be used and ``on_error="raise"``. It is a
    ValueError with the attributes ``path``, ``reason`` and ``index``.
ImportError
    By `transform`, if ``reader="av"`` and PyAV is not installed.
""",
}


Reader = str | Callable[[Any], tuple[Any, float]]


class AudioReader(
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Base of all estimators that read audio, with their options."""

    _parameter_constraints: dict = {
        "reader": [StrOptions({"auto", "soundfile", "av"}), callable],
        "max_duration": [Interval(Real, 0, None, closed="neither"), None],
        "on_error": [StrOptions({"raise", "warn", "ignore"})],
        "salvage": ["boolean"],
        "lazy": ["boolean"],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    reader: Reader
    max_duration: float | None
    on_error: str
    salvage: bool
    lazy: bool
    store: str | os.PathLike[str] | None
    n_jobs: int | None
    verbose: int

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__doc__ = cls.__doc__ and filled(cls.__doc__, TEXTS)
        # Whether scikit-learn wraps the output depends on parameters of the instance.
        cls._sklearn_auto_wrap_output_keys = property(
            lambda self: {"transform"} if self._gives_rows else set()
        )

    def set_output(self, *, transform: Any = None) -> Self:
        """Set the container of rows; frames have no columns and are not changed.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container of the rows; ``None`` does not change it.

        Returns
        -------
        self
            The extractor itself.
        """
        if self._gives_rows:
            TransformerMixin.set_output(self, transform=transform)
        return self

    # The extractors of a union check their own parameters.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters. Nothing is learned from the data.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            Not used.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self
            The extractor itself.
        """
        check_item_sequence(X)
        self._check(X)
        self.errors_: list[ItemError] = []
        return self

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name for each feature of a frame, or for each column of the rows.

        Parameters
        ----------
        input_features : Ignored
            Present for API consistency.

        Returns
        -------
        ndarray of str
            "mel0", "mel1", ...; "mfcc0", ..., "delta_mfcc0", ..., "delta2_mfcc0", ...;
            with `pooling` statistic and feature, such as "mean_rms0"; in a union after
            the name of the extractor, such as "mfcc__delta_mfcc0".
        """
        return np.array(self._names(), dtype=object)

    def _check(self, X: Any) -> None:
        """Check the parameters against each other."""
        raise NotImplementedError

    def _names(self) -> list[str]:
        """Return the names of features."""
        raise NotImplementedError

    @property
    def _gives_rows(self) -> bool:
        """Return whether the result is one row per item, with columns."""
        return False

    def _run(self, analyses: tuple[Analysis, ...], X: Any) -> Run:
        """Check the items and return the extraction to run."""
        reading = Reading(
            self.reader,
            None if self.max_duration is None else float(self.max_duration),
            bool(self.salvage),
            here(),
        )
        if self.reader == "av" and not _pyav.version():
            raise ImportError(
                "reader='av' needs PyAV, which is not installed. Install it with "
                "`pip install skcoldstart[av]`, or use reader='auto'."
            )
        items = check_audio_items(X, allow_missing=self.on_error != "raise")
        return Run(
            ClipExtractor(analyses, reading),
            items,
            self.on_error,
            self.n_jobs,
            self.verbose,
            type(self).__name__,
        )

    def _waveform(self, item: Any) -> tuple[np.ndarray, float]:
        """Return the samples of one item, (n_samples,), and the sampling rate in Hz."""
        run = self._run((self._analysis(),), [item])
        rate = run.extract.analyses[0].sr
        clip = run.extract.reading.clip(0, run.items[0], [rate])
        return clip.waveforms[rate], rate

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class AudioExtractor(AudioReader):
    """Base of extractors from paths or waveforms to frames, which can be pooled.

    A subclass has `sr`, `dtype` and possibly `pooling`, and defines `_frame_function`
    and `_frame_names`.
    """

    _parameter_constraints: dict = {
        **AudioReader._parameter_constraints,
        "sr": [Interval(Real, 1, None, closed="left")],
        "dtype": [
            StrOptions({"float32", "float16"}),
            Options(type, {np.float32, np.float16}),
        ],
    }

    sr: float
    dtype: Any
    pooling: Iterable[str] | None = None

    def _check(self, X: Any) -> None:
        self._frame_function()
        if self.pooling is not None:
            FramePooling(self.pooling).fit(np.zeros((1, 1)))

    def transform(self, X: Any) -> Any:
        """Compute the frames, or with `pooling` the row, of every item.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            Paths of audio files (str, bytes or PathLike), or mono waveforms at the rate
            of the analysis: floating arrays of shape (n_samples_i,) in a list, an
            object array, a 2-D array (items of equal length) or a `RaggedArray`.

        Returns
        -------
        RaggedArray or LazySequence of n_items, or ndarray (n_items, n_features)
            Item i is (n_frames_i, n_features), frame-major; an item that could not be
            used has no frames. With `pooling` the array has one row per item, zeros if
            it could not be used.

        Raises
        ------
        AudioReadError
            If an item cannot be used and ``on_error="raise"``.
        ImportError
            If a package that the features need is not installed.
        TypeError
            If X is a single path, a mapping or an iterator.
        ValueError
            If an item is neither a path nor a 1-D floating array, or if parameters
            contradict each other.
        """
        self._validate_params()
        run = self._run((self._analysis(),), X)
        frames: RaggedArray | LazySequence
        if self.store is not None:
            [frames], self.errors_ = run.in_stores([self.store])
        elif self.lazy:
            frames, self.errors_ = LazyFrames(run, range(len(run.items))), []
        else:
            [frames], self.errors_ = run.in_memory()
        frames.index = labels_of(X)
        return self._pooled(frames, X)

    def _pooled(self, frames: Any, X: Any) -> Any:
        """Return the rows of items, or their frames if they are not pooled."""
        if self.pooling is None:
            return frames
        pooling = FramePooling(self.pooling).set_output(transform="default")
        return label_rows(pooling.fit_transform(frames), X, self)

    def _names(self) -> list[str]:
        names = self._frame_names()
        if self.pooling is None:
            return names
        silence = np.zeros((1, 1, len(names)), np.float32)
        pooling = FramePooling(self.pooling).fit(silence)
        return list(pooling.get_feature_names_out(names))

    @property
    def _gives_rows(self) -> bool:
        return self.pooling is not None

    def _frame_names(self) -> list[str]:
        """Return a name for each feature of a frame."""
        raise NotImplementedError

    def _frame_function(self) -> FrameFunction:
        """Check the parameters against each other and return the frame function."""
        raise NotImplementedError

    def _analysis(self) -> Analysis:
        return Analysis(self._frame_function(), self._rate(), np.dtype(self.dtype))

    def _rate(self) -> float:
        """Return the sampling rate of the analysis, in Hz."""
        return float(self.sr)
