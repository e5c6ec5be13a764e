"""evaluate, fit, recommend and refine, from files to files."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import datasets, listeners, load_export, load_model, recommend
from skcoldstart.__main__ import main
from skcoldstart.datasets import load_catalog
from tests.audio.conftest import encode_file
from tests.datasets.conftest import overwritten

N_SONGS, N_NEW = 40, 8


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A person's files: plays, sound and a table of songs; the last eight are new."""
    folder = tmp_path_factory.mktemp("files")
    catalog = datasets.make_music_catalog(
        folder / "audio",
        n_songs=N_SONGS,
        n_artists=14,
        n_genres=3,
        n_users=30,
        n_songs_per_user=10,
        duration_s=1.5,
        random_state=0,
    )
    (folder / "new").mkdir()
    for path in catalog.paths[-N_NEW:]:
        shutil.move(path, folder / "new")
    names = catalog.item_ids
    songs, users = catalog.plays.nonzero()
    plays = pd.DataFrame({
        "user_id": [f"u{user}" for user in users],
        "song_id": names[songs],
        "plays": catalog.plays.data.astype(int),
    })
    is_new = songs >= N_SONGS - N_NEW
    plays[~is_new].to_csv(folder / "plays.csv", index=False)
    week = plays[is_new].assign(song_id=plays.song_id + ".wav")
    week.to_csv(folder / "week.csv", index=False)
    (folder / "friends.csv").write_text(f"user_id,song_id\npat,{names[3]}\n")
    pd.DataFrame({
        "song_id": names,
        "artist": catalog.artists,
        "genre": catalog.genres,
        "title": catalog.titles,
        "tags": [f"{g}|a-{i % 3}" for i, g in enumerate(catalog.genres)],
        "year": [None, *range(1990, 1990 + N_SONGS - 1)],
    }).to_csv(folder / "songs.csv", index=False)
    return folder


def read(path):
    return pd.read_csv(path, dtype={"item_id": str})


def run(folder, command, *options):
    """Run a command on files of the folder, which are named as "<name>"."""
    named = [str(folder / o[1:-1]) if o[:1] == "<" else o for o in map(str, options)]
    return main([command, *named, "--quiet", "--jobs", "1"])


TABLE = ("--metadata", "<songs.csv>")
SOUND = ("--audio", "<audio>")
CATALOGUE = ("--plays", "<plays.csv>", "--groups", "<songs.csv>", "--n-codewords", 20)


@pytest.fixture(scope="module")
def model(files, tmp_path_factory):
    """The folder of a model of sound and table."""
    out = tmp_path_factory.mktemp("models") / "both"
    assert run(files, "fit", *CATALOGUE, *SOUND, *TABLE, "--out", out) == 0
    return out


def test_a_model_folder_holds_model_factors_names_and_table(files, model):
    whole = load_model(model / "model.safetensors")
    exported = load_export(model)
    assert_array_equal(exported.user_factors, whole[-1].user_factors_)
    assert_array_equal(exported.item_factors, whole[-1].factorizer_.item_factors_)
    table = read(model / "items.csv")
    assert_array_equal(table["item_id"], exported.item_ids)
    known = load_catalog(files / "plays.csv")
    assert_array_equal(table["n_listeners"], np.diff(known.plays.indptr))
    assert_array_equal(exported.user_ids, known.user_ids)
    about = json.loads((model / "model.json").read_text())
    assert about["columns"] == {
        **{"artist": "category", "genre": "category", "title": "text"},
        **{"tags": "tags", "year": "number"},
    }


def new_songs(files, model):
    """Return the features of the new songs by the steps of the model, and names."""
    whole = load_model(model / "model.safetensors")
    catalog = load_catalog(audio=files / "new", metadata=files / "songs.csv")
    assert catalog.plays.shape == (N_NEW, 0) and catalog.is_new.all()
    frame = catalog.metadata.fillna({"title": "", "tags": ""})
    frame["(sound)"] = catalog.paths
    return whole[-1], whole[:-1].transform(frame), catalog.item_ids


