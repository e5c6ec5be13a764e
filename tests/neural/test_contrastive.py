"""ContrastiveEncoder: what it learns, and as a citizen of scikit-learn."""

import pickle
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skcoldstart import ContrastiveEncoder, RaggedArray, load_model, save_model
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.compose import ContentProfileRecommender
from tests.references.contrastive import held_out_loss

SMALL = {
    "n_components": 8,
    "hidden": (16,),
    "max_epochs": 4,
    "batch_size": 64,
    "lr": 0.01,
    "device": "cpu",
    "random_state": 0,
}
FRAMES = {"architecture": "spotify2014", "window": 16, "n_filters": (8,)}


def small(**params):
    return ContrastiveEncoder(**SMALL | params)


@pytest.fixture
def world(rng):
    """120 items of 10 features, two of which 80 users care for."""
    X = rng.normal(size=(120, 10))
    likes = X[:, :2] @ rng.normal(size=(2, 80))
    return X, sp.csr_array((likes > 1.5).astype(float))


@pytest.fixture
def clips(rng):
    """60 clips of 0 to 39 frames of 6 bands, in three genres, and their listeners."""
    genre = np.arange(60) % 3
    frames = [
        (3 * np.eye(3, 6)[g] + rng.normal(size=(n, 6))).astype(np.float32)
        for g, n in zip(genre, rng.integers(5, 40, 60), strict=True)
    ]
    y = rng.random((60, 40)) < np.where(genre[:, None] == np.arange(40) % 3, 0.4, 0.02)
    return frames, sp.csr_array(y.astype(float)), genre


@pytest.mark.slow
def test_learns_what_no_cosine_of_content_sees(rng):
    """Two tastes: for items whose first two features have one sign, and for others."""
    X = rng.normal(size=(600, 6))
    one_sign, wants_one_sign = X[:, 0] * X[:, 1] > 0, rng.random(150) < 0.5
    chance = np.where(one_sign[:, np.newaxis] == wants_one_sign, 0.1, 0.01)
    y = sp.csr_array((rng.random((600, 150)) < chance).astype(float))
    profile = ContentProfileRecommender()
    plain = profile.fit(X[:450], y[:450]).score(X[450:], y[450:])
    encoder = small(hidden=(64,), max_epochs=15, batch_size=256)
    learnt = make_pipeline(encoder, clone(profile)).fit(X[:450], y[:450])
    assert learnt.score(X[450:], y[450:]) > 1.3 * plain


@pytest.mark.slow
def test_learns_genres_from_frames(clips):
    frames, y, genre = clips
    encoder = small(**FRAMES, max_epochs=15, validation_fraction=0)
    vectors = encoder.fit(frames[:45], y[:45]).transform(frames)
    cosines = vectors[45:] @ vectors[:45].T
    same = genre[45:, None] == genre[:45]
    assert cosines[same].mean() > cosines[~same].mean() + 0.3


def test_a_vector_depends_on_nothing_but_its_item(world, rng):
    X, y = world
    encoder = small().fit(X, y)
    together = encoder.transform(X)
    assert together.dtype == np.float32
    assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-6)
    order = rng.permutation(len(X))
    assert_array_equal(encoder.transform(X[order]), together[order])
    assert_array_equal(encoder.transform(X[[17]])[0], together[17])
    many = np.tile(X, (5, 1))
    assert_array_equal(encoder.transform(many), np.tile(together, (5, 1)))


def test_a_seed_gives_the_same_bits_and_leaves_torch_alone(world):
    X, y = world
    params = {"dropout": 0.3, "input_dropout": 0.1}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = small(**params).fit(X, y).transform(X)
    assert_array_equal(torch.rand(3), expected)
    assert_array_equal(small(**params).fit(X, y).transform(X), first)
    other = small(**params, random_state=1).fit(X, y).transform(X)
    assert np.abs(other - first).max() > 0.01


def test_readers_in_threads_do_not_change_a_bit(clips):
    frames, y, _ = clips
    readers = set()

    def read(clip):
        readers.add(threading.get_ident())
        return clip

    expected = small(**FRAMES).fit(frames, y).transform(frames)
    encoder = small(**FRAMES, n_jobs=2).fit(LazySequence(read, frames), y)
    assert_array_equal(encoder.transform(frames), expected)
    assert readers > {threading.get_ident()}


def test_sparse_content_is_dense_content(world):
    X, y = world
    X = np.where(np.abs(X) < 0.7, 0, X)
    dense = small().fit(X, y)
    for kind in (sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array):
        sparse = small().fit(kind(X), y)
        assert_allclose(sparse.transform(kind(X)), dense.transform(X), atol=1e-4)
    empty = sp.csr_array((5, 10))
    expected = dense.transform(empty.toarray())
    assert_allclose(sparse.transform(empty), expected, atol=1e-4)


