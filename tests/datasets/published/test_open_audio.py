"""Open sets that pair sound with listeners, on files of their exact schema."""

import pickle
import re
import subprocess
import sys
import tracemalloc
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart.datasets import (
    load_listenbrainz,
    load_melon,
    load_music4all,
    load_yambda,
    load_yambda_embeddings,
    make_subset,
)
from tests.datasets.conftest import counts_of
from tests.datasets.published.open_audio import (
    listen,
    melon_song,
    pack_listens,
    write_acousticbrainz,
    write_listens,
    write_melon,
    write_music4all,
    write_yambda,
    write_yambda_artists,
    write_yambda_embeddings,
)


def test_yambda_counts_listens_of_which_more_than_half_was_played(tmp_path, rng):
    columns = (
        rng.integers(1, 30, 3000) * 100_000,
        rng.integers(0, 60, 3000) * 70_000_001 % (2**32),
        rng.integers(0, 2**29, 3000) * 5,
        rng.integers(0, 160, 3000),
    )
    rows = np.column_stack(columns).tolist()
    taste = load_yambda(write_yambda(tmp_path, rows))
    kept = [row for row in rows if row[3] > 50]  # 50 itself is no "listen+"
    assert counts_of(taste) == Counter((i, u) for u, i, _, _ in kept)
    assert taste.n_events == 3000
    assert taste.n_dropped["below_min_ratio"] == 3000 - len(kept)
    first = {}
    for _, item, time, _ in kept:
        first[item] = min(time, first.get(item, time))
    assert_array_equal(taste.first_play, [first[i] for i in taste.item_ids.tolist()])
    assert taste.groups is None
    everything = load_yambda(tmp_path, min_ratio=None)
    assert everything.plays.sum() == 3000
    chosen = [taste.item_ids[3].item(), 5, taste.item_ids[0].item()]
    fixed = load_yambda(tmp_path, items=chosen)
    totals = taste.plays.sum(axis=1)
    assert_array_equal(fixed.plays.sum(axis=1), [totals[3], 0, totals[0]])


def test_yambda_tracks_may_have_several_artists(tmp_path):
    write_yambda(tmp_path, [(1, i, 0, 100) for i in (10, 11, 12, 13)])
    pairs = [(7, 10), (8, 10), (8, 11), (8, 12), (9, 12), (5, 99), (8, 11)]
    write_yambda_artists(tmp_path, pairs)
    taste = load_yambda(tmp_path)
    assert taste.artist_ids.tolist() == [7, 8, 9]
    assert_array_equal(
        taste.artists.toarray(), [[1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]]
    )
    assert taste.groups[:3].tolist() == [8, 8, 8] and taste.groups[3] < 0
    subset = make_subset(taste, 3, 1, random_state=0)
    kept = taste.artists[subset.item_idx]
    assert_array_equal(subset.artists.toarray(), kept.toarray())
    assert subset.artist_ids.tolist() == [7, 8, 9]


def test_a_ratio_of_one_is_taken_for_a_mistake(tmp_path):
    for share in (0.5, 1):
        with pytest.raises(ValueError, match=rf"per cent .* min_ratio={100 * share:g}"):
            load_yambda(write_yambda(tmp_path, [(1, 2, 0, 100)]), min_ratio=share)


