"""The parts of a drawn map: dots, legend, close-ups, and names without overlaps."""

from itertools import product
from typing import Any

import numpy as np
from sklearn.neighbors import KDTree

from skcoldstart.inspection._style import GREY, SHAPES, Lettering, Style

NAME_CHARACTERS = 30
OFFSET_POINTS = 5.0  # from a dot to its name
HORIZONTAL = {1: "left", -1: "right", 0: "center"}  # alignments of names by direction
VERTICAL = {0: "center", 1: "bottom", -1: "top"}
MAP_INCHES = 6.4  # width of a map
EDGE_INCHES = 0.12


def window_around(points: np.ndarray, centre: int, n_items: int, aspect: float) -> Any:
    """Return the Bbox around an item and its nearest neighbours.

    Shapes: `points` (n_items, 2).
    """
    from matplotlib.transforms import Bbox

    distance = np.sort((np.abs(points - points[centre]) / [aspect, 1.0]).max(axis=1))
    distance = distance[np.isfinite(distance)]
    half = 1.08 * float(distance[min(n_items, len(distance)) - 1]) or 1.0
    away = half * np.array([aspect, 1.0])
    return Bbox([points[centre] - away, points[centre] + away])


def choose_centres(
    points: np.ndarray, label_of_item: np.ndarray, n: int, n_items: int, aspect: float
) -> list[int]:
    """Choose items whose neighbourhoods become close-ups.

    Shapes: `points` (n_items, 2), `label_of_item` (n_items,).
    """
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    tree = KDTree(points[placed])
    distance, nearest = tree.query(points[placed], min(n_items, len(placed)))
    purity = np.empty(len(placed))
    own = label_of_item[placed]
    for start in range(0, len(placed), 4096):
        part = slice(start, start + 4096)
        purity[part] = (own[nearest[part]] == own[part, None]).mean(axis=1)
    order = np.lexsort([distance[:, -1], -purity])
    chosen: list[int] = []
    windows: list[Any] = []
    used: set[int] = set()
    for repeat in (False, True):
        for i in order:
            if len(chosen) == n:
                return chosen
            if not repeat and own[i] in used:
                continue
            window = window_around(points, int(placed[i]), n_items, aspect)
            if any(window.fully_overlaps(other) for other in windows):
                continue
            chosen.append(int(placed[i]))
            windows.append(window)
            used.add(own[i])
    return chosen


def write_names(axes: Any, points: np.ndarray, names: np.ndarray, letter: Any) -> None:
    """Write names next to their points, as many as fit around the letter of the axes.

    Shapes: `points` (n_items, 2), `names` (n_items,).
    """
    axes.figure.draw_without_rendering()
    frame = axes.get_window_extent().padded(-2)
    dots = axes.transData.transform(points)
    offset = OFFSET_POINTS * axes.figure.dpi / 72
    radius = offset / 2  # about that of a dot
    boxes = np.vstack([
        np.hstack([dots - radius, dots + radius]),
        letter.get_bbox_patch().get_window_extent().extents,
    ])
    lettering = Lettering.of(names.tolist())
    seen = {""}
    for point, dot, name in zip(points, dots, names.tolist(), strict=True):
        if name in seen:
            continue
        text = axes.annotate(
            lettering.drawn(name, NAME_CHARACTERS),
            point,
            fontfamily=lettering.families,
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=7.5,
            annotation_clip=True,
            zorder=5,
        )
        size = text.get_window_extent().size
        place = _place(dot, size, offset, frame, boxes)
        if place is None:
            text.remove()
            continue
        box, (dx, dy) = place
        text.xyann = dx * OFFSET_POINTS, dy * OFFSET_POINTS
        text.set(ha=HORIZONTAL[dx], va=VERTICAL[dy])
        boxes = np.vstack([boxes, box])
        seen.add(name)


def _place(
    dot: np.ndarray, size: np.ndarray, offset: float, frame: Any, boxes: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Return the first free box next to a dot, and its direction from the dot.

    Shapes: `dot, size` (2,), `boxes` (n_boxes, 4) -> `box` (4,).
    """
    for direction in product(HORIZONTAL, VERTICAL):
        if direction == (0, 0):
            continue
        towards = np.array(direction)
        low = dot + towards * offset - (1 - towards) / 2 * size
        high = low + size
        inside = (frame.min <= low).all() and (high <= frame.max).all()
        overlaps = (boxes[:, :2] < high).all(axis=1) & (boxes[:, 2:] > low).all(axis=1)
        if inside and not overlaps.any():
            return np.concatenate([low, high]), direction
    return None


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
    axes: Any, window: Any, place: tuple[float, float, float, float], letter: str
) -> tuple[Any, Any]:
    """Frame a part of a map, and return empty axes for it with its letter."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            window.p0,
            *window.size,
            fill=False,
            edgecolor="0.15",
            linewidth=1.1,
            zorder=4,
        )
    )
    sign = {"facecolor": "white", "edgecolor": "0.15", "linewidth": 0.8, "pad": 2.2}
    style = {"fontweight": "bold", "fontsize": 9, "ha": "left", "va": "top"}
    axes.text(window.x0, window.y1, letter, bbox=sign, zorder=5, **style)
    closeup = axes.inset_axes(place)
    closeup.set(xlim=window.intervalx, ylim=window.intervaly, xticks=[], yticks=[])
    closeup.spines[:].set_color("0.15")
    return closeup, closeup.text(
        0.0, 1.0, letter, transform=closeup.transAxes, bbox=sign, zorder=6, **style
    )