def test_lists_are_those_of_the_library(files, model, tmp_path, capsys):
    recommender, features, ids = new_songs(files, model)
    given = ("--model", model, "--audio", "<new>", *TABLE, "--top", 5)
    out = tmp_path / "there" / "lists.parquet"
    assert run(files, "recommend", *given, "--out", out, "--json") == 0
    assert json.loads(capsys.readouterr().out)["candidates"] == N_NEW
    expected = recommend(recommender, features, n=5, item_ids=ids).to_frame()
    pd.testing.assert_frame_equal(pd.read_parquet(out), expected, check_dtype=False)

    out = tmp_path / "users.csv"
    assert run(files, "recommend", *given, "--by", "song", "--out", out) == 0
    found = read(out)
    expected = listeners(recommender, features, n=5, item_ids=ids).to_frame()
    assert_array_equal(found["user_id"], expected["user_id"])
    assert_allclose(found["score"], expected["score"], rtol=1e-6)


def test_refined_lists_weigh_the_plays_so_far_and_leave_out_what_was_played(
    files, model, tmp_path
):
    recommender, features, ids = new_songs(files, model)
    out = tmp_path / "lists.csv"
    given = ("--model", model, "--audio", "<new>", *TABLE, "--top", N_NEW)
    assert run(files, "refine", *given, "--plays", "<week.csv>", "--out", out) == 0
    found = read(out)
    week = load_catalog(files / "week.csv")
    plays = np.zeros((N_NEW, recommender.n_users_))
    users = {name: i for i, name in enumerate(recommender.user_names_in_)}
    names = [f"{name}.wav" for name in ids]
    for song, user in zip(*week.plays.nonzero(), strict=True):
        place = users[week.user_ids[user]]
        plays[names.index(week.item_ids[song]), place] = week.plays[song, user]
    factors = recommender.item_factors(features, plays)
    expected = recommend(
        recommender, None, N_NEW, item_factors=factors, item_ids=ids, exclude=plays
    ).to_frame()
    assert_array_equal(found["item_id"], expected["item_id"])
    assert_allclose(found["score"], expected["score"], rtol=1e-5)


def test_new_listeners_get_lists_of_what_the_model_knows(files, model, tmp_path):
    out = tmp_path / "lists.csv"
    given = ("--model", model, "--listeners", "<friends.csv>", "--top", 50)
    assert run(files, "recommend", *given, "--out", out) == 0
    found = read(out)
    whole, exported = load_model(model / "model.safetensors"), load_export(model)
    plays = np.zeros((len(exported.item_ids), 1))
    plays[3] = 1.0
    factors = whole[-1].fold_in_users(plays)
    order = np.argsort(-(factors @ exported.item_factors.T)[0], kind="stable")
    order = order[order != 3]
    assert set(found["user_id"]) == {"pat"}
    assert_array_equal(found["item_id"], exported.item_ids[order])


@pytest.mark.parametrize("content", [SOUND, TABLE], ids=["sound", "table"])
def test_sound_alone_and_a_table_alone_are_enough(files, content, tmp_path, capsys):
    out = tmp_path / "model"
    for more in ((), ("--json",)):  # a model is replaced
        assert run(files, "fit", *CATALOGUE, *content, "--out", out, *more) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (printed["songs"], printed["users"]) == (N_SONGS - N_NEW, 30)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    new = ("--audio", "<new>") if content is SOUND else TABLE
    lists = tmp_path / "lists.csv"
    users = [part for user in ("u3", "u1", "u3") for part in ("--user", user)]
    given = ("--model", out, *new, *users, "--out", lists)
    assert run(files, "recommend", *given) == 0
    found = pd.read_csv(lists)
    assert found["user_id"].unique().tolist() == ["u3", "u1"]
    assert not found.duplicated(["user_id", "item_id"]).any()


