"""Convert a log of events to a table of plays."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._scores.plays import labelled
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import is_missing as are_missing
from skcoldstart._utils.sk import Interval, validated
from skcoldstart._utils.table import as_list
from skcoldstart._utils.threads import ThreadMap, worker_threads
from skcoldstart._utils.warning import warn
from skcoldstart.datasets._blocks import Block, Columns
from skcoldstart.datasets._ids import ArrowIds, PythonIds, is_missing, make_ids
from skcoldstart.datasets._names import near_miss, some
from skcoldstart.datasets._pairs import PairCounts, ordered
from skcoldstart.datasets._sources import blocks_of
from skcoldstart.datasets._times import TINY, Clock

REASONS = (
    *("missing_user", "missing_item", "missing_count", "missing_timestamp"),
    *("before_since", "from_until", "other_items", "other_users"),
    *("few_item_plays", "few_user_plays"),
)


@documented()
@validated(
    user=[str],
    item=[str],
    count=[str, None],
    timestamp=[str, None],
    min_item_plays=[Interval(Real, 0, None, closed="left")],
    min_user_plays=[Interval(Real, 0, None, closed="left")],
)
def plays_from_events(
    events: Any,
    *,
    user: str = "user_id",
    item: str = "item_id",
    count: str | None = None,
    timestamp: str | None = None,
    since: Any = None,
    until: Any = None,
    items: Iterable[Any] | None = None,
    users: Iterable[Any] | None = None,
    min_item_plays: float = 1,
    min_user_plays: float = 1,
    half_life: Any = None,
) -> Bunch:
    """Convert a log of events to a sparse table of items and users.

    Parameters
    ----------
    events : dataframe, str, PathLike, or a list of these
        A table with one row per event: any dataframe (pandas, polars, pyarrow, Dask,
        ...); the path of a parquet file, of a folder of parquet files, or of a text
        table (CSV), plain or compressed. Files need pyarrow:
        ``pip install skcoldstart[parquet]``.
    user : str, default="user_id"
        Name of the column of user ids, of any type. Ids of text tables are text.
    item : str, default="item_id"
        Name of the column of item ids, in the same way.
    count : str, default=None
        Name of the column with the number of plays of an event, >= 0. ``None`` counts
        each event as one play.
    timestamp : str, default=None
        Name of the column of times: datetimes, dates, text of ISO 8601, or numbers.
        Times without a time zone are UTC.
    since, until : datetime-like, str or number, default=None
        Keep events with ``since <= timestamp < until``.
    items : iterable of ids, default=None
        The rows of the table, in this order, such as the ids of a catalogue; events of
        other items are dropped. ``None`` takes the items of the log, sorted.
    users : iterable of ids, default=None
        The columns, in the same way.
    min_item_plays, min_user_plays : float, default=1
        Drop the events of items, and of users, with fewer plays, until all that remain
        have enough. Plays are counted without `half_life`.
    half_life : timedelta or number, default=None
        Time after which the weight of a play is halved. A number is in days if
        timestamps are datetimes, and in their unit if they are numbers. Age is measured
        from `until`, or from the last event.

    <bunch>

        plays : csr_array of shape (n_items, n_users)
            Play counts, with `user_ids` and `item_ids`, which a model takes over in
            `fit`.
        item_ids, user_ids : ndarray of shape (n_items,) and (n_users,)
            Ids of the rows and columns.
        first_play : ndarray of shape (n_items,), or None
            Time of the first kept event of each item: datetime64 in UTC, NaT if there
            is none; or float64 with NaN. ``None`` without `timestamp`.
        n_events : int
            Number of events that were read.
        n_dropped : dict
            Number of dropped events by their first reason.
        <summary>

    Raises
    ------
    ValueError
        If a column is missing, a count is negative or not finite, a time cannot be
        read, or no event is left; the error names the row or line.
    TypeError
        If `events` is neither a dataframe nor a path, ids are of several types in
        several parts, or `since`, `until` or `half_life` do not fit the timestamps.
    ImportError
        If pyarrow is needed and not installed.

    Warns
    -----
    UserWarning
        If ids of `items` or `users` differ from those of the log only by spelling; or
        if `count` is ``None`` and the log has a column such as "plays".

    See Also
    --------
    load_catalog : Joins the table with audio files, groups and metadata.

    Notes
    -----
    Memory does not grow with the number of events, which are read in blocks. Its peak
    is 50 to 80 bytes for each pair of item and user, about 250 bytes for each id, and a
    block of a million events, 150 MB for text.

    .. versionadded:: 0.2

    Examples
    --------
    >>> import pandas as pd
    >>> from skcoldstart.datasets import plays_from_events
    >>> log = pd.DataFrame({
    ...     "user_id": ["ann", "bob", "ann", "bob"],
    ...     "item_id": [7, 7, 7, 3],
    ...     "played": pd.to_datetime(["2026-01-01", "2026-01-09", "2026-01-11", None]),
    ... })
    >>> taste = plays_from_events(log, timestamp="played", half_life=10)
    >>> taste.item_ids, taste.user_ids, taste.n_dropped["missing_timestamp"]
    (array([7]), array(['ann', 'bob'], dtype='<U3'), 1)
    >>> taste.plays.toarray().round(2)
    array([[1.5 , 0.87]])
    """
    clock = Clock(since, until, half_life)
    if timestamp is None and clock.is_used:
        raise ValueError(
            "since, until and half_life need timestamp=, the name of the column of "
            "times."
        )
    return add_up(
        events,
        Columns(user, item, count, timestamp),
        "events",
        clock,
        (fixed_ids(items, "items"), fixed_ids(users, "users")),
        (min_item_plays, min_user_plays),
    )


def add_up(
    events: Any,
    columns: Columns,
    name: str,
    clock: Clock | None = None,
    fixed: tuple[list[Any] | None, list[Any] | None] = (None, None),
    least: tuple[float, float] = (1, 1),
) -> Bunch:
    """Add up events, which messages call `name`."""
    counter = _Counter(clock or Clock(None, None, None), *fixed, max(least) > 1)
    with worker_threads(2) as run:  # one numbers items, one users
        for block in blocks_of(events, columns, name):
            counter.add(block, run)
    return counter.finish(least, name)


def fixed_ids(ids: Iterable[Any] | None, name: str) -> list[Any] | None:
    """Return ids as Python values, each of which must be there once."""
    if ids is None:
        return None
    if isinstance(ids, str | bytes):
        raise TypeError(f"{name} is {ids!r}; expected an iterable of ids.")
    if hasattr(ids, "columns"):
        raise TypeError(
            f"{name} is a {type(ids).__name__}; expected ids, such as one of its "
            "columns."
        )
    try:
        fixed = as_list(ids)
        twice = [value for value, n in Counter(fixed).items() if n > 1]
    except TypeError as error:  # a number, or lists
        raise TypeError(f"{name} is not an iterable of ids: {error}.") from error
    if not fixed or twice or are_missing(fixed).any():
        what = f"{some(twice)} more than once" if twice else "no ids, or missing ones"
        raise ValueError(f"{name} has {what}; expected different ids.")
    return fixed


class _Counter:
    """Adds up blocks of events."""

    def __init__(
        self,
        clock: Clock,
        items: list[Any] | None,
        users: list[Any] | None,
        drops_few: bool,
    ) -> None:
        self._clock = clock
        self._fixed = {"item": items, "user": users}
        self._ids: dict[str, ArrowIds | PythonIds] = {}
        self._drops_few = drops_few
        # Weights, and what the rare are told by: plays before they decay, and events.
        self._tables = defaultdict(PairCounts, weight=PairCounts())
        self._first = np.empty(0)
        self._never: Any = None  # the number that stands for no event
        self._time_type: Any = None
        self._n_events = 0
        self._n_dropped = dict.fromkeys(REASONS, 0)

    def add(self, block: Block, run: ThreadMap) -> None:
        """Add those events of a block that are wanted."""
        columns = {"item": block.items, "user": block.users}
        numbers = run(lambda axis: self._codes(axis, columns[axis], block), columns)
        codes = dict(zip(columns, numbers, strict=True))
        self._n_events += len(codes["item"])
        wanted = self._wanted(block, codes)
        items, users = codes["item"][wanted], codes["user"][wanted]
        if not len(items):
            return
        counts = weights = None if block.counts is None else block.counts[wanted]
        if block.times is not None:
            times = block.times[wanted]
            self._note_first(items, times, block.source)
            if self._clock.decays:
                decay, scale = self._clock.weights(times)
                weights = decay if counts is None else counts * decay
                if scale != 1.0:
                    self._tables["weight"].rescale(scale, TINY)
        self._tables["weight"].add(items, users, weights)
        if self._drops_few and weights is not counts:
            self._tables["plays"].add(items, users, counts)
        if self._drops_few and block.counts is not None:
            self._tables["events"].add(items, users)

    def finish(self, least: tuple[float, float], name: str) -> Bunch:
        """Return the table and the names of its rows and columns."""
        ids = {
            axis: self._ids.get(axis) or PythonIds(fixed)
            for axis, fixed in self._fixed.items()
        }
        (item_ids, item_order), (user_ids, user_order) = (
            ids[axis].sorted() for axis in ("item", "user")
        )
        shape = (len(item_ids), len(user_ids))
        if self._clock.decays:
            self._tables["weight"].rescale(self._clock.last_scale(), TINY)
        tables = {name: t.to_csr(*shape) for name, t in self._tables.items()}
        plays = tables["weight"]
        if self._drops_few:
            counts = tables.get("plays", plays)
            plays = self._drop_rare(plays, counts, tables.get("events", counts), least)
        self._check_left(plays, ids, name)
        if self._fixed["item"] is None:
            there = np.diff(plays.indptr)[item_order] > 0
            item_ids, item_order = item_ids[there], item_order[there]
        if self._fixed["user"] is None:
            there = np.bincount(plays.indices, minlength=shape[1])[user_order] > 0
            user_ids, user_order = user_ids[there], user_order[there]
        plays = ordered(plays, item_order, user_order)
        return Bunch(
            plays=labelled(plays, user_ids, item_ids),
            item_ids=item_ids,
            user_ids=user_ids,
            first_play=self._first_of(item_order),
            n_events=self._n_events,
            n_dropped=self._n_dropped,
            DESCR=(
                f"{plays.sum():g} plays of {len(item_ids)} items by {len(user_ids)} "
                f"users ({plays.nnz} pairs) from {self._n_events} events; "
                f"{sum(self._n_dropped.values())} events dropped."
            ),
        )

    def _codes(self, axis: str, column: Any, block: Block) -> np.ndarray:
        if axis not in self._ids:
            self._ids[axis] = make_ids(column, self._fixed[axis])
        try:
            return self._ids[axis].codes(column)
        except TypeError as error:
            raise TypeError(
                f"{axis} ids of {block.source} differ in type: {error}."
            ) from error

    def _wanted(self, block: Block, codes: dict[str, np.ndarray]) -> np.ndarray:
        """Return which events are wanted, and count why others are not."""
        kept = np.ones(len(codes["item"]), dtype=bool)

        def drop(reason: str, bad: np.ndarray) -> None:
            self._n_dropped[reason] += int(np.count_nonzero(bad & kept))
            kept[bad] = False

        drop("missing_user", is_missing(block.users))
        drop("missing_item", is_missing(block.items))
        if block.counts is not None:
            row = block.bad_count()
            if row is not None:
                raise ValueError(
                    f"{block.source}, row {block.first_row + row + 1}: the count is "
                    f"{block.counts[row]:g}; expected a finite number >= 0."
                )
            drop("missing_count", ~(block.counts > 0))
        times = block.times
        if times is not None and self._clock.is_used:
            drop("missing_timestamp", times != times)
            if kept.any():  # otherwise the type of times may be unknown
                since, until = (self._clock.bound(n, times) for n in ("since", "until"))
                if since is not None:
                    drop("before_since", times < since)
                if until is not None:
                    drop("from_until", times >= until)
        drop("other_items", codes["item"] < 0)
        drop("other_users", codes["user"] < 0)
        return kept

    def _note_first(self, items: np.ndarray, times: np.ndarray, source: str) -> None:
        """Keep the time of each item's first event, as numbers: those are quick."""
        is_date = times.dtype.kind == "M"
        if not len(self._first):  # no time so far
            self._time_type = times.dtype
            self._first = np.empty(0, "i8" if is_date else "f8")
            self._never = np.iinfo("i8").max if is_date else np.inf
        known = times == times
        if not known.all():
            items, times = items[known], times[known]
        if not len(items):
            return
        if is_date != (self._time_type.kind == "M"):
            kinds = ("numbers", "datetimes")
            raise TypeError(
                f"Timestamps of {source} are {kinds[is_date]} but {kinds[not is_date]} "
                "before; expected one kind."
            )
        n_more = int(items.max(initial=-1)) + 1 - len(self._first)
        if n_more > 0:
            self._first = np.append(self._first, np.full(n_more, self._never))
        times = times.astype(self._time_type, copy=False).view(self._first.dtype)
        np.minimum.at(self._first, items, times)

    def _first_of(self, order: np.ndarray) -> np.ndarray | None:
        if self._time_type is None:
            return None
        known = order < len(self._first)
        first = np.full(len(order), self._never, self._first.dtype)
        first[known] = self._first[order[known]]
        never = first == self._never
        times = first.view(self._time_type)
        times[never] = np.datetime64("NaT") if self._time_type.kind == "M" else np.nan
        return times

    def _drop_rare(
        self,
        plays: sp.csr_array,
        counts: sp.csr_array,
        events: sp.csr_array,
        least: tuple[float, float],
    ) -> sp.csr_array:
        """Drop pairs of items and users with few plays until all have enough."""
        pairs = counts.tocoo()
        kept = np.ones(pairs.nnz, dtype=bool)
        n_events = events.data
        reasons = ("few_item_plays", "few_user_plays")
        n_kept = -1
        while n_kept != np.count_nonzero(kept):
            n_kept = int(np.count_nonzero(kept))
            for axis, (reason, enough) in enumerate(zip(reasons, least, strict=True)):
                if enough > 1:
                    places = pairs.coords[axis]
                    sums = np.bincount(
                        places[kept], pairs.data[kept], pairs.shape[axis]
                    )
                    few = kept & (sums < enough)[places]
                    self._n_dropped[reason] += int(n_events[few].sum())
                    kept &= ~few
        plays = plays.copy()
        plays.data[~kept] = 0
        plays.eliminate_zeros()
        return plays

    def _check_left(
        self, plays: sp.csr_array, ids: dict[str, ArrowIds | PythonIds], name: str
    ) -> None:
        """Refuse an empty table, and name ids that are nearly those that were given."""
        hints = []
        for axis, fixed in self._fixed.items():
            unknown, known = ids[axis].unknown, fixed or []
            hint = near_miss([*map(str, unknown)], map(str, known)).strip()
            if unknown and type(unknown[0]) not in map(type, known):
                hint = (
                    f"they are {type(unknown[0]).__name__} in the events; here they "
                    f"are {type(known[0]).__name__}"
                )
            if hint:
                hints.append(f"Ids of {axis}s= are not those of the events: {hint}")
        if not self._n_events:
            raise ValueError(f"{name} has no rows; expected a row for each event.")
        if not plays.nnz:
            dropped = {k: n for k, n in self._n_dropped.items() if n}
            left = f"No event is left of {self._n_events}; dropped were {dropped}."
            raise ValueError(" ".join([left, *hints]))
        if hints:
            warn(" ".join(hints))
