"""RaggedArray and LazySequence: sequences of unequal length."""

import pickle
import sys

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skcoldstart import RaggedArray
from skcoldstart._sequences.ragged import LazySequence


def make_items(lengths):
    stops = np.cumsum(lengths)
    return np.split(np.arange(3.0 * stops[-1]).reshape(-1, 3), stops[:-1])


@pytest.fixture
def items():
    return make_items([2, 0, 4, 1])


@pytest.fixture
def ragged(items):
    return RaggedArray.from_sequence(items)


def same(ragged, items):
    assert len(ragged) == len(items)
    for got, expected in zip(ragged, items, strict=True):
        assert_array_equal(got, expected)


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_index_selects_what_a_list_would(lengths, seed):
    rng = np.random.default_rng(seed)
    items = make_items(lengths)
    ragged = RaggedArray.from_sequence(items)
    same(ragged, items)
    n = len(items)
    chosen = rng.integers(-n, n, size=rng.integers(0, 2 * n))
    same(ragged[chosen], [items[i] for i in chosen])
    mask = rng.random(n) < 0.5
    same(ragged[mask], [item for item, kept in zip(items, mask, strict=True) if kept])
    a, b, step = (int(v) for v in rng.integers(-n - 1, n + 2, 3))
    same(ragged[a : b : step or 1], items[a : b : step or 1])
    same(ragged[chosen, ...], [items[i] for i in chosen])
    same(ragged[(chosen,)], [items[i] for i in chosen])


def test_an_item_is_a_view(ragged):
    ragged[2][0, 0] = -1.0
    assert ragged.values[2, 0] == -1.0
    assert np.shares_memory(ragged[1:3].values, ragged.values)


def test_reversed_and_empty_selections(ragged, items):
    same(ragged[::-1], items[::-1])
    assert len(ragged[3:1]) == len(ragged[[]]) == 0


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (4, "out of range"),
        (-5, "out of range"),
        ([0, 9], "Index 9"),
        *((key, "indexed with an integer") for key in (1.0, "a", np.array([[0]]))),
        ((0, 1), "one axis"),
        ([True, False], "boolean mask"),
    ],
)
def test_other_indices_are_refused(ragged, key, error):
    with pytest.raises(IndexError, match=error):
        ragged[key]


def test_equal_lengths_do_not_collapse():
    ragged = RaggedArray.from_sequence([np.zeros((2, 3))] * 4)
    assert ragged.shape == (4,)
    assert np.asarray(ragged).shape == (4,)
    assert np.asarray(ragged)[1].shape == (2, 3)


def test_items_of_one_number_each_are_an_array_of_numbers():
    codes = RaggedArray(np.array([4, 0, 2], np.int32), [0, 1, 2, 3])
    array = np.asarray(codes)
    assert_array_equal(array, [4, 0, 2])
    assert array.dtype == np.int32
    assert np.asarray(codes, dtype=object)[0].shape == (1,)
    assert np.asarray(RaggedArray(codes.values, [0, 1, 3])).dtype == object


CUBE, TABLE = np.arange(24.0).reshape(2, 3, 4), np.arange(6.0).reshape(3, 2)
OBJECTS = np.array([np.ones((2, 3)), np.empty(0), None], dtype=object)[:2]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (CUBE, list(CUBE)),
        (TABLE, [TABLE[:1], TABLE[1:2], TABLE[2:]]),
        (OBJECTS, [np.ones((2, 3)), np.empty((0, 3))]),
        ([np.array([1, 2]), np.array([3])], [[1, 2], [3]]),
    ],
)
def test_items_come_in_many_forms(items, expected):
    same(RaggedArray.from_sequence(items), expected)
    codes = RaggedArray.from_sequence(items, dtype="i4")
    assert codes.dtype == np.int32
    same(codes, expected)


def test_an_array_of_equal_items_is_not_copied():
    assert np.shares_memory(RaggedArray.from_sequence(CUBE).values, CUBE)


