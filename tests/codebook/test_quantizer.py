"""VectorQuantizer: frames in any container, codes exact, fit seeded."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skcoldstart import RaggedArray, VectorQuantizer
from skcoldstart._sequences.ragged import LazySequence
from tests.references.codewords import nearest_codewords


@pytest.fixture
def frames(make_frames):
    """Ragged items, two of them without frames."""
    lengths = [30, 0, 80, 1, 45, 0, 44]
    return RaggedArray(make_frames(200, 5), np.concatenate([[0], np.cumsum(lengths)]))


@pytest.fixture
def quantizer(frames):
    return VectorQuantizer(n_codewords=12, random_state=0).fit(frames)


CONTAINERS = {
    "Series": lambda X: pd.Series(list(X)),
    "lazy": lambda X: LazySequence(lambda i: X[i], range(len(X))),
    "float64": lambda X: X.astype(np.float64),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_container_of_the_frames_does_not_matter(frames, quantizer, container):
    X = CONTAINERS[container](frames)
    other = clone(quantizer).fit(X)
    assert_array_equal(other.codebook_, quantizer.codebook_)
    assert other.inertia_ == quantizer.inertia_
    first, second = (clone(quantizer).partial_fit(frames) for frames in (X, frames))
    assert_array_equal(first.codebook_, second.codebook_)
    codes = quantizer.transform(X)
    assert_array_equal(codes.values, quantizer.transform(frames).values)
    assert_array_equal(codes.offsets, frames.offsets)
    assert_allclose(quantizer.score(X), quantizer.score(frames), rtol=1e-12)


def test_a_cube_is_items_of_equal_length_and_a_table_items_of_one_frame(make_frames):
    table = make_frames(60, 4)
    quantizer = VectorQuantizer(n_codewords=5, random_state=0).fit(table)
    assert quantizer.n_features_in_ == 4
    expected = nearest_codewords(table, quantizer.codebook_)[0]
    for X, lengths in ((table, [1] * 60), (table.reshape(6, 10, 4), [10] * 6)):
        assert_array_equal(clone(quantizer).fit(X).codebook_, quantizer.codebook_)
        assert_array_equal(quantizer.transform(X).lengths, lengths)
        assert_array_equal(quantizer.transform(X).values, expected)


def test_codes_are_the_float64_argmin_with_the_offsets_of_the_frames(frames, quantizer):
    codes = quantizer.transform(frames)
    assert isinstance(codes, RaggedArray)
    assert codes.dtype == np.int32
    assert_array_equal(codes.offsets, frames.offsets)
    assert quantizer.codebook_.dtype == np.float32
    assert quantizer.codebook_.shape == (12, 5)
    expected, distances = nearest_codewords(frames.values, quantizer.codebook_)
    assert_array_equal(codes.values, expected)
    assert_allclose(quantizer.score(frames), -distances.sum(), rtol=1e-12)
    assert_allclose(quantizer.inertia_, distances.sum(), rtol=1e-12)


def test_inertia_is_as_low_as_that_of_scikit_learn(make_frames):
    frames, seeds = make_frames(1500, 8), range(3)
    ours = [
        VectorQuantizer(20, max_iter=99, random_state=seed).fit(frames).inertia_
        for seed in seeds
    ]
    theirs = [
        KMeans(20, init="random", n_init=1, random_state=seed).fit(frames).inertia_
        for seed in seeds
    ]
    assert np.mean(ours) < 1.03 * np.mean(theirs)


def test_more_starts_never_raise_inertia(frames):
    inertia = [
        VectorQuantizer(12, n_init=n_init, random_state=3).fit(frames).inertia_
        for n_init in (1, 4, 12)
    ]
    assert inertia[0] >= inertia[1] >= inertia[2]


@pytest.mark.parametrize("batch_size", [None, 5000])
def test_same_seed_same_bits_for_any_n_jobs(make_frames, batch_size):
    frames = make_frames(9000, 6)
    fits = [
        VectorQuantizer(
            30, max_iter=3, batch_size=batch_size, random_state=7, n_jobs=n_jobs
        ).fit(frames)
        for n_jobs in (None, 1, 2)
    ]
    for other in fits[1:]:
        assert_array_equal(other.codebook_, fits[0].codebook_)
        assert other.inertia_ == fits[0].inertia_


def test_codewords_come_back_for_codes(frames, quantizer):
    codes = quantizer.transform(frames)
    back = quantizer.inverse_transform(codes)
    assert back.dtype == np.float32
    assert_array_equal(back.offsets, frames.offsets)
    assert_array_equal(back.values, quantizer.codebook_[codes.values])
    again = quantizer.inverse_transform(list(codes))
    assert_array_equal(again.values, back.values)
    assert_array_equal(quantizer.transform(back).values, codes.values)


@pytest.mark.parametrize("code", [-1, 12])
def test_codes_that_do_not_exist_are_refused(quantizer, code):
    codes = [np.array([0, 1]), np.array([], int), np.array([3, code])]
    with pytest.raises(ValueError, match=rf"Item 2 .* code {code}; .*\[0, 12\)"):
        quantizer.inverse_transform(codes)


def test_partial_fit_goes_on_from_fit_with_mini_batches_by_hand(make_frames):
    first, second = make_frames(50, 3), make_frames(70, 3)
    quantizer = VectorQuantizer(4, random_state=0).fit(first)
    codebook = quantizer.codebook_
    counts = np.bincount(quantizer.transform(first).values, minlength=4)
    labels, distances = nearest_codewords(second, codebook)
    quantizer.partial_fit(second)
    assert_allclose(quantizer.inertia_, distances.sum())
    for k in range(4):
        mine = second[labels == k].astype(np.float64)
        expected = codebook[k] * counts[k] + mine.sum(axis=0)
        assert_allclose(
            quantizer.codebook_[k], expected / (counts[k] + len(mine)), rtol=1e-5
        )


def test_partial_fit_of_one_codeword_is_the_mean_of_all_frames(make_frames):
    first, second = make_frames(50, 3), make_frames(70, 3)
    quantizer = VectorQuantizer(1, random_state=0).partial_fit(first)
    assert_allclose(quantizer.codebook_, [first.mean(axis=0)], rtol=1e-5)
    quantizer.partial_fit([np.empty((0, 3))]).partial_fit(second)
    mean = np.vstack([first, second]).mean(axis=0)
    assert_allclose(quantizer.codebook_, [mean], rtol=1e-5)


def test_frames_kept_in_float16_are_those_of_float32(frames):
    half = frames.astype(np.float16)
    single = half.astype(np.float32)
    for method in ("fit", "partial_fit"):
        ours, expected = (
            getattr(VectorQuantizer(12, random_state=0), method)(X)
            for X in (half, single)
        )
        assert_array_equal(ours.codebook_, expected.codebook_)
        assert_array_equal(
            ours.transform(half).values, expected.transform(single).values
        )


def test_lazy_frames_of_another_number_of_features_are_refused_everywhere(
    frames, quantizer
):
    lazy = LazySequence(lambda i: np.zeros((2, 4)), range(3))
    for method in (quantizer.transform, quantizer.score, quantizer.partial_fit):
        with pytest.raises(ValueError, match=r"4 features.* 5 features"):
            method(lazy)
    refitted = clone(quantizer).set_params(n_codewords=1).fit(frames).fit(lazy)
    assert refitted.n_features_in_ == 4


def test_names_of_an_earlier_table_are_forgotten(frames, make_frames):
    table = pd.DataFrame(make_frames(60, 2), columns=["c0", "c1"])
    quantizer = VectorQuantizer(n_codewords=5, random_state=0).fit(table)
    quantizer.fit(LazySequence(lambda i: frames[i], range(len(frames))))
    assert not hasattr(quantizer, "feature_names_in_")


def test_a_codebook_that_is_replaced_is_used(frames, quantizer):
    quantizer.codebook_ = quantizer.codebook_[::-1].copy()
    expected, _ = nearest_codewords(frames.values, quantizer.codebook_)
    assert_array_equal(quantizer.transform(frames).values, expected)


def test_too_few_frames_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r"n_samples=7 frames .*=8.*Decrease"):
        VectorQuantizer(8).fit(np.eye(7))
    with pytest.raises(ValueError, match=r"n_samples=5 .*n_codewords=6.*max_frames=5"):
        VectorQuantizer(6, max_frames=5).fit(np.eye(7))
    with pytest.raises(ValueError, match=r"n_samples=0 .*n_codewords=2"):
        VectorQuantizer(2).fit([np.empty((0, 3))] * 4)


def test_too_few_distinct_frames_warn_and_surplus_codewords_are_not_chosen():
    frames = np.repeat([[0.0, 1.0], [2.0, 3.0], [7.0, 7.0]], 20, axis=0)
    quantizer = VectorQuantizer(5, random_state=0)
    with pytest.warns(ConvergenceWarning, match="Only 3 of n_codewords=5"):
        quantizer.fit(frames)
    codes = quantizer.transform(frames)
    assert len(set(codes.values)) == 3
    assert_array_equal(quantizer.inverse_transform(codes).values, frames)
    assert quantizer.inertia_ == 0


def test_frames_that_are_not_finite_are_named(frames, quantizer):
    values = frames.values.copy()
    values[33, 2] = np.nan
    broken = RaggedArray(values, frames.offsets)
    for method in (quantizer.fit, quantizer.transform, quantizer.score):
        with pytest.raises(ValueError, match="item 2, frame 3"):
            method(broken)
    lazy = LazySequence(lambda i: broken[i], range(len(broken)))
    for method in (clone(quantizer).fit, quantizer.transform):
        with pytest.raises(ValueError, match="item 2, frame 3"):
            method(lazy)


def test_codewords_beyond_float32_are_refused():
    frames = np.array([[1e39], [2e39], [3e39]])
    with pytest.raises(ValueError, match="range of float32"):
        VectorQuantizer(2, random_state=0).fit(frames)


def test_items_without_frames_have_no_codes(quantizer):
    codes = quantizer.transform([np.empty((0, 5)), np.empty((0, 5))])
    assert_array_equal(codes.offsets, [0, 0, 0])
    assert codes.dtype == np.int32
    for empty in (codes, codes.astype(float), [[], []]):
        assert quantizer.inverse_transform(empty).values.shape == (0, 5)
    assert quantizer.score([np.empty((0, 5))]) == 0


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "score"])
def test_an_unfitted_quantizer_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(VectorQuantizer(), method)([np.zeros((2, 3))])


def test_verbose_talks_and_silence_is_the_default(frames, capsys):
    VectorQuantizer(3, random_state=0).fit(frames)
    assert capsys.readouterr().err == ""
    VectorQuantizer(3, random_state=0, verbose=1).fit(frames)
    assert "Codebook" in capsys.readouterr().err


@pytest.mark.parametrize("shift", [1e7, 1e9, -1e12])
def test_codewords_of_frames_far_from_zero_stay_apart(make_frames, shift):
    near = make_frames(300, 3).astype(np.float64).round(3)
    expected = VectorQuantizer(8, random_state=0).fit(near)
    quantizer = VectorQuantizer(8, random_state=0).fit(near + shift)
    assert expected.codebook_.dtype == np.float32
    assert quantizer.codebook_.dtype == np.float64
    tolerance = 1e-15 * abs(shift)
    assert_allclose(quantizer.codebook_ - shift, expected.codebook_, atol=tolerance)
    assert_allclose(quantizer.inertia_, expected.inertia_, rtol=1e-2)
    codes = quantizer.transform(near + shift)
    assert (codes.values == expected.transform(near).values).mean() > 0.99
    back = quantizer.inverse_transform(codes).values
    assert_array_equal(back, quantizer.codebook_[codes.values])