def test_yambda_embeddings_follow_the_items(tmp_path, rng):
    items, X = rng.permutation(1000)[:350], rng.normal(size=(350, 16))
    write_yambda_embeddings(tmp_path, items, X)
    whole = load_yambda_embeddings(tmp_path)
    assert_array_equal(whole.item_ids, items)
    assert_allclose(whole.X, X, rtol=1e-6)
    wanted = [int(items[200]), 5000, int(items[3])]
    some = load_yambda_embeddings(tmp_path, items=wanted, normalized=True)
    assert some.is_known.tolist() == [True, False, True]
    assert_allclose(np.linalg.norm(some.X, axis=1), [1, 0, 1], rtol=1e-6)
    assert_allclose(some.X[2], X[3] / np.linalg.norm(X[3]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"no embedding of the 1 items"):
        load_yambda_embeddings(tmp_path, items=[5000])


PEAK_OF_EMBEDDINGS = """
import sys
import tracemalloc
import pyarrow as pa
from skcoldstart.datasets import load_yambda_embeddings

load_yambda_embeddings(sys.argv[1], items=[5])
print(pa.default_memory_pool().max_memory())
"""


@pytest.mark.slow
def test_yambda_files_are_never_in_memory_as_a_whole(tmp_path, rng):
    n_rows, n_features, n_groups = 150_000, 64, 60
    X = rng.normal(size=(n_rows, n_features))
    lists = pa.ListArray.from_arrays(np.arange(n_rows + 1) * n_features, X.ravel())
    columns = [np.arange(n_rows, dtype=np.uint32), lists, lists]
    table = pa.table(columns, ["item_id", "embed", "normalized_embed"])
    path = tmp_path / "embeddings.parquet"
    pq.write_table(table, path, row_group_size=n_rows // n_groups)
    command = [sys.executable, "-c", PEAK_OF_EMBEDDINGS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < X.nbytes


@pytest.mark.parametrize(
    ("embed", "message"),
    [
        ([[1.0, 2.0], [1.0]], r"embeddings of 1, 2 numbers; expected one length"),
        ([[1.0, np.nan], [1.0, 2.0]], r"not finite"),
        ([None, None], r"no embedding of the 2 items"),
        ([["a"], ["b"]], r"embed has the type list<.*string>; expected numbers"),
        ([1.0, 2.0], r"embed has the type double; expected numbers"),
    ],
)
def test_faulty_embeddings_are_named(tmp_path, embed, message):
    is_missing = embed == [None, None]
    kind = pa.list_(pa.float64()) if is_missing else None
    table = {"item_id": [1, 2], "embed": pa.array(embed, kind)}
    pq.write_table(pa.table(table), tmp_path / "embeddings.parquet")
    with pytest.raises(ValueError, match=message):
        load_yambda_embeddings(tmp_path)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, None], r"item_id has the type int64 and 1 missing values; expected whole"),
        (["1", "2"], r"item_id has the type string; expected whole numbers"),
    ],
)
def test_ids_of_yambda_are_whole_numbers(tmp_path, ids, message):
    write_yambda(tmp_path, [(1, 2, 0, 100)])
    table = {"item_id": ids, "artist_id": [7, 8], "embed": [[1.0], [2.0]]}
    for name in ("artist_item_mapping", "embeddings"):
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    for load in (load_yambda, load_yambda_embeddings):
        with pytest.raises(ValueError, match=message):
            load(tmp_path)


def test_short_listens_alone_are_no_listens(tmp_path):
    with pytest.raises(ValueError, match=r"None of the 1 events .* ratio above 50 %"):
        load_yambda(write_yambda(tmp_path, [(1, 2, 0, 50)]))


@pytest.mark.parametrize("load", [load_melon, load_yambda, load_yambda_embeddings])
def test_an_item_cannot_have_two_rows(tmp_path, load):
    write_melon(tmp_path, SONGS, {"train": {1: [0, 1]}}, {})
    write_yambda(tmp_path, [(1, 7, 0, 100)])
    write_yambda_embeddings(tmp_path, [7], np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"items has 7 more than once"):
        load(tmp_path, items=[7, 8, 7])


def test_yambda_likes_have_no_ratio(tmp_path):
    write_yambda(tmp_path, [(1, 2, 0, 0), (3, 2, 5, 0)], event="likes", size="500m")
    assert load_yambda(tmp_path, event="likes", size="500m").plays.shape == (1, 2)
    likes = tmp_path / "flat" / "500m" / "likes.parquet"
    path = likes.rename(likes.with_name("listens.parquet"))
    with pytest.raises(ValueError, match=r"no column played_ratio_pct; it has uid"):
        load_yambda(tmp_path, size="500m")
    with pytest.raises(FileNotFoundError, match=r"likes\.parquet"):
        load_yambda(tmp_path, event="likes", size="500m")
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(ValueError, match=r"listens\.parquet is a damaged parquet file"):
        load_yambda(tmp_path, size="500m")


