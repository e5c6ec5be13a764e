"""The parts of a drawn map: dots, legend, frames of close-ups."""

from typing import Any

import numpy as np

from skcoldstart.inspection._closeups import Window
from skcoldstart.inspection._style import GREY, SHAPES, Lettering

__all__ = ["draw_dots", "draw_legend", "mark_window"]


def draw_dots(
    axes: Any, points: np.ndarray, styles: list, style_of_item: np.ndarray, area: float
) -> None:
    """Draw dots shape by shape, colours mixed, so that no label covers the others."""
    placed = np.isfinite(points).all(axis=1)
    points, style_of_item = points[placed], style_of_item[placed]
    shapes = np.array([style.shape for style in styles])[style_of_item]
    colours = np.array([style.colour for style in styles])[style_of_item]
    grey = colours == GREY
    for layer, chosen in enumerate([grey, *(~grey & (shapes == s) for s in SHAPES)]):
        if not chosen.any():
            continue
        axes.scatter(
            *points[chosen].T,
            s=area,
            c=colours[chosen],
            marker=shapes[chosen][0],
            edgecolors="white",
            linewidths=0.02 * area**0.5 + 0.15,
            zorder=1.5 + 0.1 * layer,
            rasterized=len(points) > 5000,
        )


def draw_legend(axes: Any, styles: list) -> None:
    """Explain colours and shapes below the axes."""
    from matplotlib.lines import Line2D

    lettering = Lettering.of(style.label for style in styles)
    axes.legend(
        handles=[
            Line2D(
                [],
                [],
                linestyle="",
                marker=style.shape,
                color=style.colour,
                label=lettering.drawn(style.label, 28),
            )
            for style in styles
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.005),
        ncols=min(4, len(styles)),
        prop={"family": lettering.families, "size": 8.5},
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.0,
    )


def mark_window(axes: Any, window: Window, letter: str) -> None:
    """Show on the map where a close-up is."""
    from matplotlib.patches import Rectangle

    corner = window.x - window.half_width, window.y - window.half_height
    axes.add_patch(
        Rectangle(
            corner,
            2 * window.half_width,
            2 * window.half_height,
            fill=False,
            edgecolor="0.15",
            linewidth=1.2,
            zorder=4,
        )
    )
    axes.annotate(
        letter,
        (corner[0], window.y + window.half_height),
        xytext=(0, 1.5),
        textcoords="offset points",
        fontweight="bold",
        ha="left",
        va="bottom",
        zorder=5,
    )
