"""Events to plays: the same table from every source, that of a plain reading."""

import datetime
import io
import uuid
import warnings
from collections import defaultdict

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart.datasets import _pairs, plays_from_events
from tests.datasets.conftest import counts_of

COLUMNS = ("user_id", "item_id", "n", "t")
EPOCH = datetime.datetime(2026, 1, 1)


def log_of(rng, n_rows=500):
    """Return rows of user, item, count and time, some of them repeated."""
    return [
        (
            f"ü{rng.integers(40)}",
            int(rng.zipf(1.5) % 30),
            float(rng.integers(0, 4)),
            EPOCH + datetime.timedelta(minutes=int(rng.integers(0, 100_000))),
        )
        for _ in range(n_rows)
    ]


def plain_reading(rows, since=datetime.datetime.min, until=None, half_life=None):
    """Add up rows one by one; return counts by item and user, and first times."""
    counts, first = defaultdict(float), {}
    for user, item, n, time in rows:
        if n > 0 and since <= time < (until or datetime.datetime.max):
            weight = 0.5 ** ((until - time) / half_life) if half_life else 1.0
            counts[item, user] += weight * n
            first[item] = min(first.get(item, time), time)
    return counts, first


def as_pandas(rows, folder=None):
    return pd.DataFrame(rows, columns=COLUMNS)


def as_polars(rows, folder=None):
    return pl.DataFrame(rows, schema=list(COLUMNS), orient="row")


def as_arrow(rows, folder=None):
    return pa.Table.from_pandas(as_pandas(rows))


def as_objects(rows, folder):
    frame = as_pandas(rows).set_index(np.arange(7, 7 + len(rows)))
    return frame.astype({"user_id": object, "item_id": object, "t": "datetime64[ns]"})


def as_categories(rows, folder):
    frame = as_pandas(rows).astype({"user_id": "category"})
    frame["user_id"] = frame["user_id"].cat.add_categories(["nobody"])
    return frame.assign(t=frame.t.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))


def as_stream(rows, folder):
    batches = as_arrow(rows).to_batches(max_chunksize=50)
    return pa.RecordBatchReader.from_batches(batches[0].schema, batches)


def as_parquet(rows, folder, name="log.parquet"):
    pq.write_table(as_arrow(rows), folder / name, row_group_size=70)
    return folder / name


def as_folder(rows, folder):
    for i in range(3):
        part = folder / f"log/day={i}"
        part.mkdir(parents=True)
        as_parquet(rows[i::3], part, "x.parquet")
        (part / "._x.parquet").write_bytes(b"written by a file manager")
    return str(folder / "log")


def as_dask(rows, folder):
    dataframe = pytest.importorskip("dask.dataframe")
    return dataframe.from_pandas(as_pandas(rows), npartitions=3)


