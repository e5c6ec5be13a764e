"""Text tables as people save them, read by every loader of tables."""

import gzip
import io
import os
import zipfile

import numpy as np
import pytest

from skcoldstart.datasets import (
    load_artist_terms,
    load_catalog,
    load_citeulike,
    load_hetrec,
    load_lastfm_tags,
    load_msd_segments,
    load_msd_songs,
    load_sid_mismatches,
    load_taste_profile,
    load_unique_tracks,
)

# How each loader of tables reads two columns: the names of the second one.
TABLES = {
    "plays": ("user", "song", lambda path: load_catalog(path).item_ids),
    "songs": ("title", "song_id", lambda path: load_msd_songs(path).item_ids),
    "terms": ("artist_id", "term", lambda path: load_artist_terms(path).terms),
}


@pytest.mark.parametrize("kind", TABLES)
def test_quotation_marks_are_letters_where_tabs_separate(write, kind):
    first, second, read = TABLES[kind]
    names = ['"Heroes', "Heroes", '"Heroes"', 'Blue Monday 12"', '"weird al" yankovic']
    names += ['"', '""', '"""', "'", '5" of snow, 7" single', "x;y"]
    rows = "".join(f"a{i}\t{name}\n" for i, name in enumerate(names))
    found = read(write(f"{first}\t{second}\n{rows}"))
    assert sorted(found.tolist()) == sorted(names)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize(
    "text", ['x{}"y\n', 'x{}"y\nz"{}w\n', 'x{}"y" z\n', '"x"y"{}z\n']
)
def test_a_quoted_field_that_does_not_end_in_its_line_is_named(write, kind, mark, text):
    first, second, read = TABLES[kind]
    rows = f"a{mark}b\n\n" + text.replace("{}", mark) + f'c{mark}"d"\n'
    with pytest.raises(ValueError, match=r"table\.tsv, line 4: a quotation mark"):
        read(write(f"{first}{mark}{second}\n{rows}"))


@pytest.mark.parametrize("kind", TABLES)
def test_quoted_fields_of_a_line_are_read_where_commas_separate(write, kind):
    first, second, read = TABLES[kind]
    found = read(write(f'{first},"{second}"\na,"x, ""y"""\nb,plain "quotes"\n'))
    assert sorted(found.tolist()) == ['plain "quotes"', 'x, "y"']


@pytest.mark.parametrize(
    "content",
    [
        "\n\n{user},{song}\nu,A\nv,B\n",
        " \r\n{user},{song}\r\nu,A\r\n\r\nv,B",
        "\ufeff{user},{song}\nu,A\nv,B\n",
        "{user},{song}\ru,A\rv,B\r",
        "sep=;\n{user};{song}\nu;A\nv;B\n",
        "sep=,\r\n{user},{song}\r\nu,A\r\nv,B\r\n",
        "\ufeffSEP=\t\n{user}\t{song}\nu\tA\nv\tB\n",
        "{user};{song};\nu;A;\nv;B;\n;;\n",
    ],
)
@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_spellings_of_a_table_give_the_same_rows(write, content, kind, pack):
    first, second, read = TABLES[kind]
    content = content.replace("{user}", first).replace("{song}", second)
    assert sorted(read(write(pack(content.encode()))).tolist()) == ["A", "B"]


