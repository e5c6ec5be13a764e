"""``recommend`` and ``refine``: ranked lists from a model in a folder."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._command._console import UserError, explained, make_folder, report
from skcoldstart._command._folder import ModelFolder, read_model
from skcoldstart._command._songs import content_of, set_reading, usable_songs
from skcoldstart._utils.warning import warn


@dataclass(frozen=True)
class Candidates:
    """Songs to list, with their factors and plays so far."""

    item_ids: np.ndarray
    factors: np.ndarray
    plays: sp.csr_array | None
    n_unreadable: int = 0


@dataclass(frozen=True)
class Users:
    """Users to make lists for: some of the model, or new ones with their plays."""

    user_ids: np.ndarray | None = None  # all of the model if None
    factors: np.ndarray | None = None
    catalog: Any = None


def recommend(options: argparse.Namespace) -> None:
    """Write lists of new songs, or of the songs of the model."""
    model = read_model(options.model)
    users = _users_of(model, options)
    if options.audio is None and options.metadata is None:
        known = model.recommender.factorizer_.item_factors_
        candidates = Candidates(model.item_ids, known, model.plays)
    else:
        candidates = _new_songs(model, options, None)
    _write(model, users, candidates, options)


def refine(options: argparse.Namespace) -> None:
    """Write lists of new songs with their first plays."""
    model = read_model(options.model)
    if options.audio is None and options.metadata is None:
        raise UserError("refine requires --audio or --metadata of the songs to list")
    users = _users_of(model, options)
    _write(model, users, _new_songs(model, options, options.plays), options)


def _new_songs(
    model: ModelFolder, options: argparse.Namespace, week: Path | None
) -> Candidates:
    from skcoldstart.datasets import load_catalog

    if model.has_sound and options.audio is None:
        raise UserError("the model uses the sound of songs: pass --audio")
    if model.kinds and options.metadata is None:
        raise UserError(
            f"the model uses the columns {', '.join(model.kinds)}: pass --metadata"
        )
    with explained():
        audio = options.audio if model.has_sound else None
        metadata = options.metadata if model.kinds else None
        # Tables are read before the sound, so that a wrong one is reported at once.
        of_week = None if week is None else load_catalog(week, audio)
        catalog = load_catalog(audio=audio, metadata=metadata)
        set_reading(model.content, options)
        features = model.content.transform(content_of(catalog, model.kinds))
    usable = usable_songs(model.content, len(catalog.item_ids))
    ids = catalog.item_ids[usable]
    plays = _plays_of_fit(ids, model)
    if of_week is not None:
        if audio is not None:  # a song can have several names
            name = dict(zip(catalog.paths, catalog.item_ids.tolist(), strict=True))
            of_week.item_ids = np.array([name[path] for path in of_week.paths])
        so_far = _aligned(of_week, ids, model)
        plays = so_far if plays is None else sp.csr_array(plays + so_far)
    with explained():
        factors = model.recommender.item_factors(features[usable], plays)
    return Candidates(ids, factors, plays, len(catalog.item_ids) - len(usable))


def _plays_of_fit(item_ids: np.ndarray, model: ModelFolder) -> sp.csr_array | None:
    """Return the plays in fit of some songs, None if all are new."""
    places = _places(item_ids, model.item_ids)
    rows = np.flatnonzero(places >= 0)
    if not len(rows):
        return None
    warn(
        f"{len(rows)} of {len(places)} songs to list are songs of fit; those that a "
        "user has played are left out of the list."
    )
    return _take(model.plays, places)


def _take(plays: sp.csr_array, rows: np.ndarray) -> sp.csr_array:
    """Take rows of plays; -1 takes the empty row that follows the last one."""
    return sp.vstack([plays, sp.csr_array((1, plays.shape[1]))], format="csr")[rows]


def _aligned(of_week: Any, item_ids: np.ndarray, model: ModelFolder) -> sp.csr_array:
    """Return plays of some songs by the users of the model, (n_items, n_users)."""
    table = sp.coo_array(of_week.plays)
    songs = _places(of_week.item_ids, item_ids)[table.row]
    users = _places(of_week.user_ids, model.user_ids)[table.col]
    if not (songs >= 0).any():
        raise UserError(
            f"none of the {len(of_week.item_ids)} songs of --plays is among the "
            f"{len(item_ids)} songs to list, such as {str(item_ids[0])!r}"
        )
    n_new = len(set(table.col[users < 0].tolist()))
    if n_new:
        warn(
            f"{n_new} of {len(of_week.user_ids)} users of --plays are not known to the "
            "model and are left out; recommend --listeners makes lists for them."
        )
    kept = (songs >= 0) & (users >= 0)
    return sp.csr_array(
        (table.data[kept], (songs[kept], users[kept])),
        shape=(len(item_ids), len(model.user_ids)),
    )


def _places(names: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return positions of names by their text, -1 for unknown ones, (n_names,)."""
    place = {_text(name): i for i, name in enumerate(known.tolist())}
    return np.array([place.get(_text(name), -1) for name in names.tolist()], np.int64)


