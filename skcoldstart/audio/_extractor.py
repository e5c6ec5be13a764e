"""What the two extractors share: validation, workers, the policy for bad items."""

import os
import warnings
from collections.abc import Generator, Sequence
from contextlib import closing
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._sequences.collector import ItemCollector
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import Interval, Options, StrOptions, _fit_context
from skcoldstart.audio._extraction import (
    ClipExtractor,
    ClipFrames,
    FrameFunction,
    check_audio_items,
)
from skcoldstart.audio._lazy import ClipReader, LazyFrames
from skcoldstart.audio._spectrum import MelBands

__all__ = ["AudioExtractor", "ItemError"]

# Items handed to each worker at a time: enough to keep workers busy, few enough for
# their frames to be a small part of the result.
_ITEMS_PER_WORKER = 32

# Items that a warning names before it says how many more there are.
_N_NAMED = 5


class ItemError(NamedTuple):
    """An item that has no frames, and why."""

    index: int  # type: ignore[assignment]  # also the name of a tuple's method
    path: Any
    reason: str


class AudioExtractor(
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Base of extractors: paths or waveforms in, frames of each item out.

    A subclass has the reading and mel parameters as attributes and defines
    `_frame_function`.
    """

    _parameter_constraints: dict = {
        "sr": [Interval(Real, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "dtype": [
            StrOptions({"float32", "float16"}),
            Options(type, {np.float32, np.float16}),
        ],
        "max_duration": [Interval(Real, 0, None, closed="neither"), None],
        "on_error": [StrOptions({"raise", "warn", "ignore"})],
        "salvage": ["boolean"],
        "lazy": ["boolean"],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    sr: float
    n_fft: int
    hop_length: int
    n_mels: int
    fmin: float
    fmax: float | None
    dtype: Any
    max_duration: float | None
    on_error: str
    salvage: bool
    lazy: bool
    store: str | os.PathLike[str] | None
    n_jobs: int | None
    verbose: int

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            Not read.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self
            The extractor itself.
        """
        check_item_sequence(X)
        empty = self._mel_bands().empty_bands()
        self._frame_function()
        if len(empty):
            warnings.warn(
                f"{len(empty)} of {self.n_mels} mel bands hold no frequency bin (band "
                f"{empty[0]} is the first) and will be constant. Lower n_mels, raise "
                "fmin or use a longer n_fft.",
                stacklevel=2,
            )
        self.errors_: list[ItemError] = []
        return self

    def transform(self, X: Any) -> RaggedArray | LazySequence:
        """Compute the frames of every item.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            Paths of audio files (str, bytes or PathLike), or mono waveforms at `sr`
            Hz: floating arrays of shape (n_samples_i,) in a list, an object array, a
            2-D array (items of equal length) or a `RaggedArray`.

        Returns
        -------
        RaggedArray or LazySequence of n_items
            Item i is (n_frames_i, n_features), frame-major; it has no frames where
            the item could not be used. With ``lazy=True`` it is computed when it is
            read, with `store` it is read from disk.

        Raises
        ------
        AudioReadError
            If an item cannot be used and ``on_error="raise"``.
        TypeError
            If X is a single path, a mapping or an iterator.
        ValueError
            If an item is neither a path nor a 1-D floating array, or if parameters
            contradict each other.
        """
        self._validate_params()
        extract = ClipExtractor(
            self._frame_function(),
            float(self.sr),
            None if self.max_duration is None else float(self.max_duration),
            np.dtype(self.dtype),
            bool(self.salvage),
        )
        items = check_audio_items(X)
        if self.store is not None:
            return self._extract_to_store(extract, items)
        if self.lazy:
            self.errors_ = []
            reader = ClipReader(extract, items, self.on_error)
            return LazyFrames(reader, range(len(items)), self.n_jobs)
        return self._extract(extract, items)

    def set_output(self, *, transform: Any = None) -> Self:
        """Do nothing: frames have no columns that a data frame could hold.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored.

        Returns
        -------
        self
            The extractor itself.
        """
        return self

    def _frame_function(self) -> FrameFunction:
        """Check the parameters against each other and return what computes frames."""
        raise NotImplementedError

    def _mel_bands(self) -> MelBands:
        nyquist = self.sr / 2
        fmax = nyquist if self.fmax is None else self.fmax
        if not self.fmin < fmax <= nyquist:
            raise ValueError(
                f"fmin={self.fmin:g} and fmax={fmax:g} Hz do not fit a sampling rate "
                f"of {self.sr:g} Hz; expected fmin < fmax <= sr / 2 = {nyquist:g}."
            )
        return MelBands(
            float(self.sr),
            int(self.n_fft),
            int(self.hop_length),
            int(self.n_mels),
            float(self.fmin),
            float(fmax),
        )

    def _extract(self, extract: ClipExtractor, items: Any) -> RaggedArray:
        """Hold the frames of all items in memory."""
        frames = ItemCollector((extract.compute.n_features,), extract.dtype)
        report = _Report(self.on_error, len(items))
        with closing(self._results(extract, items, range(len(items)))) as results:
            for index, result in results:
                report.note_error(index, result)
                if result.notice is not None:
                    report.note_truncated(index, items[index], result.notice)
                frames.append(result.frames)
        self.errors_ = report.finish()
        return frames.finish()

    def _extract_to_store(self, extract: ClipExtractor, items: Any) -> LazySequence:
        """Compute what the store lacks, and read the rest from there."""
        from skcoldstart.audio._store import FrameStore, item_key

        store = FrameStore(self.store, extract)
        report = _Report(self.on_error, len(items))
        keys = [item_key(index, items[index]) for index in range(len(items))]
        missing = [i for i, key in enumerate(keys) if key is None or key not in store]
        try:
            with closing(self._results(extract, items, missing)) as results:
                for index, result in results:
                    report.note_error(index, result)
                    key = keys[index]
                    if result.error is None and key is not None:
                        store.add(key, result.frames, result.notice)
        finally:
            # Also on Ctrl-C and on a bad file: what is done need not be done again.
            store.flush()
        for index, key in enumerate(keys):
            notice = store.notice(key)
            if notice is not None:
                report.note_truncated(index, items[index], notice)
        self.errors_ = report.finish()
        return store.frames(keys)

    def _results(
        self, extract: ClipExtractor, items: Any, indices: Sequence[int]
    ) -> Generator[tuple[int, ClipFrames], None, None]:
        """Yield the frames of some items in order, computed by workers in blocks."""
        from joblib import Parallel, delayed, effective_n_jobs

        # One worker needs no look-ahead; an item at a time keeps memory lowest.
        n_workers = effective_n_jobs(self.n_jobs)
        n_block = 1 if n_workers == 1 else n_workers * _ITEMS_PER_WORKER
        # Threads are a hint: decoding, resampling and the kernels release the GIL, but
        # a backend chosen with joblib.parallel_config takes precedence.
        with (
            Parallel(n_jobs=self.n_jobs, prefer="threads") as parallel,
            progress_bar(
                description=type(self).__name__,
                verbose=self.verbose,
                total=len(indices),
                unit="clip",
            ) as bar,
        ):
            for start in range(0, len(indices), n_block):
                block = indices[start : start + n_block]
                results = parallel(delayed(extract)(i, items[i]) for i in block)
                yield from zip(block, results, strict=True)
                bar.update(len(block))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Report:
    """Gather what went wrong, and say it once."""

    def __init__(self, on_error: str, n_items: int) -> None:
        self._on_error = on_error
        self._n_items = n_items
        self._errors: list[ItemError] = []
        self._notices: list[ItemError] = []

    def note_error(self, index: int, result: ClipFrames) -> None:
        """Take down an item that failed, or raise if errors are to be raised."""
        if result.error is not None:
            if self._on_error == "raise":
                raise result.error
            error = result.error
            self._errors.append(ItemError(index, error.path, error.reason))

    def note_truncated(self, index: int, path: Any, notice: str) -> None:
        """Take down an item that seems to be cut short."""
        self._notices.append(ItemError(index, path, notice))

    def finish(self) -> list[ItemError]:
        """Warn where warnings are due, and return the errors."""
        if self._notices:
            self._warn("may be truncated", self._notices)
        if self._errors and self._on_error == "warn":
            self._warn("could not be used and have no frames", self._errors)
        return self._errors

    def _warn(self, what: str, items: list[ItemError]) -> None:
        named = "; ".join(
            f"item {item.index}"
            + (f" ({str(item.path)!r})" if item.path is not None else "")
            + f": {item.reason}"
            for item in items[:_N_NAMED]
        )
        more = f"; and {len(items) - _N_NAMED} more" if len(items) > _N_NAMED else ""
        warnings.warn(
            f"{len(items)} of {self._n_items} items {what}: {named}{more}.",
            stacklevel=5,
        )
