"""The nearest codeword is exact, whatever the data look like."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._kernels.codewords import add_frames, squared_distance
from skcoldstart.codebook._search import CodewordIndex
from tests.references.codewords import codeword_means, nearest_codewords


def assert_exact(frames, codebook):
    labels, distances = CodewordIndex(codebook).nearest(frames, n_jobs=1)
    expected, expected_distances = nearest_codewords(frames, codebook)
    assert labels.dtype == np.int32
    assert_array_equal(labels, expected)
    assert_allclose(distances, expected_distances, rtol=1e-12)


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


def test_exact_ties_go_to_the_lowest_index():
    codebook = np.array([[4.0, 0.0], [0.0, 0.0], [4.0, 0.0], [0.0, 0.0], [2.0, 2.0]])
    frames = np.array([[2.0, 0.0], [0.0, 0.0], [4.0, 0.0], [2.0, -1.0], [2.0, 1.5]])
    labels, distances = CodewordIndex(codebook).nearest(frames)
    assert_array_equal(labels, [0, 1, 0, 0, 4])
    assert_allclose(distances, [4.0, 0.0, 0.0, 5.0, 0.25], rtol=0)


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


def test_a_frame_beyond_the_range_of_float32_finds_its_codeword(make_frames):
    frames = make_frames(200, 6)
    far = np.array([[1e30, 0, 0, 0, 0, 0], [-1e25, 1e25, 0, 0, 0, 1.0]])
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


def test_threads_change_no_bit(make_frames):
    frames = make_frames(9000, 13)
    index = CodewordIndex(frames[::20])
    one = index.nearest(frames, n_jobs=1)
    two = index.nearest(frames, n_jobs=2)
    assert_array_equal(one[0], two[0])
    assert_array_equal(one[1], two[1])


def test_neighbours_of_a_frame_change_no_bit(make_frames, rng):
    frames = make_frames(5000, 13)
    index = CodewordIndex(frames[::10])
    labels, distances = index.nearest(frames)
    chosen = rng.permutation(5000)[:77]
    some_labels, some_distances = index.nearest(frames[chosen])
    assert_array_equal(some_labels, labels[chosen])
    assert_array_equal(some_distances, distances[chosen])


def test_no_frames_have_no_labels():
    labels, distances = CodewordIndex(np.eye(3)).nearest(np.empty((0, 3), np.float32))
    assert labels.shape == distances.shape == (0,)


@pytest.mark.parametrize("n_features", [1, 2, 3, 4, 9])
def test_squared_distance_equals_its_definition(rng, n_features):
    frames, codebook = rng.standard_normal((2, 4, n_features))
    expected = ((frames[2] - codebook[3]) ** 2).sum()
    for kernel in (squared_distance, squared_distance.py_func):
        assert_allclose(kernel(frames, 2, codebook, 3), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_and_counts_equal_numpy_and_add_to_what_is_there(rng, dtype):
    frames = rng.standard_normal((200, 7)).astype(dtype)
    labels = rng.integers(0, 11, 200).astype(np.int32)
    expected_sums, expected_counts = codeword_means(frames, labels, 12)
    for kernel in (add_frames, add_frames.py_func):
        sums, counts = np.ones((12, 7)), np.ones(12)
        kernel(frames, labels, sums, counts)
        assert_allclose(sums - 1, expected_sums, rtol=1e-9, atol=1e-9)
        assert_array_equal(counts - 1, expected_counts)
