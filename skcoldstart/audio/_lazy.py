"""Frames that are computed when they are read."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.audio._extraction import ClipExtractor, ClipFrames

__all__ = ["ClipReader", "LazyFrames"]

# Items that each worker is given at a time. They wait in memory until they are read.
_ITEMS_PER_WORKER = 4


class LazyFrames(LazySequence):
    """Frames of items, computed whenever they are read and never kept.

    Read in turn, some items are computed at once, ahead of the reader. Indexing works
    as on a `RaggedArray`: an integer computes the frames of an item, a slice, an
    integer array or a mask gives another `LazyFrames`.
    """

    def __init__(
        self, reader: "ClipReader", indices: Sequence[int], n_jobs: int | None
    ) -> None:
        super().__init__(reader, indices)
        self._reader = reader
        self._n_jobs = n_jobs

    def __iter__(self) -> Iterator[np.ndarray]:
        from joblib import Parallel, delayed, effective_n_jobs

        n_workers = effective_n_jobs(self._n_jobs)
        if n_workers == 1:
            yield from super().__iter__()
            return
        extract, items = self._reader.extract, self._reader.items
        n_block = n_workers * _ITEMS_PER_WORKER
        with Parallel(n_jobs=self._n_jobs, prefer="threads") as parallel:
            for start in range(0, len(self), n_block):
                block = self._sources[start : start + n_block]
                results = parallel(delayed(extract)(i, items[i]) for i in block)
                for index, result in zip(block, results, strict=True):
                    yield self._reader.take(index, result, stacklevel=3)

    def _select(self, sources: Sequence[int]) -> "LazyFrames":
        return LazyFrames(self._reader, sources, self._n_jobs)


@dataclass(frozen=True)
class ClipReader:
    """Compute the frames of one item and follow `on_error`; picklable."""

    extract: ClipExtractor
    items: Any
    on_error: str

    def __call__(self, index: int) -> np.ndarray:
        """Return the frames of item `index`."""
        return self.take(index, self.extract(index, self.items[index]), stacklevel=4)

    def take(self, index: int, result: ClipFrames, stacklevel: int) -> np.ndarray:
        """Return the frames of a result; raise or warn where there is reason to."""
        if result.error is not None:
            if self.on_error == "raise":
                raise result.error
            if self.on_error == "warn":
                message = f"{result.error} It has no frames."
                warnings.warn(message, stacklevel=stacklevel)
        if result.notice is not None:
            warnings.warn(
                f"Item {index} ({self.items[index]!r}) may be truncated: "
                f"{result.notice}.",
                stacklevel=stacklevel,
            )
        return result.frames
