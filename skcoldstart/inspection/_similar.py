"""Table 4 of the paper: the closest tracks, by plays and by content."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from skcoldstart._scores.sources import open_recommender
from skcoldstart._scores.top_n import check_indices, similar_rows, usage_coordinates
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.table import table_of
from skcoldstart.inspection._factors import check_factors, factors_of, item_names

FROM_PLAYS, FROM_CONTENT = "from plays", "from content"
NOBODY = "–"
LISTED = """\
queries : array-like of int or of bool
    Items to list, by their row, or a mask of shape (n_items,).
names : array-like of shape (n_items,), default=None
    Name of each item; ``None`` numbers them.
n : int, default=5
    Number of neighbours of each item, at least 1.

Returns
-------
SimilarItemsTable
    Its sources are "from plays" and "from content".
"""


@documented({"listed": LISTED})
@dataclass(repr=False, eq=False)
class SimilarItemsTable:
    """List the items that are closest by usage pattern, by plays and by content.

    Two items are similar if the same users would play them: the similarity is the
    cosine of their predicted usage patterns. Use `from_estimator` or `from_factors` to
    create it. It is shown by ``print`` and in notebooks.

    .. versionadded:: 0.1

    Parameters
    ----------
    queries : array-like of int of shape (n_queries,)
        Items whose neighbours are listed.
    neighbors : mapping of str to int array-like of shape (n_queries, n)
        Closest items for each source of factors, closest first; -1 if there are no
        more.
    similarities : mapping of str to array-like of shape (n_queries, n)
        Their cosines.
    names : array-like of shape (n_items,)
        Name of each item.

    See Also
    --------
    skcoldstart.WMF.similar_items : Neighbours of many items, as indices.
    TasteMapDisplay : All items at once.

    Notes
    -----
    Cosines need only the ``k x k`` matrix of user factors: a query costs O(n_items k).
    An item without plays has no usage pattern, so its list from plays is empty.

    References
    ----------
    A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
    recommendation", NIPS 2013, Table 4.

    Examples
    --------
    >>> from skcoldstart.inspection import SimilarItemsTable
    >>> SimilarItemsTable.from_factors(
    ...     [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], [[1.0, 1.0], [0.0, 1.0], [0.2, 1.0]],
    ...     [[2.0, 0.0], [0.0, 1.0]], queries=[0], n=1, names=["Hold On", "Baby", "Ah"])
    Hold On
      from plays   from content
      Baby  0.998  Ah  0.747
    """

    queries: Any
    neighbors: Mapping[str, Any]
    similarities: Mapping[str, Any]
    names: Any

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        queries: Any,
        names: Any = None,
        n: int = 5,
    ) -> "SimilarItemsTable":
        """Compare the factors of plays with factors predicted by a recommender.

        Parameters
        ----------
        estimator : estimator
            A fitted `skcoldstart.ColdStartRecommender`, also at the end of a Pipeline
            or inside a search, whose factorizer keeps ``item_factors_`` (`WMF`).
        X : sequence of n_items items
            Content of the training items, or of any other items together with `y`.
        y : {array-like, sparse} of shape (n_items, n_users), default=None
            Plays of these items, to fold them in; ``None`` means that they are the
            training items in their order.
        <listed>

        Raises
        ------
        TypeError
            If the estimator has no such factors.
        ValueError
            If `X` and `y` or the training items have different lengths, or as in
            `from_factors`.
        """
        predicted, user_factors = factors_of(estimator, X, y=y, names=names)
        if y is None:
            item_factors, _ = factors_of(estimator)
            remedy = "; X must be the training items. Pass y for others."
        else:
            model, _ = open_recommender(estimator)
            check_user_names(model, y)
            item_factors = np.asarray(model.factorizer_.transform(y))
            remedy = "; X and y must have one row per item."
        if len(item_factors) != len(predicted):
            raise ValueError(
                f"X has {len(predicted)} items but there are plays of "
                f"{len(item_factors)}{remedy}"
            )
        # Smoothed plays and popularity follow the latent factors.
        k = item_factors.shape[1]
        predicted, user_factors = predicted[:, :k], user_factors[:, :k]
        return cls.from_factors(
            item_factors, predicted, user_factors, queries=queries, names=names, n=n
        )

    @classmethod
    def from_factors(
        cls,
        item_factors: Any,
        predicted_factors: Any,
        user_factors: Any,
        *,
        queries: Any,
        names: Any = None,
        n: int = 5,
    ) -> "SimilarItemsTable":
        """Find the closest items by two kinds of factors.

        Parameters
        ----------
        item_factors : array-like of shape (n_items, k)
            From plays.
        predicted_factors : array-like of shape (n_items, k)
            From content, in the same basis as the user factors. ``None`` lists only the
            neighbours from plays.
        user_factors : array-like of shape (n_users, k)
            Fitted.
        <listed>

        Raises
        ------
        ValueError
            If shapes do not agree, or queries are out of range.
        """
        factors = {FROM_PLAYS: check_factors(item_factors, input_name="item_factors")}
        like = factors[FROM_PLAYS]
        if predicted_factors is not None:
            predicted = check_factors(
                predicted_factors, input_name="predicted_factors", like=like
            )
            if len(predicted) != len(like):
                raise ValueError(
                    f"predicted_factors has {len(predicted)} rows but item_factors has "
                    f"{len(like)}; expected the same items."
                )
            factors[FROM_CONTENT] = predicted
        users = check_factors(user_factors, input_name="user_factors", like=like)
        queries = check_indices(
            np.atleast_1d(queries), len(like), name="queries", of="items"
        )
        if not len(queries):
            raise ValueError("queries is empty; expected at least one item to list.")
        neighbors, similarities = {}, {}
        for source, table in factors.items():
            points = usage_coordinates(table, users)
            rows, cosines = similar_rows(points, n, queries=queries)
            nowhere = ~points[queries].any(axis=1)
            rows[nowhere], cosines[nowhere] = -1, np.nan
            neighbors[source] = rows
            similarities[source] = np.where(rows < 0, np.nan, cosines)
        return cls(queries, neighbors, similarities, item_names(names, len(like)))

    @property
    def table(self) -> Any:
        """One row per query and neighbour: query, source, rank, neighbor, similarity.

        A DataFrame, or a dict of arrays where pandas is missing.
        """
        return table_of([
            {
                "query": str(self.names[query]),
                "source": source,
                "rank": rank,
                "neighbor": name,
                "similarity": similarity,
            }
            for source in self.neighbors
            for place, query in enumerate(self.queries)
            for rank, (name, similarity) in enumerate(self._list(source, place), 1)
        ])

    def _list(self, source: str, place: int) -> list[tuple[str, float]]:
        return [
            (str(self.names[row]) if row >= 0 else NOBODY, float(similarity))
            for row, similarity in zip(
                self.neighbors[source][place],
                self.similarities[source][place],
                strict=True,
            )
        ]

    def __repr__(self) -> str:
        lines = []
        for place, query in enumerate(self.queries):
            columns = []
            for source in self.neighbors:
                found = self._list(source, place)
                width = max(len(name) for name, _ in found)
                cells = [
                    f"{name:{width}}  {_cosine(similarity):>5}".rstrip()
                    for name, similarity in found
                ]
                width = max(map(len, [source, *cells]))
                columns.append([f"{cell:{width}}" for cell in [source, *cells]])
            lines.append(str(self.names[query]))
            lines += [
                ("  " + "  ".join(cells)).rstrip()
                for cells in zip(*columns, strict=True)
            ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        sources = "".join(
            f'<th colspan="2">{escape(source)}</th>' for source in self.neighbors
        )
        rows = [f"<tr><th>query</th>{sources}</tr>"]
        for place, query in enumerate(self.queries):
            lists = [self._list(source, place) for source in self.neighbors]
            for rank, cells in enumerate(zip(*lists, strict=True)):
                name = str(self.names[query]) if rank == 0 else ""
                rows.append(
                    f"<tr><td>{escape(name)}</td>"
                    + "".join(
                        f"<td>{escape(neighbor)}</td><td>{_cosine(similarity)}</td>"
                        for neighbor, similarity in cells
                    )
                    + "</tr>"
                )
        return f"<table>{''.join(rows)}</table>"


def _cosine(similarity: float) -> str:
    return "" if np.isnan(similarity) else f"{similarity:.3f}"