DATES = {0: "20140512", 1: "20100000", 2: "00000000", 20_000: "20110230"}
ARTISTS = {0: [3], 1: [4, 3], 2: [], 20_000: [5]}
SONGS = [melon_song(i, DATES[i], ARTISTS[i], "GN0900") for i in DATES]


@pytest.fixture
def melon(tmp_path, rng):
    bands = {i: rng.normal(size=(48, n)).astype("f4") for i, n in ((0, 5), (20_000, 9))}
    playlists = {"train": {7: [20_000, 0, 0], 8: [1]}, "val": {9: [2]}, "test": {6: []}}
    write_melon(tmp_path, SONGS, playlists, bands)
    return tmp_path, bands


def test_melon_playlists_are_users_and_spectrograms_are_frames(melon):
    folder, bands = melon
    found = load_melon(folder)
    assert found.item_ids.tolist() == [0, 1, 20_000]
    assert found.user_ids.tolist() == [7, 8]
    assert_array_equal(found.plays.toarray(), [[1, 0], [0, 1], [1, 0]])
    assert found.titles.tolist() == ["곡 0", "곡 1", "곡 20000"]
    assert found.artists == [[3], [4, 3], [5]] and found.groups.tolist() == [3, 4, 5]
    assert [len(frames) for frames in found.frames] == [5, 0, 9]
    assert found.is_known.tolist() == [True, False, True]
    assert_array_equal(found.frames[2], bands[20_000].T)
    assert found.frames[0].flags.c_contiguous
    again = pickle.loads(pickle.dumps(found.frames[[2]]))
    assert_array_equal(again[0], bands[20_000].T)


def test_melon_days_that_are_not_known_are_the_first_or_missing(melon):
    found = load_melon(melon[0], splits=("train", "val"), items=[20_000, 2, 1, 0, 5])
    days = found.release_dates.astype(str).tolist()
    assert days == ["2011-02-01", "NaT", "2010-01-01", "2014-05-12", "NaT"]
    assert found.plays.sum(axis=1).tolist() == [1, 1, 1, 1, 0]
    assert found.groups[1] < 0 and found.groups[1] != found.groups[4]
    subset = make_subset(found, 2, 1, random_state=0)
    assert len(subset.frames) == len(subset.release_dates) == 2


def test_melon_playlists_of_one_split_are_in_memory_at_a_time(tmp_path):
    songs = [*range(1000, 21_000)]
    playlists = {split: {1: songs} for split in ("train", "val", "test")}
    write_melon(tmp_path, SONGS, playlists, {})

    def peak(splits):
        tracemalloc.start()
        load_melon(tmp_path, splits=splits, items=[1000])
        _, size = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    assert peak(("train", "val", "test")) < 2.5 * peak(["train"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.json", b"[1", r": JSONDecodeError"),
        ("train.json", b'[{"id": 1}]', r", object 1: KeyError: 'songs'; expected a li"),
        ("train.json", b'[{"id": 1, "songs": ["0"]}]', r", object 1: TypeError"),
        ("train.json", b'[{"id": 1, "songs": [0.7]}]', r", object 1: TypeError"),
        ("song_meta.json", b'[{"id": 5}, {"id": null}]', r", object 2: TypeError"),
        ("train.json", b"[]", r" is an empty list"),
        ("song_meta.json", b"{}", r" is an empty list"),
        ("arena_mel_0.tar", b"no archive" * 99, r" is a damaged or incomplete archive"),
    ],
)
def test_faulty_files_of_melon_are_named(melon, name, content, message):
    (melon[0] / name).write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(name) + message):
        load_melon(melon[0])


