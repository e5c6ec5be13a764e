"""How displays look: colours that everyone can tell apart, and text as it stands."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "GREY",
    "PALETTE",
    "SHAPES",
    "Style",
    "axes_for",
    "literal",
    "shorten",
    "style_labels",
]

# M. Okabe, K. Ito, "Color universal design", 2008, without yellow, which is too pale
# on white. Shapes change where colours begin anew.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288")
SHAPES = ("o", "^", "s")
GREY = "#9A9A9A"
OTHER = "other"


class Style(NamedTuple):
    """How the items of one label are drawn."""

    label: str
    colour: str
    shape: str
    n_items: int


def style_labels(
    labels: np.ndarray | None, n_items: int
) -> tuple[list[Style], np.ndarray]:
    """Give each label a colour and a shape, the most frequent first.

    Shapes: `labels` (n_items,) -> `style_of_item` (n_items,).
    """
    if labels is None:
        return [Style("", PALETTE[0], SHAPES[0], n_items)], np.zeros(n_items, int)
    counts = Counter(labels.tolist())
    n_empty = counts.pop("", 0)
    n_looks = len(PALETTE) * len(SHAPES)
    ranked = sorted(counts, key=lambda label: (-counts[label], label))
    kept, rare = ranked[:n_looks], ranked[n_looks:]
    styles = [
        Style(
            label,
            PALETTE[i % len(PALETTE)],
            SHAPES[i // len(PALETTE)],
            counts[label],
        )
        for i, label in enumerate(kept)
    ]
    place = {label: i for i, label in enumerate(kept)}
    n_rare = sum(counts[label] for label in rare) + n_empty
    if n_rare:
        styles.append(Style(OTHER, GREY, SHAPES[0], n_rare))
    return styles, np.array(
        [place.get(label, len(kept)) for label in labels.tolist()], dtype=int
    )


def axes_for(ax: Any, **figure_options: Any) -> Any:
    """Return the axes to draw on, new ones where none are given."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(**figure_options)[1]


def literal(text: str) -> str:
    """Return text that matplotlib draws as it stands: no formula between dollars."""
    return text.replace("$", r"\$")


def shorten(text: str, n_characters: int) -> str:
    """Return the text, cut with an ellipsis where it is longer."""
    if len(text) <= n_characters:
        return text
    return text[: n_characters - 1].rstrip() + "…"
