"""Sampled frames: uniform, seeded, the same for stored and lazy items."""

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


def test_stored_items_give_the_same_sample_however_positions_are_read(monkeypatch):
    X = numbered([900, 0, 100])
    expected = draw(X, 77)
    monkeypatch.setattr(_sampling, "_POSITIONS_AT_ONCE", 13)
    assert_array_equal(draw(X, 77), expected)


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


@pytest.mark.parametrize("max_frames", [70, 400])
def test_of_very_many_lazy_items_random_ones_are_read(max_frames, monkeypatch):
    monkeypatch.setattr(_sampling, "_ENOUGH_ITEMS", 64)
    reads = []

    def compute(i):
        reads.append(i)
        return np.full((3, 1), i, np.float32)

    sample = draw(LazySequence(compute, range(1000)), max_frames)
    assert len(sample) == max_frames
    # Whole blocks of 32 are read.
    assert len(set(reads)) == len(reads) == max(64, 32 * -(-max_frames // 96))
    assert 400 < np.mean(reads) < 600
    monkeypatch.setattr(_sampling, "_ENOUGH_ITEMS", 1000)
    reads.clear()
    draw(LazySequence(compute, range(1000)), max_frames)
    assert reads == list(range(1000))


def test_a_smaller_sample_begins_a_larger_one():
    X = numbered([400, 600])
    assert_array_equal(draw(X, 50), draw(X, 400)[:50])


def test_a_lazy_reservoir_never_holds_more_than_two_samples_and_a_block():
    reservoir = _sampling._SmallestKeys(50, check_random_state(0))
    for _ in range(200):
        reservoir.offer(np.zeros((30, 1)))
        assert reservoir._n_kept <= 100
    assert len(reservoir.rows()) == 50


@pytest.mark.parametrize("n_items", [60, 100])  # fewer than are enough, and more
def test_a_lazy_item_that_is_not_finite_is_named_by_its_place(monkeypatch, n_items):
    monkeypatch.setattr(_sampling, "_ENOUGH_ITEMS", 64)

    def compute(i):
        return np.full((3, 2), np.nan if i == 41 else 0.0)

    with pytest.raises(ValueError, match="item 41, frame 0"):
        draw(LazySequence(compute, range(n_items)), 3 * n_items)
