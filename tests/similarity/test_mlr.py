"""MLRSimilarity: what it learns, how it scores, and what it refuses."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import pairwise
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    ContentProfileRecommender,
    MLRSimilarity,
    recommendation_scorer,
)
from skcoldstart._scores.sources import LowRankScores, score_source
from tests.similarity.conftest import make_world

SIMILARITIES = {
    "cosine": pairwise.cosine_similarity,
    "neg_sqeuclidean": lambda X, Z: -(pairwise.euclidean_distances(X, Z) ** 2),
}


def quick(**options):
    return MLRSimilarity(**{"C": 100.0, "tol": 0.1, "random_state": 0} | options)


def fitted(world, **options):
    return quick(**{"tol": 1e-2} | options).fit(world.X, world.y)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["auc", "map", "mrr", "precision@k", "ndcg@k"])
def test_learnt_distances_retrieve_classes_better_than_euclidean_ones(loss, wine):
    X, y = wine
    model = MLRSimilarity(loss=loss, C=10.0).fit(X[::2], y[::2])
    learnt = model.score(X[1::2], y[1::2])
    model.components_ = np.eye(13)
    assert learnt > model.score(X[1::2], y[1::2]) + 0.05


def test_features_that_nobody_listens_to_get_no_weight(world):
    model = fitted(world, diagonal=True)
    spread = np.abs(np.diag(model.components_)) * world.X.std(axis=0)
    assert spread[:2].min() > 3 * spread[2:].max()


def test_learning_ranks_better_than_content_as_it_is(world):
    known, new = slice(0, 90), slice(90, None)
    plain, learnt = (
        model.fit(world.X[known], world.y[known]).score(world.X[new], world.y[new])
        for model in (ContentProfileRecommender(), MLRSimilarity(C=100.0))
    )
    assert learnt > plain + 0.05


@pytest.mark.parametrize("metric", list(SIMILARITIES))
def test_scores_are_mean_similarities_to_played_items(metric, world):
    y = world.y.toarray()
    y[:, 4] = 0
    known, new = world.X[:80], world.X[80:]
    model = quick(n_components=3, metric=metric).fit(known, y[:80])
    L, mean = model.components_, known.mean(axis=0)
    table = SIMILARITIES[metric]((new - mean) @ L.T, (known - mean) @ L.T)
    assert_allclose(model.similarity(new, known), table, rtol=1e-9, atol=1e-12)
    scores = model.predict(new)
    for user in range(y.shape[1]):
        played = y[:80, user] > 0
        expected = table[:, played].mean(axis=1) if played.any() else 0.0
        assert_allclose(scores[:, user], expected, rtol=1e-9, atol=1e-12)
    assert_array_equal(scores[:, 4], 0)
    items, best = model.recommend(new, 5, users=[0])
    assert_array_equal(items[0], np.argsort(-scores[:, 0], kind="stable")[:5])
    assert_allclose(best[0], scores[items[0], 0])
    others = list({*SIMILARITIES} - {metric})
    assert_array_equal(model.set_params(metric=others[0]).predict(new), scores)


def test_metric_is_that_of_the_map_in_the_units_of_the_content(world):
    model = fitted(world)
    L, W = model.components_, model.get_mahalanobis_matrix()
    assert_allclose(model.transform(world.X), world.X @ L.T)
    assert_allclose(W, L.T @ L)
    moved = quick(tol=1e-2).fit(64 * world.X + 5, world.y)
    assert_allclose(moved.objective_, model.objective_, rtol=1e-3)
    there = 64**2 * moved.get_mahalanobis_matrix()
    assert_allclose(there, W, atol=0.02 * np.abs(W).max())


@pytest.mark.parametrize(("regularizer", "C"), [("trace", 4.0), ("frobenius", 16.0)])
def test_without_scale_the_penalty_is_in_the_units_of_the_content(
    world, regularizer, C
):
    options = {"scale": False, "regularizer": regularizer}
    plain = MLRSimilarity(C=C, **options).fit(world.X, world.y)
    larger = MLRSimilarity(C=1.0, **options).fit(2 * world.X, world.y)
    assert_allclose(plain.objective_, C * larger.objective_, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:The metric collapsed")
@pytest.mark.parametrize(
    "options", [{}, {"solver": "sgd"}, {"regularizer": "frobenius"}, {"diagonal": True}]
)
@pytest.mark.parametrize("exponent", [-997, -560, -30, 20, 60, 510, 520, 1020])
def test_content_of_any_size_gives_the_same_metric_or_none(exponent, options, world):
    X = np.ldexp(world.X, exponent)
    scaled = fitted(world, **options)
    model = quick(tol=1e-2, **options)
    same = model.fit(X, world.y)
    # The largest content makes the least numbers, which have few digits.
    rtol = 1e-9 if exponent > 1000 else 0
    found = np.ldexp(same.components_, exponent)
    assert_allclose(found, scaled.components_, rtol, atol=rtol)
    assert_allclose(same.predict(X), scaled.predict(world.X), rtol=1e-6, atol=1e-9)
    assert same.objective_ == scaled.objective_
    # In its own units the penalty of large content is next to nothing, and that of
    # small content more than any metric is worth.
    plain = model.set_params(scale=False).fit(X, world.y)
    assert np.isfinite(plain.components_).all()
    assert plain.components_.any() == (exponent > 0)
    rankings_alone = fitted(world, **options | {"C": 1e30}).objective_ / 1e30 * 100
    expected = rankings_alone if exponent > 0 else 100.0
    assert_allclose(plain.objective_, expected, rtol=0.05)


def test_items_beyond_double_precision_are_named(world):
    model = fitted(world, metric="neg_sqeuclidean")
    X = world.X.copy()
    X[7, 1] = 1e200
    for method in (model.predict, lambda X: model.similarity(X, X)):
        with pytest.raises(ValueError, match=r"Item 7 of X holds values .*1e\+200"):
            method(X)
    model = MLRSimilarity(tol=1e-2).fit(np.ldexp(world.X, 600), world.y)
    with pytest.raises(ValueError, match="Scale X"):
        model.get_mahalanobis_matrix()


def test_precision_of_the_content_matters_little(world):
    X = world.X.astype(np.float32)
    a, b = (quick().fit(rows, world.y) for rows in (X, X.astype(np.float64)))
    assert_array_equal(a.components_, b.components_)
    assert a.transform(X).dtype == np.float64


@pytest.mark.parametrize("name", ["precision", "ndcg"])
def test_losses_at_k_have_a_short_name(name, wine):
    short, long = (quick(loss=loss, k=4).fit(*wine) for loss in (name, f"{name}@k"))
    assert_array_equal(short.components_, long.components_)


def test_full_rank_of_few_items_is_one_less_than_their_number(rng):
    X, y = rng.normal(size=(9, 30)), np.arange(9) % 3
    model = MLRSimilarity(C=100.0, scale=False).fit(X, y)
    assert model.components_.shape == (8, 30)
    # The same items in the space they span; the penalty is divided by 8, not 30.
    spanned = PCA(8).fit_transform(X)
    within = MLRSimilarity(C=100.0 * 30 / 8, scale=False).fit(spanned, y)
    assert_allclose(within.objective_, model.objective_ * 30 / 8, rtol=1e-3)


def test_score_of_labels_is_the_mean_average_precision_of_each_row(wine):
    X, y = wine
    model = quick().fit(X, np.array(["red", "white", "rose"])[y].tolist())
    assert_array_equal(model.components_, quick().fit(X, y).components_)
    X, labels = X[:60:2], np.r_[y[:60:2][:-1], 99]
    Z = model.transform(X)
    precisions = []
    for q in range(len(Z) - 1):
        order = np.argsort(((Z - Z[q]) ** 2).sum(axis=1), kind="stable")
        hits = (labels == labels[q])[order[order != q]]
        ranks = np.arange(1, len(hits) + 1)
        precisions.append((np.cumsum(hits) / ranks)[hits].mean())
    assert_allclose(model.score(X, labels), np.mean(precisions))
    assert_allclose(model.score(X, labels.astype(str)), np.mean(precisions))


def test_relevance_decides_and_plays_are_kept_for_scores(world):
    table = sp.csr_array(np.abs(np.subtract.outer(*[np.arange(120)] * 2)) <= 2)
    model = MLRSimilarity(tol=0.1)
    alone = model.fit(world.X, relevance=table).components_
    assert not hasattr(model, "predict")
    assert_array_equal(model.relevant_counts_[[0, 1, 60]], [2, 3, 4])
    both = model.fit(world.X, world.y, relevance=table.toarray())
    assert_array_equal(both.components_, alone)
    assert both.predict(world.X).shape == world.y.shape


def test_an_artist_s_own_items_are_not_relevant(world):
    model = MLRSimilarity(n_relevant=200, tol=1.0)
    of_all = model.fit(world.X, world.y).relevant_counts_
    others = model.fit(world.X, world.y, groups=world.artists).relevant_counts_
    shared = (world.y @ world.y.T).toarray() > 0
    same = world.artists[:, None] == world.artists
    assert_array_equal(of_all, (shared & ~np.eye(120, dtype=bool)).sum(axis=1))
    assert_array_equal(others, (shared & ~same).sum(axis=1))
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(PCA(8), model.set_fit_request(groups=True))
        routed.fit(world.X, world.y, groups=world.artists)
    assert_array_equal(routed[-1].relevant_counts_, others)


def test_items_that_nobody_played_and_copies_do_no_harm(world):
    y = world.y.toarray()
    y[:10] = 0
    X = np.vstack([world.X, world.X[:20], np.zeros((1, 8))])
    model = quick().fit(X, np.vstack([y, y[:20], y[:1]]))
    assert np.isfinite(model.predict(X)).all()
    assert_array_equal(model.relevant_counts_[:10], 0)


def test_what_does_not_differ_gets_no_weight(world):
    X = np.hstack([world.X, np.full((120, 1), 0.1)])
    model = MLRSimilarity().fit(X, world.y)
    assert_allclose(model.get_mahalanobis_matrix()[:-1, -1], 0, atol=1e-12)
    with pytest.warns(UserWarning, match="collapsed"):
        model.fit(X[:, -1:], world.y)
    assert_array_equal(model.predict(X[:, -1:]), 0)


@pytest.mark.parametrize("metric", list(SIMILARITIES))
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_a_metric_not_worth_its_penalty_collapses_with_a_warning(metric, solver, world):
    with pytest.warns(UserWarning, match=r"collapsed.*Increase C"):
        model = fitted(world, C=1e-3, metric=metric, solver=solver)
    assert_array_equal(model.components_, 0)
    assert_array_equal(model.predict(world.X), 0)
    assert_array_equal(model.similarity(world.X, world.X), 0)
    assert_allclose(model.objective_, 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["auc", "map", "mrr"])
def test_sgd_comes_close_to_the_minimum(loss, global_random_seed):
    world = make_world(global_random_seed, n_items=400)
    options = {"loss": loss, "C": 300.0, "random_state": 0}
    exact = MLRSimilarity(**options, solver="lbfgs").fit(world.X, world.y)
    model = MLRSimilarity(**options, solver="sgd", batch_size=40)
    model.fit(world.X, world.y)
    assert exact.objective_ <= model.objective_ <= 1.1 * exact.objective_
    assert np.isnan(model.duality_gap_)
    assert model.n_iter_ < model.max_iter


def test_sgd_repeats_with_its_seed(world):
    same, again, other = (
        fitted(world, solver="sgd", max_iter=3, random_state=seed).components_
        for seed in (0, 0, 1)
    )
    assert_array_equal(same, again)
    assert np.abs(same - other).max() > 0


@pytest.mark.slow
def test_auto_is_lbfgs_for_few_scores_and_sgd_for_many(world, rng):
    assert np.isfinite(fitted(world).duality_gap_)
    X = rng.normal(size=(2300, 2))
    model = MLRSimilarity(max_iter=1).fit(X, (4 * X[:, 0]).astype(int))
    assert np.isnan(model.duality_gap_)


def test_iterations_that_do_not_suffice_are_reported(world):
    with pytest.warns(ConvergenceWarning, match="2 iterations"):
        MLRSimilarity(max_iter=2).fit(world.X, world.y)


@pytest.mark.filterwarnings("error")
def test_a_fit_that_is_stopped_leaves_the_model_as_it_was(world):
    model = fitted(world)
    old = model.components_
    with pytest.raises(ConvergenceWarning):
        model.set_params(max_iter=2).fit(world.X, world.y)
    assert model.components_ is old


@pytest.mark.slow
def test_a_search_chooses_metric_and_similarity_on_sparse_plays(world):
    grid = {
        "mlrsimilarity__C": [30.0, 1000.0],
        "mlrsimilarity__metric": ["cosine", "neg_sqeuclidean"],
    }
    search = GridSearchCV(
        *(make_pipeline(PCA(6), quick()), grid),
        cv=GroupKFold(3),
        scoring=recommendation_scorer,
        refit="map",
        n_jobs=2,
    ).fit(world.X, world.y, groups=world.artists)
    assert np.isfinite(search.cv_results_["mean_test_auc"]).all()
    assert len(set(search.cv_results_["mean_test_map"])) == 4
    assert isinstance(score_source(search, world.X), LowRankScores)
    scores = search.predict(world.X)
    pca, model = search.best_estimator_
    items, _ = model.recommend(pca.transform(world.X), 1)
    assert_array_equal(scores[items[:, 0], np.arange(len(items))], scores.max(axis=0))


def test_a_refit_to_labels_forgets_users_and_says_so(world):
    model = quick().fit(world.X, world.y).fit(world.X, np.arange(120) % 2)
    for name in ("predict", "predict_factors", "user_factors_", "n_users_"):
        assert not hasattr(model, name)
    for method in ("predict", "recommend"):
        with pytest.raises(AttributeError) as error:
            getattr(model, method)(world.X)
        assert "has no users" in str(error.value.__cause__)


def test_what_cannot_be_ranked_is_refused_with_the_counts(rng):
    X = rng.normal(size=(6, 3))
    for y, n_asking in ((np.eye(6), 0), (np.ones((6, 2)), 6), (np.ones(6, int), 6)):
        with pytest.raises(ValueError, match=rf"None of 6 items .*\({n_asking} have"):
            MLRSimilarity().fit(X, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.full((120, 8), np.nan)}, "NaN"),
        ({"y": np.full((120, 4), np.nan)}, "y contains NaN"),
        ({"y": np.full((120, 4), -1.0)}, "Negative values"),
        ({"y": np.zeros((120, 4))}, "no plays"),
        ({"y": np.ones((60, 120))}, r"one row per item.*\(y\.T\)"),
        ({"y": np.r_[np.nan, np.zeros(119)]}, "y contains NaN"),
        ({"y": np.zeros(7, int)}, "7 rows but X has 120 items"),
        ({"y": np.linspace(0, 1, 120)}, "label type"),
        ({"y": np.array(["a", None] * 60)}, r"label of y is missing .* for 60 of 120"),
        ({"y": None}, "requires y"),
        ({"groups": np.zeros(5)}, r"groups has shape \(5,\)"),
        ({"groups": np.full(120, np.nan)}, "groups is missing"),
        ({"relevance": np.full((120, 120), np.inf)}, "infinity"),
        ({"relevance": np.ones((120, 160))}, r"\(120, 160\).*selects its rows but not"),
        ({"relevance": np.ones((80, 120))}, r"\(80, 120\).*\(n_items, n_items\)\.$"),
        ({"n_components": 9}, "n_components=9 must be at most"),
        ({"n_components": 2, "diagonal": True}, "keeps every feature"),
        ({"C": 0.0}, "'C' parameter"),
        ({"loss": "auc@k"}, "'loss' parameter"),
        ({"metric": "dot"}, "'metric' parameter"),
    ],
)
def test_what_cannot_be_used_is_named(change, message, world):
    data = {"X": world.X, "y": world.y, "groups": None, "relevance": None}
    options = {name: change[name] for name in change if name not in data}
    data |= {name: change[name] for name in change if name in data}
    with pytest.raises(ValueError, match=message):
        MLRSimilarity(**options).fit(**data)


def test_an_unfitted_estimator_has_no_metric(world):
    with pytest.raises(NotFittedError):
        MLRSimilarity().similarity(world.X, world.X)
    with pytest.raises(NotFittedError):
        MLRSimilarity().get_mahalanobis_matrix()
