"""The week of a small service, as its script runs it on invented music."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skcoldstart import datasets, load_model
from tests.serving.ports import free_port

pytest.importorskip("fastapi", reason="the example server needs fastapi")
SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "serving" / "week.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="docs are not here"),
]


def write_world(folder, rng):
    """Write sound, a first log and a week's log of songs that are released in it."""
    catalog = datasets.make_music_catalog(
        folder / "audio",
        n_songs=90,
        n_artists=30,
        n_genres=3,
        n_users=60,
        duration_s=2.0,
        random_state=0,
    )
    plays = catalog.plays.tocoo()
    names = np.array([Path(path).stem for path in catalog.paths])
    events = pd.DataFrame({
        "user_id": np.char.add("u", plays.coords[1].astype(str)),
        "item_id": names[plays.coords[0]],
    })
    newest = np.argsort(catalog.release_dates)[-20:]
    is_new = np.isin(plays.coords[0], newest)
    seen = is_new & (rng.random(len(events)) < 0.3)
    came_later = plays.coords[1] >= 55
    events[~is_new & ~came_later].to_parquet(folder / "monday.parquet")
    events[seen | (~is_new & came_later)].to_parquet(folder / "week.parquet")
    return catalog, names, newest


def test_the_week_takes_at_most_25_lines():
    code = SCRIPT.read_text("utf-8").split("# " + "-" * 86)[1].splitlines()
    assert len([line for line in code if line and line[0] != "#"]) <= 25


def test_the_week_ends_with_lists_over_http(tmp_path, rng):
    catalog, names, newest = write_world(tmp_path, rng)
    run = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), str(free_port())],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert (found["lists"], found["pat"], len(found["served"])) == (55, 5, 3)
    first = pd.read_parquet(tmp_path / "for_listeners.parquet")
    refined = pd.read_parquet(tmp_path / "refined.parquet")
    assert set(first["item_id"]) <= set(names[newest])
    week = pd.read_parquet(tmp_path / "week.parquet")
    sent = refined.merge(week, on=["user_id", "item_id"])
    assert len(sent) == 0  # nobody is sent what was played this week
    assert len(pd.read_parquet(tmp_path / "for_songs.parquet")) == 20 * 5
    model = load_model(tmp_path / "model" / "model.safetensors")
    assert model.n_users_ == 60

    # Lists before the first play are better than chance, and so are those after it for
    # what has not been played yet.
    truth = (catalog.plays[newest].toarray() > 0)[:, :55]
    row = {name: i for i, name in enumerate(names[newest])}
    known = np.zeros_like(truth)
    for user, item in zip(week["user_id"], week["item_id"], strict=True):
        if item in row and int(user[1:]) < 55:
            known[row[item], int(user[1:])] = True
    for lists, wanted in ((first, truth), (refined, truth & ~known)):
        rows, users = lists["item_id"].map(row), lists["user_id"].str[1:].astype(int)
        assert wanted[rows, users].mean() > 1.2 * wanted.mean()