def excel():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml"):
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{0}|{1}\na|b\n", r"line '.*', whose .* separated by '\|'; expected tabs"),
        ("sep=|\n{0}|{1}\na|b\n", r"separated by '\|'; expected tabs, commas or semi"),
        (b"PAR1xxxx", r"is a (damaged parquet file|parquet file; expected UTF-8 text)"),
        (b"ARROW1\0\0", r"is an Arrow \(Feather\) file; expected UTF-8 text"),
        (excel(), r"is an Excel workbook; save it as CSV in UTF-8"),
        ("user,song\nu,A\n".encode("utf-16"), r"is UTF-16 text; expected UTF-8"),
        (b"{0},{1}\na,b\na,\xe9\n", r"line 3 is not UTF-8 text \(byte 0xe9\); save it"),
        ("{0},{1}\na,b\n\na,b\0\n", r"line 4 has NUL bytes; expected text"),
        ("{0},{1}\na,b,c\n", r"line 2 has 3 fields; .* that holds ',' needs quot"),
        ("{0},{1},plays\na,b\n", r"line 2 has 2 fields; expected 3, one for each"),
        ("\n \n", r"is empty; expected a first line that names the columns"),
        ("{0},{1}\n,\n", r"has a line of column names but no rows"),
        ("{0},{1}\n" + "x" * (1 << 22), r"line 2 has more than \d+ bytes"),
    ],
)
def test_what_is_no_table_is_named(write, kind, content, message):
    *names, read = TABLES[kind]
    content = content if isinstance(content, bytes) else content.encode()
    for place, name in enumerate(names):
        content = content.replace(b"{%d}" % place, name.encode())
    with pytest.raises(ValueError, match=r"table\.tsv.*" + message):
        read(write(content))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("\\N\tA\t1", r"line 3: user is '\\\\N', a missing value of SQL; .* Leave"),
        ("u\tNULL\t1", r"line 3: song is 'NULL', a missing value of SQL"),
        (" \tA\t1", r"line 3: user is empty; every row needs user and song"),
        ("u\tA\t2,5", r"plays is '2,5'; .* 3 or 2\.5, with a point and no commas"),
        ("u\tA\t1.234,5", r"plays is '1\.234,5'; .* with a point and no commas"),
        ("u\tA\t\\N", r"plays is '\\\\N'; .* leave out rows without a number"),
        ("u\tA\tNULL", r"plays is 'NULL'; .* leave out rows without a number"),
        ("u\tA\t", r"plays is ''; .* leave out rows without a number"),
    ],
)
def test_values_of_other_programs_are_named_with_what_to_do(write, row, message):
    with pytest.raises(ValueError, match=message):
        load_catalog(write(f"user\tsong\tplays\nu\tB\t1\n{row}\n"))


def test_two_columns_of_one_name_are_refused(write):
    path = write("user,Song ID,song_id\nu,a,b\n")
    with pytest.raises(ValueError, match=r"columns for song: 'Song ID', 'song_id'"):
        load_catalog(path)


POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
LOADERS = [
    *(load_artist_terms, load_catalog, load_citeulike, load_hetrec, load_lastfm_tags),
    *(load_msd_segments, load_msd_songs, load_sid_mismatches, load_taste_profile),
    load_unique_tracks,
]


@POSIX
@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_a_pipe_or_device_is_refused_at_once(tmp_path, load):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match=r"not a regular file|not a folder"):
            load(path)


@POSIX
@pytest.mark.parametrize(
    ("load", "name"),
    [
        (load_lastfm_tags, "a.json"),
        (load_msd_segments, "a.h5"),
        (load_hetrec, "artists.dat"),
        (load_citeulike, "mult.dat"),
        (load_citeulike, "users_x_items.npz"),
        (load_citeulike, "users.dat"),
        (load_citeulike, "feat-vae.mat"),
    ],
)
def test_a_pipe_in_the_folder_of_a_data_set_is_named(tmp_path, load, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=rf"/{name} is not a regular file.*") as caught:
        load(tmp_path)
    assert str(caught.value).count("expected") == 1


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_a_home_folder_is_found_by_its_short_name(tmp_path, monkeypatch, load):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_text("\n")
    with pytest.raises(ValueError, match=r"/x (is|has)"):
        load("~/x")
    if load is not load_citeulike:  # which reads a folder
        with pytest.raises(FileNotFoundError, match=str(tmp_path / "y")):
            load("~/y")


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_what_is_no_path_is_named(load):
    nothings = [io.StringIO("user,song\nu,A\n"), 3, np.zeros(3)]
    if load is not load_catalog:  # which may be given new songs alone
        nothings.append(None)
    for nothing in nothings:
        with pytest.raises(TypeError, match=r"path.*"):
            load(nothing)
    with pytest.raises((TypeError, ValueError), match=r"path"):
        load("")