def test_evaluate_compares_with_chance_and_the_upper_bound(files, capsys):
    assert run(files, "evaluate", *CATALOGUE, *TABLE, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["k"] == max(1, found["candidates"] // 10)
    aucs = {name: row["auc"] for name, row in found["systems"].items()}
    assert aucs["random"] < aucs["predicted factors"] < aucs["upper bound"]
    assert any("candidates are few" in note for note in found["notes"])
    assert run(files, "evaluate", *CATALOGUE[:2], *SOUND, "--top-k", 2) == 0
    printed = capsys.readouterr().out
    assert "mAP@2" in printed and "No --groups" in printed


def test_what_is_not_defined_is_null_in_json(tmp_path, capsys):
    songs = [f"s{i:02d}" for i in range(12)]
    frame = pd.DataFrame({"song": songs, "year": range(2000, 2012), "user": "u0"})
    frame.to_csv(tmp_path / "all.csv", index=False)
    given = ("--plays", tmp_path / "all.csv", "--metadata", tmp_path / "all.csv")
    assert run(tmp_path, "evaluate", *given, "--json") == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["systems"]["random"]["auc"] is None


def test_users_may_have_numbers_for_names(tmp_path, capsys):
    rows = [(u, f"s{s}", 1990 + s) for s in range(9) for u in (7, 12, 30) if s % u]
    frame = pd.DataFrame(rows, columns=["user", "song", "year"])
    frame.to_parquet(tmp_path / "plays.parquet")
    songs = frame[["song", "year"]].drop_duplicates()
    songs.to_csv(tmp_path / "songs.csv", index=False)
    songs.assign(song="new " + songs.song).to_csv(tmp_path / "new.csv", index=False)
    plays = ("--plays", tmp_path / "plays.parquet")
    table = ("--metadata", tmp_path / "songs.csv")
    model, out = tmp_path / "model", tmp_path / "lists.csv"
    assert run(tmp_path, "fit", *plays, *table, "--out", model) == 0
    new = ("--metadata", tmp_path / "new.csv")
    given = ("recommend", "--model", model, *new, "--out", out)
    assert run(tmp_path, *given, "--user", "12") == 0
    assert set(pd.read_csv(out)["user_id"]) == {12}
    capsys.readouterr()
    assert run(tmp_path, *given, "--user", "ann") == 2
    assert "'ann' is none of the 3 users" in capsys.readouterr().err


def test_ids_of_bytes_are_those_of_the_model(tmp_path):
    pairs = [(u, s) for u in range(3) for s in range(9) if (u + s) % 3]
    plays = pd.DataFrame(pairs, columns=["user", "song"])
    plays = plays.map(lambda number: b"\xff%d" % number)
    plays.to_parquet(tmp_path / "plays.parquet")
    songs = plays[["song"]].drop_duplicates().assign(year=range(1990, 1999))
    songs.to_parquet(tmp_path / "songs.parquet")
    model, out = tmp_path / "model", tmp_path / "lists.csv"
    table = ("--metadata", tmp_path / "songs.parquet")
    fit = ("fit", "--plays", tmp_path / "plays.parquet", *table, "--out", model)
    assert run(tmp_path, *fit) == 0
    assert run(tmp_path, "recommend", "--model", model, *table, "--out", out) == 0
    found = pd.read_csv(out, usecols=["user_id", "item_id"])
    listed = {tuple(int(name[4:]) for name in row) for row in found.to_numpy()}
    assert listed == {(u, s) for u in range(3) for s in range(9)} - {*pairs}


def test_songs_that_cannot_be_read_are_named_and_left_out(files, model, tmp_path):
    new = tmp_path / "new"
    shutil.copytree(files / "new", new)
    broken = sorted(new.iterdir())[2]
    broken.write_bytes(b"no sound")
    out = tmp_path / "lists.csv"
    given = ("--model", model, "--audio", new, *TABLE, "--top", 20, "--out", out)
    assert run(files, "recommend", *given) == 0
    listed = set(read(out)["item_id"])
    assert len(listed) == N_NEW - 1 and broken.stem not in listed


@pytest.mark.parametrize("reader", ["auto", "av", "soundfile"])
def test_new_songs_may_come_in_any_format(reader, files, model, tmp_path):
    pytest.importorskip("av")
    codecs = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "m4a": "aac"}
    codecs |= {"wma": "wmav2", "webm": "libopus"}
    foreign = set()
    for i, path in enumerate(sorted((files / "new").iterdir())):
        suffix = [*codecs][i % 6]
        samples, _ = soundfile.read(path, always_2d=True)
        out = tmp_path / f"{path.stem}.{suffix}"
        encode_file(out, samples, 24_000, codecs[suffix])
        if suffix in ("m4a", "wma", "webm"):
            foreign.add(path.stem)
    lists = tmp_path / "lists.csv"
    given = ("--model", model, "--audio", tmp_path, *TABLE, "--top", 20, "--out", lists)
    assert run(files, "recommend", *given, "--reader", reader) == 0
    listed = set(read(lists)["item_id"])
    missing = foreign if reader == "soundfile" else set()
    assert listed == {path.stem for path in (files / "new").iterdir()} - missing


def test_a_tilde_is_home_in_every_path(files, model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, place in {
        "m": model,
        "new": files / "new",
        "s": files / "songs.csv",
    }.items():
        (tmp_path / name).symlink_to(place)
    given = ("--model", "~/m", "--audio", "~/new", "--metadata", "~/s")
    assert run(files, "recommend", *given, "--out", "~/lists.csv") == 0
    assert (tmp_path / "lists.csv").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["fit", "--plays", "<plays.csv>", "--out", "<m>"], "--audio, --metadata or"),
        (["fit", *CATALOGUE, *TABLE, "--out", "<audio>"], "has other files"),
        (["recommend", "--model", "<audio>"], "is not a model"),
        (["recommend", "--model", "MODEL", *TABLE], "pass --audio"),
        (["recommend", "--model", "MODEL", "--audio", "<new>"], "pass --metadata"),
        (
            ["recommend", "--model", "M", "--user", "u1", "--listeners", "<week.csv>"],
            "--user and --listeners exclude each other",
        ),
        (["recommend", "--model", "MODEL", "--out", "<x.txt>"], "must end in .csv or"),
        (["refine", "--model", "MODEL", "--plays", "<week.csv>"], "the songs to list"),
        (["evaluate", "--plays", "<nowhere>", *TABLE], "nowhere"),
        (["evaluate", "--plays", "", *TABLE], "--plays: the path is empty"),
        (["listen"], "'listen' is not one of demo, evaluate, fit"),
        (
            ["recommend", "--model", "m", "--top", "many"],
            "many is not an integer of at",
        ),
    ],
)
def test_what_cannot_be_done_is_explained_in_one_line(
    files, model, tmp_path, monkeypatch, capsys, options, message
):
    monkeypatch.chdir(tmp_path)
    command, *rest = (str(model) if option == "MODEL" else option for option in options)
    try:
        code = run(files, command, *rest)
    except SystemExit as error:
        code = error.code
    assert code == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert "Traceback" not in error


