"""``fit``: fit a model to plays and content, and write it to a folder."""

import argparse

from skcoldstart._command._console import (
    UserError,
    explained,
    make_folder,
    plain,
    report,
)
from skcoldstart._command._folder import ModelFolder, check_place, write_model
from skcoldstart._command._songs import load_songs, make_content, usable_songs


def fit(options: argparse.Namespace) -> None:
    """Fit a model to all songs with plays and write it."""
    from skcoldstart.compose import ColdStartRecommender
    from skcoldstart.factorization import WMF

    out = check_place(options.out)
    songs = load_songs(options)
    make_folder(out.parent)
    content = make_content(songs, len(songs.item_ids), options)
    with explained():
        features = content.fit_transform(songs.content)
    usable = usable_songs(content, len(songs.item_ids))
    recommender = ColdStartRecommender(factorizer=WMF(random_state=options.seed))
    ids = songs.item_ids[usable]
    recommender.fit(
        features[usable],
        songs.plays[usable],
        user_ids=songs.user_ids,
        item_ids=ids,
    )
    summary = {
        "songs": len(usable),
        "users": len(songs.user_ids),
        "pairs": int(songs.plays[usable].nnz),
        "features": int(features.shape[1]),
        "unreadable": len(songs.item_ids) - len(usable),
    }
    model = ModelFolder(
        content,
        recommender,
        songs.kinds,
        songs.paths is not None,
        ids,
        songs.user_ids,
        songs.plays[usable],
    )
    groups = None if songs.groups is None else songs.groups[usable]
    try:
        write_model(out, model, groups, summary)
    except OSError as error:
        raise UserError(f"cannot write to --out: {plain(error)}") from error
    text = (
        f"{summary['songs']} songs, {summary['users']} users, {summary['pairs']} pairs;"
        f" {summary['features']} features per song.\n"
        f"{options.out}: the model, factors, names and the table of songs"
    )
    report({"model": str(options.out), **summary}, text, as_json=options.json)
