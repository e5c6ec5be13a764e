"""k-means steps agree with scikit-learn and with hand-made cases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state

from skcoldstart.codebook import _lloyd
from skcoldstart.codebook._search import CodewordIndex


@pytest.mark.parametrize(
    ("n_codewords", "max_iter"), [(25, 1), (25, 2), (25, 7), (25, 300), (1500, 3)]
)
def test_lloyd_steps_equal_those_of_scikit_learn(make_frames, n_codewords, max_iter):
    by_leaves = n_codewords > 25
    frames = make_frames(*((9000, 10) if by_leaves else (700, 6))).astype(np.float64)
    first = frames[:n_codewords]
    assert (CodewordIndex(first, frames)._leaves is not None) == by_leaves
    codebook, n_iter = _lloyd.lloyd(frames, first, max_iter=max_iter, tol=0.0)
    kmeans = KMeans(n_codewords, init=first, n_init=1, max_iter=max_iter, tol=0)
    assert n_iter == kmeans.fit(frames).n_iter_
    assert_allclose(codebook, kmeans.cluster_centers_, rtol=1e-9, atol=1e-9)


def test_lloyd_stops_by_tolerance_when_scikit_learn_does(make_frames):
    frames = make_frames(700, 6).astype(np.float64)
    tol = 0.05
    kmeans = KMeans(25, init=frames[:25], n_init=1, max_iter=300, tol=tol).fit(frames)
    absolute = tol * frames.var(axis=0).mean()
    _, n_iter = _lloyd.lloyd(frames, frames[:25], max_iter=300, tol=absolute)
    _, n_iter_to_the_end = _lloyd.lloyd(frames, frames[:25], max_iter=300, tol=0.0)
    assert n_iter == kmeans.n_iter_ < n_iter_to_the_end


def test_empty_codewords_are_refilled_as_in_scikit_learn(make_frames):
    frames = make_frames(300, 4).astype(np.float64)
    first = np.vstack([frames[:5], np.full((4, 4), 1e4)])
    codebook, _ = _lloyd.lloyd(frames, first, max_iter=1, tol=0.0)
    kmeans = KMeans(9, init=first, n_init=1, max_iter=1, tol=0).fit(frames)
    in_order = np.lexsort(codebook.T), np.lexsort(kmeans.cluster_centers_.T)
    assert_allclose(codebook[in_order[0]], kmeans.cluster_centers_[in_order[1]])


def test_empty_codewords_take_the_farthest_frames_each_once():
    frames = np.array([[0.0], [0.0], [1.0], [9.0], [9.0], [8.0]])
    first = np.array([[0.0], [100.0], [200.0]])
    codebook, _ = _lloyd.lloyd(frames, first, max_iter=1, tol=0.0)
    assert_allclose(codebook[:, 0], [(0 + 0 + 1 + 9) / 4, 9.0, 8.0])


def test_a_converged_codebook_stays():
    frames = np.array([[0.0], [1.0], [10.0], [11.0]])
    codebook, n_iter = _lloyd.lloyd(
        frames, np.array([[0.5], [10.5]]), max_iter=9, tol=0.0
    )
    assert_array_equal(codebook[:, 0], [0.5, 10.5])
    assert n_iter == 1


@pytest.mark.parametrize(
    ("frames", "n_codewords", "expected"),
    [
        ([0.0, -0.0, 1.0], 2, [0.0, 1.0]),  # the zeros are the same frame
        ([7.0] * 10 + [3.0] * 10 + [5.0], 3, [3.0, 5.0, 7.0]),
    ],
)
def test_first_codewords_are_distinct_frames(frames, n_codewords, expected):
    frames = np.array(frames, np.float32)[:, None]
    codebook = _lloyd.distinct_frames(frames, n_codewords, check_random_state(0))
    assert_array_equal(np.sort(codebook[:, 0]), expected)
    assert codebook.dtype == np.float64
    # Surplus codewords repeat one that is there.
    more = _lloyd.distinct_frames(frames, n_codewords + 2, check_random_state(0))
    assert_array_equal(more[:n_codewords], codebook)
    assert_array_equal(more[n_codewords:], codebook[[0, 0]])


@pytest.mark.parametrize(
    ("n_codewords", "max_iter", "expected"),
    [
        (5, 25, [(100, 6), (300, 6)]),
        (5, 2, [(100, 2), (300, 2)]),
        (11, 25, [(300, 6)]),
        (31, 25, []),
    ],
)
def test_nested_start_works_on_growing_parts(
    n_codewords, max_iter, expected, make_frames
):
    frames = make_frames(900, 3).astype(np.float64)
    codebook = first = frames[-n_codewords:]
    for n_frames, n_steps in expected:
        kmeans = KMeans(n_codewords, init=codebook, n_init=1, max_iter=n_steps, tol=0)
        codebook = kmeans.fit(frames[:n_frames]).cluster_centers_
    started = _lloyd.nested_start(frames, first, max_iter=max_iter, tol=0.0)
    assert_allclose(started, codebook, rtol=1e-9, atol=1e-9)


def test_a_mini_batch_moves_each_codeword_to_the_mean_of_all_its_frames():
    codebook, counts = np.array([[0.0], [10.0], [50.0]]), np.array([1.0, 3.0, 0.0])
    frames = np.array([[1.0], [2.0], [14.0]])
    moved, inertia = _lloyd.mini_batch_step(frames, codebook, counts, n_jobs=1)
    assert_allclose(moved[:, 0], [(0 + 1 + 2) / 3, (30 + 14) / 4, 50.0])
    assert_array_equal(counts, [3, 4, 0])
    assert inertia == 1 + 4 + 16


def test_one_batch_of_all_frames_is_one_lloyd_step(make_frames):
    frames = make_frames(400, 5)
    first = frames[:12].astype(np.float64)
    options = {"max_iter": 1, "tol": 0.0}
    moved, n_iter = _lloyd.mini_batches(frames, first, batch_size=400, **options)
    assert n_iter == 1
    assert_allclose(moved, _lloyd.lloyd(frames, first, **options)[0], rtol=1e-12)


def test_mini_batches_stop_when_a_pass_moves_little(make_frames):
    frames = make_frames(400, 5)
    options = {"batch_size": 50, "max_iter": 200}
    first = frames[:12].astype(np.float64)
    _, n_iter = _lloyd.mini_batches(frames, first, tol=1.0, **options)
    assert 1 < n_iter < 200
