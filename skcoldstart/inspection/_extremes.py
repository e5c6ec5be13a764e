"""Table 1 of the paper: the artists with the largest and smallest factor values."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart._scores.top_n import check_indices, usage_coordinates
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.table import table_of
from skcoldstart.inspection._factors import (
    TEXTS,
    check_factors,
    factors_of,
    item_names,
)
from skcoldstart.inspection._style import PALETTE, Lettering, several_axes

NAME_CHARACTERS = 26
CHOICE = """\
factors : int or array-like of int, default=3
    Axes or columns to show, or their maximum number, with those that most affect
    the scores first.
n : int, default=5
    Number of names at each end.
min_items : int, default=1
    Leave out names with fewer items, whose means are mostly noise.
"""


@documented(TEXTS | {"choice": CHOICE})
@dataclass(repr=False, eq=False)
class FactorExtremesDisplay:
    """Show the items or artists at the two ends of each factor.

    They show the meaning of a factor. Use `from_estimator` or `from_factors` to make
    one.

    .. versionadded:: 0.1

    Parameters
    ----------
    factors : array-like of int of shape (n_factors,)
        Columns of the factors.
    highest : sequence of n_factors array-like of str
        Names with the largest values of each factor, largest first.
    highest_values : sequence of n_factors array-like of float
        Their values.
    lowest : sequence of n_factors array-like of str
        Names with the smallest values, smallest first.
    lowest_values : sequence of n_factors array-like of float
        Their values.
    shares : array-like of float of shape (n_factors,), default=None
        Fraction of the differences between usage patterns explained by each; ``None``
        if they are not axes of usage patterns.

    Attributes
    ----------
    ax_ : ndarray of shape (n_factors,) of matplotlib Axes
        One for each factor, after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    TasteMapDisplay : All factors in a two-dimensional map.
    SimilarItemsTable : The neighbours of single items.

    Notes
    -----
    The objective of a factorization that penalizes both sides equally, such as
    `skcoldstart.WMF`, does not change if its factors are rotated, so another seed gives
    other columns. ``basis="usage"`` rotates them to the principal axes of the predicted
    usage patterns, which are the same for every rotation.

    References
    ----------
    A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
    recommendation", NIPS 2013, Table 1.

    Examples
    --------
    >>> from skcoldstart.inspection import FactorExtremesDisplay
    >>> display = FactorExtremesDisplay.from_factors(
    ...     [[3.0], [1.0], [-2.0], [-4.0]], ["Bo", "Bo", "Ada", "Cleo"], n=1)
    >>> display.table
       factor      end  rank  name  value
    0       0  highest     1    Bo    2.0
    1       0   lowest     1  Cleo   -4.0
    """

    factors: Any
    highest: Any
    highest_values: Any
    lowest: Any
    lowest_values: Any
    shares: Any = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        names: Any = None,
        factors: Any = 3,
        n: int = 5,
        min_items: int = 1,
        basis: str = "usage",
    ) -> "FactorExtremesDisplay":
        """Read the factors of a fitted factorizer or recommender.

        Parameters
        ----------
        <source>
        <names>
        <choice>
        basis : {"usage", "factors"}, default="usage"
            As in `from_factors`.

        <undrawn>

        Raises
        ------
        TypeError
            If the estimator has no factors.
        ValueError
            As in `from_factors`.
        """
        item_factors, user_factors = factors_of(estimator, X, names=names)
        return cls.from_factors(
            item_factors,
            names,
            user_factors=user_factors,
            factors=factors,
            n=n,
            min_items=min_items,
            basis=basis,
        )

    @classmethod
    def from_factors(
        cls,
        item_factors: Any,
        names: Any = None,
        *,
        user_factors: Any = None,
        factors: Any = 3,
        n: int = 5,
        min_items: int = 1,
        basis: str | None = None,
    ) -> "FactorExtremesDisplay":
        """Find the largest and smallest values of factors.

        Parameters
        ----------
        item_factors : array-like of shape (n_items, k)
            Fitted or predicted.
        names : array-like of shape (n_items,), default=None
            Name of each item. Values are means over the items of each name, such as an
            artist. Items without a name are left out. ``None`` numbers the items.
        user_factors : array-like of shape (n_users, k), default=None
            Required by ``basis="usage"``; also used to order factors by importance.
        <choice>
        basis : {"usage", "factors"}, default=None
            Show the principal axes of the predicted usage patterns, strongest first, or
            the columns of the factors. ``None`` means ``"usage"`` with `user_factors`
            and ``"factors"`` without.

        Returns
        -------
        FactorExtremesDisplay
            Not yet drawn. At each end there are at most half of the names, so no name
            is at both ends.

        Raises
        ------
        ValueError
            If shapes do not agree, `factors` are out of range, `basis` is unknown or
            lacks `user_factors`, or no name has `min_items` items.
        """
        values = check_factors(item_factors, input_name="item_factors")
        names = item_names(names, len(values))
        if user_factors is not None:
            user_factors = check_factors(
                user_factors, input_name="user_factors", like=values
            )
        if basis is None:
            basis = "factors" if user_factors is None else "usage"
        if basis not in ("usage", "factors"):
            raise ValueError(f"basis={basis!r}; expected 'usage' or 'factors'.")
        if basis == "usage" and user_factors is None:
            raise ValueError('basis="usage" needs user_factors; pass them.')
        if basis == "usage":
            values = _principal_axes(usage_coordinates(values, user_factors))
        strength = np.linalg.norm(values, axis=0)
        shares = strength**2 / max(float(strength @ strength), 1e-30)
        if basis == "factors" and user_factors is not None:
            strength = strength * np.linalg.norm(user_factors, axis=0)
        if n < 1:
            raise ValueError(f"n={n!r}; expected at least 1 name at each end.")

        distinct, means = _means_by_name(values, names, min_items)
        chosen = _strongest(strength, factors)
        means = means[:, chosen].T
        n = min(n, max(1, len(distinct) // 2))
        order = np.argsort(means, axis=1, kind="stable")
        lowest, highest = order[:, :n], order[:, ::-1][:, :n]
        return cls(
            factors=chosen,
            highest=distinct[highest],
            highest_values=np.take_along_axis(means, highest, 1),
            lowest=distinct[lowest],
            lowest_values=np.take_along_axis(means, lowest, 1),
            shares=shares[chosen] if basis == "usage" else None,
        )

    @property
    def table(self) -> Any:
        """The values as a table: factor, end, rank, name, value.

        A DataFrame, or a dict of arrays where pandas is missing.
        """
        return table_of([
            {"factor": int(f), "end": end, "rank": rank, "name": name, "value": value}
            for i, f in enumerate(self.factors)
            for end, names, values in (
                ("highest", self.highest[i], self.highest_values[i]),
                ("lowest", self.lowest[i], self.lowest_values[i]),
            )
            for rank, (name, value) in enumerate(zip(names, values, strict=True), 1)
        ])

    def plot(self, ax: Any = None) -> "FactorExtremesDisplay":
        """Draw one panel of bars for each factor.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of n_factors Axes, default=None
            Axes to draw on, one per factor; ``None`` creates a figure.

        <drawn>

        Raises
        ------
        ValueError
            If there is not one Axes for each factor.
        """
        n_factors = len(self.factors)
        n_rows = max(map(len, self.highest)) + max(map(len, self.lowest))
        self.ax_ = several_axes(
            ax,
            n_factors,
            ncols=n_factors,
            figsize=(3.5 * n_factors, 0.8 + 0.27 * n_rows),
        )
        self.figure_ = self.ax_[0].figure
        extents = [
            1.05 * np.abs([*high, *low]).max()
            for high, low in zip(self.highest_values, self.lowest_values, strict=True)
        ]
        for i, axes in enumerate(self.ax_):
            # Axes of usage patterns share a unit, single factors do not.
            self._draw(axes, i, extents[i] if self.shares is None else max(extents))
        return self

    def _draw(self, axes: Any, i: int, extent: float) -> None:
        values = np.concatenate([self.highest_values[i], self.lowest_values[i][::-1]])
        names = [*self.highest[i], *self.lowest[i][::-1]]
        # The two ends are separated by half a row.
        places = np.arange(len(names), dtype=float)
        places[len(self.highest[i]) :] += 0.5
        colours = np.where(values >= 0, PALETTE[0], PALETTE[1])
        axes.barh(places, values, color=colours, height=0.72)
        lettering = Lettering.of(names)
        extent = extent or 1.0
        for place, value, name in zip(places, values, names, strict=True):
            side = -1 if value >= 0 else 1  # the half without the bar
            axes.text(
                side * 0.02 * extent,
                place,
                lettering.drawn(name, NAME_CHARACTERS),
                fontfamily=lettering.families,
                ha="right" if side < 0 else "left",
                va="center",
                fontsize=8.5,
            )
        axes.axvline(0, color="0.3", linewidth=0.8)
        title = f"factor {self.factors[i]}"
        if self.shares is not None:
            title = f"axis {self.factors[i]}: {self.shares[i]:.0%} of the differences"
        axes.set(xlim=(-extent, extent), yticks=[])
        axes.set_title(title, fontsize=10)
        axes.invert_yaxis()
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.tick_params(axis="x", labelsize=8)
        axes.locator_params(axis="x", nbins=5)


def _principal_axes(points: np.ndarray) -> np.ndarray:
    """Return coordinates on principal axes, strongest first, heavier end positive."""
    points = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(points, full_matrices=False)
    turned = points @ axes.T
    signs = np.where(-turned.min(axis=0) > turned.max(axis=0), -1.0, 1.0)
    return turned * signs.astype(turned.dtype)


def _means_by_name(
    values: np.ndarray, names: np.ndarray, min_items: int
) -> tuple[np.ndarray, np.ndarray]:
    distinct, place, counts = np.unique(names, return_inverse=True, return_counts=True)
    sums = np.zeros((len(distinct), values.shape[1]))
    np.add.at(sums, place, values)
    kept = (counts >= min_items) & (distinct != "")
    if not kept.any():
        raise ValueError(
            f"No name has min_items={min_items} items; the most frequent has "
            f"{counts.max()}. Decrease min_items."
        )
    return distinct[kept], sums[kept] / counts[kept, None]


def _strongest(strength: np.ndarray, factors: Any) -> np.ndarray:
    k = len(strength)
    if np.ndim(factors) > 0:
        return check_indices(factors, k, name="factors")
    if factors < 1:
        raise ValueError(
            f"factors={factors!r}; expected how many to show, at least 1, or a list of "
            "columns."
        )
    return np.argsort(-strength, kind="stable")[:factors]
