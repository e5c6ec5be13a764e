"""Find each frame's nearest codeword exactly, with the faster of two methods."""

import numpy as np

from skcoldstart._utils.threads import worker_threads
from skcoldstart.codebook._leaves import CodewordLeaves
from skcoldstart.codebook._tiles import CodewordTiles

# Frames per piece of work. Fixed, so that the pieces do not depend on n_jobs.
_CHUNK = 4096
# Frames whose steps decide the method for a chunk, and for a codebook.
_CHUNK_PROBE = 128
_PROBE = 2048
# Cost of a frame in nanoseconds, measured with frames of music, scaled frames and
# noise; only ratios matter.
_LEAVES_AT_ALL, _LEAVES_PER_STEP = 450.0, 17.0
_TILES_PER_CODEWORD, _TILES_PER_NUMBER = 0.4, 0.02


class CodewordIndex:
    """Finds the codeword nearest to a frame.

    Shapes: `codebook` (n_codewords, n_features), `frames` (n_frames, n_features).

    Both methods compute distances in float32 first, and compare in float64 all
    codewords that may be nearest within rounding errors. So labels and distances depend
    only on frame and codebook, not on the method, BLAS, the number of threads or other
    frames. The method is chosen by counting steps, not by time.
    """

    def __init__(self, codebook: np.ndarray, frames: np.ndarray | None = None) -> None:
        self.codebook = np.ascontiguousarray(codebook, dtype=np.float64)
        self._ids, self._distinct_of = _distinct_rows(self.codebook)
        distinct = self.codebook[self._ids]
        self._tiles = CodewordTiles(distinct)
        self._cost_of_tiles = len(distinct) * (
            _TILES_PER_CODEWORD + _TILES_PER_NUMBER * distinct.shape[1]
        )
        self._leaves: CodewordLeaves | None = None
        if frames is not None and len(frames) and self._leaves_pay(0, 1):
            leaves = CodewordLeaves(distinct)
            sample = np.array(frames[:: -(-len(frames) // _PROBE)], dtype=np.float64)
            n = len(sample)
            n_steps = leaves.search(
                sample, np.empty(n, np.int32), np.empty(n), _unknown_starts(n)
            )
            if self._leaves_pay(n_steps, n):
                self._leaves = leaves

    def nearest(
        self,
        frames: np.ndarray,
        *,
        start: np.ndarray | None = None,
        n_jobs: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest codeword of each frame.

        Shapes: `frames` (n_frames, n_features), `start` (n_frames,) -> `labels`
        (n_frames,), `distances` (n_frames,).
        """
        labels = np.empty(len(frames), np.int32)
        distances = np.empty(len(frames), np.float64)
        start = (
            _unknown_starts(len(frames)) if start is None else self._distinct_of[start]
        )

        def search(first: int) -> None:
            part = slice(first, first + _CHUNK)
            self._search_chunk(
                np.ascontiguousarray(frames[part], dtype=np.float64),
                labels[part],
                distances[part],
                start[part],
            )

        with worker_threads(n_jobs) as run:
            run(search, range(0, len(frames), _CHUNK))
        return self._ids[labels], distances

    def _search_chunk(
        self,
        frames: np.ndarray,
        labels: np.ndarray,
        distances: np.ndarray,
        start: np.ndarray,
    ) -> None:
        """Search by leaves if they exist and the first frames take few steps."""
        if self._leaves is None:
            self._tiles.search(frames, labels, distances)
            return
        head, tail = slice(_CHUNK_PROBE), slice(_CHUNK_PROBE, None)
        n_steps = self._leaves.search(
            frames[head], labels[head], distances[head], start[head]
        )
        if self._leaves_pay(n_steps, len(frames[head])):
            self._leaves.search(
                frames[tail], labels[tail], distances[tail], start[tail]
            )
        else:
            self._tiles.search(frames[tail], labels[tail], distances[tail])

    def _leaves_pay(self, n_steps: int, n_frames: int) -> bool:
        """Return whether leaves are cheaper than tiles with this many steps."""
        cost = _LEAVES_AT_ALL + _LEAVES_PER_STEP * n_steps / n_frames
        return cost < self._cost_of_tiles


def _unknown_starts(n_frames: int) -> np.ndarray:
    """Return -1 for each frame: no codeword to start from, (n_frames,)."""
    return np.full(n_frames, -1, np.int32)


def _distinct_rows(codebook: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return first positions of distinct rows, and the distinct row of each row."""
    row_type = np.dtype((np.void, codebook.itemsize * codebook.shape[1]))
    rows = codebook.view(row_type).ravel()
    _, first, copy_of = np.unique(rows, return_index=True, return_inverse=True)
    ids = np.sort(first)
    return ids.astype(np.int32), np.searchsorted(ids, first[copy_of]).astype(np.int32)
