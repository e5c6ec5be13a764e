"""What the demonstration prints and the table it writes."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._demonstration._experiment import Experiment
from skcoldstart._demonstration._systems import Songs, item_factors, user_factors
from skcoldstart._utils.atomic import atomic_write

__all__ = ["listeners_of_a_song", "ranked_listeners", "table", "write_recommendations"]


def table(experiment: Experiment) -> str:
    """Format the scores in the form of the paper's Table 2."""
    lines = [
        f"{'system':<24}{'mAP@500':>9}  {'95 % interval':<18}{'AUC':>7}  "
        f"{'95 % interval':<18}",
        "-" * 78,
    ]
    for row in experiment.scores:
        lines.append(
            f"{row.name:<24}{row.map:>9.4f}  {_interval(row.map_interval):<18}"
            f"{row.auc:>7.4f}  {_interval(row.auc_interval):<18}"
        )
    return "\n".join(line.rstrip() for line in lines)


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.4f}, {bounds[1]:.4f}]"


def ranked_listeners(
    factors: np.ndarray, user_factors: np.ndarray, n: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rank the listeners of each song, one song at a time.

    Shapes: `factors` (n_items, k), `user_factors` (n_users, k) -> `users` (min(n,
    n_users),), `scores` (min(n, n_users),).
    """
    for row in factors:
        scores = user_factors @ row
        best = np.argsort(-scores, kind="stable")[:n]
        yield best, scores[best]


def listeners_of_a_song(
    experiment: Experiment, songs: Songs, names: np.ndarray, users: Any
) -> str:
    """Show whom the best content system expects to like a held-out song.

    Shapes: `names` (n_items,), `users` (n_users,).
    """
    n_listeners = np.diff(songs.plays.indptr)[experiment.test]
    song = int(experiment.test[np.argmax(n_listeners)])
    model = experiment.best_model
    factors = item_factors(model, getattr(songs[[song]], experiment.best.reads))
    best, scores = next(ranked_listeners(factors, user_factors(model), 5))
    counts = songs.plays[[song]].toarray().ravel()
    lines = [
        f"First listeners for '{names[song]}', which no system has seen "
        f"({n_listeners.max()} of {songs.plays.shape[1]} users really play it):"
    ]
    for rank, (user, score) in enumerate(zip(best, scores, strict=True), start=1):
        truth = f"plays it {counts[user]:.0f} times" if counts[user] else "does not"
        lines.append(f"  {rank}. {users[user]!s:<24} score {score:6.3f}   {truth}")
    return "\n".join(lines)


def write_recommendations(
    path: Path, songs: Any, users: np.ndarray, model: Any, frames: Any, *, n: int
) -> None:
    """Write the first listeners of songs to a tab-separated file.

    Shapes: `users` (n_users,).
    """
    factors = item_factors(model, frames)
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["song", "rank", "listener", "score"])
        ranked = ranked_listeners(factors, user_factors(model), n)
        for song, (best, scores) in zip(songs, ranked, strict=True):
            for rank, (user, score) in enumerate(
                zip(best, scores, strict=True), start=1
            ):
                writer.writerow([song, rank, users[user], f"{score:.6g}"])
