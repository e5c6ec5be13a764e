"""A catalogue from frames, parquet, loaders' results, and tables of files."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from skcoldstart.datasets import load_catalog, make_subset, plays_from_events

PLAYS = {
    "user": ["u2", "u1", "u1", "u1"],
    "song": ["b", "a", "b", "b"],
    "plays": [3.0, 1.0, 1.0, 1.5],
}


def parquet(table, folder, name="table"):
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(table), path)
    return path


def text(table, folder, name="table"):
    path = folder / f"{name}.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return path


KINDS = {
    "text": text,
    "parquet": parquet,
    "pandas": lambda table, *_: pd.DataFrame(table),
    "polars": lambda table, *_: pl.DataFrame(table),
    "lazy": lambda table, *_: pl.LazyFrame(table),
    "arrow": lambda table, *_: pa.table(table),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_catalogue(tmp_path, audio, kind):
    def make(table, name):
        return KINDS[kind](table, tmp_path, name)

    catalog = load_catalog(
        make(PLAYS, "plays"),
        audio("b.wav", "x/a.wav", "c.mp3"),
        make({"track": ["c", "a.wav", "b"], "artist": ["X", "Y", "X"]}, "groups"),
        metadata=make(
            {"id": ["c", "b", "z", "a"], "year": [3, 2, 9, 1], "title": list("CBZA")},
            "metadata",
        ),
    )
    assert catalog.item_ids.tolist() == ["a", "b", "c"]
    assert catalog.user_ids.tolist() == ["u1", "u2"]
    assert_array_equal(catalog.plays.toarray(), [[1, 0], [2.5, 3], [0, 0]])
    assert catalog.groups.tolist() == ["Y", "X", "X"]
    assert catalog.is_new.tolist() == [False, False, True]
    assert list(catalog.metadata["title"].to_numpy()) == ["A", "B", "C"]
    assert list(catalog.metadata["year"].to_numpy()) == [1, 2, 3]
    native = {"polars": pl.DataFrame, "lazy": pl.DataFrame, "arrow": pa.Table}
    assert isinstance(catalog.metadata, native.get(kind, pd.DataFrame))
    half = make_subset(catalog, 1, 1)
    assert list(half.metadata["title"].to_numpy()) == ["B"]


@pytest.mark.parametrize("kind", ["text", "pandas", "polars", "arrow"])
def test_a_song_without_metadata_has_missing_values(tmp_path, kind):
    table = {"song": ["x", "b"], "year": [1, 2], "title": ["X", "B"]}
    table = KINDS[kind](table, tmp_path)
    with pytest.warns(UserWarning, match=r"1 of 2 songs have no row in .*: 'a'"):
        frame = load_catalog(pd.DataFrame(PLAYS), metadata=table).metadata
    frame = frame if kind in ("text", "pandas") else frame.to_pandas()
    assert frame["title"].isna().tolist() == [True, False]
    assert frame["year"].tolist()[1] == 2
    assert frame.index.tolist() == [0, 1]


def test_metadata_of_text_is_numbers_where_all_of_it_is(write):
    rows = 'a\t007\t1999\t\t"x\t1_2\nb\t12\t2001\t1.5\t\\N\t3\n'
    table = write(f"song\tcode\tyear\tscore\tnote\tshelf\n{rows}")
    metadata = load_catalog(pd.DataFrame(PLAYS), metadata=table).metadata
    assert metadata["code"].tolist() == ["007", "12"]
    assert metadata["year"].tolist() == [1999, 2001]
    assert metadata["shelf"].tolist() == ["1_2", "3"]
    assert metadata["score"].isna().tolist() == [True, False]
    assert metadata["note"].tolist()[0] == '"x' and metadata["note"].isna()[1]


@pytest.mark.parametrize("kind", [*KINDS, "mapping"])
def test_a_table_of_files_names_them_where_ids_do_not(tmp_path, audio, kind):
    folder = audio("x/01.flac", "two.wav", "new.ogg")
    table = {
        "song_id": ["a", "b", "n"],
        "path": ["audio/x/01.flac", str(folder / "two.wav"), "audio/new.ogg"],
    }
    base = None if kind in ("text", "parquet") else tmp_path
    if kind == "mapping":
        files = dict(zip(*table.values(), strict=True))
    else:
        files = KINDS[kind](table, tmp_path, "files")
    catalog = load_catalog(pd.DataFrame(PLAYS), files=files, audio=base)
    assert catalog.item_ids.tolist() == ["a", "b", "n"]
    names = ("x/01.flac", "two.wav", "new.ogg")
    assert catalog.paths == [str(folder / name) for name in names]
    assert_array_equal(catalog.plays.toarray(), [[1, 0], [2.5, 3], [0, 0]])
    assert catalog.is_new.tolist() == [False, False, True]


def test_ids_that_are_numbers_stay_numbers_where_all_are(tmp_path, audio):
    plays = pd.DataFrame({"user_id": [5, 5, 6], "item_id": [10, 9, 10]})
    assert load_catalog(plays).item_ids.tolist() == [9, 10]
    audio("q.wav", "r.wav", "0010.wav", "9.wav")
    files = pd.DataFrame({"id": [10, 9, 11], "file": ["q.wav", "r.wav", "9.wav"]})
    catalog = load_catalog(plays, files=files, audio=tmp_path / "audio")
    assert catalog.item_ids.tolist() == [9, 10, 11]
    assert catalog.user_ids.tolist() == [5, 6]
    by_name = load_catalog(plays, tmp_path / "audio")
    assert by_name.item_ids.tolist() == ["10", "9", "q", "r"]
    assert_array_equal(by_name.plays.sum(axis=1), [2, 1, 0, 0])


def test_plays_of_a_log_are_joined_as_they_are(audio):
    log = pd.DataFrame({
        "user_id": ["u", "v", "u", "w"],
        "item_id": ["a", "a", "b", "a"],
        "t": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2025-01-01"]),
    })
    taste = plays_from_events(log, timestamp="t", since="2026-01-01")
    catalog = load_catalog(taste, audio("a.wav", "b.wav", "c.wav"))
    assert_array_equal(catalog.plays.toarray(), [[1, 1], [1, 0], [0, 0]])
    assert catalog.user_ids.tolist() == ["u", "v"]
    with pytest.raises(ValueError, match=r"Bunch with 1 of user_ids; .* the 2 columns"):
        load_catalog({**taste, "user_ids": ["u"]})


def test_metadata_alone_is_a_catalogue_of_new_songs(write):
    catalog = load_catalog(metadata=write("song\tyear\n8\t1999\n10\t2001\n"))
    assert catalog.item_ids.tolist() == ["10", "8"]  # of text, as in plays
    assert catalog.metadata["year"].tolist() == [2001, 1999]
    assert catalog.is_new.all() and catalog.plays.shape == (2, 0)
    numbers = load_catalog(metadata=pd.DataFrame({"song": [10, 8], "year": [1, 2]}))
    assert numbers.item_ids.tolist() == [8, 10]
    for songs, message in (
        (["b", None], r"metadata, row 2: song is missing"),
        (["b", "b"], r"metadata has 'b' more than once"),
        ([], r"metadata has no rows"),
    ):
        with pytest.raises(ValueError, match=message):
            load_catalog(metadata=pd.DataFrame({"song": songs}))


NAMELESS = pd.DataFrame({"user": ["u", None], "song": ["a", "b"]})
NO_ARTIST = pd.DataFrame({"song": ["a"], "artist": [None]})
TWO_ROWS = pd.DataFrame({"song": ["a", "a.wav"]})
TWO_FILES = pd.DataFrame({"song": ["a", "a"], "file": ["b.wav", "a.wav"]})
NEGATIVE = pd.DataFrame(PLAYS).assign(plays=-1)
TWO_COLUMNS = pd.DataFrame([["a", 1, 2]], columns=["song", "x", "x"])
WRONG_VALUES = [
    ("plays", pd.DataFrame([[1]]), r"plays has no column for .* the names 0\."),
    ("plays", NEGATIVE, r"plays, row 1: the count is -1"),
    ("metadata", TWO_COLUMNS, r"metadata has columns of one name"),
    ("groups", {"a": None}, r"groups, entry 'a': the value is missing"),
    ("plays", NAMELESS, r"1 of 2 rows of plays have no user or no song; leave"),
    ("audio", "nowhere", r"nowhere is not a folder"),
    ("groups", NO_ARTIST, r"row 1: song or artist is missing"),
    ("metadata", TWO_ROWS, r"two rows of .*'a\.wav'"),
    ("metadata", pd.DataFrame({"song": ["q"]}), r"None of the 2 songs .* in metadata"),
    ("metadata", pd.DataFrame({"title": ["q"]}), r"no column for song"),
    ("files", {"a": "no.wav"}, r"None of the 1 .*no\.wav'\. Relative .*; pass another"),
    ("files", {"q": "b.wav"}, r"None of the 2 songs in plays matches"),
    (
        "files",
        TWO_FILES,
        r"row 2: song 'a' has the file '.*a\.wav' but '.*b\.wav'",
    ),
]
WRONG_TYPES = [
    ("plays", [1, 2], r"plays is a list; expected a dataframe"),
    ("groups", np.eye(2), r"groups is a ndarray; expected a"),
    ("files", {"a": 3}, r"the path in files, entry 'a', is 3"),
]


@pytest.mark.parametrize(
    ("error", "name", "table", "message"),
    [
        *((ValueError, *case) for case in WRONG_VALUES),
        *((TypeError, *case) for case in WRONG_TYPES),
    ],
)
def test_what_cannot_be_joined_is_named(audio, error, name, table, message):
    options = {"plays": pd.DataFrame(PLAYS), "audio": audio("a.wav", "b.wav")}
    with pytest.raises(error, match=message):
        load_catalog(**options | {name: table})


def test_files_that_are_not_there_are_said(audio):
    folder, files = audio("a.wav"), {"a": "a.wav", "b": "gone.wav"}
    with (
        pytest.warns(UserWarning, match=r"1 of 2 files of files do not exist.*gone"),
        pytest.warns(UserWarning, match=r"1 of 2 songs in plays have no audio file in"),
    ):
        catalog = load_catalog(pd.DataFrame(PLAYS), folder, files=files)
    assert catalog.item_ids.tolist() == ["a"]
