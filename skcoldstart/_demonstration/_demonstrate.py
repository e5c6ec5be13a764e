"""Run the demonstration for a catalogue."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._demonstration._experiment import extract, refit, run
from skcoldstart._demonstration._picture import save_picture
from skcoldstart._demonstration._report import (
    listeners_of_a_song,
    write_recommendations,
)
from skcoldstart._demonstration._scores import notes, table
from skcoldstart._demonstration._systems import SYSTEMS

N_LISTENERS = 20


def demonstrate(
    catalog: Any,
    folder: Path,
    genres: Any,
    *,
    n_codewords: int,
    k: int | None,
    seed: int,
    reader: Any,
    n_jobs: int,
    verbose: int,
    say: Callable[[str], None],
) -> None:
    """Compare the systems on held-out songs; write a picture and recommendations.

    Shapes: `genres` (n_items,), for the colours of the picture.
    """
    songs, usable = extract(catalog, reader=reader, n_jobs=n_jobs, verbose=verbose)
    played = usable[~catalog.is_new[usable]]
    new = usable[catalog.is_new[usable]]
    heard = songs[played]
    groups = np.asarray(catalog.groups)[played]
    experiment = run(
        heard, groups, n_codewords=n_codewords, k=k, seed=seed, verbose=verbose
    )
    labels = np.asarray(catalog.groups if genres is None else genres)[played]
    picture = folder / "demonstration.png"
    save_picture(picture, experiment, heard, labels)
    if len(new):
        model, chosen = refit(experiment, heard), new
        what = f"{len(new)} songs without plays"
    else:
        model, chosen = experiment.best_model, played[experiment.test]
        what = f"the {len(chosen)} held-out songs, by a model fitted on the others"
    recommendations = folder / "recommendations.tsv"
    frames = getattr(songs[chosen], experiment.best.reads)
    write_recommendations(
        *(recommendations, catalog.item_ids[chosen], catalog.user_ids),
        *(model, frames, N_LISTENERS),
    )
    say(
        f"{len(played)} songs in {len(set(groups))} groups, "
        f"{heard.plays.shape[1]} users, {heard.plays.nnz} counts.\n"
        f"Trained on {len(experiment.train)} songs; "
        f"{len(experiment.test)} songs of other groups ranked for "
        f"{experiment.n_users_scored} users who play some of them.\n"
    )
    say(table(experiment.scores, experiment.k))
    for system in experiment.left_out:
        say(
            f"{system.name:<24}not run: {system.needs} is not installed "
            "(pip install skcoldstart[neural])"
        )
    say("")
    network = any(system.reads == "mel" for system in SYSTEMS)
    for note in notes(len(experiment.test), experiment.k, network=network):
        say(note)
    names = catalog.item_ids[played]
    say("\n" + listeners_of_a_song(experiment, heard, names, catalog.user_ids))
    say(f"\n{picture}: the picture")
    say(f"{recommendations}: first listeners of {what}")