FRAMES = {
    "pandas": as_pandas,
    "objects": as_objects,
    "categories": as_categories,
    "polars": as_polars,
    "lazy": lambda rows, _: as_polars(rows).lazy(),
    "polars categories": lambda rows, _: as_polars(rows).cast({
        "user_id": pl.Categorical
    }),
    "stream": as_stream,
    "narwhals": lambda rows, _: nw.from_native(as_polars(rows)),
    "parquet": as_parquet,
    "folder": as_folder,
    "parts": lambda rows, folder: iter([
        as_parquet(rows[::3], folder),
        as_pandas(rows[1::3]),
        as_polars(rows[2::3]),
    ]),
    "dask": as_dask,
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_every_source_gives_the_table_of_a_plain_reading(tmp_path, rng, make):
    rows = log_of(rng)
    period = {
        "since": EPOCH + datetime.timedelta(10),
        "until": EPOCH + datetime.timedelta(60),
        "half_life": datetime.timedelta(days=7),
    }
    counts, first = plain_reading(rows, **period)
    since, until = period["since"], period["until"]
    period |= {"since": "2026-01-11", "until": until.replace(tzinfo=datetime.UTC)}
    taste = plays_from_events(make(rows, tmp_path), count="n", timestamp="t", **period)
    found = counts_of(taste)
    assert found.keys() == counts.keys()
    assert_allclose([found[k] for k in counts], [*counts.values()], rtol=1e-12)
    assert taste.plays.format == "csr" and taste.plays.dtype == np.float64
    assert taste.item_ids.tolist() == sorted(first)
    assert taste.user_ids.tolist() == sorted({user for _, user in counts})
    assert taste.first_play.tolist() == [
        pd.Timestamp(first[i]).to_datetime64().astype(taste.first_play.dtype).item()
        for i in sorted(first)
    ]
    assert taste.n_events == len(rows)
    assert {k: n for k, n in taste.n_dropped.items() if n} == {
        "missing_count": sum(n == 0 for _, _, n, _ in rows),
        "before_since": sum(n > 0 and t < since for _, _, n, t in rows),
        "from_until": sum(n > 0 and t >= until for _, _, n, t in rows),
    }


def test_half_life_in_any_unit_of_time_decays_the_same():
    log = pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "t": [EPOCH] * 2})
    log.loc[1, "t"] += datetime.timedelta(7)
    for week in (7, datetime.timedelta(7), np.timedelta64(7, "D"), pd.Timedelta("7D")):
        taste = plays_from_events(log, timestamp="t", half_life=week)
        assert_allclose(taste.plays.toarray(), [[0.5], [1.0]], rtol=1e-12)


def write_csv(rows, path, separator=","):
    head = separator.join(COLUMNS)
    lines = [separator.join(map(str, row)) for row in rows]
    path.write_text("\n".join([head, *lines]) + "\n", "utf-8")
    return path


def test_times_of_a_text_table_may_be_numbers(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,t\nu,a,1.5\nu,b,7\nv,b,9\n")
    taste = plays_from_events(path, timestamp="t", since=2)
    assert_array_equal(taste.first_play, [7.0])


@pytest.mark.parametrize(("separator", "n_times"), [(",", 1), ("\t", 200), (";", 200)])
def test_ids_of_a_text_table_are_text(tmp_path, rng, separator, n_times):
    rows = log_of(rng)
    path = write_csv(n_times * rows, tmp_path / "log.csv", separator)
    taste = plays_from_events(path, count="n", timestamp="t")
    counts, _ = plain_reading([(u, str(i), n_times * n, t) for u, i, n, t in rows])
    assert counts_of(taste) == counts
    assert taste.first_play.dtype.kind == "M"


def test_rows_and_columns_can_be_fixed(rng):
    rows = log_of(rng)
    counts, _ = plain_reading(rows)
    items, users = [29, 999, 1, 2, 3], ["ü3", "nobody", "ü1"]
    options = {"count": "n", "timestamp": "t"}
    for frame in (as_pandas(rows), as_polars(rows)):
        taste = plays_from_events(frame, items=np.array(items), users=users, **options)
        assert taste.item_ids.tolist() == items and taste.user_ids.tolist() == users
        expected = [[counts.get((i, u), 0) for u in users] for i in items]
        assert_array_equal(taste.plays.toarray(), expected)
        assert np.isnat(taste.first_play[1])
        played = [row for row in rows if row[2]]
        assert taste.n_dropped["other_items"] == sum(r[1] not in items for r in played)
        assert taste.n_dropped["other_users"] == sum(
            r[1] in items and r[0] not in users for r in played
        )


IDS = {
    "int": [7, -3, 2**40, 5],
    "str": ["b", "a", "", "ß"],
    "uuid": [uuid.UUID(int=i * 2**100 + 7) for i in range(4)],
    "bytes": [b"b", b"a\0", b"c", b"\xff"],
    "date": [datetime.date(2026, 1, d) for d in (4, 1, 2, 3)],
    "float": [1.5, 0.5, 2.0, 3.0],
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("make", [pd.DataFrame, pa.table], ids=["pandas", "arrow"])
@pytest.mark.parametrize("fixed", [False, True])
def test_ids_may_be_of_any_type(kind, make, fixed):
    ids = IDS[kind]
    rows = {"item_id": [ids[i] for i in (0, 1, 2, 3, 0)], "user_id": [1, 1, 2, 2, 1]}
    items = ids[::-1] if fixed else None
    taste = plays_from_events(make(rows), items=items)
    assert taste.item_ids.tolist() == (items if fixed else sorted(ids))
    place = taste.item_ids.tolist().index(ids[0])
    assert_array_equal(taste.plays.toarray()[place], [2, 0])


@pytest.mark.parametrize("fixed", [None, ["y", "q"]])
@pytest.mark.parametrize("is_dictionary", [False, True])
def test_ids_may_be_views_of_text(fixed, is_dictionary):
    ids = pa.array(["y", "x", "z"], pa.string_view())
    if is_dictionary:
        ids = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), ids)
    log = pa.table({"item_id": ids, "user_id": ["a", "b", None]})
    taste = plays_from_events(log, items=fixed)
    assert taste.item_ids.tolist() == (fixed or ["x", "y"])
    expected = [[1], [0]] if fixed else [[0, 1], [1, 0]]
    assert_array_equal(taste.plays.toarray(), expected)


