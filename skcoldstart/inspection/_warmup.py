"""Draw a metric as the first plays of new items are revealed."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from skcoldstart._utils.docstrings import documented
from skcoldstart.inspection._style import axes_for, draw_curve, label_ends


@documented()
@dataclass(repr=False, eq=False)
class WarmupDisplay:
    """Draw the ranking quality of new items as their first plays are revealed.

    A recommender should rank a new item by its content, and not worse after its first
    plays. Use `from_estimator` to measure and draw.

    .. versionadded:: 0.1

    Parameters
    ----------
    table : mapping of str to array-like of shape (n_rows,)
        Result of `skcoldstart.model_selection.warmup_curve`, or a data frame with the
        columns ``system``, ``n_plays``, ``metric``, ``mean``, ``low``, ``high``.
    metric : str, default=None
        Metric to draw; ``None`` means the first of the table.

    Attributes
    ----------
    <axes and figure>
    lines_ : list of matplotlib Line2D
        One for each system.

    See Also
    --------
    skcoldstart.model_selection.warmup_curve : Measures the curves.

    Examples
    --------
    >>> from skcoldstart.inspection import WarmupDisplay
    >>> table = {
    ...     "system": ["plays only", "plays only"], "n_plays": [1, 5],
    ...     "metric": ["auc", "auc"], "mean": [0.6, 0.7], "low": [0.5, 0.6],
    ...     "high": [0.7, 0.8]}
    >>> display = WarmupDisplay(table).plot()
    >>> display.lines_[0].get_ydata()
    array([0.6, 0.7])
    """

    table: Mapping[str, Any]
    _: KW_ONLY
    metric: str | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_plays: Sequence[int] = (0, 1, 2, 5, 10),
        metric: str = "ndcg@20",
        **options: Any,
    ) -> "WarmupDisplay":
        """Fit on known items, reveal plays of the others, and score the rest.

        Parameters
        ----------
        estimator : estimator
            A recommender, or a Pipeline that ends in one. It is fitted once for each
            split.
        <items>
        <plays>
        n_plays : sequence of int, default=(0, 1, 2, 5, 10)
            Numbers of users revealed for each held-out item.
        metric : str, default="ndcg@20"
            Name as in `skcoldstart.make_recommendation_scorer`.
        **options : dict
            Other arguments of `skcoldstart.model_selection.warmup_curve`: ``systems``,
            ``groups``, ``cv``, ``times``, ``random_state`` and others.

        Returns
        -------
        WarmupDisplay
            Not yet drawn. By default "content only" is the prediction from content;
            "plays only" the factors folded in from the revealed plays; "content and
            plays" the recommender's ``refine_factors``.
        """
        from skcoldstart.model_selection import warmup_curve

        table = warmup_curve(
            estimator, X, y, n_plays=n_plays, metrics=metric, **options
        )
        return cls(table, metric=metric)

    def plot(self, ax: Any = None) -> "WarmupDisplay":
        """Draw one curve for each system, with its interval over users.

        Parameters
        ----------
        <ax>

        <drawn>

        Raises
        ------
        ValueError
            If the table has no rows of the metric.
        """
        columns = ("system", "n_plays", "metric", "mean", "low", "high")
        system, n_plays, metrics, mean, low, high = (
            np.asarray(self.table[name]) for name in columns
        )
        metric = self.metric or (metrics[0] if len(metrics) else None)
        if not np.any(metrics == metric):
            known = ", ".join(dict.fromkeys(metrics.tolist()))
            raise ValueError(f"The table has no metric {metric!r}; it has: {known}.")
        ax = axes_for(self, ax, (5.5, 3.6))
        self.lines_ = []
        names = list(dict.fromkeys(system.tolist()))
        for i, name in enumerate(names):
            own = np.flatnonzero((system == name) & (metrics == metric))
            own = own[np.argsort(n_plays[own], kind="stable")]
            self.lines_ += draw_curve(
                ax,
                [values[own] for values in (n_plays, mean, low, high)],
                i,
                marker="os^D"[i % 4],
                linestyle=("--", "-.", "-", ":")[i % 4],
                markersize=5,
                label=name,
            )
        ticks = np.unique(n_plays)
        ax.set_xscale("symlog", base=2, linthresh=1)  # the first plays change most
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        shown = str(metric).replace("map", "mAP").replace("auc", "AUC")
        ax.set(xlabel="revealed plays of a new item", ylabel=f"{shown} on later plays")
        label_ends(ax, self.lines_)
        return self
