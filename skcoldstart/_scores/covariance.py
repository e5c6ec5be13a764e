"""Covariances of item factors, one for each item, in compact form."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from skcoldstart._sequences.ragged import RaggedArray

BLOCK_VALUES = 1 << 22


class FactorCovariance:
    r"""Covariances of item factors, stored without a matrix for each item.

    Returned by ``predict_factors(X, return_cov=True)`` and ``refine_factors(X, y,
    return_cov=True)``. Reads as an array of shape (n_items, k, k): ``cov[i]`` is the
    covariance of item i, ``numpy.asarray(cov)`` all of them.

    .. versionadded:: 0.2

    Parameters
    ----------
    scale : array-like of shape (n_items,)
        Variance of each item, in units of the covariance that all share; its leverage
        plus 1.
    root : array-like of shape (k, r)
        Root of the shared covariance: it is ``root @ root.T``.
    reductions : RaggedArray of n_items, default=None
        Reductions by plays, item i of shape (n_rows_i, r): orthogonal rows with lengths
        below the square root of ``scale[i]``. ``None`` means no plays.
    by_plays : array-like of shape (n_items,), default=None
        Factor of the covariance of each item, which grows with its expected plays;
        ``None`` means 1.

    Attributes
    ----------
    shape : tuple of int
        ``(n_items, k, k)``.

    Notes
    -----
    The covariance of item i is :math:`g_i L (s_i I - R_i^T R_i) L^T` with its scale s,
    the root L, its reductions R and its factor g by plays. This needs 2 n_items + k r
    numbers for items without plays, and k more for each play, instead of n_items k k.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.compose import FactorCovariance
    >>> cov = FactorCovariance([1.0, 4.0], np.eye(2))
    >>> cov.std(np.array([[1.0, 0.0], [3.0, 4.0]]))
    array([[ 1.,  5.],
           [ 2., 10.]])
    """

    def __init__(
        self,
        scale: Any,
        root: Any,
        reductions: RaggedArray | None = None,
        by_plays: Any = None,
    ) -> None:
        self.scale = np.asarray(scale, np.float64)
        self.root = np.asarray(root, np.float64)
        self.reductions = reductions
        ones = np.ones(len(self.scale))
        self.by_plays = ones if by_plays is None else np.asarray(by_plays, np.float64)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of items, and of components twice."""
        return len(self.scale), len(self.root), len(self.root)

    def __len__(self) -> int:
        return len(self.scale)

    def __repr__(self) -> str:
        n_items, k, _ = self.shape
        return f"FactorCovariance({n_items} items, {k} components)"

    def __getitem__(self, index: Any) -> Any:
        """Return the matrix (k, k) of one item, or the covariances of some items."""
        if not isinstance(index, (int, np.integer)):
            reductions = None if self.reductions is None else self.reductions[index]
            return FactorCovariance(
                self.scale[index], self.root, reductions, self.by_plays[index]
            )
        shared = self.scale[index] * (self.root @ self.root.T)
        if self.reductions is not None:
            learnt = self.reductions[index] @ self.root.T
            shared -= learnt.T @ learnt
        return self.by_plays[index] * shared

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(
                "A FactorCovariance has no array to share; pass copy=None or copy=True."
            )
        whole = np.empty(self.shape, dtype or np.float64)
        for i in range(len(self)):
            whole[i] = self[i]
        return whole

    def variance(self, user_factors: Any) -> np.ndarray:
        """Return the variances of scores.

        Parameters
        ----------
        user_factors : array-like of shape (n_users, k)
            Factors of users.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            ``x_u @ cov[i] @ x_u`` for each item i and user u.
        """
        spread = np.asarray(user_factors, np.float64) @ self.root
        variances = np.outer(self.scale, np.einsum("ur,ur->u", spread, spread))
        by_plays = self.by_plays[:, np.newaxis]
        if self.reductions is None or not len(self.reductions.values):
            return np.multiply(variances, by_plays, out=variances)
        offsets = self.reductions.offsets
        played = np.flatnonzero(np.diff(offsets))
        rows_a_block = max(1, BLOCK_VALUES // max(1, len(spread)))
        block = (offsets[played] - offsets[played[0]]) // rows_a_block
        for items in np.split(played, 1 + np.flatnonzero(np.diff(block))):
            start, stop = offsets[items[0]], offsets[items[-1] + 1]
            learnt = self.reductions.values[start:stop] @ spread.T
            learnt *= learnt
            variances[items] -= np.add.reduceat(learnt, offsets[items] - start, axis=0)
        variances *= by_plays
        return np.maximum(variances, 0.0, out=variances)

    def std(self, user_factors: Any) -> np.ndarray:
        """Return the standard deviations of scores.

        Parameters
        ----------
        user_factors : array-like of shape (n_users, k)
            Factors of users.

        Returns
        -------
        ndarray of shape (n_items, n_users)
            Roots of `variance`.
        """
        variances = self.variance(user_factors)
        return np.sqrt(variances, out=variances)

    def draw(self, rng: np.random.RandomState) -> np.ndarray:
        """Draw deviations of the factors from their means, one for each item.

        Parameters
        ----------
        rng : numpy RandomState
            Generator of the random numbers.

        Returns
        -------
        ndarray of shape (n_items, k)
            Normal deviations with the covariances of the items.
        """
        normal = rng.normal(size=(len(self), self.root.shape[1]))
        drawn = normal * np.sqrt(self.scale)[:, np.newaxis]
        if self.reductions is not None:
            # Along a row of length l the variance is s - l^2 instead of s.
            for i in np.flatnonzero(np.diff(self.reductions.offsets)):
                rows, s = self.reductions[i], self.scale[i]
                squares = np.einsum("ar,ar->a", rows, rows)
                root = np.sqrt(np.maximum(s - squares, 0.0))
                with np.errstate(invalid="ignore", divide="ignore"):
                    change = np.where(squares > 0, (root - np.sqrt(s)) / squares, 0.0)
                drawn[i] += (change * (rows @ normal[i])) @ rows
        drawn *= np.sqrt(self.by_plays)[:, np.newaxis]
        return drawn @ self.root.T

    def scaled(self, factor: float) -> "FactorCovariance":
        """Return the covariances of the factors times a number.

        Parameters
        ----------
        factor : float
            Number that the factors are multiplied by.

        Returns
        -------
        FactorCovariance
            Covariances times the square of the number.
        """
        root = factor * self.root
        return FactorCovariance(self.scale, root, self.reductions, self.by_plays)

    def padded(self, n_components: int) -> "FactorCovariance":
        """Return the covariances with components of variance 0 appended.

        Parameters
        ----------
        n_components : int
            Number of components, including the appended ones.

        Returns
        -------
        FactorCovariance
            Covariances of shape (n_items, n_components, n_components).
        """
        added = np.zeros((n_components - len(self.root), self.root.shape[1]))
        root = np.vstack([self.root, added])
        return FactorCovariance(self.scale, root, self.reductions, self.by_plays)


def after_plays(
    cov: FactorCovariance, listeners: Iterable[np.ndarray]
) -> FactorCovariance:
    """Return the covariances of items once they are played.

    Shapes: `listeners`, an array (n_plays_i, k) for each item: factors of its players,
    times the square root of the precision of a play. The result is ``inv(inv(cov[i]) +
    listeners[i].T @ listeners[i])`` but for the factors by plays, which are kept; `cov`
    is the covariance before any play.
    """
    rows = []
    n_components = cov.root.shape[1]
    for s, seen in zip(cov.scale, listeners, strict=True):
        white = seen @ cov.root
        few = len(white) <= n_components
        squares, vectors = np.linalg.eigh(white @ white.T if few else white.T @ white)
        kept = squares > squares.max(initial=0.0) * 1e-14
        squares, directions = squares[kept], vectors[:, kept].T
        if few:
            directions = directions @ white / np.sqrt(squares)[:, np.newaxis]
        # Plays add the precision d^2 along a direction, in units of the root. The
        # variance is then 1 / (1 / s + d^2) = s - s^2 d^2 / (1 + s d^2).
        rows.append(
            s * np.sqrt(squares / (1 + s * squares))[:, np.newaxis] * directions
        )
    reductions = RaggedArray.from_sequence(rows)
    return FactorCovariance(cov.scale, cov.root, reductions, cov.by_plays)
