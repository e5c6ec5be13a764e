"""Ranked lists: of items for users, or of users for items; as arrays, frames, files."""

import csv
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from skcoldstart._utils.paths import atomic_path, atomic_write
from skcoldstart._utils.table import pandas_frame

TEXTS = {
    "users": """\
users : array-like, default=None
    Users to recommend to: by their names in ``user_names_in_`` or, where y had
    none, by index; or a mask of shape (n_users,). ``None`` means all, in order.
    With `user_factors`: names of their rows.
""",
    "item ids": """\
item_ids : array-like of shape (n_items,), default=None
    Names of the items; ``None`` means the index of a frame `X`, else its column
    ``item_id``, else rows.
""",
    "exclude": """\
exclude : {array-like, sparse} of shape (n_items, n_users), list of tuples, \
        DataFrame, Recommendations or Listeners, default=None
    Pairs that are never recommended: the entries of a table that are not zero,
    pairs (user, item), or a frame with the columns ``user_id`` and ``item_id``, such
    as lists that were sent before. Pairs are named as in the result; pairs with
    unknown names are ignored.
""",
    "how to rank": """\
item_factors : array-like of shape (n_items, k), default=None
    Item factors to use instead of those predicted from `X`, which may then be
    ``None``. The method ``item_factors`` returns them for items that already have
    plays. With `explore`: the pair that ``refine_factors(X, y_so_far,
    return_cov=True)`` returns.
user_factors : array-like of shape (n_selected_users, k), default=None
    User factors to use instead of those of `fit`, such as those of new users.
max_per_group : int, default=None
    Largest number of items of one group in a list.
groups : array-like of shape (n_items,), default=None
    Group of each item, such as its artist; used by `max_per_group` and by
    recommenders that score by group.
as_frame : {"pandas", "polars", "pyarrow"}, default=None
    What `Recommendations.to_frame` returns; ``None`` means the library of `X`.
explore : {"thompson", "ucb"}, default=None
    Rank uncertain items higher at times, to learn from their first plays:
    "thompson" draws the factors of each item from their posterior, once a call;
    "ucb" adds `strength` standard deviations to each score, without the factors
    ``by_plays`` of the covariances. The scores returned are those that were ranked.
    Requires a `ColdStartRecommender` whose
    ``predict_factors(X, return_cov=True)`` works.

    .. versionadded:: 0.2
strength : float, default=1.0
    How much to explore, in standard deviations: 0 ranks as ``explore=None``.
random_state : int, RandomState instance or None, default=None
    Source of the draws of "thompson". An integer gives the same lists in each call.
""",
}


FRAMES = ("pandas", "polars", "pyarrow")
# Below every index, so that indexing names with it fails; -1 would be the last name.
_NOTHING = np.iinfo(np.int64).min
_BLOCK_LISTS = 1 << 14


def masked_lists(
    entries: np.ndarray, scores: np.ndarray
) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
    """Mask the entries of -1 at the end of short lists.

    Shapes: `entries` (n_lists, n), `scores` (n_lists, n).
    """
    missing = entries < 0
    mask = missing if missing.any() else np.ma.nomask
    entries = np.where(missing, _NOTHING, entries)
    return (
        np.ma.MaskedArray(entries, mask, fill_value=-1),
        np.ma.MaskedArray(scores, mask, fill_value=-np.inf),
    )


def read_lists(lists: Any, name: str) -> np.ndarray:
    """Return the items of lists of any library, -1 where they are masked.

    Shapes: -> (n_lists, n).
    """
    entries = lists.items if isinstance(lists, Recommendations) else lists
    mask = np.ma.getmask(entries)
    try:
        entries = np.asarray(entries)
    except ValueError as error:
        raise ValueError(
            f"{name} have different lengths; fill the short ones with -1."
        ) from error
    if entries.ndim != 2 or entries.dtype.kind not in "iu":
        raise ValueError(
            f"{name} have shape {entries.shape} and dtype {entries.dtype}; expected "
            "item indices of shape (n_lists, n), as recommend returns first."
        )
    entries = entries.astype(np.int64)
    entries[mask] = -1
    return entries


