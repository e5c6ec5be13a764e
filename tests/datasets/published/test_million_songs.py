"""The Million Song Dataset: its lists, its tables of songs, its segments."""

import re
import sqlite3
import sys
import warnings
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import VectorQuantizer
from skcoldstart.datasets import (
    load_artist_terms,
    load_msd_segments,
    load_msd_songs,
    load_sid_mismatches,
    load_unique_tracks,
)
from tests.datasets.published.million import write_hdf5

h5py = pytest.importorskip("h5py", reason="HDF5 is read with h5py: install .[test]")


def test_unique_tracks_keep_titles_that_other_readers_cut(write):
    text = (
        "\ufeffTR1<SEP>SO1<SEP>A<SEP>One\x85two\r\n"
        "TR2<SEP>SO1<SEP><SEP>Three <SEP> four\n"
        "TR3<SEP>SO2<SEP>Ärzte<SEP>"
    )
    tracks = load_unique_tracks(write(text))
    assert tracks.item_ids.tolist() == ["SO1", "SO1", "SO2"]
    assert tracks.track_ids.tolist() == ["TR1", "TR2", "TR3"]
    assert tracks.artist_names.tolist() == ["A", "", "Ärzte"]
    assert tracks.titles.tolist() == ["One\x85two", "Three <SEP> four", ""]
    assert tracks.DESCR == "3 tracks of 2 songs."


def test_mismatches_are_unique_pairs_and_sorted_songs(write):
    text = (
        "ERROR: <SOB TRA> A  -  B\x85C  !=  D  -  E\nERROR: <SOA TRC> x\n"
        "ERROR: <SOB TRA> again\nERROR: <SOB TRD> y\n"
    )
    found = load_sid_mismatches(write(text))
    assert found.item_ids.tolist() == ["SOA", "SOB"]
    assert found.song_ids.tolist() == ["SOB", "SOA", "SOB"]
    assert found.track_ids.tolist() == ["TRA", "TRC", "TRD"]


@pytest.mark.parametrize(
    ("load", "text", "message"),
    [
        (load_unique_tracks, b"", r"is empty"),
        (load_unique_tracks, b"a<SEP>b<SEP>c<SEP>d\nx\n", r"line 2: 'x' has 1 fields"),
        (load_unique_tracks, b"a<SEP><SEP>c<SEP>d\n", r"4 fields and an empty id"),
        (load_unique_tracks, b"a<SEP>b<SEP>c<SEP>\xff\n", r"line 1 is not UTF-8 text"),
        (load_sid_mismatches, b"\n", r"is empty"),
        (load_sid_mismatches, b"SO1 TR1\n", r"line 1: 'SO1 TR1'; expected 'ERROR: <"),
        (load_sid_mismatches, b"x" * (1 << 23), r"line 1 has more than \d+ bytes"),
        (load_msd_songs, "title\nx\n", r"no column song_id; it has title"),
        (load_msd_songs, "song_id\tyear\nSO1\t19x\n", r"2: year is '19x'; .* a whole"),
        (load_msd_songs, "song_id\tyear\nSO1\t1_9\n", r"2: year is '1_9'; .* a whole"),
        (load_msd_songs, f"song_id\tyear\nSO1\t{10**30}\n", r"2: year is '\d+'"),
        (load_msd_songs, "song_id\ttempo\nSO1\t1\nSO2\tx\n", r"line 3: tempo is 'x'"),
        (load_msd_songs, "song_id\ttempo\n\t1\n", r"line 2: song_id is empty"),
        (
            load_artist_terms,
            "artist_id\tword\nA\tB\n",
            r"no column term; it has artist_",
        ),
        (load_artist_terms, "artist_id\tterm\nA\t\n", r"2: artist_id or term is empty"),
        (load_artist_terms, "artist_id,term,weight\nA,b,-1\n", r"2: weight is '-1'"),
        (
            load_artist_terms,
            "artist_id,term,weight\nA,b,\n",
            r"weight is ''; .* rows wi",
        ),
    ],
)
def test_faulty_lines_are_named(write, load, text, message):
    with pytest.raises(ValueError, match=rf"table\.tsv.*{message}"):
        load(write(text))


TABLE = (
    "song_id\ttrack_id\tartist_id\tartist_name\ttitle\tyear\ttempo\tkey\tsong_hotttnesss\n"
    'SO1\tTR1\tAR1\tA\t"Say ""x"""\t1999\t92.5\t3\t\n'
    "SO2\tTR2\tAR2\tÄ\t\t0\t\t\t0.5\n"
    "SO1\tTR3\tAR1\tA\tAgain\t2001\t1e2\t-1\tnan\n"
)


