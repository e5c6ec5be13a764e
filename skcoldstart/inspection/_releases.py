"""Draw the first rounds of new items: hits, and items with enough listeners."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from skcoldstart._utils.docstrings import documented
from skcoldstart.inspection._style import draw_curve, label_ends, several_axes


@documented()
@dataclass(repr=False, eq=False)
class NewReleaseDisplay:
    """Draw the results of policies for new items, round by round.

    One panel for the hits so far, one for the items that have reached enough listeners.
    Use `from_estimator` to replay and draw.

    .. versionadded:: 0.2

    Parameters
    ----------
    table : mapping of str to array-like of shape (n_rows,)
        Result of `skcoldstart.model_selection.release_curve`, or several concatenated
        results of different splits: columns ``policy``, ``round``, ``hits``, ``items``
        and ``seed``.
    baseline : str, default=None
        Policy that the others are divided by, seed by seed; ``None`` draws the counts.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        The two panels, after `plot`.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        One for each policy and panel.

    See Also
    --------
    skcoldstart.model_selection.release_curve : Replays the rounds.

    Notes
    -----
    Lines are means over seeds. With several seeds, bands are 95 % intervals of
    Student's t.

    Examples
    --------
    >>> from skcoldstart.inspection import NewReleaseDisplay
    >>> table = {"policy": ["greedy"] * 2, "round": [1, 2], "hits": [10, 18],
    ...          "items": [0, 2], "seed": [0, 0]}
    >>> NewReleaseDisplay(table).plot().lines_[0].get_ydata()
    array([10., 18.])
    """

    table: Mapping[str, Any]
    _: KW_ONLY
    baseline: str | None = None

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, baseline: str | None = None, **options
    ) -> "NewReleaseDisplay":
        """Replay the release of new items.

        Parameters
        ----------
        estimator : estimator
            A fitted `skcoldstart.ColdStartRecommender`, or a Pipeline that ends in one.
        X : sequence of n_items items
            Content of the new items.
        y : {array-like, sparse} of shape (n_items, n_users)
            Their true plays.
        baseline : str, default=None
            Policy that the others are divided by.
        **options : dict
            Other arguments of `skcoldstart.model_selection.release_curve`:
            ``policies``, ``n_rounds``, ``n_shown``, ``enough``, ``users``,
            ``random_state``.

        <undrawn>
        """
        from skcoldstart.model_selection import release_curve

        return cls(release_curve(estimator, X, y, **options), baseline=baseline)

    def plot(self, axes: Any = None) -> "NewReleaseDisplay":
        """Draw a line for each policy in each panel.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Axes for hits and items; ``None`` creates a figure.

        <drawn>

        Raises
        ------
        ValueError
            If the table is empty or has no policy `baseline`, or there are not two
            `axes`.
        """
        policies = np.asarray(self.table["policy"])
        names = list(dict.fromkeys(policies.tolist()))
        if not names or (self.baseline is not None and self.baseline not in names):
            raise ValueError(
                f"The table has no policy {self.baseline!r}; it has: "
                f"{', '.join(map(str, names)) or 'none'}."
            )
        self.axes_ = list(several_axes(axes, 2, ncols=2, figsize=(10, 3.8)))
        self.figure_, self.lines_ = self.axes_[0].figure, []
        labels = ("hits so far", "items with enough listeners")
        for ax, quantity, label in zip(
            self.axes_, ("hits", "items"), labels, strict=True
        ):
            drawn = []
            for i, name in enumerate(names):
                drawn += draw_curve(
                    ax,
                    self._curve(name, quantity),
                    i,
                    linestyle=("-", "--", "-.", ":")[i % 4],
                    label=name,
                )
            if self.baseline is not None:
                label += f"\nrelative to {self.baseline}"
            ax.set(xlabel="round", ylabel=label)
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.spines[["top", "right"]].set_visible(False)
            label_ends(ax, drawn)
            self.lines_ += drawn
        return self

    def _curve(self, name: str, quantity: str) -> tuple[np.ndarray, ...]:
        """Return rounds, means and the ends of intervals, (n_rounds,) each."""
        rounds, values = self._by_seed(name, quantity)
        if self.baseline is not None:
            _, base = self._by_seed(self.baseline, quantity)
            if base.shape != values.shape:
                raise ValueError(
                    f"{name!r} has {len(values)} seeds and {values.shape[1]} rounds, "
                    f"but {self.baseline!r} has {len(base)} and {base.shape[1]}; "
                    "expected the same."
                )
            values = values / np.where(base > 0, base, np.nan)
        mean, half = values.mean(axis=0), 0.0
        if len(values) > 1:
            from scipy.stats import sem, t

            half = sem(values) * t.ppf(0.975, len(values) - 1)
        return rounds, mean, mean - half, mean + half

    def _by_seed(self, name: str, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Return rounds, and values of shape (n_seeds, n_rounds)."""
        own = np.asarray(self.table["policy"]) == name
        rounds, values = (
            np.asarray(self.table[column])[own] for column in ("round", quantity)
        )
        seeds = np.asarray(self.table["seed"])[own]
        distinct, n_seeds = np.unique(rounds), len(np.unique(seeds))
        if len(rounds) != n_seeds * len(distinct):
            raise ValueError(
                f"Policy {name!r} has {len(rounds)} rows for {n_seeds} seeds and "
                f"{len(distinct)} rounds; expected one for each pair."
            )
        order = np.lexsort((rounds, seeds))
        return distinct, values[order].astype(float).reshape(n_seeds, -1)
