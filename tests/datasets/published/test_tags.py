"""Tags of tracks and terms of artists: a row for each item, whatever the file is."""

import json
import sqlite3
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcoldstart.datasets import load_artist_terms, load_lastfm_tags
from tests.datasets.conftest import overwritten

TAGS = {
    "TR2": [["rock", "100"], ["live", "20"]],
    "TR1": [["jazz", "50"], ["rock", "7"], ["rock", "9"]],
    "TR3": [],
}


def json_folder(folder):
    for track, tags in TAGS.items():
        path = folder / track[2] / "A" / f"{track}.json"
        path.parent.mkdir(parents=True)
        known = {"artist": "x", "similars": [["TR9", 0.5]], "track_id": track}
        path.write_text(json.dumps(known | {"tags": tags}))
    return folder


def json_archive(folder):
    json_folder(folder / "unpacked")
    path = folder / "lastfm_subset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((folder / "unpacked").rglob("*.json")):
            archive.write(file, f"lastfm_subset/{file.name}")
    return path


def database(folder, name="lastfm tags #1?mode=rwc.db", then=()):
    path = folder / name
    names = sorted({tag for tags in TAGS.values() for tag, _ in tags})
    pairs = [
        (row, names.index(tag) + 1, float(value))
        for row, tags in enumerate(TAGS.values(), 1)
        for tag, value in tags
    ]
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE tids (tid TEXT)")
        connection.execute("CREATE TABLE tags (tag TEXT)")
        connection.execute("CREATE TABLE tid_tag (tid INT, tag INT, val FLOAT)")
        connection.executemany("INSERT INTO tids VALUES (?)", [(t,) for t in TAGS])
        connection.executemany("INSERT INTO tags VALUES (?)", [(n,) for n in names])
        connection.executemany("INSERT INTO tid_tag VALUES (?, ?, ?)", pairs)
        for statement in then:
            connection.execute(statement)
    connection.close()
    return path


@pytest.mark.parametrize("make", [json_folder, json_archive, database])
def test_tags_are_the_same_from_every_form(tmp_path, make):
    known = load_lastfm_tags(make(tmp_path))
    assert known.track_ids.tolist() == ["TR1", "TR2", "TR3"]
    assert known.tags.tolist() == ["jazz", "live", "rock"]
    assert_array_equal(known.X.toarray(), [[50, 0, 9], [0, 20, 100], [0, 0, 0]])
    assert known.X.dtype == np.float32
    assert known.DESCR == "3 tracks, 3 tags (4 pairs)."


def test_rows_follow_the_tracks_asked_for_and_columns_the_fame_of_tags(tmp_path):
    known = load_lastfm_tags(
        json_folder(tmp_path), tracks=["TR9", "TR2", "TR2"], n_tags=2
    )
    assert known.tags.tolist() == ["rock", "jazz"]
    assert_array_equal(known.X.toarray(), [[0, 0], [100, 0], [100, 0]])
    assert known.track_ids.tolist() == ["TR9", "TR2", "TR2"]
    assert known.DESCR.endswith("2 of 3 rows are known tracks.")
    with pytest.raises(TypeError, match=r"tracks is 'TR2'; expected an iterable"):
        load_lastfm_tags(tmp_path, tracks="TR2")
    with pytest.raises(ValueError, match=r"n_tags"):
        load_lastfm_tags(tmp_path, n_tags=0)


def test_database_is_never_written_nor_anything_beside_it(tmp_path):
    path = database(tmp_path)
    path.chmod(0o444)
    before = path.read_bytes()
    load_lastfm_tags(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


VIEW = [
    "DROP TABLE tid_tag",
    "CREATE VIEW tid_tag AS WITH RECURSIVE r(x) AS "
    "(SELECT 1 UNION ALL SELECT x FROM r) SELECT x AS tid, 1 AS tag, 1 AS val FROM r",
]


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (["DROP TABLE tags"], r"no table 'tags'; it has 'tid_tag', 'tids'"),
        (VIEW, r"no table 'tid_tag'; it has 'tags', 'tids'"),
        (["ALTER TABLE tid_tag DROP COLUMN val"], r"no column val; it has tid, tag"),
        (["INSERT INTO tid_tag VALUES (9, 1, 1)"], r"row 6 of tid_tag: tid is 9"),
        (["INSERT INTO tid_tag VALUES (1, 1.5, 1)"], r"row 6 of tid_tag: tag is 1.5"),
        (["INSERT INTO tid_tag VALUES (1, 'x', 1)"], r"row 6 of tid_tag: tag is nan"),
        (["INSERT INTO tid_tag VALUES (1, 1, -2)"], r"row 6 of tid_tag: val is -2"),
        (["INSERT INTO tid_tag VALUES (1, 1, NULL)"], r"row 6 of tid_tag: val is nan"),
        (["DELETE FROM tids"], r"'tids' of .* is empty"),
        (["INSERT INTO tids VALUES ('TR1')"], r"track 'TR1' more than once"),
        (["INSERT INTO tids (rowid, tid) VALUES (99999999, 'x')"], r"from 1 to 99999"),
    ],
)
def test_faulty_databases_are_named(tmp_path, then, message):
    path = database(tmp_path, "tags.db", then)
    with pytest.raises(ValueError, match=message) as error:
        load_lastfm_tags(path)
    assert "tags.db" in str(error.value)


