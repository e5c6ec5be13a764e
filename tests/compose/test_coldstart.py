"""ColdStartRecommender: a factorizer and a regressor, joined."""

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVR

from skcoldstart import WMF, ColdStartRecommender, RaggedArray, recommendation_scorer
from skcoldstart.metrics import mean_auc, mean_average_precision_at_k

WMF_4 = WMF(n_components=4, random_state=0)
FACTORIZERS = [
    WMF_4,
    NMF(n_components=4, init="nndsvda", max_iter=500, random_state=0),
    TruncatedSVD(n_components=4, random_state=0),
]


@pytest.fixture
def world(rng):
    """Content that explains plays through four factors."""
    X = rng.normal(size=(80, 6))
    taste = rng.normal(size=(6, 40)) * 0.8
    y = sp.csr_array(rng.poisson(np.exp(X @ taste - 1.5)).astype(float))
    return X, y


class SeenRows(Ridge):
    """A regressor that remembers what it was fitted on."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = np.asarray(X), np.asarray(y), sample_weight
        return super().fit(X, y, sample_weight=sample_weight)


@pytest.mark.parametrize("factorizer", FACTORIZERS, ids=lambda f: type(f).__name__)
def test_predict_is_regression_on_factors_then_decoding(world, factorizer):
    X, y = world
    model = ColdStartRecommender(Ridge(2.0), factorizer).fit(X[:60], y[:60])
    by_hand = clone(factorizer)
    ridge = Ridge(2.0).fit(X[:60], by_hand.fit_transform(y[:60]))
    factors = ridge.predict(X[60:])
    scores = by_hand.inverse_transform(factors)
    assert_allclose(model.predict_factors(X[60:]), factors, rtol=1e-6, atol=1e-8)
    assert_allclose(model.predict(X[60:]), scores, rtol=1e-5, atol=1e-7)
    assert_allclose(factors @ model.user_factors_.T, scores, rtol=1e-5, atol=1e-7)
    assert model.n_users_ == y.shape[1]
    auc = recommendation_scorer(model, X[60:], y[60:])["auc"]
    assert auc > 0.6
    assert_allclose(auc, mean_auc(y[60:], scores), atol=1e-3)  # ties by rounding


BOOSTING = GradientBoostingRegressor(n_estimators=3, random_state=0)


@pytest.mark.parametrize(
    ("regressor", "n_factors"),
    [
        (LinearRegression(), 3),
        (KNeighborsRegressor(3), 3),
        (MLPRegressor(hidden_layer_sizes=(16,), max_iter=30, random_state=0), 3),
        (BOOSTING, 3),
        (BOOSTING, 1),
        (make_pipeline(StandardScaler(), BOOSTING), 3),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:UserWarning")
def test_any_regressor_predicts_all_factors(world, regressor, n_factors):
    X, y = world
    model = ColdStartRecommender(regressor, TruncatedSVD(n_factors, random_state=0))
    factors = model.fit(X[:60], y[:60]).predict_factors(X)
    assert factors.shape == (80, n_factors)
    assert np.isfinite(factors).all()
    assert np.ptp(factors, axis=0).min() > 0
    assert model.predict(X).shape == y.shape
    assert model.regressor is regressor


def test_features_inside_or_outside_give_the_same_predictions(world):
    X, y = world
    steps = StandardScaler(), PCA(3)
    outside = make_pipeline(*steps, ColdStartRecommender(Ridge(), WMF_4))
    inside = ColdStartRecommender(make_pipeline(*steps, Ridge()), WMF_4)
    expected = outside.fit(X[:60], y[:60]).predict(X[60:])
    assert_allclose(inside.fit(X[:60], y[:60]).predict(X[60:]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "container",
    [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_array.toarray],
    ids=["csr_matrix", "csr_array", "csc_array", "coo_array", "dense"],
)
def test_the_container_of_plays_does_not_matter(world, container):
    X, y = world
    model = ColdStartRecommender(factorizer=WMF_4)
    expected = clone(model).fit(X, y).predict(X)
    assert_array_equal(model.fit(X, container(y)).predict(X), expected)


def test_text_is_content_too(rng):
    words = np.array(["drum", "bass", "choir", "organ"])
    X = [" ".join(rng.choice(words, 6)) for _ in range(40)]
    y = np.array([[x.count("drum"), x.count("choir"), 1] for x in X])
    steps = make_pipeline(TfidfVectorizer(), Ridge(0.1))
    model = ColdStartRecommender(steps, WMF(2, reg=0.1, random_state=0)).fit(X, y)
    drums, choir = model.predict(["drum drum drum", "choir choir choir"])
    assert drums[0] > drums[1]
    assert choir[1] > choir[0]


def first_frames(frames):
    return np.stack([item[0] for item in frames])


def test_sequences_of_unequal_items_reach_the_regressor_untouched(world):
    _, y = world
    frames = [np.full((1 + i % 5, 2), float(i)) for i in range(80)]
    frames = RaggedArray.from_sequence(frames)
    steps = make_pipeline(FunctionTransformer(first_frames), Ridge())
    model = ColdStartRecommender(steps, WMF_4)
    rows = first_frames(frames)
    expected = ColdStartRecommender(Ridge(), WMF_4).fit(rows, y).predict(rows)
    assert_allclose(model.fit(frames, y).predict(frames), expected)


def test_items_without_plays_do_not_teach_the_regressor(world):
    X, y = world
    silent = sp.vstack([y[:60], sp.csr_array((5, y.shape[1]))]).tocsr()
    weights = np.arange(65.0) + 1
    model = ColdStartRecommender(SeenRows(), WMF_4)
    model.fit(X[:65], silent, sample_weight=weights)
    played = np.flatnonzero(np.diff(silent.indptr))
    rows, targets, seen = model.regressor_.seen_
    assert_array_equal(rows, X[:65][played])
    assert len(targets) == len(played) <= 60
    assert_array_equal(seen, weights[played])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "lil"])
def test_sparse_content_of_any_format_may_have_items_without_plays(form, world):
    X, y = world
    silent = sp.csr_array(np.vstack([y[:60].toarray(), np.zeros((5, y.shape[1]))]))
    regressor = Ridge(fit_intercept=False, solver="cholesky")
    model = ColdStartRecommender(regressor, WMF_4)
    expected = clone(model).fit(X[:65], silent).predict(X[65:])
    content = sp.csr_matrix(X[:65]).asformat(form)
    assert_allclose(model.fit(content, silent).predict(X[65:]), expected, rtol=1e-5)


@pytest.mark.parametrize("compression", [0.0, 0.5, 3.0, np.inf])
def test_lengths_of_factors_are_drawn_together(world, compression):
    X, y = world
    model = ColdStartRecommender(SeenRows(), WMF_4, norm_compression=compression)
    played = np.flatnonzero(np.diff(y.indptr))
    raw = clone(WMF_4).fit_transform(y)[played]
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    expected = raw / length
    if np.isfinite(compression):
        m = length.mean()
        expected = raw * (length + compression * m) / ((compression + 1) * length)
    assert_allclose(model.fit(X, y).regressor_.seen_[1], expected, rtol=1e-5)


def test_recommend_is_the_top_of_predict_and_score_its_map_at_500(world):
    X, y = world
    model = ColdStartRecommender(factorizer=WMF_4).fit(X[:60], y[:60])
    scores = model.predict(X[60:])
    items, best = model.recommend(X[60:], n=5)
    expected = np.argsort(-scores.T, axis=1, kind="stable")[:, :5]
    assert_array_equal(items, expected)
    assert_allclose(best, np.take_along_axis(scores.T, expected, axis=1), rtol=1e-5)
    some, _ = model.recommend(X[60:], n=5, users=[7, 2])
    assert_array_equal(some, items[[7, 2]])
    expected = mean_average_precision_at_k(y[60:], scores, k=500)
    assert_allclose(model.score(X[60:], y[60:]), expected, rtol=1e-9)


def test_recommend_leaves_out_what_is_excluded(world):
    X, y = world
    model = ColdStartRecommender(factorizer=WMF_4).fit(X, y)
    items, scores = model.recommend(X, n=80, exclude=y)
    played = y.toarray().T > 0
    for user in range(y.shape[1]):
        kept = items[user][items[user] >= 0]
        assert set(kept) == set(np.flatnonzero(~played[user]))
        assert np.ma.getmaskarray(scores)[user, len(kept) :].all()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_with_sparse_plays_and_groups(world, n_jobs):
    X, y = world
    search = GridSearchCV(
        ColdStartRecommender(Ridge(), WMF(random_state=0)),
        {"factorizer__n_components": [1, 4], "regressor__alpha": [1.0, 1e4]},
        scoring=recommendation_scorer,
        refit="auc",
        cv=GroupKFold(4),
        n_jobs=n_jobs,
    ).fit(X, y, groups=np.arange(80) % 8)
    assert search.best_params_["factorizer__n_components"] == 4
    assert np.isfinite(search.cv_results_["mean_test_map"]).all()
    assert search.best_score_ > 0.65


def test_a_fold_never_sees_the_plays_it_holds_out(world):
    X, y = world
    model = ColdStartRecommender(factorizer=WMF_4)
    alone = clone(model).fit(X[:60], y[:60]).predict(X[60:])
    changed = y.copy().tolil()
    changed[60:] = 1.0
    again = model.fit(X[:60], sp.csr_array(changed)[:60]).predict(X[60:])
    assert_array_equal(alone, again)


def test_nonlinear_decoders_still_predict_but_have_no_user_factors(world):
    X, y = world
    model = ColdStartRecommender(Ridge(), PCA(3)).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert not hasattr(model, "user_factors_")
    items, _ = model.recommend(X, n=4)
    expected = np.argsort(-model.predict(X).T, axis=1, kind="stable")[:, :4]
    assert_array_equal(items, expected)


def test_metadata_is_routed_to_the_regressor(world):
    X, y = world
    weights = np.linspace(0.1, 1.0, 80)
    plain = ColdStartRecommender(SeenRows(), TruncatedSVD(3, random_state=0))
    by_default = clone(plain).fit(X, y, sample_weight=weights)
    played = np.flatnonzero(np.diff(y.indptr))
    assert_array_equal(by_default.regressor_.seen_[2], weights[played])
    with sklearn.config_context(enable_metadata_routing=True):
        regressor = SeenRows().set_fit_request(sample_weight=True)
        asking = clone(plain).set_params(regressor=regressor)
        asking.fit(X, y, sample_weight=weights)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            clone(plain).fit(X, y, sample_weight=weights)
    assert_array_equal(asking.regressor_.seen_[2], weights[played])
    assert_allclose(asking.predict(X), by_default.predict(X))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y[:, 0], "expected a 2-D table of play counts"),
        (lambda y: -y, "Play counts are >= 0"),
        (lambda y: y * 0, "has no plays"),
        (lambda y: y * np.nan, "NaN"),
        (lambda y: y[:-1], "one row per item"),
        (lambda y: y.T, r"Did you pass users as rows \(y\.T\)\?"),
        (lambda y: None, "the target y is None"),
    ],
)
def test_malformed_plays_are_refused(world, spoil, message):
    X, y = world
    with pytest.raises(ValueError, match=message):
        ColdStartRecommender().fit(X, spoil(y.toarray()))


def test_a_single_path_is_not_a_catalogue():
    with pytest.raises(TypeError, match="single path"):
        ColdStartRecommender().fit("song.wav", np.eye(8))


def test_inputs_and_parameters_are_left_alone(world):
    X, y = world
    y = y.tocoo()
    y.data[0] = 0.0
    before = X.copy(), y.data.copy(), y.row.copy(), y.col.copy()
    model = ColdStartRecommender(Ridge(), WMF(n_components=3, random_state=0))
    model.fit(X, y)
    for array, old in zip((X, y.data, y.row, y.col), before, strict=True):
        assert_array_equal(array, old)
    assert not hasattr(model.regressor, "coef_")
    assert not hasattr(model.factorizer, "components_")


def test_a_fitted_recommender_survives_joblib(world, tmp_path):
    X, y = world
    model = ColdStartRecommender(factorizer=WMF_4).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert_array_equal(again.predict(X), model.predict(X))


def test_column_names_are_remembered_and_forgotten_with_the_refit(world):
    X, y = world
    table = pd.DataFrame(X, columns=list("abcdef"))
    model = ColdStartRecommender(factorizer=TruncatedSVD(2)).fit(table, y)
    assert_array_equal(model.feature_names_in_, list("abcdef"))
    assert not hasattr(model.fit(X, y), "feature_names_in_")


MLP = MLPRegressor(hidden_layer_sizes=(4,), tol=1.0)
SEVERAL_OUTPUTS = {
    "ridge": Ridge(),
    "mlp": MLP,
    "search": GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2),
    "search in a pipeline": make_pipeline("passthrough", GridSearchCV(Ridge(), {})),
    "scaled": TransformedTargetRegressor(MLP),
    "plain": TransformedTargetRegressor(),
}
ONE_OUTPUT = {"svr": SVR(), "search of svr": GridSearchCV(SVR(), {"C": [1.0]}, cv=2)}


@pytest.mark.parametrize("name", [*SEVERAL_OUTPUTS, *ONE_OUTPUT])
def test_only_regressors_of_one_output_are_repeated_per_factor(world, name):
    regressor = (SEVERAL_OUTPUTS | ONE_OUTPUT)[name]
    fitted = ColdStartRecommender(regressor, WMF_4).fit(*world).regressor_
    fitted = fitted[-1] if isinstance(fitted, Pipeline) else fitted
    assert isinstance(fitted, MultiOutputRegressor) == (name in ONE_OUTPUT)
