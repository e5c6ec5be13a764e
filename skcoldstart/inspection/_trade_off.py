"""Accuracy against exposure of items."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

import numpy as np

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import _num_samples
from skcoldstart.inspection._factors import factors_of
from skcoldstart.inspection._style import PALETTE, axes_for


@documented()
@dataclass(repr=False, eq=False)
class TradeOffDisplay:
    """Draw accuracy against exposure, with a point for each setting of a parameter.

    The parameter, or lever, changes both: `trade_off` of `skcoldstart.diversify`,
    `norm_compression` or `popularity_weight` of `skcoldstart.ColdStartRecommender`. The
    line is the frontier: the points that no other point exceeds in both.

    .. versionadded:: 0.2

    Parameters
    ----------
    lever : array-like of shape (n_points,)
        Settings of the lever.
    accuracy : array-like of shape (n_points,)
        Metric of the ranked lists; higher is better.
    exposure : array-like of shape (n_points,)
        Measure of exposure, such as the fraction of items shown to any user; higher is
        better.
    name : str, default="lever"
        Name of the lever.
    metrics : tuple of str, default=("accuracy", "exposure")
        Labels of the two axes.

    Attributes
    ----------
    <axes and figure>
    points_ : matplotlib PathCollection
        The points.
    frontier_ : ndarray of int of shape (n_frontier,)
        Points on the frontier, by increasing exposure.

    See Also
    --------
    skcoldstart.exposure_report : Reports which items are shown.
    skcoldstart.diversify : Reorders lists for diversity.

    Examples
    --------
    >>> from skcoldstart.inspection import TradeOffDisplay
    >>> display = TradeOffDisplay([0, 1, 2], [0.3, 0.2, 0.1], [0.5, 0.9, 0.7]).plot()
    >>> display.frontier_
    array([0, 1])
    """

    lever: Any
    accuracy: Any
    exposure: Any
    _: KW_ONLY
    name: str = "lever"
    metrics: tuple[str, str] = ("accuracy", "exposure")

    @classmethod
    def from_reports(
        cls,
        lever: Any,
        accuracy: Any,
        reports: Sequence[Mapping[str, Any]],
        *,
        part: str = "all",
        column: str = "shown",
        **options: Any,
    ) -> "TradeOffDisplay":
        """Use the exposure from reports.

        Parameters
        ----------
        lever : array-like of shape (n_points,)
            Settings of the lever.
        accuracy : array-like of shape (n_points,)
            Metric of the lists, one for each setting.
        reports : sequence of n_points tables
            Results of `skcoldstart.exposure_report` for each setting.
        part : str, default="all"
            Part of the reports: "all", "new", "known" or a stratum.
        column : {"shown", "exposure", "gini"}, default="shown"
            Column of the reports. For "gini", 1 minus its value is drawn.
        **options : dict
            ``name`` and ``metrics``.

        <undrawn>
        """
        values = []
        for report in reports:
            parts = np.asarray(report["part"]).tolist()
            if part not in parts:
                raise ValueError(
                    f"A report has no part {part!r}; it has: {', '.join(parts)}."
                )
            values.append(float(np.asarray(report[column])[parts.index(part)]))
        exposure = np.asarray(values)
        label = {"shown": "items shown to any user", "gini": "1 - Gini"}.get(
            column, f"share of places of {part}"
        )
        if column == "gini":
            exposure = 1.0 - exposure
        options.setdefault("metrics", ("accuracy", label))
        return cls(lever, accuracy, exposure, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        X_new: Any,
        y_new: Any,
        lever: str = "norm_compression",
        values: Sequence[float] = (0.0, 0.5, 1.0, 2.0, np.inf),
        metric: str = "ndcg@20",
        n: int = 10,
        column: str = "shown",
        **fit_params: Any,
    ) -> "TradeOffDisplay":
        """Fit a recommender with each setting, and rank new items.

        Parameters
        ----------
        estimator : estimator
            A recommender, or a Pipeline that ends in one; it is cloned.
        <items>
        <plays>
        X_new : sequence of n_new items
            Items to rank.
        y_new : {array-like, sparse} of shape (n_new, n_users)
            Their true play counts.
        lever : str, default="norm_compression"
            Name of the parameter, as in ``set_params``. "trade_off" reorders the lists
            of one fit with `skcoldstart.diversify`.
        values : sequence of float, default=(0.0, 0.5, 1.0, 2.0, inf)
            Settings.
        metric : str, default="ndcg@20"
            Name as in `skcoldstart.make_recommendation_scorer`; with "trade_off" the
            fraction of a list's items that the user plays is used instead.
        n : int, default=10
            Length of the lists in the exposure report.
        column : {"shown", "exposure", "gini"}, default="shown"
            Column of `skcoldstart.exposure_report`.
        **fit_params : dict
            Parameters of `fit`, such as ``groups``.

        <undrawn>
        """
        from sklearn.base import clone

        from skcoldstart import (
            diversify,
            exposure_report,
            make_recommendation_scorer,
            recommend,
        )

        accuracy, reports = [], []
        n_new = _num_samples(X_new)
        played = check_play_counts(y_new, n_items=n_new, input_name="y_new") > 0
        check_same_items(X_new, y_new, input_name="y_new", first_name="X_new")
        if lever == "trade_off":
            fitted = clone(estimator).fit(X, y, **fit_params)
            check_user_names(fitted, y_new, input_name="y_new")
            vectors, _ = factors_of(fitted, X_new)
            candidates = recommend(fitted, X_new, min(10 * n, n_new))
            active = np.flatnonzero(played.sum(axis=0))
            for value in values:
                items, _ = diversify(*candidates, vectors, trade_off=value, n=n)
                hits = [played[items[u].compressed(), [u]].mean() for u in active]
                accuracy.append(float(np.mean(hits)))
                reports.append(exposure_report(items, n_new))
            metric = f"precision@{n}"
        else:
            scorer = make_recommendation_scorer(metric)
            for value in values:
                fitted = clone(estimator).set_params(**{lever: value})
                fitted.fit(X, y, **fit_params)
                accuracy.append(float(scorer(fitted, X_new, y_new)))
                reports.append(exposure_report(recommend(fitted, X_new, n), n_new))
        display = cls.from_reports(
            list(values), accuracy, reports, column=column, name=lever
        )
        display.metrics = (metric, display.metrics[1])
        return display

    def plot(self, ax: Any = None) -> "TradeOffDisplay":
        """Draw the points, their settings and the frontier.

        Parameters
        ----------
        <ax>

        <drawn>

        Raises
        ------
        ValueError
            If lever, accuracy and exposure have different lengths, or are NaN.
        """
        lever = list(self.lever)
        accuracy, exposure = (
            np.asarray(v, np.float64) for v in (self.accuracy, self.exposure)
        )
        shapes = (len(lever),), accuracy.shape, exposure.shape
        if len(set(shapes)) > 1 or not lever:
            raise ValueError(
                f"lever, accuracy and exposure have shapes {shapes}; expected one "
                "value of each for each point."
            )
        if not (np.isfinite(accuracy).all() and np.isfinite(exposure).all()):
            raise ValueError("accuracy or exposure contains NaN; expected numbers.")
        order = np.lexsort((accuracy, exposure))[::-1]
        best = np.maximum.accumulate(accuracy[order])
        first = np.append(True, accuracy[order][1:] > best[:-1])
        self.frontier_ = order[first][::-1]
        ax = axes_for(self, ax, (5.5, 4.0))
        ax.plot(
            exposure[self.frontier_],
            accuracy[self.frontier_],
            color=PALETTE[0],
            linewidth=1.5,
            zorder=1,
        )
        on_line = np.isin(np.arange(len(lever)), self.frontier_)
        self.points_ = ax.scatter(
            exposure,
            accuracy,
            s=42,
            c=np.where(on_line, PALETTE[0], "white"),
            edgecolors=PALETTE[0],
            zorder=2,
        )
        for setting, x, y in zip(lever, exposure, accuracy, strict=True):
            is_number = isinstance(setting, Real)
            ax.annotate(
                f"{setting:g}".replace("inf", "∞") if is_number else str(setting),
                (x, y),
                xytext=(6, 6),
                textcoords="offset points",
                fontsize=9,
            )
        ax.margins(0.12)
        ax.locator_params(nbins=6)
        ax.set(xlabel=self.metrics[1], ylabel=self.metrics[0])
        ax.set_title(f"settings of {self.name}", loc="left", fontsize=11)
        return self
