"""Vectors in descending order of length, for exact searches that end early."""

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.top_n import gram_matrix
from skcoldstart._utils.threads import (
    n_kernel_threads,
    one_blas_thread,
    worker_threads,
)

_MOST_ROWS = 8192  # in float64 at a time, whole blocks
_LINE = 16  # numbers
_MOST_QUERIES = 128  # in a round of one thread, with their heaps in its cache


class LongestFirst:
    """Sorted vectors in the layout of the kernel, and the search in them.

    Shapes: `vectors` (n_vectors, k), float32.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        from skcoldstart._kernels.inner_products import BLOCK_VECTORS, STEP

        n_vectors, k = vectors.shape
        n_blocks = -(-n_vectors // BLOCK_VECTORS)
        lengths = _lengths(vectors)
        with one_blas_thread():  # products are small, and equal for any number
            # Coordinates with the largest sums of squares come first. Zeros, to fill
            # the last step, change no product.
            self._n_steps = -(-k // STEP)
            self._basis = np.zeros((k, self._n_steps * STEP))
            self._basis[:, :k] = np.linalg.eigh(gram_matrix(vectors))[1][:, ::-1]
            self._rows = np.argsort(-lengths, kind="stable")
            self._vectors = vectors[self._rows]
            self._longest = float(lengths[self._rows[0]]) or 1.0
            self._lengths = lengths[self._rows[::BLOCK_VECTORS]] / self._longest
            shape = self._n_steps, n_blocks, STEP + 1, BLOCK_VECTORS
            self._blocks = _aligned_zeros(shape)
            for start in range(0, n_vectors, _MOST_ROWS):
                part = self._vectors[start : start + _MOST_ROWS]
                coordinates = np.moveaxis(self._coordinates(part, self._longest), 0, 2)
                for first in range(0, len(part), BLOCK_VECTORS):
                    block = coordinates[..., first : first + BLOCK_VECTORS]
                    place = (start + first) // BLOCK_VECTORS
                    self._blocks[:, place, :, : block.shape[2]] = block

    def query(
        self,
        queries: np.ndarray,
        n: int,
        hidden: sp.csr_array | None,
        n_jobs: int | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best rows of each query and their products, -1 if there are fewer.

        Shapes: `queries` (n_queries, k), `hidden` (n_queries, n_vectors), with sorted
        indices -> `rows` (n_queries, n), `products` (n_queries, n).
        """
        from skcoldstart._kernels.inner_products import search_products

        n_queries = len(queries)
        rows = np.full((n_queries, n), -1, np.int64)
        products = np.full((n_queries, n), -np.inf, np.float32)
        n_found = min(n, len(self._vectors))
        if hidden is None:
            hidden = sp.csr_array((n_queries, len(self._vectors)))
        indptr, indices = (a.astype(np.int64) for a in (hidden.indptr, hidden.indices))
        index = (
            *(self._blocks.ravel(), self._lengths, self._vectors.ravel()),
            *(self._rows, self._longest),
        )

        def search(start: int) -> None:
            part = queries[start : start + size]
            stop = start + len(part)
            lengths = _lengths(part)
            heads = self._coordinates(part, np.where(lengths > 0, lengths, 1)[:, None])
            best = np.empty((len(part), n_found), np.int64)
            values = np.empty((len(part), n_found), np.float32)
            search_products(
                index,
                (heads.ravel(), part.ravel(), lengths),
                (indptr[start : stop + 1], indices),
                best,
                values,
            )
            rows[start:stop, :n_found], products[start:stop, :n_found] = best, values

        share = -(-n_queries // (4 * n_kernel_threads(n_jobs)))
        size = max(1, min(share, _MOST_QUERIES))
        if size >= n_queries:  # a thread would take longer to start than to search
            search(0)
            return rows, products
        with worker_threads(n_jobs) as run:
            run(search, range(0, n_queries, size))
        return rows, products

    def _coordinates(
        self, vectors: np.ndarray, scale: np.ndarray | float
    ) -> np.ndarray:
        """Return rotated coordinates, after each step the length of the later ones.

        Shapes: `vectors` (n, k) -> (n, n_steps, 9).
        """
        rotated = (vectors.astype(np.float64) @ self._basis) / scale
        steps = rotated.reshape(len(vectors), self._n_steps, -1)
        squares = np.einsum("vsj,vsj->vs", steps, steps)
        later = np.zeros((*squares.shape, 1))
        later[:, :-1, 0] = np.sqrt(np.cumsum(squares[:, :0:-1], axis=1)[:, ::-1])
        return np.concatenate([steps, later], axis=2, dtype=np.float32)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("vk,vk->v", vectors, vectors, dtype=np.float64))


def _aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return float32 zeros that begin at a cache line, so that no load crosses one."""
    size = int(np.prod(shape))
    store = np.zeros(size + _LINE, np.float32)
    first = -store.ctypes.data % (4 * _LINE) // 4
    return store[first : first + size].reshape(shape)
