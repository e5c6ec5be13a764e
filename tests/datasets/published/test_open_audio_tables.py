"""The benchmark of the open sets, whole, on small files of their exact schema."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import skcoldstart
from tests.datasets.published.open_audio import (
    listen,
    melon_song,
    write_acousticbrainz,
    write_listens,
    write_melon,
    write_music4all,
    write_yambda,
    write_yambda_artists,
    write_yambda_embeddings,
)

SCRIPT = Path(skcoldstart.__file__).parents[1] / "benchmarks" / "open_audio.py"
N_ITEMS, N_USERS, N_ARTISTS = 60, 40, 15

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCRIPT.exists(), reason="benchmarks are not in this tree"),
]


@pytest.fixture
def world(rng):
    """Who plays what, what items are like, and who made them."""
    artists = np.arange(N_ITEMS) % N_ARTISTS
    X = rng.normal(size=(N_ARTISTS, 4))[artists] + 0.3 * rng.normal(size=(N_ITEMS, 4))
    plays = np.argwhere(X @ rng.normal(size=(4, N_USERS)) > 0.5)
    return plays.tolist(), X, artists


def mbid(i):
    return f"{i:08x}-0000-4000-8000-000000000000"


def make_yambda(folder, plays, X, artists):
    write_yambda(folder, [(u, i, 5 * u, 60 + i % 50) for i, u in plays])
    write_yambda_artists(folder, [(a, i) for i, a in enumerate(artists.tolist())])
    write_yambda_embeddings(folder, np.arange(N_ITEMS - 2), X[: N_ITEMS - 2])


def make_melon(folder, plays, X, artists):
    rng = np.random.default_rng(0)
    songs = [
        melon_song(i, "20140512", [artist], f"GN0{artist % 3}00")
        for i, artist in enumerate(artists.tolist())
    ]
    lists = {}
    for i, u in plays:
        lists.setdefault(u, []).append(i)
    bands = {
        i: (rng.normal(size=(48, 140)) + np.repeat(X[i], 12)[:, None]).astype("f4")
        for i in range(N_ITEMS)
    }
    write_melon(folder, songs, {"train": lists}, bands)


def make_music4all(folder, plays, X, artists):
    name = {i: f"track{i:02}" for i in range(N_ITEMS)}
    write_music4all(
        folder,
        [(f"u{u}", name[i], "2019-12-27 16:05") for i, u in plays],
        [(name[i], f"artist {a}", f"song {i}", "One") for i, a in enumerate(artists)],
    )
    (folder / "audio").mkdir()
    time = np.arange(22050 * 3) / 22050
    rng = np.random.default_rng(0)
    for i in range(N_ITEMS):
        tone = np.sin(2 * np.pi * 440 * 2 ** X[i, 0] * time)
        sound = 0.2 * tone + 0.02 * rng.normal(size=len(time))
        soundfile.write(folder / "audio" / f"{name[i]}.mp3", sound, 22050)


def make_listenbrainz(folder, plays, X, artists):
    lines = [listen(f"u{u}", 1_700_000_000 + i, mapped=mbid(i)) for i, u in plays]
    write_listens(folder, {"2023/11": lines})
    documents = {
        mbid(i): {"lowlevel": {"mfcc": {"mean": row.tolist()}}, "rhythm": {"bpm": 90.0}}
        for i, row in enumerate(X)
    }
    write_acousticbrainz(folder / "acousticbrainz", documents)


@pytest.mark.parametrize(
    "make", [make_yambda, make_melon, make_music4all, make_listenbrainz]
)
def test_all_tables_of_a_set_are_printed(make, world, tmp_path):
    make(tmp_path, *world)
    name = make.__name__.removeprefix("make_")
    command = [sys.executable, str(SCRIPT), "--data", str(tmp_path), "--set", name]
    command += ["--seeds", "0", "--factors", "8", "--epochs", "1"]
    systems = ["random", "linear regression", "make_recommender", "upper bound"]
    more = {"yambda": ["MLR", "MLP", "ridge regression"], "listenbrainz": []}
    systems += more.get(name, ["CNN, MSE"])  # these two have sound
    command += ["--systems", *systems]
    command += ["--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    n_items = N_ITEMS - 2 if name == "yambda" else N_ITEMS
    assert f"{name}: {n_items} items, {N_USERS} users" in done.stdout, done.stdout
    kinds = ["song", *["hot artist", "cold artist"] * (name != "listenbrainz")]
    for kind in kinds:
        table = done.stdout.split(f"Held out: {kind}\n")[1].split("\n±")[0]
        rows = {line[:20].strip(): line[37:].split() for line in table.split("\n")[2:]}
        assert set(rows) == set(systems)
        assert all(0 < float(value) <= 1 for row in rows.values() for value in row)
        assert float(rows["upper bound"][1]) > 0.7
    assert ("this set names no artists" in done.stdout) == (name == "listenbrainz")
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert " s  mAP" not in again.stdout  # all is kept
