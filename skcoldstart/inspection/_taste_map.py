"""Figure 1 of the paper: a map of items by their predicted listeners."""

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from skcoldstart._scores.top_n import check_indices, unit_rows, usage_coordinates
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import is_missing
from skcoldstart.inspection._drawing import (
    choose_centres,
    closeup_places,
    draw_closeup,
    draw_dots,
    draw_legend,
    make_room_below,
    new_map,
    window_around,
    write_names,
)
from skcoldstart.inspection._factors import (
    TEXTS,
    check_factors,
    check_texts,
    factors_of,
    item_names,
    one_per_item,
)
from skcoldstart.inspection._page import write_page
from skcoldstart.inspection._style import readable, style_labels

PLACING = """\
labels : array-like of shape (n_items,), default=None
    Genre, tag or other label, for colours.
perplexity : float, default=30.0
    Approximate number of neighbours of each item; at most a third of the items.
random_state : int, RandomState instance or None, default=None
    Seed of the embedding.
n_jobs : int, default=None
    Number of parallel jobs of the neighbour search, as in scikit-learn.
"""


@documented(TEXTS | {"placing": PLACING})
@dataclass(repr=False, eq=False)
class TasteMapDisplay:
    """Draw a map of items by their predicted listeners.

    Items are near each other if the same users are predicted to play them. Use
    `from_estimator` or `from_factors` to create it.

    .. versionadded:: 0.1

    Parameters
    ----------
    points : array-like of shape (n_items, 2)
        Position of each item; NaN for an item without a position, which is not drawn.
    <names>
    labels : array-like of shape (n_items,), default=None
        Genre, tag or other label, for colours. The 21 most frequent labels have a
        colour and shape of their own; the others and empty labels are grey.

    Attributes
    ----------
    <axes and figure>
    closeups_ : list of matplotlib Axes
        The close-ups, in the order of their letters.

    See Also
    --------
    SimilarItemsTable : The exact neighbours of single items.
    FactorExtremesDisplay : One factor at a time.

    Notes
    -----
    Positions are t-SNE [1]_ of the directions of the predicted usage patterns. It
    preserves neighbourhoods; distances between groups, and their sizes, mean little. An
    item whose factors are all 0 has no position.

    The time is that of `sklearn.manifold.TSNE`, O(n log n): minutes for 50,000 items.
    Positions from other methods can be passed to the constructor.

    References
    ----------
    .. [1] L. van der Maaten, G. Hinton, "Visualizing data using t-SNE", Journal of
       Machine Learning Research 9, 2008.
    .. [2] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, Figure 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.inspection import TasteMapDisplay
    >>> rng = np.random.default_rng(0)
    >>> genre = np.repeat([0, 1], 30)
    >>> V = 4 * np.eye(2)[genre] + rng.normal(size=(60, 2))
    >>> display = TasteMapDisplay.from_factors(
    ...     V, rng.normal(size=(90, 2)), labels=genre, random_state=0)
    >>> display.points.shape
    (60, 2)
    """

    points: Any
    _: KW_ONLY
    names: Any = None
    labels: Any = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        names: Any = None,
        labels: Any = None,
        perplexity: float = 30.0,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> "TasteMapDisplay":
        """Place items by the factors of a fitted factorizer or recommender.

        Parameters
        ----------
        <source>
        <names>
        <placing>

        <undrawn>

        Raises
        ------
        TypeError
            If the estimator has no factors.
        ValueError
            If names or labels are not one per item.
        """
        item_factors, user_factors = factors_of(
            estimator, X, names=names, labels=labels
        )
        return cls.from_factors(
            item_factors,
            user_factors,
            names=names,
            labels=labels,
            perplexity=perplexity,
            random_state=random_state,
            n_jobs=n_jobs,
        )

    @classmethod
    def from_factors(
        cls,
        item_factors: Any,
        user_factors: Any,
        *,
        names: Any = None,
        labels: Any = None,
        perplexity: float = 30.0,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> "TasteMapDisplay":
        """Place items by their factors.

        Parameters
        ----------
        item_factors : array-like of shape (n_items, k)
            Fitted or predicted.
        user_factors : array-like of shape (n_users, k)
            Fitted.
        <names>
        <placing>

        <undrawn>

        Raises
        ------
        ValueError
            If shapes do not agree, or fewer than 4 items have a usage pattern.
        """
        from sklearn.manifold import TSNE

        factors = check_factors(item_factors, input_name="item_factors")
        users = check_factors(user_factors, input_name="user_factors", like=factors)
        n_items = len(factors)
        if names is not None:
            names = item_names(names, n_items)
        if labels is not None:
            labels = check_texts(labels, n_items, input_name="labels")
        patterns = usage_coordinates(factors, users)
        placed = np.flatnonzero(patterns.any(axis=1))
        if len(placed) < 4:
            raise ValueError(
                f"{len(placed)} of {n_items} items have a usage pattern (factors that "
                "are not all 0); expected at least 4 to draw a map."
            )
        points = np.full((n_items, 2), np.nan, np.float32)
        points[placed] = TSNE(
            perplexity=min(perplexity, (len(placed) - 1) / 3),
            random_state=random_state,
            n_jobs=n_jobs,
        ).fit_transform(unit_rows(patterns[placed]))
        return cls(points, names=names, labels=labels)

    def plot(
        self,
        ax: Any = None,
        *,
        closeups: Any = 0,
        closeup_items: int = 25,
        legend: bool = True,
    ) -> "TasteMapDisplay":
        """Draw the map, and close-ups of parts of it with names.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; ``None`` creates a figure. Close-ups are drawn to their
            right and need as much space as the map.
        closeups : int or array-like of int, default=0
            The items in the centre of the close-ups, or the maximum number of
            close-ups. These are chosen where neighbours share a label, first one for
            each label, and do not overlap.
        closeup_items : int, default=25
            Minimum number of items in a close-up.
        legend : bool, default=True
            Whether to draw a legend, if there are labels.

        <drawn>

        Raises
        ------
        ValueError
            If positions, names or labels do not agree, no item has a position, or
            `closeups` is out of range or holds an item without a position.
        """
        points, names, labels = self._checked()
        styles, style_of_item = style_labels(labels, len(points))
        centres, n_closeups = _centres(closeups, points)
        placed = points[np.isfinite(points).all(axis=1)]
        if not len(placed):
            raise ValueError("No item has a position; there is nothing to draw.")
        made = ax is None
        if made:
            ax = new_map(placed, bool(n_closeups))
        self.ax_, self.figure_ = ax, ax.figure
        draw_dots(
            ax, points, styles, style_of_item, np.clip(14000 / len(placed), 3, 45)
        )
        ax.set(xticks=[], yticks=[])
        ax.set_aspect("equal", "datalim")
        ax.margins(0.03)
        ax.spines[:].set_color("0.8")
        if legend and labels is not None:
            height = draw_legend(ax, styles)
            if made:
                make_room_below(ax, height)
        self.closeups_ = []
        if not n_closeups:
            return self
        places, aspect = closeup_places(ax, n_closeups)
        if centres is None:
            centres = choose_centres(
                points, style_of_item, n_closeups, closeup_items, aspect
            )
        for i, (centre, place) in enumerate(zip(centres, places, strict=False)):
            window = window_around(points, centre, closeup_items, aspect)
            within = (points >= window.min) & (points <= window.max)
            inside = np.flatnonzero(within.all(axis=1))
            away = np.linalg.norm(points[inside] - points[centre], axis=1)
            inside = inside[np.argsort(away, kind="stable")]
            closeup, letter = draw_closeup(ax, window, place, chr(ord("a") + i % 26))
            draw_dots(closeup, points[inside], styles, style_of_item[inside], 30.0)
            write_names(closeup, points[inside], names[inside], letter)
            self.closeups_.append(closeup)
        return self

    def write_html(
        self,
        path: str | os.PathLike[str],
        *,
        title: str = "Taste map",
        audio: Any = None,
        details: Mapping[str, Any] | None = None,
        reasons: Any = None,
        moments: Any = None,
    ) -> None:
        """Write the map as an interactive page that needs no server and no network.

        Pan and zoom with mouse, touch or keyboard; point at an item for its name,
        search names and details, show or hide labels, click to listen.

        Parameters
        ----------
        path : str or PathLike
            The file, ``.html``; written completely or not at all.
        title : str, default="Taste map"
            Title of the page.
        audio : array-like of shape (n_items,), default=None
            Path of the audio file of each item; ``None`` or empty if it has none. Links
            are relative to the folder of the page if possible, so it can be moved.
            Files are not opened and not copied.
        details : mapping of str to array-like of shape (n_items,), default=None
            Details of items to show and search, such as artist, year, plays.
        reasons : sequence of n_items sequences of str, default=None
            Names of the played songs that explain the recommendation of each item, from
            `skcoldstart.explain`; ``None`` or empty if it has none. Names on the map
            become links.
        moments : sequence of n_items sequences of (start, end, ...), default=None
            Seconds to highlight and to listen from, as returned by
            `MomentsDisplay.moments`.

        Raises
        ------
        ValueError
            If an argument does not have one entry per item.
        OSError
            If the file cannot be written.

        Notes
        -----
        The page has about 60 bytes per item plus the texts. It loads only the clips;
        its content security policy forbids everything else. Names are stored as data
        and never as markup.
        """
        points, names, labels = self._checked()
        n_items = len(points)
        if not np.isfinite(points).all(axis=1).any():
            raise ValueError("No item has a position; there is nothing to show.")
        styles, style_of_item = style_labels(labels, n_items)
        columns = {
            readable(key): check_texts(values, n_items, input_name=f"details[{key!r}]")
            for key, values in ({} if details is None else details).items()
        }
        if audio is not None:
            audio = one_per_item(audio, n_items, input_name="audio")
        write_page(
            path,
            title=title,
            points=points,
            names=names,
            styles=styles,
            style_of_item=style_of_item,
            details=columns,
            audio=audio,
            reasons=None
            if reasons is None
            else [
                check_texts(names, len(names), input_name="reasons").tolist()
                for names in _lists(reasons, n_items, "reasons")
            ],
            moments=None
            if moments is None
            else [
                [_span(moment) for moment in found]
                for found in _lists(moments, n_items, "moments")
            ],
        )

    def _checked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return positions, names and labels, one per item."""
        points = np.asarray(self.points, float)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(
                f"points has shape {points.shape}; expected (n_items, 2), one position "
                "per item."
            )
        names = item_names(self.names, len(points))
        if self.labels is None:
            return points, names, None
        return points, names, check_texts(self.labels, len(points), input_name="labels")


def _centres(closeups: Any, points: np.ndarray) -> tuple[list[int] | None, int]:
    """Return the items in the centre of close-ups, if given, and their number."""
    if np.ndim(closeups) > 0:
        centres = check_indices(closeups, len(points), name="closeups", of="items")
        centres = centres.tolist()
        for centre in centres:
            if not np.isfinite(points[centre]).all():
                raise ValueError(f"Item {centre} of closeups has no position.")
        return centres, len(centres)
    if closeups < 0:
        raise ValueError(
            f"closeups={closeups!r}; expected how many, or a list of items."
        )
    return None, int(closeups)


def _lists(values: Any, n_items: int, name: str) -> list[list[Any]]:
    """Return a list for each item, empty if it has none."""
    if len(values) != n_items:
        raise ValueError(
            f"{name} has {len(values)} entries; expected {n_items}, one list per item."
        )
    if any(isinstance(found, str) for found in values):
        raise TypeError(f"{name} is a single text for an item; expected a list.")
    return [[] if is_missing([found])[0] else list(found) for found in values]


def _span(moment: Any) -> tuple[float, float]:
    """Return the start and the end of a moment, in seconds."""
    start, end = (float(second) for second in moment[:2])
    if not 0 <= start < end < np.inf:
        raise ValueError(
            f"moments has {start:g} to {end:g} seconds; expected 0 <= start < end."
        )
    return start, end
