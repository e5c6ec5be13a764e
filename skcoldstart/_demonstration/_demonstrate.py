"""Run the demonstration for a catalogue, and write its report."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._demonstration._experiment import (
    Experiment,
    Songs,
    extract,
    notes,
    refit,
    run,
    table,
)
from skcoldstart._demonstration._picture import save_picture
from skcoldstart._utils.paths import atomic_write
from skcoldstart.serving import listeners


def listeners_of_a_song(
    experiment: Experiment, songs: Songs, names: np.ndarray, users: Any
) -> str:
    """Print the first listeners of a held-out song by the best content system.

    Shapes: `names` (n_items,), `users` (n_users,).
    """
    n_listeners = np.diff(songs.plays.indptr)[experiment.test]
    song = int(experiment.test[np.argmax(n_listeners)])
    frames = getattr(songs[[song]], experiment.best.reads)
    best, scores = listeners(experiment.best_model, frames, n=5)
    counts = songs.plays[[song]].toarray().ravel()
    lines = [
        f"First listeners for '{names[song]}', which was not used in fit "
        f"({n_listeners.max()} of {songs.plays.shape[1]} users really play it):"
    ]
    found = zip(best[0].compressed(), scores[0].compressed(), strict=True)
    for rank, (user, score) in enumerate(found, start=1):
        truth = f"plays it {counts[user]:.0f} times" if counts[user] else "does not"
        lines.append(f"  {rank}. {users[user]!s:<24} score {score:6.3f}   {truth}")
    return "\n".join(lines)


N_LISTENERS = 20


def write_recommendations(
    path: Path, catalog: Any, songs: np.ndarray, model: Any, frames: Any
) -> None:
    """Write the first listeners of some songs to a tab-separated file.

    Shapes: `songs` (n_songs,), positions in the catalogue.
    """
    users = catalog.user_ids
    best, scores = listeners(model, frames, n=min(N_LISTENERS, len(users)))
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["song", "rank", "listener", "score"])
        rows = zip(catalog.item_ids[songs], best, scores, strict=True)
        for song, row, values in rows:
            found = zip(row.compressed(), values.compressed(), strict=True)
            for rank, (user, score) in enumerate(found, start=1):
                writer.writerow([song, rank, users[user], f"{score:.6g}"])


def demonstrate(
    catalog: Any,
    folder: Path,
    *,
    n_codewords: int,
    k: int | None,
    seed: int,
    reader: Any,
    n_jobs: int,
    verbose: int,
    say: Callable[[str], None],
) -> None:
    """Compare the systems on held-out songs; write a picture and recommendations."""
    songs, usable = extract(catalog, reader=reader, n_jobs=n_jobs, verbose=verbose)
    played = usable[~catalog.is_new[usable]]
    new = usable[catalog.is_new[usable]]
    heard = songs[played]
    groups = np.asarray(catalog.groups)[played]
    experiment = run(
        heard, groups, n_codewords=n_codewords, k=k, seed=seed, verbose=verbose
    )
    labels = np.asarray(catalog.get("genres", catalog.groups))[played]
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
    write_recommendations(recommendations, catalog, chosen, model, frames)
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
    for note in notes(len(experiment.test), experiment.k, network=True):
        say(note)
    names = catalog.item_ids[played]
    say("\n" + listeners_of_a_song(experiment, heard, names, catalog.user_ids))
    say(f"\n{picture}: the picture")
    say(f"{recommendations}: first listeners of {what}")
