"""Frames of a catalogue: in memory, in a store, or computed on access."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from skcoldstart._sequences.ragged import ItemCollector, LazySequence, RaggedArray
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.warning import warn
from skcoldstart.audio._extraction import ClipExtractor, ClipFrames, identify
from skcoldstart.audio._items import AudioReadError

# Items given to a worker at a time: enough to keep workers busy, but few enough that
# their frames are a small part of the result.
_ITEMS_PER_WORKER = 32

# Frames of lazy items are in memory until they are accessed.
_LAZY_ITEMS_PER_WORKER = 4

# Items that a warning names; it counts the others.
_N_NAMED = 5

# An item to extract, and the positions of the analyses that lack it; None means all.
Task = tuple[int, Sequence[int] | None]


class ItemError(NamedTuple):
    """An item without frames, and the reason; an entry of ``errors_`` of extractors.

    .. versionadded:: 0.1

    Parameters
    ----------
    index : int
        Position of the item in X.
    path : str, PathLike or None
        Path of its audio file; ``None`` for a waveform.
    reason : str
        Reason why it could not be read.

    Examples
    --------
    >>> from skcoldstart.audio import ItemError
    >>> ItemError(3, "c.wav", "there is no such file").reason
    'there is no such file'
    """

    index: int  # type: ignore[assignment]  # also the name of a tuple's method
    path: Any
    reason: str


@dataclass(frozen=True)
class Run:
    """One call of transform: the items, the analyses and the options."""

    extract: ClipExtractor
    items: Any
    on_error: str
    n_jobs: int | None
    verbose: int
    name: str
    names: Sequence[str] = ("",)  # of the analyses

    def in_memory(self) -> tuple[list[RaggedArray], list[ItemError]]:
        """Return the frames of all items, one array for each analysis, and errors."""
        collectors = [
            ItemCollector((analysis.compute.n_features,), analysis.dtype)
            for analysis in self.extract.analyses
        ]
        report = _Report(self)
        tasks: list[Task] = [(index, None) for index in range(len(self.items))]
        with closing(self.results(tasks, self.verbose)) as results:
            for (index, _), result in results:
                report.note(index, result.error, result.notice)
                for collector, frames in zip(collectors, result.frames, strict=True):
                    collector.extend(frames, [len(frames)])
        return [collector.finish() for collector in collectors], report.finish()

    def in_stores(
        self, folders: Sequence[Any]
    ) -> tuple[Sequence[LazySequence], list[ItemError]]:
        """Compute the frames missing in the stores, and read all frames from them."""
        from skcoldstart.audio._store import FrameStore

        reading = self.extract.reading
        stores = [
            FrameStore(folder, analysis, reading)
            for folder, analysis in zip(folders, self.extract.analyses, strict=True)
        ]
        report = _Report(self)
        items = [identify(i, self.items[i], reading) for i in range(len(self.items))]
        tasks: list[Task] = []
        for index, item in enumerate(items):
            lacking = [s for s, store in enumerate(stores) if store.find(item) is None]
            if lacking:
                tasks.append((index, lacking))
        run = replace(self, extract=replace(self.extract, identifies=True))
        try:
            with closing(run.results(tasks, self.verbose)) as results:
                for (index, wanted), result in results:
                    item, error = items[index], result.error
                    if error is None and (item is None or not item.is_current()):
                        reason = "it changed while it was read"
                        error = AudioReadError(self.items[index], reason, index)
                    report.note(index, error, None)
                    if item is None or error is not None:
                        items[index] = None
                        continue
                    for s, frames in zip(wanted or (), result.frames, strict=True):
                        stores[s].add(item, frames, result)
        finally:
            # Also on Ctrl-C and on a bad file, so that finished frames are kept.
            for store in stores:
                store.flush()
        places = [[store.find(item) for item in items] for store in stores]
        for index, place in enumerate(places[0]):
            report.note(index, None, place and place.notice)
        errors = report.finish()
        return [
            s.frames(found) for s, found in zip(stores, places, strict=True)
        ], errors

    def results(
        self,
        tasks: Sequence[Task],
        verbose: int = 0,
        items_per_worker: int = _ITEMS_PER_WORKER,
    ) -> Generator[tuple[Task, ClipFrames], None, None]:
        """Yield tasks and their results in order, computed by workers in blocks.

        joblib's own generator works ahead without a limit if its results are used more
        slowly than they are computed, and some backends do not have it.
        """
        from joblib import Parallel, delayed, effective_n_jobs

        # One worker needs no look-ahead; one item at a time needs the least memory.
        n_workers = effective_n_jobs(self.n_jobs)
        n_block = 1 if n_workers == 1 else n_workers * items_per_worker
        # Threads are a hint: decoding, resampling and the kernels release the GIL, but
        # a backend chosen with joblib.parallel_config takes precedence.
        with (
            progress_bar(
                description=self.name, verbose=verbose, total=len(tasks), unit="clip"
            ) as bar,
            Parallel(n_jobs=self.n_jobs, prefer="threads") as parallel,
        ):
            for start in range(0, len(tasks), n_block):
                block = tasks[start : start + n_block]
                results = parallel(
                    delayed(self.extract)(index, self.items[index], wanted)
                    for index, wanted in block
                )
                for pair in zip(block, results, strict=True):
                    yield pair
                    bar.update()


def join_frames(
    parts: Sequence[np.ndarray], names: Sequence[str], index: int
) -> np.ndarray:
    """Concatenate the features of an item's frames, (n_frames, sum of n_features)."""
    if len(parts) == 1:
        return parts[0]
    lengths = dict(zip(names, map(len, parts), strict=True))
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"Item {index} has different numbers of frames, {lengths}, which cannot be "
            "joined. Give the extractors the same sr and hop_length, or use each kind "
            "by its name."
        )
    return np.hstack(parts)