class _Lists:
    """Lists of equal length, masked where they are short, with names."""

    _row_name: str
    _entry_name: str

    def __init__(
        self,
        entries: np.ma.MaskedArray,
        scores: np.ma.MaskedArray,
        row_ids: np.ndarray,
        entry_ids: np.ndarray | None,
        as_frame: str,
    ) -> None:
        self._entries, self.scores = entries, scores
        self._row_ids, self._entry_ids = row_ids, entry_ids
        self._as_frame = as_frame

    def __iter__(self) -> Iterator[np.ma.MaskedArray]:
        return iter((self._entries, self.scores))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return (self._entries, self.scores)[index]

    def __repr__(self) -> str:
        n_lists, n = self._entries.shape
        n_empty = np.ma.count_masked(self._entries)
        missing = f", {n_empty} places empty" if n_empty else ""
        return f"{type(self).__name__}({n_lists} lists of {n}{missing})"

    def to_frame(self, as_frame: str | None = None) -> Any:
        """Return a frame with a row for each entry of each list.

        Parameters
        ----------
        as_frame : {"pandas", "polars", "pyarrow"}, default=None
            Library of the frame; ``None`` means the one selected when the lists were
            made.

        Returns
        -------
        DataFrame or Table
            Columns ``user_id``, ``rank`` (from 1), ``item_id`` and ``score``, for lists
            of listeners ``item_id``, ``rank``, ``user_id`` and ``score``. Masked
            entries of short lists are left out.

        Raises
        ------
        ImportError
            If the library is not installed.
        """
        return _frame(self._columns(), as_frame or self._as_frame)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the rows of `to_frame` to a parquet file, a block of lists at a time.

        Parameters
        ----------
        path : str or PathLike
            File to write. An existing file is replaced when the new one is complete.

        Raises
        ------
        ImportError
            If pyarrow is not installed: ``pip install skcoldstart[parquet]``.
        """
        pq = _library("pyarrow.parquet")
        tables = (_frame(self._columns(block), "pyarrow") for block in self._blocks())
        first = next(tables)
        with atomic_path(path) as name, pq.ParquetWriter(name, first.schema) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table.cast(first.schema))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows of `to_frame` to a CSV file, a block of lists at a time.

        Parameters
        ----------
        path : str or PathLike
            File to write, with a line of column names. An existing file is replaced
            when the new one is complete.
        """
        with atomic_write(path, "w") as file:
            writer = csv.writer(file, lineterminator="\n")
            for number, block in enumerate(self._blocks()):
                columns = self._columns(block)
                if number == 0:
                    writer.writerow(columns)
                values = [
                    _plain(column) if column.dtype == object else column.tolist()
                    for column in columns.values()
                ]
                writer.writerows(zip(*values, strict=True))

    def _blocks(self) -> Iterator[slice]:
        return gen_batches(max(len(self._row_ids), 1), _BLOCK_LISTS)

    def _columns(self, block: slice = slice(None)) -> dict[str, np.ndarray]:
        """Return the columns of a frame, of some lists."""
        entries = self._entries[block]
        rows, ranks = np.nonzero(~np.ma.getmaskarray(entries))
        chosen = entries.data[rows, ranks]
        return {
            self._row_name: self._row_ids[block][rows],
            "rank": ranks + 1,
            self._entry_name: (
                chosen if self._entry_ids is None else self._entry_ids[chosen]
            ),
            "score": self.scores.data[block][rows, ranks],
        }


class Recommendations(_Lists):
    """The best items of each user, best first; unpacks as ``items, scores``.

    Returned by `skcoldstart.recommend` and by the method ``recommend`` of recommenders.

    .. versionadded:: 0.2

    Parameters
    ----------
    items : masked array of int of shape (n_selected_users, n)
        Rows of the items, best first.
    scores : masked array of shape (n_selected_users, n)
        Their scores.
    user_ids : ndarray of shape (n_selected_users,)
        Users of the lists.
    item_ids : ndarray of shape (n_items,), default=None
        Names of all items.
    as_frame : {"pandas", "polars", "pyarrow"}, default="pandas"
        What `to_frame` returns.

    Attributes
    ----------
    items : masked array of int of shape (n_selected_users, n)
        Rows of the items, best first, masked where a user has fewer candidates.
        ``items.filled()`` has -1 there, and ``items.tolist()`` has ``None``. A masked
        entry is not a valid index: indexing an array of names with it raises an error.
    scores : masked array of shape (n_selected_users, n)
        Their scores.
    item_ids : masked array of shape (n_selected_users, n)
        Names of the items, or `items` if they have none.
    user_ids : ndarray of shape (n_selected_users,)
        Users of the lists: their names, or their indices if they have none.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import PopularityRecommender
    >>> model = PopularityRecommender().fit([["a"], ["b"]], np.array([[1, 1], [0, 1]]))
    >>> found = model.recommend([["a"], ["b"]], n=2, exclude=[[1, 0], [0, 0]])
    >>> items, scores = found
    >>> items
    masked_array(
      data=[[1, --],
            [0, 1]],
    ...
    >>> found.to_frame()
       user_id  rank  item_id  score
    0        0     1        1    1.0
    1        1     1        0    2.0
    2        1     2        1    1.0
    """

    _row_name, _entry_name = "user_id", "item_id"

    def __init__(
        self,
        items: np.ma.MaskedArray,
        scores: np.ma.MaskedArray,
        user_ids: np.ndarray,
        item_ids: np.ndarray | None = None,
        as_frame: str = "pandas",
    ) -> None:
        super().__init__(items, scores, user_ids, item_ids, as_frame)

    @property
    def items(self) -> np.ma.MaskedArray:
        """Rows of the items, best first, masked where a list is short."""
        return self._entries

    @property
    def item_ids(self) -> np.ma.MaskedArray:
        """Names of the items, masked where a list is short."""
        return _named(self._entries, self._entry_ids)

    @property
    def user_ids(self) -> np.ndarray:
        """Users of the lists."""
        return self._row_ids


