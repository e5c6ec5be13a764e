"""The nearest codeword is exact, whatever the data look like."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._kernels.codewords import (
    add_frames,
    pick_nearest,
    squared_distance,
)
from skcoldstart._kernels.leaf_search import search_leaves
from skcoldstart.codebook._search import (
    CodewordIndex,
    CodewordLeaves,
    CodewordTiles,
    _split,
)
from tests.references.codewords import codeword_means, nearest_codewords


def as_python(kernel):
    """Return the function that numba compiles, or compiles not when told so."""
    return getattr(kernel, "py_func", kernel)


def by_leaves(codebook):
    return lambda *arrays: CodewordLeaves(codebook).search(
        *arrays, np.full(len(arrays[0]), -1, np.int32)
    )


WAYS = {"leaves": by_leaves, "tiles": lambda codebook: CodewordTiles(codebook).search}


def nearest_by(way, frames, codebook):
    frames = np.array(frames, dtype=np.float64)
    labels, distances = np.empty(len(frames), np.int32), np.empty(len(frames))
    search = WAYS[way](np.array(codebook, dtype=np.float64))
    search(frames, labels, distances)
    return labels, distances


def assert_exact(frames, codebook):
    """Compare both ways of search, and the index, with float64 argmin."""
    expected, expected_distances = nearest_codewords(frames, codebook)
    found = [nearest_by(way, frames, codebook) for way in WAYS]
    found.append(CodewordIndex(codebook, frames).nearest(frames, n_jobs=1))
    for labels, distances in found:
        assert labels.dtype == np.int32
        assert_array_equal(labels, expected)
        assert_allclose(distances, expected_distances, rtol=1e-12)
        assert_array_equal(distances, found[0][1])


@pytest.mark.parametrize("n_features", [1, 2, 5, 6, 7, 8, 12, 39, 70])
@pytest.mark.parametrize("n_codewords", [1, 2, 15, 16, 17, 31, 33, 100, 400])
def test_labels_equal_float64_argmin(make_frames, n_codewords, n_features):
    frames = make_frames(600, n_features)
    assert_exact(frames, frames[:n_codewords] + np.float32(0.1))


@pytest.mark.parametrize("kind", ["isotropic", "standardised", "plane", "line"])
def test_labels_equal_float64_argmin_without_anisotropy_to_help(rng, make_frames, kind):
    frames = make_frames(1500, 20)
    if kind == "isotropic":
        frames = rng.standard_normal((1500, 20)).astype(np.float32)
    elif kind == "standardised":
        frames = frames / frames.std(axis=0)
    elif kind == "plane":
        frames[:, 2:] = 3.0
    else:
        frames[:, 1:] = 0.0
    assert_exact(frames, frames[rng.permutation(1500)[:500]])


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("shift", [0.0, 1e5])
def test_labels_equal_float64_argmin_at_any_scale_and_shift(make_frames, scale, shift):
    frames = (make_frames(800, 13).astype(np.float64) + shift) * scale
    assert_exact(frames, frames[::4].astype(np.float32))


def test_ties_on_a_lattice_go_to_the_lowest_index(rng):
    grid = np.stack(np.meshgrid(*[np.arange(5.0)] * 3), axis=-1).reshape(-1, 3)
    codebook = grid[rng.permutation(len(grid))]
    frames = rng.integers(0, 9, size=(2000, 3)) / 2
    assert_exact(frames, codebook)


def test_distances_that_differ_in_the_last_float32_bit_are_told_apart():
    codebook = np.zeros((40, 8))
    codebook[:, 0] = 1000.0
    codebook[:, 1] = np.linspace(1e-3, 1e-4, 40)
    frames = np.zeros((3, 8))
    frames[1, 1] = -1e-4
    assert_exact(frames, codebook)


def test_codewords_close_together_and_far_from_the_centre_are_told_apart(rng):
    places = rng.standard_normal((60, 8))
    codebook = (places[:, None] + 1e-7 * rng.standard_normal((60, 8, 8))).reshape(-1, 8)
    frames = codebook + 1e-7 * rng.standard_normal(codebook.shape)
    assert_exact(frames, codebook)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_frame_beyond_the_range_of_float32_finds_its_codeword(make_frames):
    frames = make_frames(200, 6)
    far = np.array([[1e30, 0, 0, 0, 0, 0], [-1e60, 1e60, 0, 0, 0, 1.0]])
    assert_exact(np.vstack([far, frames]), frames[:100])


def test_equal_codewords_of_any_number_are_never_chosen_but_the_first(make_frames):
    frames = make_frames(300, 9)
    codebook = np.repeat(frames[:20], 10, axis=0)
    labels, _ = CodewordIndex(codebook).nearest(frames)
    assert set(labels) <= set(range(0, 200, 10))
    assert_exact(frames, codebook)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "readonly"])
def test_dtype_and_layout_of_the_frames_do_not_matter(make_frames, dtype, layout):
    frames = make_frames(500, 10).astype(dtype)
    codebook = frames[:120].astype(np.float32)
    expected, _ = nearest_codewords(frames, codebook)
    if layout == "F":
        frames = np.asfortranarray(frames)
    elif layout == "strided":
        frames = np.repeat(frames, 2, axis=0)[::2]
    elif layout == "readonly":
        frames.flags.writeable = False
    labels, _ = CodewordIndex(codebook).nearest(frames)
    assert_array_equal(labels, expected)


@pytest.fixture
def music(make_frames):
    """Frames, and an index of 1,500 codewords that searches them by leaves."""
    frames = make_frames(9000, 13)
    index = CodewordIndex(frames[::6], frames)
    assert index._leaves is not None
    return frames, index


def test_threads_neighbours_and_the_codeword_looked_at_first_change_no_bit(music, rng):
    frames, index = music
    labels, distances = index.nearest(frames, n_jobs=1)
    chosen = rng.permutation(len(frames))[:777]
    everything = slice(None)
    anywhere = rng.integers(0, 1500, len(frames)).astype(np.int32)
    for part, options in [
        (everything, {"n_jobs": 2}),
        (chosen, {}),
        (everything, {"start": labels}),
        (everything, {"start": anywhere}),
    ]:
        other_labels, other_distances = index.nearest(frames[part], **options)
        assert_array_equal(other_labels, labels[part])
        assert_array_equal(other_distances, distances[part])


def count_steps(leaves, frames, start):
    labels, distances = np.empty(len(frames), np.int32), np.empty(len(frames))
    return leaves.search(frames.astype(np.float64), labels, distances, start)


def test_a_good_start_saves_steps_and_a_bad_one_costs_some(music, rng):
    frames, index = music
    nowhere = np.full(len(frames), -1, np.int32)
    labels, _ = index.nearest(frames)
    n_steps, n_steps_from_labels, n_steps_from_anywhere = (
        count_steps(index._leaves, frames, start)
        for start in (nowhere, labels, rng.permutation(labels))
    )
    assert n_steps_from_labels < 0.93 * n_steps < 0.5 * n_steps_from_anywhere


def test_leaves_are_chosen_by_the_steps_they_take(rng, music):
    frames, _ = music
    assert CodewordIndex(frames[:1500])._leaves is None
    assert CodewordIndex(frames[:100], frames)._leaves is None
    noise = rng.standard_normal((4000, 39))
    assert CodewordIndex(noise[:1500], noise)._leaves is None


def test_frames_unlike_those_of_fit_find_their_codewords(music, rng):
    frames, index = music
    shuffled = rng.permuted(frames, axis=1)
    noise = 100 * rng.standard_normal((1500, 13)) + frames.mean(axis=0)
    for odd in (shuffled[:1500], noise):
        labels, _ = index.nearest(odd, n_jobs=1)
        assert_array_equal(labels, nearest_codewords(odd, index.codebook)[0])


@pytest.mark.parametrize("n_codewords", [1, 15, 16, 17, 256, 257, 300, 1111])
def test_leaves_are_full_but_the_last_and_branches_are_compact(rng, n_codewords):
    codewords = rng.standard_normal((n_codewords, 3)).astype(np.float32)
    parts = _split(codewords, 16)
    assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n_codewords))
    assert {len(part) for part in parts[:-1]} <= {16}
    if n_codewords == 1111:
        branches = [np.concatenate(parts[b : b + 16]) for b in range(0, 64, 16)]
        extents = [np.prod(np.ptp(codewords[b], axis=0)) for b in branches]
        assert max(extents) < 0.7 * np.prod(np.ptp(codewords, axis=0))


@pytest.mark.parametrize("way", WAYS)
def test_kernels_without_numba_give_the_same_bits(make_frames, monkeypatch, way):
    frames = make_frames(12, 9)
    codebook = frames[:7] + np.float32(0.5)
    expected = nearest_by(way, frames, codebook)
    for kernel in (search_leaves, pick_nearest):
        module = f"skcoldstart._kernels.{kernel.__module__.rpartition('.')[2]}"
        monkeypatch.setattr(f"{module}.{kernel.__name__}", as_python(kernel))
    with np.errstate(over="ignore"):
        labels, distances = nearest_by(way, frames, codebook)
    assert_array_equal(labels, expected[0])
    assert_array_equal(distances, expected[1])


def test_no_frames_have_no_labels():
    labels, distances = CodewordIndex(np.eye(3)).nearest(np.empty((0, 3), np.float32))
    assert labels.shape == distances.shape == (0,)


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 9])
def test_squared_distance_equals_its_definition(rng, n_features):
    frames, codebook = rng.standard_normal((2, 4, n_features))
    expected = ((frames[2] - codebook[3]) ** 2).sum()
    for kernel in (squared_distance, as_python(squared_distance)):
        assert_allclose(kernel(frames, 2, codebook, 3), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_and_counts_equal_numpy_and_add_to_what_is_there(rng, dtype):
    frames = rng.standard_normal((200, 7)).astype(dtype)
    labels = rng.integers(0, 11, 200).astype(np.int32)
    expected_sums, expected_counts = codeword_means(frames, labels, 12)
    for kernel in (add_frames, as_python(add_frames)):
        sums, counts = np.ones((12, 7)), np.ones(12)
        kernel(frames, labels, sums, counts)
        assert_allclose(sums - 1, expected_sums, rtol=1e-9, atol=1e-9)
        assert_array_equal(counts - 1, expected_counts)
