"""A catalogue from files: what is joined, what is dropped, what is refused."""

import pytest
from numpy.testing import assert_array_equal

from skcoldstart.datasets import load_catalog

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
def test_spellings_of_one_table_give_one_catalogue(write, text):
    catalog = load_catalog(write(text))
    assert catalog.item_ids.tolist() == ["a", "b"]
    assert catalog.user_ids.tolist() == ["u1", "u2"]
    assert_array_equal(catalog.plays.toarray(), [[1, 0], [2.5, 3]])
    assert catalog.paths is None and catalog.groups is None
    assert catalog.plays.format == "csr"
    assert catalog.DESCR == "2 songs, 0 of them new; 6.5 plays by 2 users (3 pairs)."


def test_ids_come_before_names_and_each_row_counts_one_without_a_count(write):
    rows = "x,Same Title,1\nx,Same Title,2\nx,Same Title,2\n"
    with pytest.warns(UserWarning, match=r"no column for plays.*read are 'item'\."):
        catalog = load_catalog(write(f"listener,item,item_id\n{rows}"))
    assert catalog.item_ids.tolist() == ["1", "2"]
    assert_array_equal(catalog.plays.toarray(), [[1], [2]])


def test_files_are_found_by_name_stem_or_path_and_the_rest_are_new(write, audio):
    folder = audio("b.wav", "x/a.MP3", "x/deep/c.flac", "notes.txt", ".hidden.wav")
    plays = write("user,song\nu,b\nu,x/a\nw,c.flac\n")
    catalog = load_catalog(plays, folder)
    assert catalog.item_ids.tolist() == ["b", "c.flac", "x/a"]
    files = ("b.wav", "x/deep/c.flac", "x/a.MP3")
    assert catalog.paths == [str(folder / file) for file in files]
    assert not catalog.is_new.any()

    catalog = load_catalog(write("user,song\nu,b\n"), folder)
    assert catalog.item_ids.tolist() == ["a", "b", "c"]
    assert catalog.is_new.tolist() == [True, False, True]
    assert_array_equal(catalog.plays.toarray(), [[0], [1], [0]])
    assert catalog.DESCR.startswith("3 songs, 2 of them new")


def test_new_files_of_one_stem_are_told_apart_by_their_path(write, audio):
    folder = audio("one/01.wav", "two/01.wav", "two/02.wav", "two/02.mp3", "s.wav")
    catalog = load_catalog(write("user,song\nu,s\nu,one/01\n"), folder)
    new = ["two/01", "two/02.mp3", "two/02.wav"]
    assert catalog.item_ids.tolist() == ["one/01", "s", *new]


def test_songs_without_audio_are_dropped_with_their_users_and_counted(write, audio):
    plays = write("user,song\nu,a\nu,gone\nw,gone\nw,lost\nz,a\n")
    message = r"2 of 3 songs .* no audio file .* with 3 of 5 rows: 'gone', 'lost'"
    with pytest.warns(UserWarning, match=message) as record:
        catalog = load_catalog(plays, audio("a.wav"))
    assert record[0].filename == __file__
    assert catalog.item_ids.tolist() == ["a"]
    assert catalog.user_ids.tolist() == ["u", "z"]


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
    ],
)
def test_faulty_tables_are_named_with_their_line(write, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_catalog(write(text))
    assert "table.tsv" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("song,artist\nz,X\n", r"None of the 2 songs .*'a', 'b'; the table has 'z'"),
        ("song,artist\na,X\nb,Y\na,Z\n", r"'X' in line 2 but 'a' .* 'Z' in line 4"),
        ("song,artist\na,A\na.wav,B\n", r"'a' has artist 'A' in line 2 but 'a.wav'"),
        ("song,who\na,X\n", r"no column for artist"),
    ],
)
def test_faulty_groups_are_refused(write, audio, text, message):
    plays, groups = write(PLAYS), write(text, "groups.csv")
    with pytest.raises(ValueError, match=message):
        load_catalog(plays, audio("a.wav", "b.wav"), groups)


def test_a_group_is_found_by_any_name_of_the_file(write, audio):
    folder = audio("a.wav", "x/new.wav", "x/twin.wav", "y/twin.wav")
    rows = "track,Album\na,A\nnew.wav,N\nx/twin,T\ntwin,wrong\nelsewhere,Y\n"
    with pytest.warns(UserWarning, match=r"1 of 4 songs have no artist.*y/twin"):
        plays = write("user,song\nu,a.wav\n")
        catalog = load_catalog(plays, folder, write(rows, "groups.csv"))
    found = dict(zip(catalog.item_ids, catalog.groups, strict=True))
    assert found == {"a.wav": "A", "new": "N", "x/twin": "T", "y/twin": "(song) y/twin"}
