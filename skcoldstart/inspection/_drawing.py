"""The parts of a drawn map: dots, legend, frames of close-ups."""

from typing import Any

import numpy as np

from skcoldstart.inspection._closeups import Window
from skcoldstart.inspection._style import GREY, SHAPES, Lettering, Style

MAP_INCHES = 6.4  # width of a map
EDGE_INCHES = 0.12


def draw_dots(
    axes: Any, points: np.ndarray, styles: list, style_of_item: np.ndarray, area: float
) -> None:
    """Draw dots by shape in random order of colours, so that no label covers others."""
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


def new_map(points: np.ndarray, has_closeups: bool) -> Any:
    """Return axes in the shape of the points, with room for close-ups to the right."""
    import matplotlib.pyplot as plt

    width, height = np.maximum(np.ptp(points, axis=0), 1e-9)
    map_height = MAP_INCHES * float(np.clip(height / width, 0.7, 1.1))
    size = np.array([2 * MAP_INCHES if has_closeups else MAP_INCHES, map_height])
    figure = plt.figure(figsize=size + 2 * EDGE_INCHES)
    left, bottom = EDGE_INCHES / (size + 2 * EDGE_INCHES)
    wide, high = [MAP_INCHES, map_height] / (size + 2 * EDGE_INCHES)
    return figure.add_axes((left, bottom, wide, high))


def make_room_below(axes: Any, pixels: float) -> None:
    """Increase the height of the figure by some pixels without resizing the axes."""
    figure = axes.figure
    width, height = figure.get_size_inches()
    more = pixels / figure.dpi
    left, bottom, wide, high = axes.get_position().bounds
    share = height / (height + more)
    figure.set_size_inches(width, height + more)
    axes.set_position((left, 1 - (1 - bottom) * share, wide, high * share))


def draw_legend(axes: Any, styles: list) -> float:
    """Explain colours and shapes below a map; return the height in pixels.

    The legend is not wider than the map and not higher than a third of it. Labels that
    do not fit are counted.
    """
    from matplotlib.lines import Line2D

    lettering = Lettering.of(style.label for style in styles)
    frame = axes.get_window_extent()

    def put(styles: list, n_columns: int, n_characters: int) -> Any:
        handles = [
            Line2D(
                [],
                [],
                linestyle="",
                marker=style.shape,
                color=style.colour,
                label=lettering.drawn(style.label, n_characters),
            )
            for style in styles
        ]
        legend = axes.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            borderaxespad=0.4,
            ncols=min(n_columns, len(handles)),
            prop={"family": lettering.families, "size": 9},
            frameon=False,
            handletextpad=0.2,
            columnspacing=1.2,
        )
        return legend.get_window_extent()

    for n_columns, n_characters in ((4, 28), (3, 28), (2, 28), (1, 28), (1, 12)):
        extent = put(styles, n_columns, n_characters)
        if extent.width <= frame.width:
            break
    n_shown = len(styles)
    while n_shown > n_columns and extent.height > frame.height / 3:
        n_shown = n_columns * (-(-n_shown // n_columns) - 1)
        left = Style(f"and {len(styles) - n_shown + 1} more", "none", "o", 0)
        extent = put([*styles[: n_shown - 1], left], n_columns, n_characters)
    return float(extent.height)


def closeup_places(
    axes: Any, n_closeups: int
) -> tuple[list[tuple[float, float, float, float]], float]:
    """Return places to the right of a map, in its units, and their aspect ratio."""
    n_columns = 1 if n_closeups <= 2 else 2
    n_rows = -(-n_closeups // n_columns)
    gap = 0.02
    width = (0.98 - gap * n_columns) / n_columns
    height = (1 - gap * (n_rows - 1)) / n_rows
    places = []
    for i in range(n_closeups):
        row, column = divmod(i, n_columns)
        left = 1 + gap + column * (width + gap)
        places.append((left, 1 - row * (height + gap) - height, width, height))
    extent = axes.get_window_extent()
    return places, width * extent.width / (height * extent.height)


def draw_closeup(
    axes: Any, window: Window, place: tuple[float, float, float, float], letter: str
) -> tuple[Any, Any]:
    """Frame a part of a map, and return empty axes for it with its letter."""
    from matplotlib.patches import Rectangle

    left, low = window.x - window.half_width, window.y - window.half_height
    right, high = window.x + window.half_width, window.y + window.half_height
    axes.add_patch(
        Rectangle(
            (left, low),
            right - left,
            high - low,
            fill=False,
            edgecolor="0.15",
            linewidth=1.1,
            zorder=4,
        )
    )
    sign = {"facecolor": "white", "edgecolor": "0.15", "linewidth": 0.8, "pad": 2.2}
    style = {"fontweight": "bold", "fontsize": 9, "ha": "left", "va": "top"}
    axes.text(left, high, letter, bbox=sign, zorder=5, **style)
    closeup = axes.inset_axes(place)
    closeup.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
    closeup.spines[:].set_color("0.15")
    return closeup, closeup.text(
        0.0, 1.0, letter, transform=closeup.transAxes, bbox=sign, zorder=6, **style
    )
