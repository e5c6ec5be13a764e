"""The listeners that the demonstration recommends songs to."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._demonstration._experiment import Experiment
from skcoldstart._demonstration._systems import Songs
from skcoldstart._utils.atomic import atomic_write
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


def write_recommendations(
    path: Path, songs: Any, users: np.ndarray, model: Any, frames: Any, n: int
) -> None:
    """Write the first listeners of songs to a tab-separated file.

    Shapes: `users` (n_users,).
    """
    best, scores = listeners(model, frames, n=min(n, len(users)))
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["song", "rank", "listener", "score"])
        for song, row, values in zip(songs, best, scores, strict=True):
            found = zip(row.compressed(), values.compressed(), strict=True)
            for rank, (user, score) in enumerate(found, start=1):
                writer.writerow([song, rank, users[user], f"{score:.6g}"])
