"""The demonstration, from the command line to the files that it writes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skcoldstart import RaggedArray, datasets
from skcoldstart.__main__ import main
from skcoldstart._demonstration import _experiment
from skcoldstart._demonstration._experiment import SYSTEMS, Songs
from skcoldstart._demonstration._picture import found_shares
from skcoldstart.metrics import mean_auc
from tests.stubs import LinearRecommender

NEW = (3, 20)
SMALL = {"n_songs": 36, "n_artists": 12, "n_genres": 2, "n_users": 30}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A person's files: 36 songs of 12 artists, two of them without plays."""
    folder = tmp_path_factory.mktemp("own")
    catalog = datasets.make_music_catalog(
        folder / "audio",
        **SMALL,
        n_songs_per_user=8,
        duration_s=2.0,
        random_state=0,
    )
    names = np.char.add(catalog.item_ids, ".wav")
    songs, users = catalog.plays.nonzero()
    counts = catalog.plays.data.astype(int)
    plays = pd.DataFrame({"user": users, "song": names[songs], "plays": counts})
    plays["user"] = "u" + plays["user"].astype(str)
    plays = plays[~np.isin(songs, NEW)]
    plays.to_csv(folder / "plays.tsv", sep="\t", index=False)
    artists = pd.DataFrame({"song": names, "artist": catalog.artists})
    artists.to_csv(folder / "artists.tsv", sep="\t", index=False)
    return folder


def arguments(own, out, *more):
    files = ("--plays", own / "plays.tsv", "--audio", own / "audio")
    files += ("--groups", own / "artists.tsv", "--out", out)
    return [*map(str, files), "--n-codewords", "20", *map(str, more)]


def read_table(path):
    return pd.read_csv(path, sep="\t", dtype={"song": str})


@pytest.mark.slow
def test_own_files_end_in_a_table_a_picture_and_recommendations(own, tmp_path, capsys):
    a, b = tmp_path / "a", tmp_path / "b"
    assert main(arguments(own, a)) == 0
    printed, progress = capsys.readouterr()
    for system in SYSTEMS:
        assert re.search(rf"^{system.name} +\d", printed, re.MULTILINE)
    assert "AudioUnion" in progress
    assert "mAP@1 uses the first 1 of" in printed
    assert "candidates are few" in printed
    assert (a / "demonstration.png").read_bytes()[:4] == b"\x89PNG"
    table = read_table(a / "recommendations.tsv")
    assert set(table["song"]) == {f"{song + 1:04}" for song in NEW}
    for _, mine in table.groupby("song"):
        assert mine["rank"].tolist() == list(range(1, 21))
        assert mine["score"].is_monotonic_decreasing
        assert mine["listener"].nunique() == 20

    assert main(arguments(own, b, "--quiet", "--jobs", "1")) == 0
    again, silence = capsys.readouterr()
    assert silence == ""
    assert again.replace("/b/", "/a/") == printed
    assert read_table(b / "recommendations.tsv").equals(table)


@pytest.mark.slow
def test_a_missing_package_leaves_out_its_systems(own, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "skorch", None)
    assert main(arguments(own, tmp_path, "--quiet", "--jobs", "1")) == 0
    printed = capsys.readouterr().out
    line = "convolutional network   not run: skorch is not installed (pip install"
    assert line in printed
    assert re.search(r"^multilayer perceptron +\d", printed, re.MULTILINE)


