"""Read plays from any table or from a loader's Bunch."""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._events import plays_from_events
from skcoldstart.datasets._frames import column_names, is_text
from skcoldstart.datasets._pairs import PairCounts, ordered
from skcoldstart.datasets._tables import find_columns, read_rows

BLOCK = 1 << 20  # rows


@dataclass(frozen=True)
class Plays:
    """Plays: names, sorted if possible, and counts.

    Shapes: `plays` (n_items, n_users), `n_rows` (n_items,).
    """

    item_ids: np.ndarray
    user_ids: np.ndarray
    plays: sp.csr_array
    n_rows: np.ndarray


def read_plays(source: Any, name: str) -> Plays:
    """Read plays from text, from a frame or parquet, or from a Bunch."""
    if isinstance(source, Mapping) and "plays" in source:
        return _from_bunch(source)
    if is_text(source):
        return _from_text(check_path(source))
    header = column_names(source, "plays")
    places = find_columns(name, header, ("user", "song"), {"plays": "1"})
    user, song, count = (None if i is None else header[i] for i in places)
    found = plays_from_events(source, user=user, item=song, count=count)
    missing = {k: n for k, n in found.n_dropped.items() if n and k != "missing_count"}
    if missing:
        raise ValueError(
            f"{sum(missing.values())} of {found.n_events} rows of {name} have no user "
            "or no song; leave such rows out."
        )
    n_rows = np.diff(found.plays.indptr)
    return Plays(found.item_ids, found.user_ids, found.plays, n_rows)


def _from_bunch(source: Mapping[str, Any]) -> Plays:
    plays = check_play_counts(source["plays"], input_name="plays")
    names = []
    for axis, key in enumerate(("item_ids", "user_ids")):
        ids = source.get(key)
        if ids is None or len(ids) != plays.shape[axis]:
            n_ids = "none" if ids is None else len(ids)
            raise ValueError(
                f"plays is a Bunch with {n_ids} of {key}; expected one for each of the "
                f"{plays.shape[axis]} {'columns' if axis else 'rows'} of its plays."
            )
        names.append(np.asarray(ids))
    return Plays(names[0], names[1], sp.csr_array(plays), np.diff(plays.indptr))


def _from_text(path: Path) -> Plays:
    songs: dict[str, int] = {}
    users: dict[str, int] = {}
    block = (array("i"), array("i"), array("d"))
    pairs, n_rows = PairCounts(), np.zeros(0, np.int64)

    def add_block() -> np.ndarray:
        items = np.array(block[0], np.int32)
        pairs.add(items, np.array(block[1], np.int32), np.array(block[2]))
        for part in block:
            del part[:]
        found = np.bincount(items, minlength=len(n_rows))
        found[: len(n_rows)] += n_rows
        return found

    for line, (user, song, count) in read_rows(path, ("user", "song"), {"plays": "1"}):
        block[0].append(songs.setdefault(song, len(songs)))
        block[1].append(users.setdefault(user, len(users)))
        block[2].append(_number(count, path, line))
        if len(block[2]) == BLOCK:
            n_rows = add_block()
    n_rows = add_block()
    item_ids, user_ids = np.array(list(songs)), np.array(list(users))
    orders = np.argsort(item_ids), np.argsort(user_ids)
    plays = ordered(pairs.to_csr(len(item_ids), len(user_ids)), *orders)
    plays.eliminate_zeros()
    return Plays(item_ids[orders[0]], user_ids[orders[1]], plays, n_rows[orders[0]])


def _number(text: str, path: Path, line: int) -> float:
    try:
        count = float(text)
    except ValueError:
        count = math.nan
    if 0.0 <= count < math.inf and "_" not in text:
        return count
    hint = "such as 3 or 2.5"
    if text.replace(",", "").replace(".", "").isdigit():
        hint += ", with a point and no commas"
    elif not text or text.upper() in ("\\N", "NULL", "NA", "NAN", "NONE"):
        hint += "; leave out rows without a count, or the whole column"
    raise ValueError(
        f"{path}, line {line}: plays is {text!r}; expected a number >= 0 {hint}."
    )
