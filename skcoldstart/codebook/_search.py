"""Find each frame's nearest codeword, exactly, whatever way is fastest."""

import numpy as np

from skcoldstart._utils.threads import (
    map_in_threads,
    n_kernel_threads,
    one_blas_thread,
)

__all__ = ["CodewordIndex"]

# Frames per piece of work. Fixed, so that the pieces do not depend on n_jobs.
_CHUNK = 4096
_TILE = 256
_UNIT_ROUNDOFF = 2.0**-24
# Scaled frames beyond this lie outside what float32 can square.
_FAR = 2.0**40


class CodewordIndex:
    """Answers which codeword is nearest to a frame.

    Parameters
    ----------
    codebook : ndarray of shape (n_codewords, n_features)
        Codewords, finite.

    Attributes
    ----------
    codebook : ndarray of shape (n_codewords, n_features)
        The codewords in float64.

    Notes
    -----
    Distances are first computed in float32, on frames and codewords that are centred
    and scaled to about one. Every codeword whose rounded distance lies within a
    proven error bound of the smallest is then compared in float64, so that labels
    and distances are functions of frame and codebook alone: they do not depend on
    BLAS, on the number of threads or on the other frames. Ties go to the lowest index.
    """

    def __init__(self, codebook: np.ndarray) -> None:
        self.codebook = np.ascontiguousarray(codebook, dtype=np.float64)
        n_features = self.codebook.shape[1]
        self._mean = self.codebook.mean(axis=0)
        centred = self.codebook - self._mean
        radius = np.sqrt(_squared_norms(centred).max())
        self._scale = 2.0 ** -np.ceil(np.log2(radius)) if radius > 0 else 1.0
        centred *= self._scale
        # score = ||c||^2 - 2 z.c for the frame (z, 1)
        self._weights = np.vstack([-2.0 * centred.T, _squared_norms(centred)]).astype(
            np.float32
        )
        self._relative_error = (n_features + 8) * _UNIT_ROUNDOFF

    def nearest(
        self, frames: np.ndarray, *, n_jobs: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest codeword of each frame.

        Parameters
        ----------
        frames : ndarray of shape (n_frames, n_features)
            Frames, finite.
        n_jobs : int, default=None
            Threads; ``None`` means all that are available.

        Returns
        -------
        labels : ndarray of shape (n_frames,), int32
            Nearest codewords; ties go to the lowest index.
        distances : ndarray of shape (n_frames,), float64
            Squared distances to them.
        """
        labels = np.empty(len(frames), np.int32)
        distances = np.empty(len(frames), np.float64)

        def search(start: int) -> None:
            part = slice(start, start + _CHUNK)
            self._search_chunk(
                np.ascontiguousarray(frames[part], dtype=np.float64),
                labels[part],
                distances[part],
            )

        starts = range(0, len(frames), _CHUNK)
        n_threads = max(1, min(n_kernel_threads(n_jobs), len(starts)))
        with one_blas_thread():
            for _ in map_in_threads(search, starts, n_threads):
                pass
        return labels, distances

    def _search_chunk(
        self, frames: np.ndarray, labels: np.ndarray, distances: np.ndarray
    ) -> None:
        from skcoldstart._kernels.codewords import pick_nearest

        rows = np.empty((len(frames), len(self._weights)), np.float32)
        rows[:, -1] = 1.0
        margins = self._centre(frames, out=rows[:, :-1])
        scores = np.empty((min(_TILE, len(frames)), len(self.codebook)), np.float32)
        for start in range(0, len(frames), _TILE):
            part = slice(start, start + _TILE)
            tile = scores[: len(rows[part])]
            np.dot(rows[part], self._weights, out=tile)
            pick_nearest(
                tile,
                margins[part],
                frames[part],
                self.codebook,
                labels[part],
                distances[part],
            )

    def _centre(self, frames: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Write centred, scaled float32 frames to `out`; return the score margins."""
        centred = (frames - self._mean) * self._scale
        norms = np.sqrt(_squared_norms(centred))
        far = ~(norms < _FAR)
        centred[far] = 0.0
        out[...] = centred
        margins = 3.0 * self._relative_error * (1.0 + 2.0 * norms)
        margins[far] = np.inf
        return margins.astype(np.float32)


def _squared_norms(rows: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", rows, rows)