def test_counts_and_their_containers_do_not_matter(world):
    X, y = world
    expected = small().fit(X, y).transform(X)
    table = pd.DataFrame(y.toarray(), columns=[f"user {i}" for i in range(80)])
    for plays in (y * 7, sp.csr_matrix(y), y.toarray(), y.tocsc(), table):
        assert_array_equal(small().fit(X, plays).transform(X), expected)


def test_the_size_of_content_does_not_matter(world):
    X, y = world
    expected = small().fit(X, y).transform(X)
    assert_allclose(small().fit(1024 * X, y).transform(1024 * X), expected, atol=1e-4)


def test_items_without_plays_are_left_out(world):
    X, y = world
    encoder = small(validation_fraction=0)
    expected = encoder.fit(X, y).transform(X)
    silent = sp.csr_array(sp.vstack([y, sp.csr_array((5, 80))]))
    more = encoder.fit(np.vstack([X, X[:5]]), silent).transform(X)
    # Content of all items sets its unit, which a change of signs does not change.
    assert_allclose(more, expected, atol=0.05)
    other = encoder.fit(np.vstack([X, -X[:5]]), silent).transform(X)
    assert_array_equal(other, more)


def test_stops_by_held_out_items_and_keeps_the_best_pass(world):
    X, y = world
    y = sp.csr_array(np.random.default_rng(1).permutation(y.toarray()))  # no signal
    encoder = small(max_epochs=60, patience=4, hidden=(128,)).fit(X, y)
    losses = [row["valid_loss"] for row in encoder.history_]
    assert len(losses) == encoder.n_iter_ < 60
    assert np.argmin(losses) == len(losses) - 5
    # The same steps up to the best pass, and no more.
    patient = small(max_epochs=60, patience=None, hidden=(128,)).fit(X, y)
    assert patient.n_iter_ == 60
    assert patient.history_[: len(losses)] == encoder.history_
    assert small(validation_fraction=0).fit(X, y).history_[0].keys() == {
        *("epoch", "train_loss")
    }


def test_held_out_loss_is_that_of_loops(world):
    X, y = world
    encoder = small(max_epochs=1, validation_fraction=0.25).fit(X, y)
    played = np.flatnonzero(np.diff(y.indptr))
    rng = np.random.RandomState(0)
    rng.randint(np.iinfo(np.int32).max)
    order = rng.permutation(len(played))
    n_held_out = round(0.25 * len(played))
    held = np.sort(played[order[:n_held_out]])
    train = np.sort(played[order[n_held_out:]])
    vectors, plays = encoder.transform(X).astype(float), (y.toarray() > 0).T * 1.0
    expected = held_out_loss(
        vectors[train], vectors[held], plays[:, train], plays[:, held], 0.1
    )
    assert_allclose(encoder.history_[0]["valid_loss"], expected, rtol=1e-5)


def test_an_artist_is_held_out_as_a_whole_and_does_not_predict_itself(world):
    X, y = world
    artist = np.repeat(np.arange(12), 10)
    # Were the artist's number among the features, it would tell all.
    X = np.column_stack([X, np.eye(12)[artist] * 5])
    y = sp.csr_array(
        np.eye(12)[artist] @ (np.random.default_rng(0).random((12, 80)) < 0.5)
    )
    encoder = small(max_epochs=8)
    by_item = encoder.fit(X, y).history_[-1]["train_loss"]
    by_artist = encoder.fit(X, y, groups=artist).history_[-1]["train_loss"]
    assert by_artist > by_item + 0.3
    with pytest.raises(ValueError, match="at least two groups"):
        encoder.fit(X, y, groups=np.zeros(120))
    with pytest.raises(ValueError, match="one group per item"):
        encoder.fit(X, y, groups=artist[:5])


def test_all_forms_of_frames_give_the_same_network(rng):
    cube = rng.normal(size=(30, 20, 6)).astype(np.float32)
    y = rng.random((30, 12)) < 0.3
    listed = list(cube)
    objects = np.empty(30, dtype=object)
    objects[:] = listed
    expected = small(**FRAMES).fit(cube, y).transform(cube)
    for X in (listed, objects, RaggedArray.from_sequence(cube)):
        encoder = small(**FRAMES).fit(X, y)
        assert encoder.n_features_in_ == 6
        assert_array_equal(encoder.transform(X), expected)
    lazy = LazySequence(lambda item: item, listed)
    assert_array_equal(small(**FRAMES).fit(lazy, y).transform(lazy), expected)