def test_table_of_songs_says_what_it_knows(write):
    songs = load_msd_songs(write(TABLE))
    assert songs.item_ids.tolist() == ["SO1", "SO2", "SO1"]
    assert songs.titles.tolist() == ['"Say ""x"""', "", "Again"]
    assert_array_equal(songs.years, [1999, 0, 2001])
    assert_array_equal(songs.tempo, [92.5, np.nan, 100])
    assert_array_equal(songs.key, [3, -1, -1])
    assert_array_equal(songs.song_hotttnesss, [np.nan, 0.5, np.nan])
    assert songs.mode is None and songs.releases is None
    assert songs.DESCR == "3 songs by 2 artists."


def test_songs_come_in_the_order_asked_for_and_the_first_track_counts(write):
    path = write(TABLE)
    with pytest.warns(UserWarning, match=r"1 of 3 songs .* left out: 'SO9'") as record:
        songs = load_msd_songs(path, songs=["SO2", "SO9", "SO1"])
    assert record[0].filename == __file__
    assert songs.track_ids.tolist() == ["TR2", "TR1"]
    assert songs.mode is None
    with pytest.raises(ValueError, match=r"none of the 1 songs wanted: 'SO9'. It has"):
        load_msd_songs(path, songs=["SO9"])
    with pytest.raises(ValueError, match=r"'SO1' more than once"):
        load_msd_songs(path, songs=["SO1", "SO2", "SO1"])
    with pytest.raises(TypeError, match=r"expected an iterable of song ids"):
        load_msd_songs(path, songs="SO1")


def test_track_metadata_of_sqlite_is_read_like_a_table(tmp_path):
    path = tmp_path / "track metadata #1?.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (song_id, title, year INT, duration)")
        rows = [("SO1", "A", 1999, 10.5), ("SO2", None, None, None)]
        connection.executemany("INSERT INTO songs VALUES (?, ?, ?, ?)", rows)
    connection.close()
    songs = load_msd_songs(path)
    assert songs.titles.tolist() == ["A", ""]
    assert_array_equal(songs.years, [1999, 0])
    assert_array_equal(songs.duration_s, [10.5, np.nan])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_summary_of_many_songs_is_read_in_blocks(tmp_path):
    path, n = tmp_path / "summary.h5", 4100
    write_hdf5(path, [0] * n)
    songs = load_msd_songs(path)
    assert songs.item_ids.tolist() == [f"SO{i}" for i in range(n)]
    assert songs.titles[7] == "Tïtle 7"
    assert_array_equal(songs.tempo, 100.0 + np.arange(n))
    assert np.isnan(songs.song_hotttnesss).all()
    assert songs.artist_familiarity is None


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_segments_of_a_folder_are_frames_in_the_order_of_paths(tmp_path, n_jobs):
    (tmp_path / "B" / "A").mkdir(parents=True)
    for other in ("A.txt", ".hidden.h5"):
        (tmp_path / other).write_text("no song")
    first = write_hdf5(tmp_path / "A.h5", [3], first=5)
    second = write_hdf5(tmp_path / "B" / "A" / "x.H5", [0], first=7)
    third = write_hdf5(tmp_path / "B" / "y.h5", [4], first=9)
    segments = load_msd_segments(tmp_path, pitches=True, n_jobs=n_jobs)
    assert segments.item_ids.tolist() == ["SO5", "SO7", "SO9"]
    assert segments.track_ids.tolist() == ["TR5", "TR7", "TR9"]
    for i, source in enumerate((first, second, third)):
        frames = source["analysis/segments_timbre"].astype(np.float32)
        pitches = source["analysis/segments_pitches"].astype(np.float32)
        assert_array_equal(segments.frames[i], frames)
        assert_array_equal(segments.pitches[i], pitches)
        assert_array_equal(segments.start_s[i], source["analysis/segments_start"])
    assert segments.frames.values.dtype == np.float32
    assert load_msd_segments(tmp_path).pitches is None


def test_file_of_several_songs_is_cut_where_its_index_says(tmp_path):
    path = tmp_path / "several.h5"
    timbre = write_hdf5(path, [2, 0, 5])["analysis/segments_timbre"]
    segments = load_msd_segments(path, songs=["SO2", "SO0", "SO1"])
    assert segments.frames.lengths.tolist() == [5, 2, 0]
    assert_allclose(segments.frames[0], timbre[2:], rtol=1e-6)
    assert_allclose(segments.frames[1], timbre[:2], rtol=1e-6)


