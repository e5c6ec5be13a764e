"""The picture of the demonstration: curves, metrics, and a map of songs."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.preprocessing import normalize

from skcoldstart._demonstration._experiment import SYSTEMS, Experiment, Songs
from skcoldstart._scores.sources import open_recommender
from skcoldstart._scores.top_n import usage_coordinates
from skcoldstart._utils.paths import atomic_write
from skcoldstart.serving import recommend

GRID = np.linspace(0.0, 1.0, 101)
USERS_AT_A_TIME = 4096
LABELLED_AT = 60  # the curves end at 60 % of the songs, where they still differ
COLOURS = [f"C{i}" for i in (0, 1, 2, 3, 4, 5, 6, 8, 9)]  # C7 is grey
GREY, BLUE, ACCENT = "#8c8c8c", "#6d9dc5", "#d1571f"  # references, systems, the best


def found_shares(model: Any, X: Any, plays: Any) -> np.ndarray:
    """Return the fraction of a user's songs found in the first ranks.

    Shapes: `plays` (n_items, n_users) -> (101,).
    """
    by_user = plays.T.tocsr()
    n_songs = plays.shape[0]
    found = np.zeros(len(GRID))
    users = np.flatnonzero(np.diff(by_user.indptr))
    for start in range(0, len(users), USERS_AT_A_TIME):
        block = np.zeros(by_user.shape[0], dtype=bool)
        block[users[start : start + USERS_AT_A_TIME]] = True
        lists, _ = recommend(model, X, n=n_songs, users=block)
        for user, songs in zip(np.flatnonzero(block), lists.data, strict=True):
            ranks = np.empty(n_songs, dtype=int)
            ranks[songs] = np.arange(1, n_songs + 1)
            own = by_user.indices[by_user.indptr[user] : by_user.indptr[user + 1]]
            share = np.sort(ranks[own]) / n_songs
            found += np.searchsorted(share, GRID + 1e-12, side="right") / len(own)
    return found / len(users)


def save_picture(path: Path, experiment: Experiment, songs: Songs, labels: Any) -> None:
    """Draw the picture and write it as PNG.

    Shapes: `labels` (n_items,), genres or artists; the most frequent ones are named.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.5, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    found, precision, area, taste = figure.subplots(
        1, 4, width_ratios=[1.2, 0.7, 0.7, 1.3]
    )
    colours = {s.name: BLUE if s.recommends else GREY for s in SYSTEMS}
    colours[experiment.best.name] = ACCENT
    _draw_found(found, experiment, songs[experiment.test], colours)
    _draw_scores(precision, experiment, "map", f"mAP@{experiment.k}", colours)
    _draw_scores(area, experiment, "auc", "AUC", colours)
    area.axvline(0.5, color=GREY, linewidth=1, linestyle=":", zorder=0)
    area.set_yticklabels([])
    _draw_map(taste, experiment, songs, labels)
    with atomic_write(path) as file:
        figure.savefig(file, dpi=100, format="png")


def _draw_found(
    axes: Any, experiment: Experiment, new: Songs, colours: dict[str, str]
) -> None:
    reads = {system.name: system.reads for system in SYSTEMS}
    ends = {}
    for name, model in experiment.models.items():
        shares = 100 * found_shares(model, getattr(new, reads[name]), new.plays)
        best = name == experiment.best.name
        axes.plot(
            100 * GRID, shares, color=colours[name], linewidth=2.6 if best else 1.5
        )
        ends[name] = shares[LABELLED_AT]
    x = 100 * GRID[LABELLED_AT]
    apart = _spread(np.array(list(ends.values())), 6.5)
    apart -= max(0.0, apart.max() - 100.0)  # below the title
    for (name, y), place in zip(ends.items(), apart, strict=True):
        axes.annotate(
            name,
            (x, y),
            (1.05 * x, place),
            color=colours[name],
            va="center",
            fontsize=9,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colours[name], "alpha": 0.4},
        )
    axes.set(
        xlim=(0, x),
        ylim=(0, 100),
        xlabel="new songs recommended, %",
        ylabel="of a listener's own songs found, %",
    )
    axes.set_title("How early new songs reach their listeners", loc="left", pad=14)
    axes.spines[["top", "right"]].set_visible(False)


def _spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Separate heights by at least a gap, keeping their order and mean."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    spread = IsotonicRegression().fit_transform(steps, heights[order] - steps)
    placed = np.empty(len(heights))
    placed[order] = spread + steps
    return placed


def _draw_scores(
    axes: Any, experiment: Experiment, metric: str, title: str, colours: dict[str, str]
) -> None:
    names = [*experiment.scores][::-1]
    for y, name in enumerate(names):
        value, low, high = experiment.scores[name][metric]
        colour = colours[name]
        axes.plot([low, high], [y, y], color=colour, linewidth=2, alpha=0.6)
        axes.plot(value, y, "o", color=colour, markersize=7)
        axes.annotate(
            f"{value:.3f}",
            (value, y),
            (0, 7),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontsize=9,
        )
    axes.set(
        yticks=range(len(names)),
        yticklabels=[name.replace(" ", "\n") for name in names],
        ylim=(-0.5, len(names) - 0.3),
        xlim=(0, 1),
        xticks=[0, 0.5, 1],
        xlabel="mean, 95 % interval",
        title=title,
    )
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_map(axes: Any, experiment: Experiment, songs: Songs, labels: Any) -> None:
    from matplotlib.patheffects import withStroke
    from sklearn.manifold import TSNE

    labels = np.asarray(labels).astype(str)
    heard = getattr(songs, experiment.best.reads)
    model, content = open_recommender(experiment.best_model, heard)
    factors = model.predict_factors(content).astype(np.float64)
    patterns = usage_coordinates(factors, model.user_factors_)
    patterns = normalize(patterns - patterns.mean(axis=0))
    points = TSNE(
        perplexity=min(30.0, (len(patterns) - 1) / 3), random_state=0
    ).fit_transform(patterns)
    held_out = np.zeros(len(points), dtype=bool)
    held_out[experiment.test] = True
    found, counts = np.unique(labels, return_counts=True)
    shown = found[np.argsort(-counts, kind="stable")][: len(COLOURS)]
    for name in [None, *sorted(shown)]:
        own = np.isin(labels, shown, invert=True) if name is None else labels == name
        colour = GREY if name is None else COLOURS[sorted(shown).index(name)]
        for new, style in ((False, {"alpha": 0.35, "s": 14}), (True, {"s": 34})):
            axes.scatter(
                *points[own & (held_out == new)].T,
                color=colour,
                edgecolors="white" if new else "none",
                linewidths=0.6,
                **style,
            )
        if name is not None:
            x, y = np.median(points[own], axis=0)
            axes.annotate(
                name,
                (x, y),
                (0, 12),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=colour,
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )
    axes.margins(0.12)
    axes.set(xticks=[], yticks=[], title="By predicted listeners (large: new)")
    axes.spines[:].set_color("#cccccc")
