"""Songs and their files, though tables and folders spell them in different ways."""

import os

import pytest

from skcoldstart.datasets import load_catalog


@pytest.fixture
def catalog(tmp_path, audio):
    """Make a folder of files, and a table of songs that one user plays."""

    def make(files, songs, **more):
        rows = "".join('u,"{}"\n'.format(song.replace('"', '""')) for song in songs)
        table = tmp_path / "plays.csv"
        table.write_text("user,song\n" + rows, "utf-8", errors="surrogateescape")
        return load_catalog(table, audio(*files), **more)

    return make


# How tables write the names of files.
SPELLINGS = {
    "A .wav": ["A ", "A .wav"],
    " A.wav": [" A", "A"],
    "A.wav": [" A.wav ", "\ufeffA\u200b"],
    "A.WAV": ["a.wav"],
    "A.mp3": ["A.wav"],
    "A  b.wav": ["A b"],
    "A_b.wav": ["A b"],
    "A-b.wav": ["A_B.WAV"],
    "A b.wav": ["A%20b.mp3"],
    "A & b.wav": ["A &amp; b"],
    "Straße.wav": ["STRASSE"],
    "Heroes.wav": ['"Heroes"'],
    "7.wav": ["7.0", "0007"],
    "0007.wav": ["7"],
    "cd01/track 7.flac": ["CD1/Track 07"],
    "d/A.wav": [
        *("./d/A.wav", "d//A.wav", "d\\A.wav", ".\\d\\A", "c/../d/A.wav"),
        *("audio/d/A.wav", "../audio/d/A"),
        *("/home/bo/music/d/A.wav", "C:\\Music\\d\\A.wav"),
    ],
    "Beyonc\u00e9.wav": ["Beyonce\u0301"],
    "cafe\u0301.wav": ["caf\u00e9"],
    "\uff21.wav": ["A"],
}


@pytest.mark.parametrize(
    ("file", "song"), [(file, s) for file, songs in SPELLINGS.items() for s in songs]
)
def test_a_played_song_is_never_new_where_its_file_is_plain(catalog, file, song):
    found = catalog([file, "other.wav"], [song, "other"])
    assert found.plays.sum() == 2
    assert not found.is_new.any()
    assert [os.path.basename(p) for p in found.paths].count(os.path.basename(file)) == 1


def test_absolute_paths_are_those_of_the_folder_through_links_too(catalog, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "audio")
    songs = [f"{tmp_path}/audio/d/A.wav", f"{tmp_path}/link/B"]
    assert not catalog(["d/A.wav", "B.wav"], [songs[0], "B"]).is_new.any()
    table = tmp_path / "plays.csv"
    table.write_text(f"user,song\nu,{songs[1]}\nu,{tmp_path}/audio/d/A\n")
    found = load_catalog(table, tmp_path / "link")
    assert found.plays.sum() == 2 and not found.is_new.any()


def test_paths_stay_right_when_the_folder_is_left(catalog, tmp_path, monkeypatch):
    catalog(["A.wav"], ["A"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("audio", "~/audio"):
        found = load_catalog("plays.csv", folder)
        assert found.paths == [str(tmp_path / "audio" / "A.wav")]


def test_a_song_with_its_own_name_keeps_its_file(catalog):
    with pytest.warns(UserWarning, match=r"2 of 4 songs .* dropped .*'007', 'A'"):
        found = catalog(["a.wav", "7.wav"], ["a", "7", "A", "007"])
    assert found.item_ids.tolist() == ["7", "a"]


@pytest.mark.parametrize(
    ("files", "songs", "message"),
    [
        (["a b.wav", "A_B.wav"], ["A B"], r"'A B' matches 2 files .*'A_B.wav', '"),
        (["x/A.wav", "y/A.wav"], ["A"], r"'A' matches 2 .*'x/A\.wav', 'y/A\.wav'"),
        (["01.wav", "001.wav"], ["1"], r"'1' matches 2 files.*paths relative to"),
        (["x/1.wav", "y/01.wav"], ["0001"], r"'0001' matches 2 files"),
        (["A.wav"], ["A", "A.wav"], r"'A' and 'A\.wav' .* are the same file, 'A\."),
        (["ab.wav"], ["AB", "Ab"], r"'AB' and 'Ab' .* are the same file, 'ab\.wav'"),
        (["C.wav", "d/e.ogg"], ["A", "B"], r"None of .*'A', 'B'; .*'C\.wav', 'd/e"),
        (["a.txt"], ["a"], r"no audio .*; it has 1 other files, such as 'a\.txt'"),
    ],
)
def test_what_may_mean_several_is_refused_with_what_to_do(
    catalog, files, songs, message
):
    with pytest.raises(ValueError, match=message):
        catalog(files, songs)


@pytest.mark.parametrize(
    ("file", "song"),
    [("y/A.wav", "x/A"), ("A.wav", "x/A"), ("y/A.wav", "/music/x/A.wav")],
)
def test_a_file_of_another_folder_is_named_and_not_taken(catalog, file, song):
    message = rf"differ only by .*'{song}' is like '{file}'"
    with pytest.warns(UserWarning, match=message):
        found = catalog([file, "B.wav"], [song, "B"])
    assert found.item_ids[found.is_new].tolist() == ["A"]


def test_file_names_that_are_not_utf8_are_kept(catalog, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    found = catalog([name, "b.wav"], ["b"])
    assert os.path.basename(found.paths[1]) == name
    assert found.is_new.tolist() == [False, True]


def test_groups_are_found_though_they_are_spelled_in_another_way(catalog):
    groups = {"TRACK_01.mp3": "X", "./b.wav": "Y"}
    found = catalog(["track 1.wav", "b.wav"], ["track 1", "b"], groups=groups)
    assert found.item_ids.tolist() == ["b", "track 1"]
    assert found.groups.tolist() == ["Y", "X"]