def test_files_that_are_no_database_are_refused(tmp_path):
    path = tmp_path / "tags.db"
    path.write_text("tid,tag\n")
    with pytest.raises(ValueError, match=r"tags\.db is not a SQLite database"):
        load_lastfm_tags(path)
    whole = database(tmp_path, "whole.db").read_bytes()
    path.write_bytes(whole[:4000] + bytes(96) + b"\xff" * (len(whole) - 4096))
    with pytest.raises(ValueError, match=r"cannot be read as a SQLite database"):
        load_lastfm_tags(path)
    with pytest.raises(FileNotFoundError):
        load_lastfm_tags(tmp_path / "nowhere.db")
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"tags": []}',
        '{"track_id": "TR1", "tags": [["rock"]]}',
        '{"track_id": "TR1", "tags": [["rock", "much"]]}',
        '{"track_id": "TR1", "tags": [["rock", -1]]}',
        '{"track_id": "TR1", "tags": [["rock", NaN]]}',
        "[" * 100_000,
    ],
)
def test_faulty_json_is_named(write, text):
    folder = write(text, "TR1.json").parent
    with pytest.raises(ValueError, match=r'TR1\.json: .*; expected an object with "tr'):
        load_lastfm_tags(folder)


def test_damaged_archives_of_tracks_are_named(tmp_path):
    path = tmp_path / "tags.zip"
    track = json.dumps({"track_id": "TR1", "tags": [["rock", "100"]] * 500})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("TR1.json", track)
    path.write_bytes(overwritten(path.read_bytes()))
    with pytest.raises(ValueError, match=r"tags\.zip is a damaged or incomplete arch"):
        load_lastfm_tags(path)


def test_folder_without_tracks_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no JSON files"):
        load_lastfm_tags(tmp_path)


TERMS = "artist_id\tterm\nAR2\trock\nAR1\tjazz\nAR2\tjazz\nAR2\tjazz\nAR3\tä\n"


def terms_table(folder):
    path = folder / "artist_terms.tsv"
    path.write_text(TERMS, "utf-8")
    return path


def terms_database(folder):
    path = folder / "artist_term.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE artist_term (artist_id TEXT, term TEXT)")
        rows = [line.split("\t") for line in TERMS.split("\n")[1:-1]]
        connection.executemany("INSERT INTO artist_term VALUES (?, ?)", rows)
    connection.close()
    return path


@pytest.mark.parametrize("make", [terms_table, terms_database])
def test_terms_are_the_same_from_every_form(tmp_path, make):
    known = load_artist_terms(make(tmp_path))
    assert known.artist_ids.tolist() == ["AR1", "AR2", "AR3"]
    assert known.terms.tolist() == ["jazz", "rock", "ä"]
    assert_array_equal(known.X.toarray(), [[1, 0, 0], [1, 1, 0], [0, 0, 1]])


def test_songs_of_an_artist_have_its_terms(tmp_path):
    artists = np.array(["AR3", "AR2", "AR9", "AR2"])
    known = load_artist_terms(terms_table(tmp_path), artists=artists, n_terms=2)
    assert known.terms.tolist() == ["jazz", "rock"]
    assert_array_equal(known.X.toarray(), [[0, 0], [1, 1], [0, 0], [1, 1]])
    assert_array_equal(known.artist_ids, artists)
    with pytest.raises(TypeError, match=r"artists is 'AR1'"):
        load_artist_terms(terms_table(tmp_path), artists="AR1")


def test_weights_are_strengths(write):
    path = write("weight,term,artist_id\n0.5,rock,AR1\n0.25,pop,AR1\n")
    assert_array_equal(load_artist_terms(path).X.toarray(), [[0.25, 0.5]])
