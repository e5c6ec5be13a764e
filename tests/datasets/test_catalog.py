"""A catalogue from files: what is joined, what is dropped, what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcoldstart.datasets import load_catalog


@pytest.fixture
def table(write):
    return lambda text, name="plays.tsv": write(text, name)


PLAYS = "user\tsong\tplays\nu2\tb\t3\nu1\ta\t1\nu1\tb\t2.5\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAYS,
        PLAYS.replace("\t", ";"),
        PLAYS.replace("user\tsong\tplays", "User ID\tTrack-Id\tPlay_Count"),
        "plays,year,song,user\n3,1999,b,u2\n1,1999, a,u1\n2.5,1999,b ,u1\n",
        'user,song,plays\n"u2","b",3\nu1,a,1\nu1,b,1\nu1,b,1.5\n',
    ],
)
def test_spellings_of_one_table_give_one_catalogue(table, text):
    catalog = load_catalog(table(text))
    assert catalog.item_ids.tolist() == ["a", "b"]
    assert catalog.user_ids.tolist() == ["u1", "u2"]
    assert_array_equal(catalog.plays.toarray(), [[1, 0], [2.5, 3]])
    assert catalog.paths is None and catalog.groups is None
    assert catalog.plays.format == "csr"


def test_a_pair_counts_once_a_row_without_a_column_of_plays(table):
    catalog = load_catalog(table("listener,item\nx,s\nx,s\ny,s\n"))
    assert_array_equal(catalog.plays.toarray(), [[2, 1]])


def test_ids_come_before_names_where_a_table_has_both(table):
    catalog = load_catalog(
        table("user,song,song_id,plays\nx,Same Title,1,1\nx,Same Title,2,1\n")
    )
    assert catalog.item_ids.tolist() == ["1", "2"]


def test_random_table_survives_the_trip_through_a_file(table, rng):
    dense = rng.poisson(0.3, size=(40, 25)).astype(float)
    dense[:, 0], dense[0] = 1, 1
    rows = [f"u{u:02}\ts{s:02}\t{dense[s, u]:g}" for s, u in np.argwhere(dense)]
    rng.shuffle(rows)
    catalog = load_catalog(table("user\tsong\tplays\n" + "\n".join(rows)))
    assert_array_equal(catalog.plays.toarray(), dense)
    assert f"{dense.sum():g} plays by 25 users" in catalog.DESCR


def test_files_are_found_by_name_stem_or_path_and_the_rest_are_new(table, audio):
    folder = audio("b.wav", "x/a.MP3", "x/deep/c.flac", "notes.txt", ".hidden.wav")
    plays = table("user,song\nu,b\nu,x/a\nw,deep\n".replace("deep", "c.flac"))
    catalog = load_catalog(plays, folder)
    assert catalog.item_ids.tolist() == ["b", "c.flac", "x/a"]
    assert catalog.paths == [
        str(folder / f) for f in ("b.wav", "x/deep/c.flac", "x/a.MP3")
    ]
    assert not catalog.is_new.any()

    catalog = load_catalog(table("user,song\nu,b\n"), folder)
    assert catalog.item_ids.tolist() == ["a", "b", "c"]
    assert catalog.is_new.tolist() == [True, False, True]
    assert_array_equal(catalog.plays.toarray(), [[0], [1], [0]])
    assert catalog.DESCR.startswith("3 songs, 2 of them new")


def test_new_files_of_one_stem_are_told_apart_by_their_path(table, audio):
    folder = audio("one/01.wav", "two/01.wav", "two/02.wav", "two/02.mp3", "s.wav")
    catalog = load_catalog(table("user,song\nu,s\nu,one/01\n"), folder)
    assert catalog.item_ids.tolist() == [
        "one/01",
        "s",
        "two/01",
        "two/02.mp3",
        "two/02.wav",
    ]


def test_songs_without_audio_are_dropped_with_their_users_and_counted(table, audio):
    plays = table("user,song\nu,a\nu,gone\nw,gone\nw,lost\nz,a\n")
    with pytest.warns(
        UserWarning,
        match=r"2 of 3 songs .* no audio file .* with 3 of 5 rows: 'gone', 'lost'",
    ) as record:
        catalog = load_catalog(plays, audio("a.wav"))
    assert record[0].filename == __file__
    assert catalog.item_ids.tolist() == ["a"]
    assert catalog.user_ids.tolist() == ["u", "z"]


def test_groups_follow_the_items_and_strangers_stay_alone(table, audio):
    plays = table("user,song\nu,b\nu,a\nu,c\n")
    groups = table("track\tAlbum\nc\tX\nb\tX\nelsewhere\tY\n", "groups.tsv")
    with pytest.warns(UserWarning, match=r"1 of 3 songs have no artist .*: 'a'"):
        catalog = load_catalog(plays, None, groups)
    assert catalog.groups.tolist() == ["(song) a", "X", "X"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("who,song\nx,y\n", r"no column for user\. .*names 'who', 'song'.* listener"),
        ("x\ty\t3\n", r"no column for user and song\. .* names 'x', 'y', '3'"),
        ("user,song,plays\nx,y,3\nx,y,many\n", r"line 3: plays is 'many'"),
        ("user,song,plays\nx,y,-1\n", r"line 2: plays is '-1'; expected a number >= 0"),
        ("user,song,plays\n\nx,y,nan\n", r"line 3: plays is 'nan'"),
        ("user,song,plays\nx,y,inf\n", r"plays is 'inf'"),
        ("user,song,plays\nx,y,1_0\n", r"plays is '1_0'"),
        ("user,song,plays\nx,y,0\n", r"All counts in .* are 0"),
        ("user,song\nx,y\nx\n", r"line 3 has 1 fields; expected 2"),
    ],
)
def test_faulty_tables_are_named_with_their_line(table, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_catalog(table(text))
    assert "plays.tsv" in str(error.value)


def test_missing_table_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv"):
        load_catalog(tmp_path / "nowhere.tsv")


@pytest.mark.parametrize(
    ("songs", "files", "message"),
    [
        (
            "ab",
            ("c.wav", "d/e.ogg"),
            r"None of the 2 songs .*'a', 'b'; .*'c.wav', 'd/e",
        ),
        (
            "a",
            ("a.txt",),
            r"no audio files \(.*\); it has 1 other files.* such as 'a.txt'",
        ),
        ("a", ("x/a.wav", "y/a.wav"), r"'a' matches 2 .*'x/a.wav', 'y/a.wav'"),
        ("a", ("a.wav", "a.mp3"), r"'a' matches 2 files"),
        (("a", "a.wav"), ("a.wav",), r"'a' and 'a.wav' .* are the same file, 'a.wav'"),
    ],
)
def test_songs_that_fit_no_file_or_several_are_refused(
    table, audio, songs, files, message
):
    plays = table("user,song\n" + "".join(f"u,{song}\n" for song in songs))
    with pytest.raises(ValueError, match=message):
        load_catalog(plays, audio(*files))


def test_missing_folder_is_named(table, tmp_path):
    with pytest.raises(ValueError, match=r"none is not a folder"):
        load_catalog(table(PLAYS), tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("song,artist\nz,X\n", r"None of the 2 songs .*'a', 'b'; the table has 'z'"),
        (
            "song,artist\na,X\nb,Y\na,Z\n",
            r"'a' has artist 'X' in line 2 but 'a' has artist 'Z' in line 4",
        ),
        ("song,who\na,X\n", r"no column for artist"),
    ],
)
def test_faulty_groups_are_refused(table, text, message):
    plays, groups = table(PLAYS), table(text, "groups.csv")
    with pytest.raises(ValueError, match=message):
        load_catalog(plays, None, groups)


def test_a_group_is_found_by_any_name_of_the_file(table, audio):
    folder = audio("a.wav", "x/new.wav", "x/twin.wav", "y/twin.wav")
    rows = "song,artist\na,A\nnew.wav,N\nx/twin,T\ntwin,wrong\n"
    with pytest.warns(UserWarning, match=r"1 of 4 songs have no artist.*y/twin"):
        catalog = load_catalog(
            table("user,song\nu,a.wav\n"), folder, table(rows, "groups.csv")
        )
    found = dict(zip(catalog.item_ids, catalog.groups, strict=True))
    assert found == {"a.wav": "A", "new": "N", "x/twin": "T", "y/twin": "(song) y/twin"}


def test_a_column_of_counts_that_is_not_recognised_is_said(table):
    with pytest.warns(UserWarning, match=r"no column for plays.*'Times heard'"):
        load_catalog(table("user,song,Times heard\nu,a,500\n"))


def test_one_song_of_two_spellings_has_one_artist(table, audio):
    groups = table("song,artist\nx,A\nx.wav,B\n", "groups.csv")
    with pytest.raises(ValueError, match=r"'x' has artist 'A' in line 2 but 'x.wav'"):
        load_catalog(table("user,song\nu,x\n"), audio("x.wav"), groups)


def test_accents_written_apart_are_the_same_letters(table, audio):
    catalog = load_catalog(table("user,song\nu,s\u00e5ng\n"), audio("sa\u030ang.wav"))
    assert catalog.item_ids.tolist() == ["s\u00e5ng"]
    assert catalog.plays.sum() == 1
