"""Sampled frames: uniform, seeded, the same for stored and lazy items."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils import check_random_state

from skcoldstart import RaggedArray
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.codebook import _sampling
from skcoldstart.codebook._sampling import sample_frames


def numbered(lengths, dtype=np.float32):
    """Return items whose only feature is the frame's position."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return RaggedArray(np.arange(offsets[-1], dtype=dtype)[:, None], offsets)


def draw(X, max_frames, seed=0):
    return sample_frames(X, max_frames, check_random_state(seed))


@pytest.mark.parametrize("max_frames", [None, 30, 50, 51])
def test_frames_are_drawn_at_most_once_in_random_order(max_frames):
    sample = draw(numbered([20, 0, 30]), max_frames)
    assert sample.shape == (30 if max_frames == 30 else 50, 1)
    assert len(np.unique(sample)) == len(sample)
    assert (np.diff(sample[:, 0]) < 0).any()
    assert (sample != draw(numbered([20, 0, 30]), max_frames, seed=1)).any()


def test_every_frame_has_the_same_chance():
    n_draws, hits = 400, np.zeros(100)
    X = numbered([10, 70, 20])
    for seed in range(n_draws):
        hits[draw(X, 25, seed)[:, 0].astype(int)] += 1
    expected = n_draws / 4
    assert abs(hits - expected).max() < 5 * np.sqrt(expected * 0.75)


def test_many_frames_are_sampled_as_in_one_draw():
    X = numbered([90_000, 0, 110_000])
    keys = check_random_state(0).random_sample(200_000)
    for max_frames in (77, 70_000, None):
        order = np.argsort(keys)[:max_frames]
        assert_array_equal(draw(X, max_frames)[:, 0], order)


class OnDisk(LazySequence):
    """Items of known lengths that tell what is read of them."""

    def __init__(self, X):
        super().__init__(lambda i: self._read(i), range(len(X)))
        self.X, self.lengths, self.dtype = X, X.lengths, X.dtype
        self.whole, self.n_rows_cut = [], 0

    def _read(self, i):
        self.whole.append(i)
        return self.X[i]

    def windows(self, items, starts, n_rows, *, out=None):
        self.n_rows_cut += len(items)
        return self.X.windows(items, starts, n_rows, out=out)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("max_frames", [None, 3, 137, 700, 5000])
def test_lazy_frames_and_those_on_disk_give_the_sample_of_those_in_memory(
    rng, max_frames, dtype, monkeypatch
):
    monkeypatch.setattr(_sampling, "_PAGE_BYTES", 64)
    monkeypatch.setattr(_sampling, "_WINDOWS_AT_ONCE", 10)
    X = numbered(rng.integers(0, 60, 40), dtype)
    sample = draw(X, max_frames)
    assert sample.dtype == np.result_type(dtype, np.float32)
    for other in (OnDisk(X), LazySequence(lambda i: X[i], range(len(X)))):
        drawn = draw(other, max_frames)
        assert_array_equal(drawn, sample)
        assert drawn.dtype == sample.dtype


def test_few_frames_of_many_items_are_read_alone(monkeypatch):
    monkeypatch.setattr(_sampling, "_PAGE_BYTES", 64)
    X = numbered([5000] * 200)
    stored = OnDisk(X)
    draw(stored, 300)
    assert stored.n_rows_cut == 300
    assert len(set(stored.whole)) <= 1  # for the number of features
    draw(stored, 200_000)
    assert set(stored.whole) == set(range(200))
    assert stored.n_rows_cut == 300


def test_a_frame_on_disk_that_is_not_finite_is_named_by_its_place():
    X = numbered([20, 30])
    X.values[27] = np.nan
    with pytest.raises(ValueError, match="item 1, frame 7"):
        draw(OnDisk(X), None)


@pytest.mark.parametrize(("max_frames", "n_read"), [(70, 20_000), (75_000, 25_024)])
def test_of_very_many_lazy_items_random_ones_are_read(max_frames, n_read):
    reads = []

    def compute(i):
        reads.append(i)
        return np.full((3, 1), i, np.float32)

    sample = draw(LazySequence(compute, range(30_000)), max_frames)
    assert len(sample) == max_frames
    # Whole blocks of 32 are read.
    assert len(set(reads)) == len(reads) == n_read
    assert 14_500 < np.mean(reads) < 15_500
    reads.clear()
    draw(LazySequence(compute, range(20_000)), max_frames)
    assert reads == list(range(20_000))


def test_a_smaller_sample_begins_a_larger_one():
    X = numbered([400, 600])
    assert_array_equal(draw(X, 50), draw(X, 400)[:50])


def test_a_sample_of_lazy_items_needs_the_memory_of_two_and_of_few_items():
    X = LazySequence(lambda i: np.full((100, 39), i, np.float32), range(1_000))
    tracemalloc.start()
    sample = draw(X, 1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    a_block = 32 * 100 * 39 * 4
    assert peak < 2.5 * sample.nbytes + 3 * a_block < 0.2 * 1_000 * 100 * 39 * 4


@pytest.mark.parametrize("n_items", [60, 20_100])  # fewer than are enough, and more
def test_a_lazy_item_that_is_not_finite_is_named_by_its_place(n_items):
    def compute(i):
        return np.full((3, 2), np.nan if i == 41 else 0.0)

    with pytest.raises(ValueError, match="item 41, frame 0"):
        draw(LazySequence(compute, range(n_items)), 3 * n_items)