def test_an_item_is_the_unit_mean_of_its_windows(clips):
    frames, y, _ = clips
    encoder = small(**FRAMES).fit(frames, y)
    long = np.concatenate(frames[:3])[:40]
    parts = encoder.transform([long[:16], long[16:32], long[24:]])
    mean = parts.mean(axis=0)
    assert_allclose(
        encoder.transform([long])[0], mean / np.linalg.norm(mean), atol=1e-6
    )


def test_items_without_frames_are_zeros(clips):
    frames, y, _ = clips
    silent = [*frames[:50], *[frames[0][:0]] * 10]
    encoder = small(**FRAMES).fit(silent, y)
    vectors = encoder.transform(silent)
    assert not vectors[50:].any()
    assert_array_equal(encoder.transform(silent[50:]), vectors[50:])
    assert_allclose(np.linalg.norm(vectors[:50], axis=1), 1, rtol=1e-6)


class BandMeans(torch.nn.Module):
    """An architecture of one's own."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, n_outputs)

    def forward(self, windows):
        return self.linear(windows.mean(dim=1))


def test_an_architecture_of_ones_own(clips):
    frames, y, _ = clips
    encoder = small(architecture=BandMeans, window=8).fit(frames, y)
    assert isinstance(encoder.net_.network, BandMeans)
    assert encoder.transform(frames).shape == (60, 8)
    wrong = small(architecture=lambda n_in, n_out: BandMeans(n_in, 3), window=8)
    with pytest.raises(ValueError, match="n_components"):
        wrong.fit(frames, y)


@pytest.mark.parametrize("params", [{}, FRAMES], ids=["table", "frames"])
def test_survives_files(params, clips, tmp_path):
    frames, y, _ = clips
    X = frames if params else np.stack([clip.mean(axis=0) for clip in frames])
    encoder = small(**params).fit(X, y)
    expected = encoder.transform(X)
    joblib.dump(encoder, tmp_path / "encoder")
    save_model(encoder, tmp_path / "model")
    for again in (
        pickle.loads(pickle.dumps(encoder)),
        joblib.load(tmp_path / "encoder"),
        load_model(tmp_path / "model"),
    ):
        assert_array_equal(again.transform(X), expected)
        assert again.history_ == encoder.history_
    # What is set afterwards is for the next fit.
    encoder.set_params(n_components=3, hidden=(4,), window=9)
    assert_array_equal(encoder.transform(X), expected)
    assert encoder.fit(X, y).transform(X).shape == (60, 3)


def test_names_and_frames_of_pandas(world):
    X, y = world
    table = pd.DataFrame(X, columns=list("abcdefghij"), index=range(5, 125))
    encoder = small().fit(table, y)
    assert list(encoder.feature_names_in_) == list(table.columns)
    names = [f"contrastiveencoder{i}" for i in range(8)]
    assert list(encoder.get_feature_names_out()) == names
    wrapped = encoder.set_output(transform="pandas").transform(table)
    assert list(wrapped.columns) == names
    assert list(wrapped.index) == list(table.index)
    with pytest.raises(ValueError, match="feature names"):
        encoder.transform(table[table.columns[::-1]])


def test_searches_reach_inside(world):
    X, y = world
    pipeline = make_pipeline(Normalizer(), small(), ContentProfileRecommender())
    search = GridSearchCV(
        pipeline, {"contrastiveencoder__n_components": [2, 4]}, cv=2
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("params", "spoil", "message"),
    [
        ({}, lambda X, y: (X, y.T), "one row per item"),
        ({}, lambda X, y: (X, np.eye(120)), r"two of the \d+ training items"),
        ({"hidden": 5}, lambda X, y: (X, y), "'hidden' parameter"),
        ({"hidden": (0,)}, lambda X, y: (X, y), r"hidden=\(0,\); expected a tuple"),
        ({}, lambda X, y: (np.where(X == X[3, 2], np.nan, X), y), "row 3, column 2"),
        ({"lr": 1e30}, lambda X, y: (X, y), "decrease lr"),
        (FRAMES, lambda X, y: ([np.empty((0, 6))] * 120, y), "No item of X has frames"),
        (FRAMES | {"window": 2}, lambda X, y: (X, y), "too few"),
    ],
)
def test_what_is_wrong_is_said(params, spoil, message, world):
    with pytest.raises(NotFittedError):
        small().transform(world[0])
    with pytest.raises(ValueError, match=message):
        small(**params).fit(*spoil(*world))


def test_content_far_from_that_of_fit_is_named(world):
    X, y = world
    encoder = small().fit(X, y)
    far = X.copy()
    far[7] *= 1e25
    with pytest.raises(ValueError, match="vector of item 7 of X is not finite"):
        encoder.transform(far)