def _text(name: Any) -> str:
    """Return a name as the folder of a model holds it."""
    is_bytes = isinstance(name, bytes)
    return name.decode("utf-8", "backslashreplace") if is_bytes else str(name)


def _users_of(model: ModelFolder, options: argparse.Namespace) -> Users:
    if options.listeners is not None:
        return _new_users(model, options.listeners)
    if not options.user:
        return Users()
    names = list(dict.fromkeys(options.user))
    places = _places(np.array(names), model.user_ids)
    if (places < 0).any():
        raise UserError(
            f"--user {names[int(np.argmin(places))]!r} is none of the "
            f"{len(model.user_ids)} users that the model knows, such as "
            f"{str(model.user_ids[0])!r}; --listeners makes lists for new users"
        )
    return Users(model.user_ids[places])


def _new_users(model: ModelFolder, source: Path) -> Users:
    """Fold in users that the model does not know."""
    from skcoldstart.datasets import load_catalog

    with explained():
        found = load_catalog(source)
    rows = _places(found.item_ids, model.item_ids)
    if (rows < 0).all():
        raise UserError(
            f"none of the {len(found.item_ids)} songs of --listeners is one of the "
            f"{len(model.item_ids)} that the model was fitted on, such as "
            f"{str(model.item_ids[0])!r}"
        )
    if (rows < 0).any():
        warn(
            f"{np.count_nonzero(rows < 0)} of {len(rows)} songs of --listeners are not "
            "known to the model and are left out."
        )
    plays = _take(found.plays, _places(model.item_ids, found.item_ids))
    silent = np.flatnonzero(plays.sum(axis=0) == 0)
    if len(silent):
        warn(
            f"{len(silent)} of {plays.shape[1]} users of --listeners have no play of a "
            "known song; they get the lists of a mean user."
        )
    return Users(found.user_ids, model.recommender.fold_in_users(plays), found)


def _write(
    model: ModelFolder, users: Users, candidates: Candidates, options: Any
) -> None:
    from skcoldstart import serving

    exclude = candidates.plays
    if users.catalog is not None:
        places = _places(candidates.item_ids, users.catalog.item_ids)
        exclude = _take(users.catalog.plays, places)
    make = serving.recommend if options.by == "user" else serving.listeners
    with explained():
        lists = make(
            model.recommender,
            None,
            options.top,
            users=users.user_ids,
            item_ids=candidates.item_ids,
            item_factors=candidates.factors,
            user_factors=users.factors,
            exclude=exclude,
        )
    out = options.out
    make_folder(out.parent)
    with explained():
        (lists.to_parquet if out.suffix == ".parquet" else lists.to_csv)(out)
    n_lists, n = lists[0].shape
    found = {
        "out": str(out),
        "by": options.by,
        "lists": n_lists,
        "top": n,
        "candidates": len(candidates.item_ids),
        "unreadable": candidates.n_unreadable,
    }
    what = "users, of songs" if options.by == "user" else "songs, of users"
    report(
        found,
        f"{out}: {n_lists} lists for {what} ({len(candidates.item_ids)} candidates)",
        as_json=options.json,
    )