@pytest.mark.slow
def test_synthetic_music_needs_no_arguments(tmp_path, capsys, monkeypatch):
    make = datasets.make_music_catalog
    monkeypatch.setattr(
        datasets,
        "make_music_catalog",
        lambda folder, **sizes: make(folder, **sizes | SMALL, duration_s=1.0),
    )
    monkeypatch.chdir(tmp_path)
    assert main(["--quiet", "--n-codewords", "30"]) == 0
    printed = capsys.readouterr().out
    assert "36 songs in 12 groups, 30 users" in printed
    written = os.listdir(tmp_path / "skcoldstart-demonstration")
    assert sorted(written) == ["demonstration.png", "recommendations.tsv"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda own: own[:2], "--plays and --audio must be used together"),
        (lambda own: own[4:], "--groups requires --plays"),
        (lambda own: [*own, "--n-codewords", "0"], "0 is not an integer of at least 1"),
        (lambda own: [*own, "--seed", "-1"], "--seed must be from 0"),
        (lambda own: [*own, "--jobs", "0"], "--jobs must not be 0"),
    ],
)
def test_a_wrong_command_line_is_explained(own, tmp_path, capsys, spoil, message):
    with pytest.raises(SystemExit) as error:
        main(spoil(arguments(own, tmp_path)))
    assert error.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "empty"),
        ("listener\tcount\nu1\t3\n", "song"),
        ("user\tsong\tplays\nu1\tx\tmany\n", "line 2"),
        ("user\tsong\nu1\tunheard-of\n", "None of the"),
        (None, "plays.tsv"),
    ],
)
def test_a_table_that_cannot_be_used_is_explained_without_a_traceback(
    own, tmp_path, capsys, table, message
):
    path = tmp_path / "plays.tsv"
    if table is not None:
        path.write_text(table)
    assert main(["--plays", str(path), "--audio", str(own / "audio"), "--quiet"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert error.startswith("python -m skcoldstart: ")


def test_folders_that_cannot_be_used_are_explained(own, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for options, message in (
        (("--audio", tmp_path / "nowhere"), "nowhere"),
        (("--out", tmp_path / "file" / "out"), "cannot write to --out"),
    ):
        assert main(arguments(own, tmp_path, *options)) == 2
        assert message in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:.*could not be used")
def test_unreadable_audio_is_explained(own, tmp_path, capsys):
    audio = tmp_path / "audio"
    audio.mkdir()
    for path in (own / "audio").iterdir():
        (audio / path.name).write_bytes(b"no sound")
    assert main(arguments(own, tmp_path, "--audio", audio)) == 2
    assert "None of the 36 audio files can be used" in capsys.readouterr().err


def test_too_few_songs_are_refused(rng):
    songs = Songs(np.ones((4, 5, 3)), np.ones((4, 5, 2)), np.eye(4))
    with pytest.raises(_experiment.DemonstrationError, match=r"at least 8 songs in 4"):
        _experiment.run(songs, np.arange(4), n_codewords=2, seed=0, verbose=0)


@pytest.mark.slow
def test_songs_without_common_listeners_leave_out_the_metric(rng):
    frames = rng.normal(size=(24, 30, 3)).astype(np.float32)
    frames = RaggedArray.from_sequence(frames)
    songs, groups = Songs(frames, frames, sp.csr_array(np.eye(24))), np.arange(24) // 2
    experiment = _experiment.run(songs, groups, n_codewords=5, seed=0, verbose=0)
    assert "metric learning" not in experiment.models
    assert len(experiment.scores) == len(SYSTEMS) - 1


def test_found_shares_enclose_the_auc(rng):
    scores = rng.normal(size=(200, 40))
    plays = (rng.random((200, 40)) < 0.1).astype(float)
    model = LinearRecommender().fit(scores, plays)
    model.predict = lambda X: X
    shares = found_shares(model, scores, sp.csr_array(plays))
    assert shares[-1] == 1.0
    assert np.all(np.diff(shares) >= 0)
    # The area counts a user's own songs too, so it lies nearer 1/2 than the AUC.
    assert_allclose(np.trapezoid(shares, dx=0.01), mean_auc(plays, scores), atol=0.02)


def start(*options, **how):
    """Start the command line in a process that does not inherit ignored signals."""
    return subprocess.Popen(
        [sys.executable, "-m", "skcoldstart", *map(str, options)],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **how,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    process = start(
        *("--out", tmp_path / "out"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    begun = b""
    while b"%" not in begun:
        read = process.stderr.read(20)
        assert read, begun.decode()
        begun += read
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
@pytest.mark.parametrize("quiet", [True, False])
def test_a_reader_that_leaves_costs_neither_files_nor_a_traceback(own, tmp_path, quiet):
    options = [*arguments(own, tmp_path / "out", *["--quiet"] * quiet), "--jobs", "1"]
    options = [o for o in options if o not in ("--groups", str(own / "artists.tsv"))]
    read, write = os.pipe()
    os.close(read)
    process = start(
        *options,
        stdout=write,
        stderr=subprocess.PIPE if quiet else write,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    os.close(write)
    _, error = process.communicate()
    assert process.returncode == (0 if quiet else 141)
    if quiet:
        assert error == b""
        assert (tmp_path / "out" / "recommendations.tsv").stat().st_size


@pytest.mark.slow
def test_odd_names_are_kept_and_warnings_are_one_plain_line_each(own, tmp_path):
    audio = tmp_path / "audio"
    shutil.copytree(own / "audio", audio)
    (audio / "0001.wav").rename(os.fsdecode(os.fsencode(audio) + b"/caf\xe9.wav"))
    (audio / "0002.wav").write_bytes(b"no sound")
    plays = tmp_path / "plays.tsv"
    text = (own / "plays.tsv").read_text().replace("u1", "ü1")
    plays.write_text(text, encoding="utf-8")
    more = ("--plays", plays, "--audio", audio, "--quiet", "--jobs", "1")
    done = subprocess.run(
        [sys.executable, "-m", "skcoldstart", *arguments(own, tmp_path / "out", *more)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},  # cannot show the names
        capture_output=True,
        encoding="ascii",
    )
    assert done.returncode == 0, done.stderr
    assert "multilayer perceptron" in done.stdout
    whats = ("1 of 34 songs", "1 of 36 songs have no artist", "1 of 36")
    for line, what in zip(done.stderr.splitlines(), whats, strict=True):
        assert line.startswith("python -m skcoldstart: warning: ") and what in line
    listeners = read_table(tmp_path / "out" / "recommendations.tsv")["listener"]
    assert listeners.str.startswith("ü").any()


def test_ctrl_c_removes_a_song_written_during_the_clean_up(tmp_path, monkeypatch):
    remove = os.rmdir
    late = []

    def interrupted(folder, **_):
        late.append(Path(folder, "song.wav"))
        raise KeyboardInterrupt

    def write_then_remove(folder, **options):
        if late:
            late.pop().write_bytes(b"sound")
        remove(folder, **options)

    monkeypatch.setattr(os, "rmdir", write_then_remove)
    monkeypatch.setattr(datasets, "make_music_catalog", interrupted)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["--quiet", "--out", str(tmp_path / "out")]) == 130
    assert os.listdir(tmp_path) == ["out"]