def test_archive_of_numpy_gives_the_same_segments(tmp_path, rng):
    timbre = rng.normal(0, 50, (7, 12)).astype(np.float16)
    path = tmp_path / "segments"
    np.savez(
        path,
        song_id=["SO1", "SO2", "SO3"],
        timbre=timbre,
        offsets=[0, 3, 3, 7],
        start=np.arange(7.0),
    )
    segments = load_msd_segments(f"{path}.npz", songs=["SO3", "SO1"])
    assert segments.frames.values.dtype == np.float32
    assert_array_equal(segments.frames[0], timbre[3:].astype(np.float32))
    assert_array_equal(segments.start_s[1], [0, 1, 2])
    assert segments.item_ids.tolist() == ["SO3", "SO1"]
    assert segments.pitches is None
    half = load_msd_segments(f"{path}.npz", dtype="float16")
    assert_array_equal(half.frames.values, timbre)
    with pytest.raises(ValueError, match=r"no array pitches; it has song_id"):
        load_msd_segments(f"{path}.npz", pitches=True)
    codes = VectorQuantizer(2, random_state=0).fit_transform(segments.frames)
    assert codes.lengths.tolist() == [4, 3]


INDEX = [("idx_segments_timbre", int), ("idx_segments_start", int)]
DAMAGE = [
    ({"analysis__segments_timbre": None}, r"no dataset 'analysis/segments_timbre'"),
    ({"analysis__segments_timbre": np.ones((2, 11))}, r"\(2, 11\); expected \(n_segm"),
    ({"analysis__segments_timbre": np.full((2, 12), np.nan)}, r"NaN or infinity"),
    ({"analysis__segments_timbre": np.full((2, 12), 1e5)}, r"float16 cannot hold"),
    ({"analysis__segments_timbre": np.full((2, 12), b"x")}, r"expected numbers"),
    ({"analysis__segments_start": np.arange(3.0)}, r"\[2, 3\] segments in its arrays"),
    ({"analysis__songs": np.array([(1, 0)], INDEX)}, r"idx_segments_timbre .* \[1\]"),
    (
        {
            "analysis__songs": np.array([(0, 0), (9, 0)], INDEX),
            "metadata__songs": np.zeros(2, [("song_id", "S9")]),
        },
        r"idx_segments_timbre .* \[0, 9\]",
    ),
    ({"metadata__songs": None}, r"'metadata/songs'; at its top are analysis"),
    ({"metadata__songs": np.zeros(2, [("song_id", "S9")])}, r"1 rows .* and 2 in"),
    ({"metadata__songs": np.zeros(1, [("x", "S9")])}, r"lacks the column song_id"),
]


@pytest.mark.parametrize(("changes", "message"), DAMAGE)
def test_faulty_analysis_files_are_named(tmp_path, changes, message):
    path = tmp_path / "TRX.h5"
    write_hdf5(path, [2], **changes)
    with pytest.raises(ValueError, match=message) as error:
        load_msd_segments(path, dtype="float16")
    assert "TRX.h5" in str(error.value)


def test_bad_files_of_a_folder_keep_their_row_where_that_is_asked(tmp_path):
    write_hdf5(tmp_path / "TR1.h5", [2], first=1)
    whole = (tmp_path / "TR1.h5").read_bytes()
    (tmp_path / "TR2.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "TR3.h5").write_bytes(b"no HDF5 at all")
    with pytest.raises(ValueError, match=r"TR2\.h5 is a damaged or incomplete HDF5"):
        load_msd_segments(tmp_path)
    with pytest.warns(UserWarning, match=r"2 of 3 files .* row 1: .*TR2") as record:
        segments = load_msd_segments(tmp_path, on_error="warn", pitches=True)
    assert record[0].filename == __file__
    assert segments.frames.lengths.tolist() == [2, 0, 0]
    assert segments.pitches.lengths.tolist() == [2, 0, 0]
    assert segments.item_ids.tolist() == ["SO1", "TR2", "TR3"]
    assert [row for row, *_ in segments.errors] == [1, 2]
    _, path, reason = segments.errors[1]
    assert path == str(tmp_path / "TR3.h5")
    assert reason == f"{path} is not an HDF5 file."
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_msd_segments(tmp_path, on_error="ignore").errors) == 2


def _external(file, path):
    file.create_dataset(
        "timbre", (2, 12), "f8", external=[(str(path), 0, h5py.h5f.UNLIMITED)]
    )


def _virtual(file, path):
    layout = h5py.VirtualLayout((2, 12), "f8")
    layout[:] = h5py.VirtualSource(str(path), "analysis/segments_timbre", (2, 12))
    file.create_virtual_dataset("timbre", layout)


