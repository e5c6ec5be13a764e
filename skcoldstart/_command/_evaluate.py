"""``evaluate``: rank songs of held-out artists by several recommenders."""

import argparse
from typing import Any

import numpy as np

from skcoldstart._command._console import NO_GROUPS, UserError, explained, report, say
from skcoldstart._command._songs import load_songs, make_content, usable_songs


def evaluate(options: argparse.Namespace) -> None:
    """Print a table of results on held-out songs."""
    from sklearn.base import clone

    from skcoldstart._demonstration import (
        cutoff,
        hold_out,
        notes,
        score_models,
        table,
    )
    from skcoldstart.compose import (
        ColdStartRecommender,
        ContentKNNRecommender,
        ContentProfileRecommender,
        OracleRecommender,
        RandomRecommender,
        make_recommender,
    )
    from skcoldstart.factorization import WMF

    songs = load_songs(options)
    groups = songs.item_ids if songs.groups is None else np.asarray(songs.groups)
    if songs.groups is None and not options.json:
        say(NO_GROUPS)
    with explained():
        train, test = hold_out(groups, options.seed)
    content = make_content(songs, len(train), options)
    with explained():
        known = content.fit_transform(songs.rows(train))
        usable = usable_songs(content, len(train))
        train, known = train[usable], known[usable]
        new = content.transform(songs.rows(test))
        usable = usable_songs(content, len(test))
        test, new = test[usable], new[usable]
    plays = songs.plays
    if not plays[train].nnz or not plays[test].nnz:
        raise UserError("The held-out songs, or the training songs, have no plays.")
    wmf = WMF(random_state=options.seed)
    systems: dict[str, Any] = {
        "random": RandomRecommender(random_state=options.seed),
        "content profile": ContentProfileRecommender(),
        "most similar songs": ContentKNNRecommender(),
        "predicted factors": ColdStartRecommender(factorizer=wmf),
        "blend": make_recommender(
            groups=songs.groups is not None, random_state=options.seed
        ),
        "upper bound": OracleRecommender(clone(wmf)),
    }
    entries: dict[str, tuple[Any, Any]] = {}
    for name, system in systems.items():
        is_bound = name == "upper bound"
        params = {"groups": groups[train]} if name == "blend" else {}
        model = system.fit(plays[train] if is_bound else known, plays[train], **params)
        entries[name] = model, plays[test] if is_bound else new
    k = options.top_k or cutoff(len(test))
    scores, n_users = score_models(entries, plays[test], k)
    about = notes(len(test), k)
    rows = {}
    for name, of_system in scores.items():
        precision, *precision_interval = of_system["map"]
        auc, *auc_interval = of_system["auc"]
        rows[name] = {
            f"map@{k}": precision,
            f"map@{k}_interval": precision_interval,
            "auc": auc,
            "auc_interval": auc_interval,
        }
    found = {
        "songs": len(train) + len(test),
        "candidates": len(test),
        "users": n_users,
        "k": k,
        "systems": rows,
        "notes": about,
    }
    text = (
        f"Trained on {len(train)} songs; {len(test)} songs of other groups ranked for "
        f"{n_users} users who play some of them.\n\n{table(scores, k)}\n"
    )
    report(found, "\n".join([text, *about]), as_json=options.json)