def test_a_spectrogram_of_another_form_is_named(tmp_path):
    bands = {0: np.ones((40, 9), "f4"), 1: np.array([None])}
    found = load_melon(write_melon(tmp_path, SONGS, {"train": {1: [0, 1]}}, bands))
    with pytest.raises(ValueError, match=r"arena_mel_0\.tar has shape \(40, 9\)"):
        found.frames[0]
    with pytest.raises(ValueError, match=r"arena_mel_0\.tar cannot be read: Object"):
        found.frames[1]
    with pytest.raises(ValueError, match=r"splits is \('all',\); expected some of"):
        load_melon(tmp_path, splits=("all",))


EVENTS = [
    ("u1", "0aB", "2019-12-27 16:05"),
    ("u1", "0aB", "2019-12-28 09:00"),
    ("u2", "Xy", "2020-01-01 12:30"),
]
TRACKS = [
    ("Xy", "Band", '"Heroes', "One"),
    ("0aB", "Solo", "0aB", "Two"),
    ("New", "Band", 'Blue "12', "Two"),
]


def test_music4all_rows_are_single_listens(tmp_path):
    taste = load_music4all(write_music4all(tmp_path, EVENTS))
    assert counts_of(taste) == {("0aB", "u1"): 2, ("Xy", "u2"): 1}
    assert taste.first_play[0] == np.datetime64("2019-12-27T16:05")
    later = load_music4all(tmp_path, since="2019-12-28")
    assert later.plays.sum() == 2 and later.n_dropped["before_since"] == 1


def test_music4all_songs_go_by_id_and_not_by_their_name(tmp_path):
    write_music4all(tmp_path, EVENTS, TRACKS, audio=("0aB", "Xy", "New"))
    taste = load_music4all(tmp_path)
    assert taste.item_ids.tolist() == ["0aB", "New", "Xy"]
    assert taste.groups.tolist() == ["Solo", "Band", "Band"]
    assert taste.is_new.tolist() == [False, True, False]
    assert np.isnat(taste.first_play).tolist() == [False, True, False]
    assert taste.metadata["title"].tolist() == ["0aB", 'Blue "12', '"Heroes']
    names = [path.rsplit("/", 1)[1] for path in taste.paths]
    assert names == ["0aB.mp3", "New.mp3", "Xy.mp3"]


def test_music4all_events_may_have_no_times(tmp_path):
    write_music4all(tmp_path, [("u1", "0aB", "")], TRACKS, audio=("0aB", "New"))
    assert np.isnat(load_music4all(tmp_path).first_play).tolist() == [True, True]


def test_music4all_files_that_lack_a_column_are_named(tmp_path):
    write_music4all(tmp_path, EVENTS)
    (tmp_path / "id_information.csv").write_text("track\tartist\na\tb\n")
    with pytest.raises(ValueError, match=r"id_information\.csv has no column id; it"):
        load_music4all(tmp_path)


A, B, C = (f"{i}a000000-0000-4000-8000-00000000000{i}" for i in range(3))
MONTHS = {
    "2023/12": [
        listen("ann", 1_700_000_000, mapped=A, sent=B),
        listen("bob", 1_700_000_050, sent=B.upper()),
        listen("bob", 1_700_000_060),
    ],
    "2024/1": [
        listen("ann", 1_705_000_000, mapped=A),
        listen(None, None, mapped=C, user_id=77, timestamp=1_705_000_001),
        listen("bob", 1_705_000_002, sent="no id"),
    ],
}


