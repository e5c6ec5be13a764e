"""Style of displays: colours for all kinds of colour vision, and safe text."""

import contextlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

# M. Okabe, K. Ito, "Color universal design", 2008, without yellow, which is too pale on
# white. Shapes change when colours repeat.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288")
SHAPES = ("o", "^", "s")
GREY = "#9A9A9A"
OTHER = "other"


class Style(NamedTuple):
    """Colour and shape of the items of one label."""

    label: str
    colour: str
    shape: str
    n_items: int


def style_labels(
    labels: np.ndarray | None, n_items: int
) -> tuple[list[Style], np.ndarray]:
    """Assign a colour and a shape to each label, the most frequent first.

    Shapes: `labels` (n_items,) -> `style_of_item` (n_items,).
    """
    if labels is None:
        return [Style("", PALETTE[0], SHAPES[0], n_items)], np.zeros(n_items, int)
    counts = Counter(labels.tolist())
    del counts[""]
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    styles = [
        Style(label, colour, shape, counts[label])
        for label, (shape, colour) in zip(
            ranked, product(SHAPES, PALETTE), strict=False
        )
    ]
    place = {style.label: i for i, style in enumerate(styles)}
    n_rare = n_items - sum(style.n_items for style in styles)
    if n_rare:
        styles.append(Style(OTHER, GREY, SHAPES[0], n_rare))
    return styles, np.array([place.get(label, len(place)) for label in labels.tolist()])


def axes_for(display: Any, ax: Any, figsize: tuple[float, float]) -> Any:
    """Give a display its axes, new ones if none are given, and return them."""
    (display.ax_,) = several_axes(ax, 1, figsize=figsize)
    display.figure_ = display.ax_.figure
    display.ax_.spines[["top", "right"]].set_visible(False)
    return display.ax_


def several_axes(axes: Any, n: int, **options: Any) -> np.ndarray:
    """Return n axes, (n,); new ones if none are given."""
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(layout="constrained", **options)[1]
    found = np.ravel(np.asarray(axes, dtype=object))
    if len(found) != n:
        raise ValueError(f"Got {len(found)} Axes; expected {n}.")
    return found


class Lettering(NamedTuple):
    """Fonts that together have all characters of some texts."""

    families: list[str]
    substitutes: dict[int, str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Lettering":
        """Choose fonts: matplotlib's own, then installed ones for other characters."""
        from matplotlib import font_manager, rcParams

        wanted = {ord(character) for text in texts for character in text}
        families = list(rcParams["font.family"])
        for family in families:
            font = font_manager.FontProperties(family=[family])
            wanted -= _characters(font_manager.findfont(font))
        # Sans fonts first; the one of last resort has a box for every character.
        installed = sorted(
            _installed_fonts() if wanted else [],
            key=lambda font: ("Last" in font.name, "Sans" not in font.name, font.name),
        )
        for entry in installed:
            found = wanted & _characters(entry.fname)
            if found:
                families.append(entry.name)
                wanted -= found
        is_mark = {code: unicodedata.category(chr(code))[0] in "CM" for code in wanted}
        return cls(families, {c: "" if is_mark[c] else "□" for c in wanted})

    def drawn(self, text: str, n_characters: int = 1000) -> str:
        """Return a text without formulas and without characters that no font has."""
        if len(text) > n_characters:
            text = text[: n_characters - 1].rstrip() + "…"
        return text.translate(self.substitutes).replace("$", r"\$")


def _installed_fonts() -> list[Any]:
    """Return all fonts, also those installed after matplotlib made its font cache."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in set(font_manager.findSystemFonts()) - known:
        with contextlib.suppress(OSError, RuntimeError):  # a damaged font
            manager.addfont(path)
    return manager.ttflist


@cache
def _characters(path: str) -> frozenset[int]:
    """Return the characters that a font file can draw at any size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):  # a font of images, or a damaged one
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()


def draw_curve(ax: Any, curve: Iterable[Any], number: int, **style: Any) -> list[Any]:
    """Draw places, means and the ends of intervals in the colour of a number."""
    places, mean, low, high = curve
    colour = PALETTE[number % len(PALETTE)]
    ax.fill_between(places, low, high, color=colour, alpha=0.13, linewidth=0)
    return ax.plot(places, mean, color=colour, linewidth=2, **style)


def label_ends(axes: Any, lines: list[Any]) -> None:
    """Write the label of each line at its end, without overlaps."""
    axes.figure.draw_without_rendering()
    lettering = Lettering.of(line.get_label() for line in lines)
    ends = []
    for line in lines:
        points = np.column_stack(line.get_data())
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            height = axes.transData.transform(points[-1])[1]
            ends.append((height, tuple(points[-1]), line.get_color(), line.get_label()))
    pixels_a_point = axes.figure.dpi / 72
    lowest = -np.inf
    for height, end, colour, name in sorted(ends):
        lowest = max(height, lowest + 12 * pixels_a_point)
        axes.annotate(
            lettering.drawn(name),
            end,
            xytext=(7, (lowest - height) / pixels_a_point),
            textcoords="offset points",
            va="center",
            color=colour,
            fontfamily=lettering.families,
            fontsize=9.5,
        )


def readable(value: Any) -> str:
    """Return a line of text, with a replacement for invalid bytes of file names."""
    text = os.fsdecode(value) if isinstance(value, bytes | os.PathLike) else str(value)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join(text.split())
