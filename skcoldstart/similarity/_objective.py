"""The exact objective of a metric W = L'L, and its gradient in L."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skcoldstart._utils.threads import ThreadMap

BLOCK_SCORES = 1 << 20  # scores held at a time; fixed, so that sums do not depend on
# the number of threads


def embed(X: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Return X L', where a vector L means a diagonal matrix."""
    return X * L if L.ndim == 1 else X @ L.T


class RankingObjective:
    r"""Penalty plus mean hinge over queries: convex in W, computed through L.

    Shapes: `X` (n_items, n_features), `groups` (n_items,).

    .. math:: F(W) = \frac{\Omega(W)}{d} + \frac{C}{m} \sum_q h_q(W)
    """

    def __init__(
        self,
        X: np.ndarray,
        relevance: Any,
        groups: np.ndarray,
        *,
        loss: str,
        k: int,
        C: float,
        regularizer: str,
        run: ThreadMap,
        n_threads: int,
    ) -> None:
        self.X, self.C, self.regularizer = X, C, regularizer
        self._relevance, self._groups = relevance, groups
        self._run, self._n_threads = run, n_threads
        self._separate = _kernel(loss, k)
        n_irrelevant = len(X) - np.bincount(groups)[groups] - relevance.counts
        self.queries = np.flatnonzero((relevance.counts > 0) & (n_irrelevant > 0))
        if len(self.queries) == 0:
            n_asking = int(np.count_nonzero(relevance.counts))
            raise ValueError(
                f"None of {len(X)} items has both relevant and irrelevant items "
                f"({n_asking} have relevant ones), so there is nothing to rank. With "
                f"plays, two items must have a common listener; with labels, there "
                f"must be two items of one class and one of another."
            )

    def penalty(self, L: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalty of L and its gradient."""
        d = self.X.shape[1]
        if self.regularizer == "trace":
            return float((L**2).sum()) / d, 2.0 / d * L
        if L.ndim == 1:
            return float((L**4).sum()) / (2 * d), 2.0 / d * L**3
        gram = L @ L.T
        return float((gram**2).sum()) / (2 * d), 2.0 / d * (gram @ L)

    def __call__(
        self, L: np.ndarray, queries: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the objective over some queries (default: all) and its gradient."""
        queries = self.queries if queries is None else queries
        Z = embed(self.X, L)
        hinge, pull = self._hinge(Z, queries, Z)
        weight = self.C / len(queries)
        pull *= weight
        gradient = (pull * self.X).sum(axis=0) if L.ndim == 1 else pull.T @ self.X
        penalty, penalty_gradient = self.penalty(L)
        gradient += penalty_gradient
        return penalty + weight * hinge, gradient

    def value(self, L: np.ndarray, queries: np.ndarray) -> float:
        """Return the objective over some queries."""
        Z = embed(self.X, L)
        hinges = self._in_blocks(queries, lambda block: self._worst(Z, block)[1].sum())
        return self.penalty(L)[0] + self.C * sum(hinges) / len(queries)

    def plane(self, L: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the supporting plane of the mean hinge at W = L'L.

        Shapes: -> `slope` (n_features, n_features).
        """
        Z = embed(self.X, L)
        hinge, pull = self._hinge(Z, self.queries, self.X)
        if L.ndim == 1:
            slope = -0.5 / len(self.queries) * (pull * self.X).sum(axis=0)
            return hinge / len(self.queries) + float(slope @ L**2), slope
        slope = -0.5 / len(self.queries) * (pull.T @ self.X)
        slope = 0.5 * (slope + slope.T)
        inner = float(((L @ slope) * L).sum())
        return hinge / len(self.queries) + inner, slope

    def _hinge(
        self, Z: np.ndarray, queries: np.ndarray, rows: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Return the sum of hinges and, if rows is Z, its gradient in Z.

        With T the gradient in the scores v_qj = -|z_q - z_j|^2, the gradient in the
        metric is that of sum_qj T_qj v_qj: rows of queries get 2 T Z, all rows get
        2 T' Z_Q - 2 (T'1) Z. Rows of T add up to 0.
        """

        def work(block: np.ndarray) -> tuple[Any, ...]:
            T, hinges = self._worst(Z, block)
            pull = T.T @ rows[block]
            pull -= T.sum(axis=0)[:, np.newaxis] * rows
            return block, hinges.sum(), pull, T @ rows

        total, gradient = 0.0, np.zeros_like(rows)
        for block, hinge, pull, of_queries in self._in_blocks(queries, work):
            total += hinge
            gradient += pull
            gradient[block] += of_queries
        gradient *= 2.0
        return float(total), gradient

    def _worst(self, Z: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient in the scores and the hinges of some queries."""
        scores = (2.0 * Z[block]) @ Z.T
        scores -= np.einsum("ij,ij->i", Z, Z)
        gradients, hinges = np.empty_like(scores), np.empty(len(block))
        indptr, items = self._relevance.of(block)
        queries = block.astype(np.int32)
        self._separate(scores, queries, self._groups, indptr, items, gradients, hinges)
        return gradients, hinges

    def _in_blocks(
        self, queries: np.ndarray, work: Callable[[np.ndarray], Any]
    ) -> Iterator[Any]:
        """Yield results of blocks in order, computing a few at a time."""
        size = max(1, BLOCK_SCORES // len(self.X))
        blocks = [queries[s : s + size] for s in range(0, len(queries), size)]
        for start in range(0, len(blocks), self._n_threads):
            yield from self._run(work, blocks[start : start + self._n_threads])


def _kernel(loss: str, k: int) -> Callable[..., None]:
    from skcoldstart._kernels import separation, separation_at_k

    if loss in {"precision", "ndcg"}:
        ranks = np.arange(1, k + 1)
        discounts = np.ones(k) if loss == "precision" else 1 / np.log2(ranks + 1)
        return lambda *arrays: separation_at_k.separate_at_k(*arrays, discounts)
    return getattr(separation, f"separate_{loss}")