def test_damaged_plays_of_a_model_are_explained(files, model, tmp_path, capsys):
    shutil.copytree(model, copy := tmp_path / "model")
    whole = (copy / "plays.npz").read_bytes()
    other = io.BytesIO()
    sp.save_npz(other, sp.csr_array(np.eye(3)))
    for content, message in (
        (whole[:100], "plays.npz is damaged"),
        (overwritten(whole), "plays.npz is damaged"),
        (other.getvalue(), "plays.npz has the shape (3, 3) but the model"),
    ):
        (copy / "plays.npz").write_bytes(content)
        assert run(files, "recommend", "--model", copy) == 2
        assert message in capsys.readouterr().err


def test_wrong_users_and_tables_are_reported_before_sound_is_read(
    files, model, tmp_path, capsys
):
    (tmp_path / f"{N_SONGS:04}.wav").write_bytes(b"no sound")
    table = pd.read_csv(files / "songs.csv", dtype={"song_id": str})
    table.drop(columns="genre").to_csv(tmp_path / "few.csv", index=False)
    for options, message in (
        (["recommend", "--user", "nobody"], "--user 'nobody' is none of the 30 users"),
        (["recommend", "--listeners", "<week.csv>"], "none of the 8 songs of --listen"),
        (["refine", "--plays", "<songs.csv>"], "songs.csv has no column for user"),
        (["recommend", "--metadata", tmp_path / "few.csv"], "has no column 'genre'"),
    ):
        given = ("--model", model, "--audio", tmp_path, *TABLE)
        assert run(files, options[0], *given, *options[1:]) == 2
        assert message in capsys.readouterr().err


