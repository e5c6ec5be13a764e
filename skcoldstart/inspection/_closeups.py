"""Close-ups of a map: their places, and names that do not overlap."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.neighbors import KDTree

from skcoldstart.inspection._style import Lettering

NAME_CHARACTERS = 30
OFFSET_POINTS = 5.0


class Window(NamedTuple):
    """A part of the map: its middle, and half of its width and height."""

    x: float
    y: float
    half_width: float
    half_height: float

    def overlaps(self, other: "Window") -> bool:
        """Return whether the two overlap."""
        return (
            abs(self.x - other.x) < self.half_width + other.half_width
            and abs(self.y - other.y) < self.half_height + other.half_height
        )

    def holds(self, points: np.ndarray) -> np.ndarray:
        """Return which points are inside, a mask of shape (n_items,)."""
        away = np.abs(points - [self.x, self.y])
        return (away <= [self.half_width, self.half_height]).all(axis=1)


def window_around(
    points: np.ndarray, centre: int, n_items: int, aspect: float
) -> Window:
    """Return the window around an item and its nearest neighbours.

    Shapes: `points` (n_items, 2).
    """
    x, y = points[centre]
    distance = np.sort((np.abs(points - points[centre]) / [aspect, 1.0]).max(axis=1))
    distance = distance[np.isfinite(distance)]
    half = 1.08 * float(distance[min(n_items, len(distance)) - 1]) or 1.0
    return Window(float(x), float(y), aspect * half, half)


def choose_centres(
    points: np.ndarray,
    label_of_item: np.ndarray,
    n: int,
    n_items: int,
    aspect: float,
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
    windows: list[Window] = []
    used: set[int] = set()
    for repeat in (False, True):
        for i in order:
            if len(chosen) == n:
                return chosen
            if not repeat and own[i] in used:
                continue
            window = window_around(points, int(placed[i]), n_items, aspect)
            if any(window.overlaps(other) for other in windows):
                continue
            chosen.append(int(placed[i]))
            windows.append(window)
            used.add(own[i])
    return chosen


def write_names(
    axes: Any, points: np.ndarray, names: np.ndarray, taken: Sequence[Any] = ()
) -> list[Any]:
    """Write names next to their points, as many as fit.

    Shapes: `points` (n_items, 2), `names` (n_items,).
    """
    figure = axes.figure
    figure.draw_without_rendering()
    frame = axes.get_window_extent()
    dots = axes.transData.transform(points)
    pixels = OFFSET_POINTS * figure.dpi / 72
    boxes = [
        np.array((text.get_bbox_patch() or text).get_window_extent().extents)
        for text in taken
    ]
    written = []
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
        extent = text.get_window_extent()
        place = _place(dot, extent.width, extent.height, pixels, frame, boxes, dots)
        if place is None:
            text.remove()
            continue
        box, (dx, dy), (ha, va) = place
        text.xyann = dx * OFFSET_POINTS, dy * OFFSET_POINTS
        text.set(ha=ha, va=va)
        boxes.append(box)
        seen.add(name)
        written.append(text)
    return written


def _place(
    dot: np.ndarray,
    width: float,
    height: float,
    offset: float,
    frame: Any,
    boxes: list[np.ndarray],
    dots: np.ndarray,
) -> tuple[np.ndarray, tuple[int, int], tuple[str, str]] | None:
    """Return the first free box next to a dot, and the alignment of its text."""
    for dx, ha in ((1, "left"), (-1, "right"), (0, "center")):
        for dy, va in ((0, "center"), (1, "bottom"), (-1, "top")):
            if dx == dy == 0:
                continue
            x = dot[0] + dx * offset - width * (0.0, 0.5, 1.0)[1 - dx]
            y = dot[1] + dy * offset - height * (0.0, 0.5, 1.0)[1 - dy]
            box = np.array([x, y, x + width, y + height])
            inside = (
                frame.x0 + 2 <= box[0]
                and frame.y0 + 2 <= box[1]
                and box[2] <= frame.x1 - 2
                and box[3] <= frame.y1 - 2
            )
            if not inside or any(_boxes_meet(box, other) for other in boxes):
                continue
            room = offset / 2  # about half of a dot
            if not (
                (dots > box[:2] - room).all(axis=1)
                & (dots < box[2:] + room).all(axis=1)
            ).any():
                return box, (dx, dy), (ha, va)
    return None


def _boxes_meet(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
