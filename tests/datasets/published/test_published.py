"""HetRec 2011, citeulike and subsets of them; and, where they are, the real files."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.utils import Bunch

from skcoldstart import RaggedArray, datasets
from skcoldstart.datasets import load_citeulike, load_hetrec, make_subset
from tests.datasets.conftest import overwritten

PLAYS = "userID\tartistID\tweight\r\n"
HETREC = {
    "artists": "id\tname\turl\n8\tBjörk\tu\n5\tA\u2028B\tu\n9\tC\tu\n",
    "tags": "tagID\ttagValue\r\n3\tpop\r\n1\tn\xe4h\r\n",
    "user_artists": PLAYS + "2\t5\t7\r\n2\t8\t1\r\n4\t8\t352698\r\n",
    "user_taggedartists": (
        "userID\tartistID\ttagID\tday\r\n"
        "2\t5\t1\t1\r\n4\t5\t1\t1\r\n4\t9\t3\t1\r\n4\t77\t3\t1\r\n"
    ),
    "user_friends": "userID\tfriendID\r\n2\t4\r\n4\t2\r\n",
}


def hetrec_folder(folder, **changes):
    for name, text in (HETREC | changes).items():
        encoding = "latin-1" if name == "tags" else "utf-8"
        (folder / f"{name}.dat").write_bytes(text.encode(encoding))
    return folder


def hetrec_archive(folder):
    path = folder / "hetrec.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in hetrec_folder(folder).glob("*.dat"):
            archive.write(table, f"hetrec2011/{table.name}")
    return path


@pytest.mark.parametrize("make", [hetrec_folder, hetrec_archive])
def test_hetrec_rows_are_artists(tmp_path, make):
    lastfm = load_hetrec(make(tmp_path))
    assert lastfm.item_ids.tolist() == [5, 8, 9] and lastfm.user_ids.tolist() == [2, 4]
    assert lastfm.artist_names.tolist() == ["A\u2028B", "Björk", "C"]
    assert lastfm.tags.tolist() == ["n\xe4h", "pop"]
    assert_array_equal(lastfm.plays.toarray(), [[7, 0], [1, 352698], [0, 0]])
    assert_array_equal(lastfm.X.toarray(), [[2, 0], [0, 0], [0, 1]])
    assert_array_equal(lastfm.tag_assignments, [[0, 0, 0], [0, 1, 0], [2, 1, 1]])
    assert_array_equal(lastfm.friends.toarray(), [[0, 1], [1, 0]])
    assert lastfm.n_dropped == 1


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("artists", "", r"line 1 is ''; expected column names"),
        ("artists", "id\tname\n", r"has no rows"),
        ("artists", "id\tname\n1\ta\n1\tb\n", r"line 3: 1 is 'a' already"),
        ("tags", "tag\tvalue\n1\tx\n", r" begin with tagID, tagValue"),
        ("user_artists", f"{PLAYS}1\t5\t-2\n", r"line 2: weight is '-2'; expected a"),
        ("user_artists", f"{PLAYS}1\t5\t2.5\n", r"weight is '2\.5'"),
        ("user_artists", f"{PLAYS}1\t5\n", r"line 2 has 2 fields"),
        ("user_artists", f"{PLAYS}1\t6\t2\n", r"plays of artist 6"),
    ],
)
def test_faulty_tables_of_hetrec_are_named(tmp_path, table, text, message):
    with pytest.raises(ValueError, match=rf"{table}\.dat of .*{message}"):
        load_hetrec(hetrec_folder(tmp_path, **{table: text}))


def test_incomplete_and_damaged_hetrec_is_named(tmp_path):
    hetrec_folder(tmp_path)
    (tmp_path / "tags.dat").unlink()
    with pytest.raises(ValueError, match=r"has no tags\.dat; expected artists\.dat, "):
        load_hetrec(tmp_path)
    path = hetrec_archive(tmp_path)
    whole = path.read_bytes()
    for content, message in (
        (whole[:200], r"is neither a folder nor a whole zip archive"),
        (overwritten(whole), r"is a damaged or incomplete archive"),
        (whole.replace(b"PK\x01\x02", b"PK\x01\x03"), r"is a damaged or incomplete"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"hetrec\.zip {message}"):
            load_hetrec(path)


Y = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0]])  # articles x users
WORDS = np.array([[2, 0, 1], [0, 0, 0], [0, 1, 0], [5, 0, 0]])


def citeulike_lists(folder, items=True):
    def lines(table):
        lists = [np.flatnonzero(row) for row in table]
        return [" ".join(map(str, [len(row), *row])) for row in lists]

    (folder / "users.dat").write_text("\n".join(lines(Y.T)))
    if items:
        (folder / "items.dat").write_text(" \r\n".join(lines(Y)))
    counts = [[f"{w}:{row[w]}" for w in np.flatnonzero(row)] for row in WORDS]
    words = [" ".join([str(len(row)), *row]) for row in counts]
    (folder / "mult.dat").write_text("\n".join(words) + "\n")
    (folder / "vocabulary.dat").write_text("one\ntwo\u2009x\n\u3000\n", "utf-8")
    return folder


def citeulike_matrices(folder):
    sp.save_npz(folder / "users_x_items.npz", sp.csr_matrix(Y.T.astype(np.uint8)))
    sp.save_npz(folder / "items_x_words.npz", sp.csr_matrix(WORDS.astype(np.uint16)))
    (folder / "vocabulary.dat").write_text("one\ntwo\u2009x\n\u3000", "utf-8")
    return folder


@pytest.mark.parametrize("make", [citeulike_lists, citeulike_matrices])
def test_citeulike_is_the_same_from_every_form(tmp_path, make):
    articles = load_citeulike(make(tmp_path))
    assert_array_equal(articles.plays.toarray(), Y)
    assert_array_equal(articles.words.toarray(), WORDS)
    assert articles.vocabulary.tolist() == ["one", "two\u2009x", "\u3000"]
    assert articles.X is None and articles.folds is None
    assert articles.plays.dtype == np.float64


def test_articles_that_nobody_keeps_are_rows_all_the_same(tmp_path):
    citeulike_lists(tmp_path, items=False)
    assert_array_equal(load_citeulike(tmp_path).plays.toarray(), Y)
    (tmp_path / "mult.dat").unlink()
    articles = load_citeulike(tmp_path)
    assert articles.words is None and articles.plays.shape == (3, 3)
    assert_array_equal(articles.vocabulary, ["one", "two\u2009x", "\u3000"])


@pytest.mark.parametrize("nothing", ["", " ", "\r"])
def test_empty_lines_of_lists_are_rows_of_nothing(tmp_path, nothing):
    (tmp_path / "users.dat").write_text(f"1 1\n{nothing}\n2 1 2\n")
    (tmp_path / "mult.dat").write_text(f"{nothing}\n1 0:3\n{nothing}\n2 0:1 1:4\n")
    articles = load_citeulike(tmp_path)
    plays = [[0, 0, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert_array_equal(articles.plays.toarray(), plays)
    assert_array_equal(articles.words.toarray(), [[0, 0], [3, 0], [0, 0], [1, 4]])


def cold_split(folder):
    """Write the split whose test articles are 1 and 2; numbers of files begin at 1."""
    place = folder / "cold_split"
    place.mkdir()
    (place / "test_item_ids.csv").write_text("2\n3\n")
    (place / "train.csv").write_text("1,1,1\n3,1,1\n")
    (place / "test.csv").write_text("3,2,1\n1,3,1\n2,3,1\n")


def test_official_split_is_a_fold_from_0(tmp_path):
    cold_split(citeulike_matrices(tmp_path))
    feat = np.arange(8, dtype=np.float32).reshape(4, 2)
    scipy.io.savemat(tmp_path / "feat-vae.mat", {"feat": feat})
    articles = load_citeulike(tmp_path)
    assert_array_equal(articles.X, feat)
    (fold,) = articles.folds
    assert_array_equal(fold[0], [0, 3])
    assert_array_equal(fold[1], [1, 2])
    assert_array_equal(articles.test_idx, [1, 2])


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("users.dat", "2 0\n", r"line 1 begins with 2 and has 1 more numbers"),
        ("users.dat", "1 x\n", r"line 1: '1 x'; expected whole numbers"),
        ("users.dat", "1 -1\n", r"line 1: '1 -1'"),
        ("users.dat", "1 0\n1 4\n", r"users\.dat, line 2 has the number 4; .* less th"),
        ("users.dat", "1 0\n1 0\n1 0\n", r"and items\.dat .* different pairs"),
        ("users.dat", "1 " + "9" * 30, r"line 1: '1 9+'; expected whole numbers"),
        ("users.dat", "", r"users\.dat is empty"),
        ("mult.dat", "1 0-3\n", r"line 1: '0-3'; expected word:count"),
        ("mult.dat", "1 ²:3\n", r"line 1: '²:3'; expected word:count"),
        ("mult.dat", "1 0:" + "9" * 30, r"line 1: '0:9+'; expected word:count"),
        ("mult.dat", "1 " + "9" * 30 + ":1", r"line 1: '9+:1'; expected word:count"),
        ("mult.dat", "2 0:3\n", r"line 1 begins with 2 and has 1 words"),
        ("mult.dat", "1 0:3\n", r"words of 1 items and users of 4"),
        ("vocabulary.dat", "one\n", r"has 1 words and the articles 3"),
        ("users_x_items.npz", "PK", r"not a sparse matrix of SciPy"),
        ("feat-vae.mat", "x" * 200, r"cannot be read as a MATLAB file"),
        ("feat-vae.mat", "", r"cannot be read as a MATLAB file: .* truncated"),
        ("cold_split/test.csv", "1,0,1\n", r"line 1: .* 3 numbers, 1 to 3, 1 to 4, >="),
        ("cold_split/test.csv", "1,5,1\n", r"test\.csv, line 1: '1,5,1'"),
        ("cold_split/test.csv", "1,2\n", r"line 1: '1,2'; expected 3 numbers"),
        ("cold_split/test.csv", "3,2,1\n", r"test\.csv does not have .* of the test"),
        (
            "cold_split/train.csv",
            "1,1,1\n2,3,1\n",
            r"train\.csv does not have .* other",
        ),
        ("cold_split/test_item_ids.csv", "x\n", r"ids\.csv, line 1: 'x'; expected 1 n"),
    ],
)
def test_faulty_files_of_citeulike_are_named(tmp_path, file, text, message):
    cold_split(citeulike_lists(tmp_path))
    (tmp_path / file).write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        load_citeulike(tmp_path)


def test_damaged_matrices_and_features_are_named(tmp_path):
    path = citeulike_matrices(tmp_path) / "users_x_items.npz"
    whole = path.read_bytes()
    path.write_bytes(overwritten(whole))
    with pytest.raises(ValueError, match=r"users_x_items\.npz is .*not a sparse"):
        load_citeulike(tmp_path)
    path.write_bytes(whole)
    for name, matrix in (("users_x_items", np.eye(4)), ("items_x_words", -np.eye(4))):
        matrix[0, 0] = np.nan
        sp.save_npz(tmp_path / f"{name}.npz", sp.csr_array(matrix))
        with pytest.raises(ValueError, match=r"negative"):
            load_citeulike(tmp_path)
        (tmp_path / f"{name}.npz").unlink()
    features = tmp_path / "feat-vae.mat"
    scipy.io.savemat(features, {"feat": "text"})
    with pytest.raises(ValueError, match=r"cannot be read as a MATLAB file: could not"):
        load_citeulike(tmp_path)
    scipy.io.savemat(features, {"feat": np.ones((4, 9))}, do_compression=True)
    content = features.read_bytes()
    features.write_bytes(content[:-8] + bytes(8))
    with pytest.raises(ValueError, match=r"feat-vae\.mat cannot be read as a MATLAB"):
        load_citeulike(tmp_path)


def test_folder_without_users_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"neither users_x_items\.npz nor users\.dat"):
        load_citeulike(tmp_path)
    with pytest.raises(ValueError, match=r"none is not a folder"):
        load_citeulike(tmp_path / "none")


def test_subset_is_that_of_the_definition(rng):
    dense = rng.poisson(0.4, (60, 80)).astype(np.float32)
    subset = make_subset(sp.csr_array(dense), 20, 30, random_state=0)
    listeners = (dense > 0).sum(axis=1)
    outside = np.setdiff1d(np.arange(60), subset.item_idx)
    assert listeners[subset.item_idx].min() >= listeners[outside].max()
    songs = (dense[subset.item_idx] > 0).sum(axis=0)
    outside = np.setdiff1d(np.arange(80), subset.user_idx)
    assert songs[subset.user_idx].min() >= songs[outside].max()
    assert_array_equal(
        subset.plays.toarray(), dense[np.ix_(subset.item_idx, subset.user_idx)]
    )
    assert subset.plays.dtype == np.float32


def test_ties_and_random_users_follow_the_seed():
    plays = np.ones((50, 60))
    one, same, other = (make_subset(plays, 10, 10, random_state=s) for s in (0, 0, 1))
    assert_array_equal(one.item_idx, same.item_idx)
    assert_array_equal(one.user_idx, same.user_idx)
    assert not np.array_equal(one.item_idx, other.item_idx)
    plays[:, :40] = 0
    drawn = set()
    for seed in range(5):
        subset = make_subset(plays, 10, 10, users="random", random_state=seed)
        drawn.add(tuple(subset.user_idx))
        assert subset.user_idx.min() >= 40
    assert len(drawn) == 5


def test_bunch_is_cut_as_a_whole():
    whole = Bunch(
        plays=sp.csr_array(np.array([[0, 0, 0], [1, 2, 0], [3, 4, 5]])),
        item_ids=np.array(["a", "b", "c"]),
        user_ids=np.array(["x", "y", "z"]),
        paths=["a.wav", "b.wav", "c.wav"],
        frames=RaggedArray(np.arange(6.0), [0, 1, 3, 6]),
        X=None,
        tags=np.array(["rock"]),
        n_lines=5,
        DESCR="whole",
    )
    subset = make_subset(whole, 2, 2)
    assert subset.item_ids.tolist() == ["b", "c"]
    assert subset.user_ids.tolist() == ["x", "y"]
    assert subset.paths == ["b.wav", "c.wav"]
    assert subset.frames.lengths.tolist() == [2, 3]
    assert subset.X is None and subset.tags.tolist() == ["rock"]
    assert "n_lines" not in subset
    assert_array_equal(subset.plays.toarray(), [[1, 2], [3, 4]])
    assert whole.plays.shape == (3, 3)
    assert make_subset(whole, None, None).plays.shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_items": 4, "n_users": 1}, r"n_items=4 but only 2 items of 3 have plays"),
        ({"n_items": 1, "n_users": 3}, r"n_users=3 but only 1 users of 3 have plays"),
        ({"n_items": 0}, r"n_items"),
        ({"users": "loud"}, r"users"),
    ],
)
def test_subsets_larger_than_the_whole_are_refused(arguments, message):
    plays = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match=message):
        make_subset(plays, **arguments)
    with pytest.raises(ValueError, match=r"Negative values in data passed to plays"):
        make_subset(-plays, 1, 1)


@pytest.fixture
def real():
    folder = os.environ.get("SKCOLDSTART_DATA")
    if not folder:
        pytest.skip("set SKCOLDSTART_DATA to the folder of the real data sets")
    return Path(folder)


@pytest.mark.slow
def test_real_files_are_read_as_they_are_known(real):
    taste = datasets.load_taste_profile(real / "tasteprofile/train_triplets.txt")
    assert taste.plays.shape == (1526, 9263) and taste.plays.nnz == 30091
    assert taste.plays.sum() == 339_888 and taste.plays.data.max() == 541
    kept = datasets.load_taste_profile(
        real / "tasteprofile/train_triplets.txt",
        mismatches=real / "tasteprofile/sid_mismatches.txt",
    )
    assert (len(kept.item_ids), kept.n_dropped) == (1526 - 54, 3396)
    mismatches = datasets.load_sid_mismatches(real / "tasteprofile/sid_mismatches.txt")
    assert (len(mismatches.item_ids), len(mismatches.song_ids)) == (18_913, 18_972)
    tracks = datasets.load_unique_tracks(real / "msd/subset_unique_tracks.txt")
    assert set(taste.item_ids) <= set(tracks.item_ids)

    songs = datasets.load_msd_songs(real / "msd/songs.tsv")
    assert (len(songs.item_ids), len(set(songs.artist_ids))) == (10_000, 3888)
    assert (songs.years == 0).sum() == 5320
    assert np.isnan(songs.song_hotttnesss).sum() == 4352
    terms = datasets.load_artist_terms(real / "msd/artist_terms.tsv")
    assert terms.X.shape == (3885, 3502) and terms.X.nnz == 97_493
    segments = datasets.load_msd_segments(real / "msd/segments_timbre.npz")
    assert segments.frames.values.shape == (741_615, 12) and len(segments.frames) == 881

    lastfm = datasets.load_hetrec(
        real / "hetrec2011-lastfm-2k/hetrec2011-lastfm-2k.zip"
    )
    assert lastfm.plays.shape == (17_632, 1892) and lastfm.plays.nnz == 92_834
    assert len(lastfm.tags) == 11_946 and lastfm.plays.data.max() == 352_698
    assert len(lastfm.tag_assignments) + lastfm.n_dropped == 186_479
    a = datasets.load_citeulike(real / "citeulike-a")
    assert a.plays.shape == (16_980, 5551) and a.plays.nnz == 204_986
    assert (len(a.train_idx), len(a.test_idx)) == (13_584, 3396)
    t = datasets.load_citeulike(real / "citeulike-t")
    assert t.words.shape == (20_780, 20_000) and t.words.data.max() == 141


@pytest.mark.slow
def test_real_analysis_files_agree_with_the_table_of_their_songs(real):
    pytest.importorskip("h5py", reason="HDF5 is read with h5py: install .[test]")
    segments = datasets.load_msd_segments(real / "msd/h5", pitches=True)
    table = datasets.load_msd_songs(real / "msd/songs.tsv", songs=segments.item_ids)
    for i, path in enumerate(sorted((real / "msd/h5").glob("*.h5"))):
        song = datasets.load_msd_songs(path)
        assert song.titles[0] == table.titles[i]
        assert song.track_ids[0] == segments.track_ids[i] == path.stem
        assert song.tempo[0] == table.tempo[i]
    assert 0 <= segments.pitches.values.min() <= segments.pitches.values.max() <= 1