def test_ids_of_several_types_stay_in_the_order_of_the_log():
    ids = ["a", 3, IDS["uuid"][0]]
    log = pd.DataFrame({"item_id": [*ids, "a"], "user_id": [1, 1, 1, 1]})
    taste = plays_from_events(log)
    assert taste.item_ids.tolist() == ids
    assert taste.plays.toarray().ravel().tolist() == [2, 1, 1]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_missing_values_are_dropped_and_counted(make):
    log = {
        "user_id": ["a", None, "b", "b", "c", "c"],
        "item_id": [1, 1, None, 2, 2, 3],
        "n": [1.0, 1.0, 1.0, None, float("nan"), 0.0],
    }
    taste = plays_from_events(make(log), count="n")
    assert counts_of(taste) == {(1, "a"): 1}
    assert taste.item_ids.dtype.kind == "i"  # pandas has made them floats
    assert {k: n for k, n in taste.n_dropped.items() if n} == {
        "missing_user": 1,
        "missing_item": 1,
        "missing_count": 3,
    }


@pytest.mark.parametrize("half_life", [None, 3.0])
@pytest.mark.parametrize("count", [None, "n"])
def test_rare_items_and_users_are_dropped_until_none_is_left(rng, count, half_life):
    rows = [(u, i, n, t) for u, i, n, t in log_of(rng, 350) if n]
    options = {"count": count, "timestamp": "t", "half_life": half_life}
    limits = {"min_item_plays": 6, "min_user_plays": 5}
    taste = plays_from_events(as_polars(rows), **options, **limits)
    kept, before = rows, None
    while before != len(kept):
        before = len(kept)
        for place, least in ((1, 6), (0, 5)):
            plays = defaultdict(float)
            for row in kept:
                plays[row[place]] += row[2] if count else 1
            kept = [row for row in kept if plays[row[place]] >= least]
    assert 0 < len(kept) < len(rows)
    assert set(counts_of(taste)) == {(i, u) for u, i, _, _ in kept}
    assert sum(taste.n_dropped.values()) == len(rows) - len(kept)
    items = [99, 0, 1, 2]
    fixed = plays_from_events(as_polars(rows), count=count, items=items, **limits)
    assert fixed.item_ids.tolist() == items
    assert fixed.plays.sum(axis=1)[fixed.plays.sum(axis=1) > 0].min() >= 6


