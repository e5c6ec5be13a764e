"""Draw the contributions to a score as bars."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart._utils.docstrings import documented
from skcoldstart.inspection._style import GREY, PALETTE, Lettering, axes_for


@documented()
@dataclass(repr=False, eq=False)
class ExplanationDisplay:
    """Draw the contributions to the score of an item for a user.

    Use `from_estimator` to explain and draw.

    .. versionadded:: 0.2

    Parameters
    ----------
    table : mapping of str to array-like of shape (n_rows,)
        Result of `skcoldstart.explain`; one item and user are drawn.

    Attributes
    ----------
    <axes and figure>
    bars_ : matplotlib BarContainer
        One bar for each contribution, the first on top.

    See Also
    --------
    skcoldstart.explain : Computes the contributions.
    MomentsDisplay : Contributions of the seconds of a song.

    Examples
    --------
    >>> from skcoldstart.inspection import ExplanationDisplay
    >>> table = {"item": [0, 0], "user": [7, 7], "rank": [1, 0],
    ...          "kind": ["song", "rest"], "contribution": [0.5, 0.25],
    ...          "source": ["Hyperballad", "(everything else)"]}
    >>> display = ExplanationDisplay(table).plot()
    >>> [float(bar.get_width()) for bar in display.bars_]
    [0.5, 0.25]
    """

    table: Mapping[str, Any]

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, users: Any, **options: Any
    ) -> "ExplanationDisplay":
        """Explain the scores of a recommender.

        Parameters
        ----------
        estimator : estimator
            A fitted recommender, or a search or Pipeline that ends in one.
        X : sequence of n_items items
            Items to explain, in the same form as in `fit`.
        users : array-like of int, bool or labels
            Users whose scores are explained.
        **options : dict
            Other arguments of `skcoldstart.explain`: ``n``, ``X_train``, ``item_ids``,
            ``by``.

        <undrawn>
        """
        from skcoldstart import explain

        return cls(explain(estimator, X, users, **options))

    def plot(
        self, item: Any = None, user: Any = None, *, ax: Any = None
    ) -> "ExplanationDisplay":
        """Draw the contributions to one score.

        Parameters
        ----------
        item : int, default=None
            Row of the item; ``None`` means the first of the table.
        user : label, default=None
            User; ``None`` means the first of the table.
        <ax>

        <drawn>

        Raises
        ------
        ValueError
            If the table has no contributions to this score.
        """
        items, users = np.asarray(self.table["item"]), np.asarray(self.table["user"])
        if len(items):
            item = items[0] if item is None else item
            user = users[0] if user is None else user
        own = np.flatnonzero((items == item) & (users == user))
        if not len(own):
            raise ValueError(
                f"The table has no row of item {item} and user {user}; it has "
                f"{len(np.unique(items))} items and {len(np.unique(users))} users."
            )
        kinds, names, values = (
            np.asarray(self.table[column])[own]
            for column in ("kind", "source", "contribution")
        )
        texts = [str(name) for name in names]
        lettering = Lettering.of([*texts, str(user)])
        colours = [
            GREY if kind in ("rest", "constant") else PALETTE[0 if value >= 0 else 1]
            for kind, value in zip(kinds, values, strict=True)
        ]
        ax = axes_for(self, ax, (6.0, 0.8 + 0.36 * max(len(own), 3)))
        places = np.arange(len(own))
        self.bars_ = ax.barh(places, values, color=colours, height=0.7)
        labels = [lettering.drawn(name, 40) for name in texts]
        ax.set_yticks(places, labels, fontfamily=lettering.families)
        ax.invert_yaxis()
        ax.axvline(0, color="black", linewidth=0.8)
        ax.margins(x=0.15)
        for place, value in zip(places, values, strict=True):
            # To the right of all bars, because names are to the left of them.
            ax.annotate(
                f"{value:+.3g}",
                (max(value, 0.0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        ax.set_xlabel("contribution")
        shown = lettering.drawn(str(user), 40)
        ax.set_title(
            f"item {item}, user {shown}: score {values.sum():.3g}",
            loc="left",
            fontsize=11,
            fontfamily=lettering.families,
        )
        ax.spines["left"].set_visible(False)
        ax.tick_params(axis="y", length=0)
        return self
