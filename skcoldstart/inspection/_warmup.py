"""From cold to warm: the metric as an item's first plays are revealed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from skcoldstart._utils.scores import open_recommender
from skcoldstart._utils.sk import _safe_indexing
from skcoldstart._utils.table import Table
from skcoldstart._utils.validation import check_play_counts, count_items
from skcoldstart.inspection._style import PALETTE, axes_for
from skcoldstart.metrics import LowRankScores, ranking_report

__all__ = ["WarmupDisplay"]

ONLY_CONTENT, ONLY_PLAYS, BOTH = "content only", "plays only", "content and plays"


class WarmupDisplay:
    """Draw how well new items are ranked as their first plays are revealed.

    A recommender should rank a new item from its content, and never worse once
    somebody has played it. Use `from_estimator` to measure and draw.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_plays : array-like of int of shape (n_points,)
        Plays revealed, ascending.
    scores : mapping of str to array-like of shape (n_points, n_splits)
        Metric by what was known; NaN where it is not defined.
    metric : str, default="score"
        Name of the metric.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves are drawn, after `plot`.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    lines_ : list of matplotlib Line2D
        One for each curve.

    See Also
    --------
    skcoldstart.model_selection.WarmupSplit : Reveals the plays.

    Examples
    --------
    >>> from skcoldstart.inspection import WarmupDisplay
    >>> display = WarmupDisplay(
    ...     [0, 1], {"plays only": [[0.2, 0.2], [0.3, 0.4]]}, metric="ndcg@10")
    >>> display.table
    known       n_plays  ndcg@10  spread  n_splits
    plays only        0   0.2000  0.0000         2
    plays only        1   0.3500  0.0707         2
    """

    def __init__(
        self, n_plays: Any, scores: Mapping[str, Any], *, metric: str = "score"
    ) -> None:
        self.n_plays = n_plays
        self.scores = scores
        self.metric = metric

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_plays: Sequence[int] = (0, 1, 2, 5, 10),
        metric: str = "ndcg@20",
        cv: Any = 5,
        groups: Any = None,
        times: Any = None,
        update: Callable[[Any, Any, Any], Any] | None = None,
        random_state: Any = 0,
    ) -> "WarmupDisplay":
        """Fit on known items, reveal plays of the others, and score the rest.

        Parameters
        ----------
        estimator : ColdStartRecommender
            Or a Pipeline that ends in one. Cloned and fitted once for each split; with
            a factorizer that folds items in (``transform``), such as `skcoldstart.WMF`.
        X : sequence of n_items items
            Content.
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts, >= 0; row i is item i of X.
        n_plays : sequence of int, default=(0, 1, 2, 5, 10)
            Plays to reveal of each held-out item. All points are scored on the same
            plays: those after the largest of these.
        metric : str, default="ndcg@20"
            Name as in `skcoldstart.make_recommendation_scorer`.
        cv : int or splitter of rows, default=5
            How items are held out.
        groups : array-like of shape (n_items,), default=None
            Passed to `cv`: artists.
        times : {array-like, sparse} of shape (n_items, n_users), default=None
            When each user first played each item; ``None`` reveals in random order.
        update : callable, default=None
            ``update(recommender, X, plays)`` returns item factors of shape (n_items, k)
            from content, as it reaches the fitted recommender, and the plays so far.
            ``None`` means the recommender's own ``update``, as
            `skcoldstart.ColdStartRecommender` has it with `skcoldstart.WMF`, and where
            there is none, no such curve.
        random_state : int, RandomState instance or None, default=0
            Seed of the order of plays.

        Returns
        -------
        WarmupDisplay
            Not yet drawn. "content only" is the prediction from content, whatever was
            revealed; "plays only" the factors that fit the revealed plays alone, with
            none revealed undefined; "content and plays" the estimator's combination.

        Raises
        ------
        ValueError
            If `y` does not fit, `n_plays` are not different numbers >= 0, or no play
            is left to score.

        See Also
        --------
        skcoldstart.model_selection.WarmupSplit : How plays are revealed.
        """
        from skcoldstart.model_selection import WarmupSplit

        points = np.unique(np.asarray(n_plays, int))
        if len(points) != len(np.ravel(n_plays)) or points[0] < 0:
            raise ValueError(
                f"n_plays={n_plays!r}; expected different numbers of at least 0."
            )
        plays = check_play_counts(y, n_items=count_items(X))

        def splits(n: int) -> Any:
            splitter = WarmupSplit(
                int(n),
                held_out_after=int(points[-1]),
                cv=cv,
                random_state=random_state,
            )
            return splitter.split(X, plays, groups, times=times)

        # What is fitted does not depend on how much is revealed: once for each split.
        models = [
            clone(estimator).fit(_safe_indexing(X, s.train), s.fitted[s.train])
            for s in splits(points[0])
        ]
        if update is None and _can_update(open_recommender(models[0])[0]):
            update = _own_update
        known = [ONLY_CONTENT, ONLY_PLAYS] + [BOTH] * (update is not None)
        scores: dict[str, list[list[float]]] = {name: [] for name in known}
        for n in points:
            found: dict[str, list[float]] = {name: [] for name in known}
            for fitted, split in zip(models, splits(n), strict=True):
                model, content = open_recommender(fitted, _safe_indexing(X, split.test))
                revealed = split.revealed[split.test]
                held_out = split.held_out[split.test]
                factors = {ONLY_CONTENT: model.predict_factors(content)}
                if n > 0:
                    factors[ONLY_PLAYS] = model.factorizer_.transform(revealed)
                if update is not None:
                    factors[BOTH] = update(model, content, revealed)
                for name in known:
                    found[name].append(
                        np.nan
                        if name not in factors
                        else _score(
                            factors[name],
                            model.user_factors_,
                            held_out,
                            revealed,
                            metric,
                        )
                    )
            for name in known:
                scores[name].append(found[name])
        return cls(
            points,
            {name: np.array(values) for name, values in scores.items()},
            metric=metric,
        )

    @property
    def table(self) -> Table:
        """One row per curve and point: mean over splits and standard deviation.

        A mapping of column names to arrays; ``rows()`` gives dicts, ``to_frame()`` a
        pandas DataFrame. Points that are not defined are left out.
        """
        return Table.from_rows([
            {
                "known": name,
                "n_plays": int(n),
                self.metric: float(values.mean()),
                "spread": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
                "n_splits": len(values),
            }
            for name, rows in self.scores.items()
            for n, row in zip(self.n_plays, np.asarray(rows, float), strict=True)
            if len(values := row[np.isfinite(row)])
        ])

    def plot(self, ax: Any = None) -> "WarmupDisplay":
        """Draw one curve for each kind of knowledge, with its spread over splits.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; ``None`` makes a figure.

        Returns
        -------
        WarmupDisplay
            This display, with ``ax_``, ``figure_`` and ``lines_``.
        """
        ax = axes_for(ax, figsize=(5.5, 3.6), layout="constrained")
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        rows = self.table.rows()
        for i, name in enumerate(self.scores):
            own = [row for row in rows if row["known"] == name]
            x = np.array([row["n_plays"] for row in own])
            mean = np.array([row[self.metric] for row in own])
            spread = np.array([row["spread"] for row in own])
            colour = PALETTE[i % len(PALETTE)]
            self.lines_ += ax.plot(
                x,
                mean,
                color=colour,
                marker="os^D"[i % 4],
                linestyle=("--", "-.", "-", ":")[i % 4],
                linewidth=2,
                markersize=5,
                label=name,
            )
            ax.fill_between(
                x, mean - spread, mean + spread, color=colour, alpha=0.13, linewidth=0
            )
        ax.set_xticks(np.asarray(self.n_plays))
        ax.set(
            xlabel="plays of a new item revealed",
            ylabel=f"{self.metric} on later plays",
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        return self


def _can_update(model: Any) -> bool:
    return hasattr(model, "update") and hasattr(
        model.factorizer_, "transform_with_prior"
    )


def _own_update(model: Any, X: Any, plays: Any) -> Any:
    return model.update(X, plays)


def _score(
    item_factors: Any, user_factors: Any, held_out: Any, revealed: Any, metric: str
) -> float:
    """Return the metric; pairs that were revealed are no candidates."""
    if held_out.nnz == 0:
        raise ValueError(
            "No play of the held-out items is left after those revealed; lower the "
            "largest of n_plays or use items with more plays."
        )
    report = ranking_report(
        held_out,
        LowRankScores(np.asarray(item_factors), np.asarray(user_factors)),
        metrics=metric,
        exclude=revealed,
    )
    return float(next(iter(report.values())))