@settings(max_examples=50, deadline=None)
@given(
    picks=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 20_000)),
        min_size=1,
        max_size=60,
    ),
    half_life=st.floats(0.01, 1e4),
    rows=st.integers(1, 9),
)
def test_blocks_and_their_order_change_nothing(picks, half_life, rows):
    frame = pd.DataFrame(picks, columns=["user_id", "item_id", "t"])
    whole = plays_from_events(frame, timestamp="t", half_life=half_life)
    parts = [frame[i : i + rows] for i in range(0, len(frame), rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pairs, "ROWS", 4)
        by_part = plays_from_events(parts[::-1], timestamp="t", half_life=half_life)
    for name in ("item_ids", "user_ids", "first_play"):
        assert_array_equal(whole[name], by_part[name])
    assert_array_equal(whole.plays.indptr, by_part.plays.indptr)
    # Weights below 2 ** -1000 are held there, before or after they are added up.
    dense = whole.plays.toarray(), by_part.plays.toarray()
    assert_allclose(*dense, rtol=1e-9, atol=1e-290)


def test_a_pair_never_decays_to_nothing():
    log = pd.DataFrame({"user_id": [1, 2], "item_id": [1, 1], "t": [0.0, 1e9]})
    for order in ([0, 1], [1, 0]):
        parts = [log[i : i + 1] for i in order]
        taste = plays_from_events(parts, timestamp="t", half_life=1.0)
        assert taste.plays.shape == (1, 2)
        assert taste.plays.toarray()[0, 1] == 1 and 0 < taste.plays.toarray()[0, 0]


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-01", "2026-01-03T12:30:00"],
        ["2026-01-01T09:00:00+09:00", "2026-01-03T12:30:00Z"],
        ["2026-01-01", "2026-01-03T14:30:00+02:00"],
        ["20260101T000000", " 2026-01-03 12:30:00.123456789 "],
        [EPOCH, EPOCH + datetime.timedelta(days=2, hours=12.5)],
        [datetime.date(2026, 1, 1), datetime.date(2026, 1, 3)],
    ],
)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_times_may_be_written_in_many_ways(times, make):
    log = make({"user_id": [1, 2], "item_id": [1, 2], "t": times})
    taste = plays_from_events(log, timestamp="t", until="2026-01-03 12:31", half_life=1)
    days = taste.first_play.astype("M8[D]").astype(str)
    assert days.tolist() == ["2026-01-01", "2026-01-03"]


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_times_may_be_numbers_written_as_text(make):
    log = make({"user_id": [1, 2], "item_id": [1, 2], "t": ["7", "1.5"]})
    assert plays_from_events(log, timestamp="t", since=2).first_play.tolist() == [7.0]


@pytest.mark.parametrize("time", [5.0, EPOCH])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("nothing", [np.nan, pd.NaT, None])
def test_a_part_may_have_no_times_at_all(time, first, nothing):
    parts = [one(t=[time] * 2), one(t=[nothing] * 2)]
    options = {"timestamp": "t", "since": time}
    taste = plays_from_events([parts[first], parts[1 - first]], **options)
    assert taste.n_dropped["missing_timestamp"] == 2
    assert taste.first_play.astype(parts[0].t.dtype).tolist() == parts[0].t.tolist()
    assert plays_from_events(parts, timestamp="t").plays.sum() == 4


def test_ids_that_end_with_nul_stay_apart():
    log = one(item_id=["a\0", "a"])
    assert plays_from_events(log).item_ids.tolist() == ["a", "a\0"]


def one(**columns):
    return pd.DataFrame({"user_id": ["u", "v"], "item_id": [1, 2]} | columns)