class Listeners(_Lists):
    """The best users of each item, best first; unpacks as ``users, scores``.

    Returned by `skcoldstart.listeners`.

    .. versionadded:: 0.2

    Parameters
    ----------
    users : masked array of int of shape (n_items, n)
        Indices of users, best first.
    scores : masked array of shape (n_items, n)
        Their scores.
    item_ids : ndarray of shape (n_items,)
        Items of the lists.
    user_ids : ndarray of shape (n_users,), default=None
        Names of all users.
    as_frame : {"pandas", "polars", "pyarrow"}, default="pandas"
        What `to_frame` returns.

    Attributes
    ----------
    users : masked array of int of shape (n_items, n)
        Indices of users, best first, masked where an item has fewer of them.
    scores : masked array of shape (n_items, n)
        Their scores.
    user_ids : masked array of shape (n_items, n)
        Names of the users, or `users` if they have none.
    item_ids : ndarray of shape (n_items,)
        Items of the lists: their names, or their rows if they have none.
    """

    _row_name, _entry_name = "item_id", "user_id"

    def __init__(
        self,
        users: np.ma.MaskedArray,
        scores: np.ma.MaskedArray,
        item_ids: np.ndarray,
        user_ids: np.ndarray | None = None,
        as_frame: str = "pandas",
    ) -> None:
        super().__init__(users, scores, item_ids, user_ids, as_frame)

    @property
    def users(self) -> np.ma.MaskedArray:
        """Indices of users, best first, masked where a list is short."""
        return self._entries

    @property
    def user_ids(self) -> np.ma.MaskedArray:
        """Names of the users, masked where a list is short."""
        return _named(self._entries, self._entry_ids)

    @property
    def item_ids(self) -> np.ndarray:
        """Items of the lists."""
        return self._row_ids


def _named(entries: np.ma.MaskedArray, names: np.ndarray | None) -> np.ma.MaskedArray:
    if names is None:
        return entries
    mask = np.ma.getmask(entries)
    return np.ma.MaskedArray(names[np.where(mask, 0, entries.data)], mask)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        extra = "skcoldstart[parquet]" if package == "pyarrow" else package
        raise ImportError(
            f"This requires {package}, which is not installed: pip install {extra}"
        ) from error


def _frame(columns: dict[str, np.ndarray], as_frame: str) -> Any:
    if as_frame not in FRAMES:
        raise ValueError(f"as_frame={as_frame!r}; expected one of {FRAMES}.")
    library = _library(as_frame)
    if as_frame == "pandas":
        return pandas_frame(columns)
    # Names of other types, such as UUIDs, are written as text, and bytes of a file
    # name that are not UTF-8 as escapes.
    plain = {name: _plain(values) for name, values in columns.items()}
    texts = [name for name, values in columns.items() if values.dtype == object]
    if as_frame == "polars":  # without a type, a column without rows would have none
        types = dict.fromkeys(texts, library.String)
        return library.DataFrame(plain, schema_overrides=types)
    plain |= {name: library.array(plain[name], library.string()) for name in texts}
    return library.table(plain)


def _plain(values: np.ndarray) -> Any:
    if values.dtype != object:
        return values
    return [
        v.decode("utf-8", "backslashreplace")
        if isinstance(v, bytes)
        else str(v).encode("utf-8", "backslashreplace").decode()
        for v in values
    ]