@pytest.mark.parametrize("codec", ["folder", "file", None, "zstd", "gzip", "bz2"])
def test_listens_are_read_from_every_form_of_the_export(tmp_path, codec):
    path = write_listens(tmp_path, MONTHS)
    (path / "._1.listens").write_bytes(b"written by a file manager")
    if codec == "file":
        lines = [line for of_month in MONTHS.values() for line in of_month]
        path = tmp_path / "all.listens"
        path.write_text("\n".join(lines))
    elif codec != "folder":
        suffix = {None: "tar", "zstd": "tar.zst"}.get(codec, f"tar.{codec}")
        path = pack_listens(path, tmp_path / f"dump.{suffix}", codec)
    taste = load_listenbrainz(path)
    assert counts_of(taste) == {(A, "ann"): 2, (B, "bob"): 1, (C, "77"): 1}
    assert taste.n_events == 6 and taste.n_dropped["missing_item"] == 2
    times = taste.first_play.astype(int).tolist()
    assert times == [1_700_000_000, 1_700_000_050, 1_705_000_001]
    assert taste.X is None
    window = load_listenbrainz(path, since="2024-01-01", items=[C, B, A])
    assert window.plays.sum(axis=1).tolist() == [1, 0, 1]


def document(seed, n_beats=3):
    rng = np.random.default_rng(seed)
    return {
        "lowlevel": {
            "mfcc": {"mean": rng.normal(size=3).tolist(), "cov": np.eye(2).tolist()},
            "average_loudness": float(rng.random()),
        },
        "rhythm": {"bpm": 120.0 + seed, "beats_position": list(range(n_beats))},
        "tonal": {"key_key": "C", "chords_changes_rate": float("nan") if seed else 0.1},
        "metadata": {"audio_properties": {"length": 200}},
    }


def test_features_of_recordings_are_those_that_all_share(tmp_path):
    listens = write_listens(tmp_path, MONTHS)
    documents = {A: document(0), C: document(1, n_beats=5)}
    features = write_acousticbrainz(tmp_path / "ab", documents)
    taste = load_listenbrainz(listens, features=features)
    assert taste.is_known.tolist() == [True, False, True]
    assert taste.feature_names.tolist() == [
        "lowlevel.average_loudness",
        *(f"lowlevel.mfcc.cov[{i}]" for i in range(4)),
        *(f"lowlevel.mfcc.mean[{i}]" for i in range(3)),
        "rhythm.bpm",
    ]
    assert taste.X[:, -1].tolist() == [120, 0, 121]
    mean = documents[A]["lowlevel"]["mfcc"]["mean"]
    assert_allclose(taste.X[0, 5:8], mean, rtol=1e-6)
    with pytest.raises(ValueError, match=r"None of the 3 recordings has features in"):
        load_listenbrainz(listens, features=tmp_path)
    path = tmp_path / "ab" / "lowlevel" / A[:2] / A[2] / f"{A}-0.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=rf"{A}-0\.json: RecursionError"):
        load_listenbrainz(listens, features=features)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"JSONDecodeError"),
        ("[]", r"AttributeError|TypeError"),
        ('{"user_name": "a", "listened_at": 1}', r"KeyError: 'track_metadata'"),
        (listen("a", "noon"), r"ValueError: invalid literal"),
        (listen("a", 1704067200_000), r"ValueError: the time is 1704067200000, expec"),
        (listen("a", float("inf")), r"OverflowError"),
    ],
)
def test_a_line_that_is_no_listen_is_named(tmp_path, line, message):
    path = write_listens(tmp_path, {"2024/1": [listen("a", 1, mapped=A), line]})
    where = r"1\.listens, line 2: "
    with pytest.raises(ValueError, match=rf"{where}({message}).*expected a"):
        load_listenbrainz(path)


def test_damaged_exports_are_named(tmp_path):
    lines = [listen(f"u{i}", i, mapped=A) for i in range(3000)]
    listens = write_listens(tmp_path, {"2024/1": lines})
    path = pack_listens(listens, tmp_path / "dump.tar.zst", "zstd")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"dump\.tar\.zst is a damaged"):
        load_listenbrainz(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"has no \.listens files"):
        load_listenbrainz(tmp_path / "empty")