def test_songs_of_fit_among_the_candidates_are_not_listed_for_their_listeners(
    files, tmp_path, capsys
):
    out, lists = tmp_path / "model", tmp_path / "lists.csv"
    assert run(files, "fit", *CATALOGUE, *TABLE, "--out", out) == 0
    options = ("--model", out, *TABLE, "--top", N_SONGS, "--out", lists)
    played = pd.read_csv(files / "plays.csv", dtype=str)
    week = pd.read_csv(files / "week.csv", dtype=str)
    week.assign(song_id=week.song_id.str[:-4]).to_csv(tmp_path / "week.csv")
    # As many songs as in fit, in another order and not all of fit.
    songs = pd.read_csv(files / "songs.csv", dtype=str)[: N_NEW - 1 : -1]
    songs.to_csv(subset := tmp_path / "songs.csv", index=False)
    for command, *more in (
        ["recommend"],
        ["refine", "--plays", tmp_path / "week.csv"],
        ["recommend", "--listeners", "<plays.csv>"],
        ["recommend", "--listeners", "<plays.csv>", "--metadata", subset],
    ):
        assert run(files, command, *options, *more) == 0
        n_songs = len(songs) if subset in more else N_SONGS
        assert f"of {n_songs} songs to list are songs of fit" in capsys.readouterr().err
        listed = pd.read_csv(lists, dtype=str)
        pairs = set(zip(listed.user_id, listed.item_id, strict=True))
        assert pairs.isdisjoint(zip(played.user_id, played.song_id, strict=True))
        assert listed.item_id.nunique() == n_songs


def test_fit_writes_through_a_link_and_replaces_nothing_else(files, tmp_path, capsys):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    for _ in range(2):  # of nothing, then of a model
        assert run(files, "fit", *CATALOGUE, *TABLE, "--out", link) == 0
        assert link.is_symlink()
        assert (target / "model.safetensors").is_file()
        target.chmod(0o700)
    assert target.stat().st_mode & 0o777 == 0o700
    a_file = tmp_path / "notes"
    a_file.write_text("keep")
    assert run(files, "fit", *CATALOGUE, *TABLE, "--out", a_file) == 2
    assert "notes is a file; expected a folder" in capsys.readouterr().err
    assert a_file.read_text() == "keep"
    assert {p.name for p in tmp_path.iterdir()} == {"target", "link", "notes"}


def test_fit_does_not_replace_the_current_folder(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for out in (".", "..", tmp_path):
        assert run(files, "fit", *CATALOGUE, *TABLE, "--out", out) == 2
        assert "current folder, or one above it" in capsys.readouterr().err


def test_a_model_survives_a_write_that_fails(files, model, tmp_path, monkeypatch):
    out = tmp_path / "model"
    assert run(files, "fit", *CATALOGUE, *TABLE, "--out", out) == 0
    before = (out / "model.json").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device", "model.safetensors")

    monkeypatch.setattr("skcoldstart.export", full)
    assert run(files, "fit", *CATALOGUE, *TABLE, "--seed", 1, "--out", out) == 2
    assert (out / "model.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("option", ["--plays", "--groups", "--metadata", "--files"])
def test_a_missing_file_is_named_without_a_number(files, tmp_path, capsys, option):
    options = [*CATALOGUE, *SOUND, *TABLE, option, "gone.csv", "--out", tmp_path / "m"]
    assert run(files, "fit", *options) == 2
    error = capsys.readouterr().err
    assert error == "python -m skcoldstart fit: gone.csv: No such file or directory\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_full_disk_behind_standard_output_is_explained(files, tmp_path, more):
    options = ["--plays", files / "plays.csv", "--metadata", files / "songs.csv", *more]
    command = [sys.executable, "-m", "skcoldstart", "fit", *options, "--quiet"]
    command += ["--out", tmp_path / "model"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "python -m skcoldstart fit: cannot write to standard output: No space left on "
        "device\n"
    )