def test_an_odd_item_is_named():
    with pytest.raises(ValueError, match=r"Item 1 has shape \(2, 4\)"):
        RaggedArray.from_sequence([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ValueError, match="Item 1 is a scalar"):
        RaggedArray.from_sequence([np.zeros(2), 3.0])


@pytest.mark.parametrize(
    "offsets",
    [[0, 3, 2, 6], [1, 6], [0, 5], [[0, 6]], [0.0, 6.0], [], [0, 2**63 - 1, -2, 6]],
)
def test_offsets_must_describe_the_values(offsets):
    with pytest.raises(ValueError, match="offsets must"):
        RaggedArray(np.zeros((6, 2)), offsets)


def test_there_is_no_numeric_array_of_unequal_items(ragged):
    with pytest.raises(TypeError, match=r"use \.values"):
        np.asarray(ragged, dtype=float)


def test_a_slice_pickles_only_its_own_rows():
    ragged = RaggedArray(np.zeros((100_000, 2)), np.arange(100_001))
    assert len(pickle.dumps(ragged[:10])) < 2000


def test_values_stay_mapped_when_stored(tmp_path, ragged, items):
    joblib.dump(ragged, tmp_path / "frames.joblib")
    mapped = joblib.load(tmp_path / "frames.joblib", mmap_mode="r")
    assert isinstance(mapped.values, np.memmap)
    same(mapped, items)
    assert isinstance(mapped[1:].values, np.memmap)


def test_splitters_pipelines_and_searches_take_ragged_arrays():
    ragged = RaggedArray.from_sequence(make_items([1 + i % 3 for i in range(12)]))
    train, test = train_test_split(ragged, random_state=0)
    assert isinstance(train, RaggedArray)
    assert len(train) + len(test) == 12
    means = FunctionTransformer(lambda items: np.stack([i.mean(axis=0) for i in items]))
    pipe = make_pipeline(means, Ridge())
    y = np.array([item.mean() for item in ragged])
    search = GridSearchCV(pipe, {"ridge__alpha": [1e-6, 1e6]}, cv=KFold(3))
    assert search.fit(ragged, y).best_params_ == {"ridge__alpha": 1e-6}


def test_lazy_items_are_computed_only_when_read():
    read = []
    lazy = LazySequence(lambda n: read.append(n) or np.full((n, 2), n), [3, 1, 2])
    chosen = lazy[[2, 0]]
    assert read == []
    assert chosen.shape == (2,)
    same(RaggedArray.from_sequence(chosen), [np.full((2, 2), 2), np.full((3, 2), 3)])
    assert read == [2, 3]
    assert_array_equal(lazy[-1], np.full((2, 2), 2))


def by_hand(items, chosen, starts, n_rows):
    windows = np.zeros((len(chosen), n_rows, 3))
    for window, i, start in zip(windows, chosen, starts, strict=True):
        rows = items[i][start : start + n_rows]
        window[: len(rows)] = rows
    return windows


@pytest.mark.parametrize("n_rows", [1, 2, 3, 9])
def test_windows_are_rows_of_items_and_zeros_beyond(items, ragged, n_rows):
    chosen, starts = np.array([2, -1, 1, 2, 0, 2]), [1, 0, 0, 4, 1, 3]
    expected = by_hand(items, chosen, starts, n_rows)
    for sequence in (ragged, LazySequence(items.__getitem__, range(4))):
        assert_array_equal(sequence.windows(chosen, starts, n_rows), expected)
        out = np.full(expected.shape, np.nan, np.float32)
        filled = sequence.windows(np.uint8(chosen % 4), starts, n_rows, out=out)
        assert filled is out
        assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("chosen", "starts", "n_rows", "error", "match"),
    [
        ([4], [0], 1, IndexError, "4 is out of range for 4 items"),
        ([-5], [0], 1, IndexError, "-5 is out of range for 4 items"),
        ([2, 0], [4, 3], 1, IndexError, "Window 1 starts at row 3 of item 0.* 2 rows"),
        ([2], [-1], 1, IndexError, "Window 0 starts at row -1"),
        ([2], [0.5], 1, IndexError, "float64"),
        ([2.5], [0], 1, IndexError, "float64"),
        ([2, 2], [0], 1, ValueError, "one of each per window"),
        ([2], [0], 0, ValueError, "n_rows=0"),
    ],
)
def test_windows_that_do_not_exist_are_refused(
    ragged, chosen, starts, n_rows, error, match
):
    with pytest.raises(error, match=match):
        ragged.windows(chosen, starts, n_rows)
    lazy = LazySequence(ragged.__getitem__, range(4))
    with pytest.raises(error, match=match[:6]):  # counts within an item
        lazy.windows(chosen, starts, n_rows)


def test_windows_go_where_they_fit_only(ragged):
    with pytest.raises(ValueError, match=r"out has shape \(1, 2, 4\).*\(1, 2, 3\)"):
        ragged.windows([0], [0], 2, out=np.empty((1, 2, 4)))


def test_a_lazy_item_of_many_windows_is_computed_once():
    computed = []
    lazy = LazySequence(lambda i: computed.append(i) or np.full((5, 2), i), range(9))
    windows = lazy.windows([7, 3, 7, 7], [0, 1, 2, 3], 2)
    assert computed == [3, 7]
    assert_array_equal(windows[:, 0, 0], [7, 3, 7, 7])


def test_size_in_memory_counts_values_and_offsets():
    frames = RaggedArray(np.zeros((1_000, 39), np.float32), [0, 400, 1_000])
    assert frames.nbytes <= sys.getsizeof(frames) < frames.nbytes + 1_000
    assert sys.getsizeof(frames[:1]) < 0.5 * frames.nbytes