def _link(file, path):
    file["timbre"] = h5py.ExternalLink(str(path), "analysis/segments_timbre")


def _huge(file, path):
    file.create_dataset("timbre", (10**12, 12), "f8", chunks=(100, 12))[:100] = 1.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_external, r"segments_timbre of .* is stored in other files"),
        (_virtual, r"segments_timbre of .* is stored in other files"),
        (_link, r"segments_timbre of .* is a link to"),
        (_huge, r"declares 96000000000000 bytes of which 9600 are stored"),
    ],
)
def test_one_file_reads_no_other_and_no_more_than_it_holds(tmp_path, spoil, message):
    folder = tmp_path / "songs"
    folder.mkdir()
    write_hdf5(tmp_path / "secret.h5", [2], first=3)
    write_hdf5(folder / "TR1.h5", [2], first=1)
    path = folder / "TR2.h5"
    write_hdf5(path, [2], first=2, analysis__segments_timbre=None)
    with h5py.File(path, "a") as file:
        spoil(file["analysis"], tmp_path / "secret.h5")
        file.move("analysis/timbre", "analysis/segments_timbre")
    with pytest.raises(ValueError, match=message):
        load_msd_segments(path)
    segments = load_msd_segments(folder, on_error="ignore")
    assert segments.frames.lengths.tolist() == [2, 0]
    ((row, name, reason),) = segments.errors
    assert (row, name) == (1, str(path)) and re.search(message, reason)


def test_a_linked_table_of_songs_is_refused(tmp_path):
    write_hdf5(tmp_path / "whole.h5", [2])
    for link in (
        h5py.ExternalLink(str(tmp_path / "whole.h5"), "metadata"),
        h5py.SoftLink("/analysis"),
    ):
        write_hdf5(tmp_path / "a.h5", [2], metadata__songs=None)
        with h5py.File(tmp_path / "a.h5", "a") as file:
            file["metadata"] = link
        for load in (load_msd_songs, load_msd_segments):
            with pytest.raises(ValueError, match=r"a link to '.*'; links are not foll"):
                load(tmp_path / "a.h5")


@pytest.mark.parametrize("error", [MemoryError, KeyError, TypeError, RecursionError])
def test_whatever_goes_wrong_with_one_file_costs_that_file_alone(
    tmp_path, monkeypatch, error
):
    for i in range(3):
        write_hdf5(tmp_path / f"TR{i}.h5", [2], first=i)
    read = h5py.File

    def fail_on_one(path, *more, **options):
        if str(path).endswith("TR1.h5"):
            raise error("cannot be")
        return read(path, *more, **options)

    monkeypatch.setattr(h5py, "File", fail_on_one)
    segments = load_msd_segments(tmp_path, on_error="ignore")
    assert segments.frames.lengths.tolist() == [2, 0, 2]
    with pytest.raises(ValueError, match=r"TR1\.h5 .*cannot be"):
        load_msd_segments(tmp_path)


def test_archives_that_declare_more_than_they_hold_are_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 12)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w") as array:
        np.lib.format.write_array_header_1_0(array, header)
        array.write(bytes(96))
    with pytest.raises(ValueError, match=r"bomb\.npz declares 96000000000000 bytes"):
        load_msd_segments(path)


def test_paths_that_hold_no_segments_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no HDF5 files"):
        load_msd_segments(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"neither an HDF5 file nor a whole NumPy"):
        load_msd_segments(tmp_path / "x.npz")
    with pytest.raises(ValueError, match=r"dtype"):
        load_msd_segments(tmp_path, dtype="int8")
    np.savez(tmp_path / "y.npz", song_id=["a"], timbre=np.ones((2, 12)), offsets=[0, 1])
    with pytest.raises(ValueError, match=r"timbre of .* offsets must increase"):
        load_msd_segments(tmp_path / "y.npz")
    pickled = np.array([None], dtype=object)
    np.savez(tmp_path / "z.npz", song_id=pickled, timbre=pickled, offsets=[0, 1])
    with pytest.raises(ValueError, match=r"z\.npz cannot be read: Object arrays"):
        load_msd_segments(tmp_path / "z.npz")


def test_missing_h5py_names_the_extra(tmp_path, monkeypatch):
    write_hdf5(tmp_path / "TR1.h5", [1])
    monkeypatch.setitem(sys.modules, "h5py", None)
    for load in (load_msd_songs, load_msd_segments):
        with pytest.raises(ImportError, match=r"pip install skcoldstart\[hdf5\]"):
            load(tmp_path / "TR1.h5")
