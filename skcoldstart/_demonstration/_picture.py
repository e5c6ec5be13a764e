"""The demonstration's picture: how early, how good, and a map of taste."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import normalize

from skcoldstart._demonstration._experiment import Experiment
from skcoldstart._demonstration._systems import (
    COLOURS,
    Songs,
    item_factors,
    user_factors,
)
from skcoldstart._scores.usage import usage_coordinates
from skcoldstart._utils.atomic import atomic_write

__all__ = ["found_shares", "save_picture"]

GRID = np.linspace(0.0, 1.0, 101)


def found_shares(source: Any, plays: Any) -> np.ndarray:
    """Return how much of a user's music is found within the first songs.

    Shapes: `plays` (n_items, n_users) -> (101,).
    """
    by_user = plays.T.tocsr()
    found = np.zeros(len(GRID))
    n_users = 0
    for user in np.flatnonzero(np.diff(by_user.indptr)):
        scores = source.rows(np.array([user]))[0]
        ranks = np.empty(len(scores), dtype=int)
        ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
        own = by_user.indices[by_user.indptr[user] : by_user.indptr[user + 1]]
        share = np.sort(ranks[own]) / len(scores)
        found += np.searchsorted(share, GRID + 1e-12, side="right") / len(own)
        n_users += 1
    return found / n_users


def save_picture(path: Path, experiment: Experiment, songs: Songs, labels: Any) -> None:
    """Draw the picture and write it as PNG.

    Shapes: `labels` (n_items,).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    found, bars, taste = figure.subplots(1, 3, width_ratios=[1.1, 1.0, 1.2])
    _draw_found(found, experiment, songs.plays[experiment.test])
    _draw_scores(bars, experiment)
    _draw_map(taste, experiment, songs, labels)
    with atomic_write(path) as file:
        figure.savefig(file, dpi=100, format="png")


def _draw_found(axes: Any, experiment: Experiment, plays: Any) -> None:
    for name, source in experiment.sources.items():
        axes.plot(
            100 * GRID,
            100 * found_shares(source, plays),
            color=COLOURS[name],
            linewidth=2,
            label=name,
        )
    axes.set(
        xlim=(0, 100),
        ylim=(0, 100),
        xlabel="new songs recommended, %",
        ylabel="of a listener's own songs found, %",
        title="How early new music reaches its listeners",
    )
    axes.legend(loc="lower right", frameon=False)


def _draw_scores(axes: Any, experiment: Experiment) -> None:
    rows = experiment.scores
    positions = np.arange(len(rows))[::-1]
    for row, y in zip(rows, positions, strict=True):
        low, high = row.auc_interval
        axes.barh(
            y,
            row.auc,
            color=COLOURS[row.name],
            height=0.62,
            xerr=[[row.auc - low], [high - row.auc]],
            error_kw={"ecolor": "#303030", "capsize": 3, "elinewidth": 1},
        )
        axes.text(
            0.02,
            y,
            f"AUC {row.auc:.3f}\nmAP@500 {row.map:.3f}",
            va="center",
            color="white",
            fontsize=9,
            fontweight="bold",
        )
    axes.axvline(0.5, color="#303030", linewidth=1, linestyle=":")
    axes.set(
        yticks=positions,
        yticklabels=[row.name.replace(" ", "\n") for row in rows],
        xlim=(0, 1),
        xlabel="AUC, mean over users with 95 % interval",
        title=f"{len(experiment.test)} songs that nobody has played",
    )


def _draw_map(axes: Any, experiment: Experiment, songs: Songs, labels: Any) -> None:
    from sklearn.manifold import TSNE

    model = experiment.best_model
    factors = item_factors(model, getattr(songs, experiment.best.reads))
    patterns = usage_coordinates(factors, np.asarray(user_factors(model)))
    patterns = normalize(patterns - patterns.mean(axis=0))
    points = TSNE(
        perplexity=min(30.0, (len(patterns) - 1) / 3), random_state=0
    ).fit_transform(patterns)
    held_out = np.zeros(len(points), dtype=bool)
    held_out[experiment.test] = True
    names = np.full(len(points), "") if labels is None else np.asarray(labels)
    for i, name in enumerate(sorted(set(names))):
        for new, style in ((False, {"alpha": 0.35, "s": 14}), (True, {"s": 34})):
            chosen = (names == name) & (held_out == new)
            axes.scatter(
                *points[chosen].T,
                color=f"C{i}",
                edgecolors="white" if new else "none",
                linewidths=0.6,
                label=name if new and name else None,
                **style,
            )
    if labels is not None:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.01),
            ncols=4,
            fontsize=7,
            frameon=False,
            handletextpad=0.1,
            columnspacing=0.8,
        )
    axes.set(xticks=[], yticks=[])
    axes.set_title("Who will play it, by its sound (large: new)")
    axes.spines[:].set_color("#cccccc")