COUNTED, TIMED = {"count": "n"}, {"timestamp": "t"}
YEARS, SECONDS = one(t=pd.to_datetime(["2026", "2027"])), one(t=[1, 2])
OTHER_TYPES = [one(), pl.DataFrame({"user_id": [1], "item_id": [1]}), one()]
WRONG_VALUES = [
    (one(), {"user": "uid"}, r"no column 'uid'; it has .*user='user_id'"),
    (one(), COUNTED, r"no column 'n'; it has 'user_id', 'item_"),
    (one(n=[1, -2]), COUNTED, r"events, row 2: the count is -2;"),
    (one(n=[1, np.inf]), COUNTED, r"row 2: the count is inf"),
    (one(), {"since": "2026"}, r"since, until and half_life need timest"),
    (one(t=["2026-01-31", "x"]), TIMED, r"row 2: 't' is 'x'; expected a time of ISO"),
    (one(t=[datetime.time(1)] * 2), TIMED, r"'t' has a value that is not a time"),
    (pd.DataFrame([[1, 2]]), {}, r"no column 'user_id'; it has 0, 1"),
    (YEARS, TIMED | {"until": "May"}, r"until is 'May'; expected a time of ISO 8601"),
    *(
        (SECONDS, TIMED | {"half_life": span}, r"half_life is .*; expected a time abo")
        for span in (0, np.nan, datetime.timedelta(0), *np.array([0, "NaT"], "m8[D]"))
    ),
    *(
        (YEARS, TIMED | {"since": time}, r"no bound")
        for time in (pd.NaT, np.datetime64("NaT"), np.nan)
    ),
    (one(), {"user": "item_id"}, r"a column of its own for each"),
    (one(), {"items": [9]}, r"No event is left of 2; .*'other_items': 2"),
    (one(), {"items": ["1", "x"]}, r"they are int in the events; .* str"),
    (one(), {"users": [" V", "U"]}, r"differ only by case, .*'u' is like"),
    (one(), {"items": [1, 2, 1]}, r"items has 1 more than once"),
    (one(), {"items": []}, r"items has no ids"),
    (one(), {"items": [1, None]}, r"items has no ids, or missing ones"),
    (one(), {"min_item_plays": -1}, r"min_item_plays"),
    ([], {}, r"events is empty; expected at least one frame or path"),
    (one()[:0], {}, r"events has no rows; expected a row for each event\.$"),
]
WRONG_TYPES = [
    (one(n=["1", "2"]), COUNTED, r"'n' has the type str; expected"),
    (SECONDS, TIMED | {"since": "2026"}, r"since is '2026', but .* numbers"),
    (YEARS, TIMED | {"until": 3}, r"until is 3, but timestamps are datetimes"),
    (SECONDS, TIMED | {"half_life": datetime.timedelta(1)}, r"half_life .* numbers;"),
    (SECONDS, TIMED | {"half_life": "7d"}, r"half_life is '7d'; expected a timedelta"),
    (SECONDS, TIMED | {"half_life": pd.NaT}, r"half_life is NaT; expected a timedel"),
    (one(), {"items": one()}, r"items is a DataFrame; .*its columns"),
    (one(), {"items": "12"}, r"items is '12'; expected an iterable"),
    (one(), {"items": 12}, r"items is not an iterable of ids: 'int'"),
    (one(), {"items": np.eye(2)}, r"items is not an iterable of ids: unhashable"),
    (one(item_id=[["a"], []]), {}, r"'item_id' has values that cannot be ids"),
    (pa.table({"user_id": [1], "item_id": [["a"]]}), {}, r"cannot be ids \(list"),
    (pl.DataFrame(one(item_id=IDS["uuid"][:2]).to_dict("list")), {}, r"ids \(Object\)"),
    ([one(t=5.0), one(t=EPOCH)], TIMED, r"events\[1\] are datetimes but numbers bef"),
    (pl.Series([1]), {}, r"events is a Series; expected a dataframe"),
    (pa.chunked_array([[1]]), {}, r"is a ChunkedArray; expected a data"),
    (one().user_id, {}, r"events is a Series; expected a dataframe"),
    ({"user_id": [1]}, {}, r"events is a dict; expected a dataframe"),
    (np.eye(2), {}, r"events is a ndarray; expected a dataframe"),
    (None, {}, r"events is a NoneType"),
    ([("u", 1)], {}, r"events\[0\] is a tuple; expected a dataframe"),
    (io.StringIO("user_id,item_id"), {}, r"is an open file or buffer"),
    (OTHER_TYPES, {}, r"user ids of events\[1\] differ .* whole numbers here but"),
]


@pytest.mark.parametrize(
    ("error", "events", "options", "message"),
    [
        *((ValueError, *case) for case in WRONG_VALUES),
        *((TypeError, *case) for case in WRONG_TYPES),
    ],
)
def test_what_cannot_be_added_up_is_named(error, events, options, message):
    with pytest.raises(error, match=message):
        plays_from_events(events, **options)


