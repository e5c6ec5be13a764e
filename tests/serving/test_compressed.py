"""Exports of models without dense factors: scores approximated by factors."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import (
    WMF,
    BlendRecommender,
    ColdStartRecommender,
    ContentKNNRecommender,
    PopularityRecommender,
    build_index,
    export,
    load_export,
    make_recommender,
)
from skcoldstart._scores.compressed import compress_scores
from skcoldstart._scores.sources import (
    CallableScores,
    DenseScores,
    LowRankScores,
    SparseScores,
    SumScores,
    score_source,
)


@pytest.fixture(scope="module")
def catalog():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6))
    return X, rng.poisson(np.exp(X @ rng.normal(size=(6, 40)) - 1))


def scores_of(folder):
    found = load_export(folder)
    return found.item_factors @ found.user_factors.T, found.manifest


def same(rng, kind):
    """Return scores of rank 5 as a source of each kind."""
    V, U = rng.normal(size=(50, 5)), rng.normal(size=(80, 5))
    table = V @ U.T
    scales = rng.uniform(0.5, 2, size=(2, 80))
    sum_of = [LowRankScores(V[:, :2], U[:, :2]), SparseScores(V[:, 2:], U[:, 2:])]
    return {
        "low rank": LowRankScores(V, U),
        "sparse": SparseScores(V, U),
        "dense": DenseScores(table),
        "callable": CallableScores(lambda users: table[:, users], 50, 80),
        "sum": SumScores(sum_of),
        "scaled": SumScores(sum_of, scales),
        "shifted": SumScores([*sum_of[:1], DenseScores(table)], scales, U[:, 0]),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["low rank", "sparse", "dense", "callable", "sum", "scaled", "shifted"]
)
def test_scores_of_low_rank_are_kept_to_rounding(kind, rng):
    source = same(rng, kind)
    items, users, quality = compress_scores(source, 8, 0)
    exact = source.rows(slice(None))
    assert_allclose(users @ items.T, exact, atol=1e-5 * np.abs(exact).max())
    assert items.shape[1] <= 8
    assert quality["relative_error"] < 1e-5
    assert quality["top_10_kept"] == 1.0


def test_factors_are_the_best_ones_of_their_number(rng):
    spectrum = 0.7 ** np.arange(40)
    left, right = (np.linalg.qr(rng.normal(size=(n, 40)))[0] for n in (300, 60))
    table = (left * spectrum) @ right.T  # (n_users, n_items)
    table /= np.linalg.norm(table - table.mean(axis=1, keepdims=True), axis=1)[:, None]
    items, users, quality = compress_scores(DenseScores(table.T), 10, 0)
    left_out = np.linalg.svd(table, compute_uv=False)[10:]
    error = np.linalg.norm(users @ items.T - table)
    assert_allclose(error, np.linalg.norm(left_out), rtol=0.02)
    assert_allclose(quality["relative_error"], error / np.sqrt(300), rtol=0.02)


def test_users_with_small_scores_are_kept_as_well_as_others(rng):
    table = rng.normal(size=(40, 60)) * np.where(np.arange(60) < 30, 1.0, 1e-4)
    items, users, _ = compress_scores(DenseScores(table), 20, 0)
    errors = np.linalg.norm(items @ users.T - table, axis=0)
    errors /= np.linalg.norm(table, axis=0)
    assert errors[30:].mean() < 1.5 * errors[:30].mean()


def test_the_first_model_of_the_guide_is_exported(catalog, tmp_path):
    X, y = catalog
    model = make_recommender(random_state=0).set_params(weights=None)
    model.fit(X[:100], y[:100])
    scores, manifest = scores_of(export(model, tmp_path, X))
    assert_allclose(scores, model.predict(X), atol=1e-4)  # no more than 40 users
    assert manifest["approximation"]["top_10_kept"] > 0.99
    assert manifest["n_components"] <= 40
    few, manifest = scores_of(export(model, tmp_path, X, n_components=6))
    assert manifest["n_components"] == 6
    error = np.linalg.norm(few - scores, axis=0)
    error /= np.linalg.norm(scores - scores.mean(axis=0), axis=0)
    reported = manifest["approximation"]["relative_error"]
    assert_allclose(reported, np.sqrt(np.mean(error**2)), rtol=1e-3)
    assert 0.01 < reported < 0.9


def test_exports_are_the_same_for_one_seed(catalog, tmp_path):
    X, y = catalog
    model = ContentKNNRecommender().fit(X[:100], y[:100])
    found = [
        load_export(export(model, tmp_path, X, n_components=9, random_state=seed))
        for seed in (3, 3, 4)
    ]
    assert_array_equal(found[0].item_factors, found[1].item_factors)
    assert (found[0].item_factors != found[2].item_factors).any()


def test_dense_factors_are_exported_unless_there_are_too_many(catalog, tmp_path):
    X, y = catalog
    model = ColdStartRecommender(factorizer=WMF(12, random_state=0)).fit(X, y)
    for n_components in ("auto", None, 12):
        export(model, tmp_path, X, n_components=n_components)
        found = load_export(tmp_path)
        expected = model.predict_factors(X).astype(np.float32)
        assert_array_equal(found.item_factors, expected)
        assert found.manifest["approximation"] is None
    export(model, tmp_path, X, n_components=6)  # the content has six columns
    scores, manifest = scores_of(tmp_path)
    assert manifest["n_components"] == 6
    assert manifest["approximation"]["relative_error"] < 0.5
    assert scores.shape == (120, 40)


def test_scores_that_are_all_equal_are_exported(catalog, tmp_path):
    X, y = catalog
    model = PopularityRecommender().fit(X, y)
    scores, _ = scores_of(export(model, tmp_path, X))
    assert_allclose(scores, model.predict(X), rtol=1e-5)
    nobody = SparseScores(sp.csr_array((20, 4)), sp.csr_array((30, 4)))
    items, users, quality = compress_scores(nobody, 3, 0)
    assert not (users @ items.T).any()
    assert quality["relative_error"] == 0.0


def test_errors_advise_what_works(catalog, tmp_path):
    X, y = catalog
    neighbors = ContentKNNRecommender(9)
    for model in (neighbors, BlendRecommender([("neighbors", neighbors)])):
        model = model.fit(X, y)
        for given in (None, X):
            with pytest.raises(TypeError, match=r"no dense factors .* n_components"):
                export(model, tmp_path, given, n_components=None)
        with pytest.raises(TypeError, match="pass X"):
            export(model, tmp_path)
        assert export(model, tmp_path, X, n_components=4) == tmp_path
        with pytest.raises(TypeError, match=r"are sparse.*export\(model, folder, X\)"):
            build_index(model.predict_factors(X))
    smoothed = ColdStartRecommender(factorizer=WMF(4), play_weight=1.0).fit(X, y)
    with pytest.raises(TypeError, match="pass X"):
        export(smoothed, tmp_path)
    scores, _ = scores_of(export(smoothed, tmp_path, X))
    assert_allclose(scores, smoothed.predict(X), atol=1e-4)
    for wrong in (0, 2.5, "all"):
        with pytest.raises(ValueError, match="expected an integer of at least 1"):
            export(model, tmp_path, X, n_components=wrong)


def test_sources_are_not_changed(rng):
    source = same(rng, "shifted")
    before = source.rows(slice(None))
    compress_scores(source, 3, 0)
    assert_array_equal(source.rows(slice(None)), before)
    model = ContentKNNRecommender(5).fit(rng.normal(size=(30, 3)), np.eye(30))
    assert isinstance(score_source(model, rng.normal(size=(4, 3))), SparseScores)