class LazyFrames(LazySequence):
    """Frames of items, computed on each access and not stored.

    When items are accessed in order, several are computed ahead. Indexing works as on a
    `RaggedArray`: an integer computes the frames of an item, a slice, an integer array
    or a mask gives another `LazyFrames`.
    """

    def __init__(self, run: Run, indices: Sequence[int]) -> None:
        super().__init__(self._compute_one, indices)
        self._run = run

    def _compute_one(self, index: int) -> np.ndarray:
        run = self._run
        return self._checked(index, run.extract(index, run.items[index]))

    def __iter__(self) -> Iterator[np.ndarray]:
        tasks: list[Task] = [(index, None) for index in self._sources]
        results = self._run.results(tasks, items_per_worker=_LAZY_ITEMS_PER_WORKER)
        for (index, _), result in results:
            yield self._checked(index, result)

    def _checked(self, index: int, result: ClipFrames) -> np.ndarray:
        """Return the frames of an item; raise or warn on an error."""
        run = self._run
        if result.error is not None:
            if run.on_error == "raise":
                raise result.error
            if run.on_error == "warn":
                warn(f"{result.error} It has no frames.")
        if result.notice is not None:
            item = run.items[index]
            warn(f"Item {index} ({item!r}) may be truncated: {result.notice}.")
        return join_frames(result.frames, run.names, index)

    def _select(self, sources: Sequence[int]) -> "LazyFrames":
        return LazyFrames(self._run, sources)


class _Report:
    """Collect errors, and report them once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._errors: list[ItemError] = []
        self._notices: list[ItemError] = []

    def note(self, index: int, error: Any, notice: str | None) -> None:
        """Record an item that failed, or raise; also record a truncated one."""
        if error is not None:
            if self._run.on_error == "raise":
                raise error
            self._errors.append(ItemError(index, error.path, error.reason))
        if notice is not None:
            self._notices.append(ItemError(index, self._run.items[index], notice))

    def finish(self) -> list[ItemError]:
        """Issue warnings if enabled, and return the errors."""
        if self._notices:
            self._warn("may be truncated", self._notices)
        if self._errors and self._run.on_error == "warn":
            self._warn("could not be used and have no frames", self._errors)
        return self._errors

    def _warn(self, what: str, items: list[ItemError]) -> None:
        named = "; ".join(
            f"item {item.index}"
            + (f" ({os.fsdecode(item.path)!r})" if item.path is not None else "")
            + f": {item.reason}"
            for item in items[:_N_NAMED]
        )
        more = f"; and {len(items) - _N_NAMED} more" if len(items) > _N_NAMED else ""
        warn(f"{len(items)} of {len(self._run.items)} items {what}: {named}{more}.")