def test_ids_that_are_nearly_those_of_the_catalogue_are_said():
    log = pd.DataFrame({"user_id": [1, 1, 1], "item_id": ["a", "SO7", "b.WAV"]})
    message = r"2 differ only by .*'SO7' is like 'SO007', '"
    with pytest.warns(UserWarning, match=message):
        taste = plays_from_events(log, items=["a", "SO007", "x/b"])
    assert taste.plays.sum() == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,item_id,n\nu,1,2\n\nu,1,x\n", r"line 4: n is 'x'; expected a number"),
        ("user_id,item_id,n\nu,1,2\nu,1,-1\n", r"line 3: n is '-1'"),
        ("user_id,item_id,n\nu,1,2\nu,1\n", r"line 3 has 2 fields; expected 3"),
        ('user_id,item_id,n\nu,"1,2\nu,1,1\nu,2",1\n', r"line 2: a quotation mark o"),
        ('user_id,item_id,n\nu,"1\nx",2\nu,1,1\n', r"line 2: a quotation mark opens"),
        ("user_id|item_id|n\nu|1|2\n", r"separated by '\|'; expected tabs"),
        (b"user_id,item_id,n\nu,1,2\nu,\xff,2\n", r"line 3 is not UTF-8 text"),
        ("", r"is empty; expected a first line that names the columns"),
        (b"PAR1" + bytes(40), r"log is a damaged parquet file"),
    ],
)
def test_faults_of_files_are_named_with_their_line(tmp_path, text, message):
    path = tmp_path / "log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        plays_from_events(path, count="n")


def test_text_tables_are_read_as_people_save_them(tmp_path):
    text = '\n\nsep=;\nuser_id;title;item_id\n"u";"A; ""b""";07\n v ;x;07\n\n;x;1\n'
    text += "NULL;x;1\n"
    path = tmp_path / "log.csv"
    path.write_text(text)
    taste = plays_from_events(path)
    assert taste.item_ids.tolist() == ["07"] and taste.user_ids.tolist() == ["u", "v"]
    assert taste.n_dropped["missing_user"] == 2
    path.write_text('user_id\titem_id\nu\t"Heroes\nv\tB"\nw\t"B"\n')
    assert plays_from_events(path).item_ids.tolist() == ['"B"', '"Heroes', 'B"']


def test_files_of_other_types_are_refused(tmp_path):
    ids = {
        "a": pa.array([1, 2]),
        "b": pa.array(["1", "2"]),
        "c": pa.array([2, 3], pa.int16()),
        "d": pa.array([2, 3], pa.uint64()),
    }
    paths = [tmp_path / f"{name}.parquet" for name in ids]
    for path, items in zip(paths, ids.values(), strict=True):
        pq.write_table(pa.table({"user_id": [1, 1], "item_id": items}), path)
    whole = plays_from_events([paths[0], *paths[2:]])
    assert whole.plays.toarray().ravel().tolist() == [1, 3, 2]
    message = r"item ids of .*b\.parquet differ in type: they"
    with pytest.raises(TypeError, match=message):
        plays_from_events(tmp_path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_missing_pyarrow_names_the_extra(tmp_path, rng, monkeypatch, kind):
    rows = log_of(rng)
    path = as_parquet(rows, tmp_path)
    if kind == "csv":
        path = write_csv(rows, tmp_path / "log.csv")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install skcoldstart\[parquet\]"):
        plays_from_events(path)
    assert plays_from_events(as_pandas(rows)).n_events == len(rows)


@pytest.mark.parametrize("name", ["plays", "Play_Count"])
def test_a_column_of_counts_is_not_ignored_in_silence(name):
    log = pd.DataFrame({"user_id": ["ann"], "item_id": [7], name: [3]})
    with pytest.warns(UserWarning, match=f"Pass count='{name}' to add it up"):
        assert plays_from_events(log).plays.sum() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plays_from_events(log, count=name).plays.sum() == 3
        assert plays_from_events(log.drop(columns=name)).plays.sum() == 1
