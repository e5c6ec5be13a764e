"""Every class that a file may name survives, fitted."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from skcoldstart import (
    WMF,
    AudioEmbedding,
    CNNFactorRegressor,
    ColdStartRecommender,
    ContentKNNRecommender,
    MelSpectrogram,
    load_model,
    make_recommendation_scorer,
    recommendation_scorer,
    save_model,
)
from skcoldstart.audio import MusicNNArchitecture
from skcoldstart.persistence._classes import class_named
from tests.adapters import public_estimators
from tests.persistence.files import KNOWN_CLASSES

RNG = np.random.default_rng(0)
X = RNG.random((40, 4))
Y = X[:, :2] + RNG.random((40, 2))
Y1 = Y[:, 0]
PLAYS = sp.csr_array(RNG.poisson(1.0, (40, 6)))
WORDS = np.array([["a", "b"], ["b", "c"], ["d", "c"], ["a", "e"]] * 10, dtype=object)
TEXTS = ["some text here", "other words", "here words", "some"] * 10
TABLE = pd.DataFrame({"x": X[:, 0], "word": WORDS[:, 0], "text": TEXTS})
KINDS = pd.DataFrame({"x": X[:, 0], "word": pd.Categorical(WORDS[:, 0])})
FRAMES = [RNG.normal(size=(n, 5)).astype("f4") for n in (20, 0, 25)]
CLIPS = [RNG.normal(size=3000).astype("f4")]

PARAMETERS = {
    "BlendRecommender": {
        "recommenders": [
            ("factors", ColdStartRecommender(factorizer=WMF(2))),
            ("neighbors", ContentKNNRecommender(3)),
            ("left out", "drop"),
        ],
        "weights": "cv",
        "cv": 2,
    },
    "ColdStartRecommender": {"factorizer": WMF(2)},
    "ColumnTransformer": {
        "transformers": [
            ("scaled", StandardScaler(), ["x"]),
            ("word", OneHotEncoder(handle_unknown="ignore"), ["word"]),
        ],
        "remainder": "drop",
    },
    "ContentKNNRecommender": {"n_neighbors": 3},
    "FeatureUnion": {"transformer_list": [("a", PCA(2)), ("b", "passthrough")]},
    "FunctionTransformer": {"func": np.log1p, "inverse_func": np.expm1},
    "GaussianRandomProjection": {"n_components": 2},
    "GridSearchCV": {
        "estimator": Ridge(),
        "param_grid": [{"alpha": [0.1, 1.0], "solver": ["auto", "lsqr"]}],
        "cv": KFold(2),
        "error_score": 0.0,
    },
    "HistGradientBoostingRegressor": {"max_iter": 3, "early_stopping": True},
    "KBinsDiscretizer": {"n_bins": 3, "quantile_method": "averaged_inverted_cdf"},
    "MLPRegressor": {"hidden_layer_sizes": (3,), "max_iter": 2},
    "MLRSimilarity": {"max_iter": 2},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "NMF": {"n_components": 2, "init": "random"},
    "Nystroem": {"n_components": 5},
    "OneHotEncoder": {"min_frequency": 11, "handle_unknown": "infrequent_if_exist"},
    "OracleRecommender": {"factorizer": WMF(2)},
    "Pipeline": {"steps": [("a", StandardScaler()), ("b", Ridge())]},
    "QuantileTransformer": {"n_quantiles": 5},
    "RandomizedSearchCV": {
        "estimator": Ridge(),
        "param_distributions": {"alpha": [0.1, 1.0, 2.0]},
        "n_iter": 2,
        "scoring": ["r2", "explained_variance"],
        "refit": "r2",
    },
    "RegressorChain": {"estimator": Ridge()},
    "RegressorPerFactor": {"estimator": Ridge()},
    "SelectKBest": {"k": 2},
    "SimpleImputer": {"add_indicator": True},
    "SparseRandomProjection": {"n_components": 2},
    "StackingRegressor": {"estimators": [("a", Ridge()), ("b", Ridge(2.0))]},
    "TransformedTargetRegressor": {"func": np.log1p, "inverse_func": np.expm1},
    "VectorQuantizer": {"n_codewords": 4},
    "VotingRegressor": {"estimators": [("a", Ridge()), ("b", "drop")]},
    "WMF": {"n_components": 2},
}
for ensemble in ("ExtraTrees", "GradientBoosting", "RandomForest"):
    PARAMETERS[f"{ensemble}Regressor"] = {"n_estimators": 3}
PARAMETERS["LibrosaFeatures"] = {"features": ("rms", "spectral_centroid"), "n_fft": 64}
PARAMETERS["AudioUnion"] = {"extractors": [("mel", MelSpectrogram())]}
RECOMMENDERS = {
    "BlendRecommender",
    *("ColdStartRecommender", "ContentKNNRecommender", "ContentProfileRecommender"),
    *("MLRSimilarity", "PopularityRecommender", "RandomRecommender"),
}
INPUTS = {
    "BagOfWords": ([np.array([0, 1, 1]), np.array([2])], None),
    "CNNFactorRegressor": (FRAMES, Y[:3]),
    "ColumnTransformer": (TABLE, None),
    "CountVectorizer": (TEXTS, None),
    "AudioUnion": (CLIPS, None),
    "FramePooling": (FRAMES, None),
    "LibrosaFeatures": (CLIPS, None),
    "GradientBoostingRegressor": (X, Y1),
    "HashingVectorizer": (TEXTS, None),
    "HistGradientBoostingRegressor": (KINDS, Y1),
    "KBinsDiscretizer": (X, None),
    "MFCCExtractor": (CLIPS, None),
    "MelSpectrogram": (CLIPS, None),
    "MultiLabelBinarizer": (WORDS, None),
    "OneHotEncoder": (WORDS, None),
    "OracleRecommender": (PLAYS, None),
    "OrdinalEncoder": (WORDS, None),
    "PopularityRecommender": (WORDS, PLAYS),
    "SimpleImputer": (np.where(X < 0.1, np.nan, X), None),
    "StackingRegressor": (X, Y1),
    "TargetEncoder": (WORDS, Y1),
    "TfidfVectorizer": (TEXTS, None),
    "VectorQuantizer": (FRAMES, None),
    "VotingRegressor": (X, Y1),
    "WMF": (PLAYS, None),
    "WordCounter": (TEXTS, None),
} | dict.fromkeys(
    (
        *("BayesianRidge", "ElasticNetCV", "LassoCV", "SelectKBest"),
        *("SelectPercentile", "TransformedTargetRegressor"),
    ),
    (X, Y1),
)
ESTIMATORS = {
    name: cls for name, cls in KNOWN_CLASSES.items() if issubclass(cls, BaseEstimator)
}
TESTED_ALONE = {"AudioEmbedding", "CNNFactorRegressor"}  # needs weights; takes long


def answers(estimator, X):
    method = "predict" if hasattr(estimator, "predict") else "transform"
    answer = getattr(estimator, method)(X)
    answer = getattr(answer, "values", answer)  # of ragged items
    return answer.toarray() if sp.issparse(answer) else np.asarray(answer)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", sorted(ESTIMATORS.keys() - TESTED_ALONE))
def test_every_known_estimator_answers_the_same_bits(name, tmp_path):
    model = ESTIMATORS[name](**PARAMETERS.get(name, {}))
    default = (X, PLAYS if name in RECOMMENDERS else Y)
    content, target = INPUTS.get(name, default)
    model.fit(*(content,) if target is None else (content, target))
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert_array_equal(answers(again, content), answers(model, content))
    assert repr(again) == repr(model)
    lost = {"_feature_subsample_rng", "_optimizer", "_random_state", "_rng", "_scorer"}
    assert vars(model).keys() - vars(again).keys() <= lost | {"_index"}


@pytest.mark.parametrize(
    "splitter", ["GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut"]
)
def test_splitters_survive(splitter, tmp_path):
    splits = class_named(splitter)()
    model = GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=splits)
    save_model(model, tmp_path / "model")
    assert repr(load_model(tmp_path / "model").cv) == repr(splits)


def test_every_public_estimator_is_known():
    assert set(public_estimators()) <= set(KNOWN_CLASSES.values())


@pytest.mark.slow
def test_networks_predict_the_same_bits(tmp_path):
    frames = [RNG.normal(size=(n, 6)).astype("f4") for n in (30, 0, 41, 25, 33, 28)]
    network = CNNFactorRegressor(
        **{"window": 16, "n_filters": (8,), "hidden": (16,), "batch_norm": True},
        **{"max_epochs": 3, "validation_fraction": 0, "random_state": 0},
    )
    model = ColdStartRecommender(network, WMF(3, random_state=0))
    model.fit(frames, RNG.poisson(1.0, (6, 12)))
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert_array_equal(again.predict(frames), model.predict(frames))
    before, after = model.regressor_, again.regressor_
    assert after.history_[:, "train_loss"] == before.history_[:, "train_loss"]
    assert after.net_.history is after.history_
    # It goes on to learn.
    after.partial_fit(frames, RNG.normal(size=(6, 3)))


def test_a_network_is_that_of_fit_whatever_was_set_since(tmp_path):
    frames = RNG.normal(size=(6, 9, 5)).astype("f4")
    network = CNNFactorRegressor(
        **{"architecture": "shortchunk", "window": 4, "n_filters": (6,)},
        **{"hidden": (6,), "max_epochs": 1, "device": "cpu", "random_state": 0},
    ).fit(frames, RNG.normal(size=(6, 2)))
    network.set_params(architecture="nips2013", window=60, hidden=(9,))
    save_model(network, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert_array_equal(again.predict(frames), network.predict(frames))
    assert again.get_params() == network.get_params()


def test_a_search_over_mixed_content_survives_with_its_scorer(tmp_path):
    content = ColumnTransformer([
        ("spline", make_pipeline(SimpleImputer(), SplineTransformer()), ["x"]),
        ("word", OneHotEncoder(handle_unknown="ignore"), ["word"]),
        ("text", class_named("TfidfVectorizer")(stop_words=["here"]), "text"),
        ("raw", FunctionTransformer(np.sqrt), ["x"]),
    ])
    regressor = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    search = GridSearchCV(
        make_pipeline(content, ColdStartRecommender(regressor, WMF(2, random_state=0))),
        {"coldstartrecommender__regressor__regressor__alpha": [1.0, 10.0]},
        cv=2,
        scoring=make_recommendation_scorer(("map@3", "auc"), average="user"),
        refit="map@3",
    ).fit(TABLE, PLAYS.toarray())
    save_model(search, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert_array_equal(again.predict(TABLE), search.predict(TABLE))
    assert again.best_params_ == search.best_params_
    assert again.cv_results_.keys() == search.cv_results_.keys()
    assert_array_equal(
        again.cv_results_["mean_test_map@3"], search.cv_results_["mean_test_map@3"]
    )
    assert repr(again.scorer_) == repr(search.scorer_)
    assert again.score(TABLE, PLAYS) == search.score(TABLE, PLAYS)
    assert again.scorer_ is again.scoring

    search.set_params(scoring=recommendation_scorer)
    save_model(search, tmp_path / "model")
    assert repr(load_model(tmp_path / "model").scoring) == repr(recommendation_scorer)


def test_a_pretrained_network_is_kept_by_name(tmp_path):
    pooled = AudioEmbedding(layer="tags", weights=tmp_path / "w.whl", pooling=None)
    save_model(pooled, tmp_path / "model")
    assert load_model(tmp_path / "model").get_params() == pooled.get_params()
    tuned = CNNFactorRegressor(architecture=MusicNNArchitecture(frozen=False))
    save_model(tuned, tmp_path / "model")
    assert repr(load_model(tmp_path / "model")) == repr(tuned)
    with pytest.raises(TypeError, match=r"AudioEmbedding\.model is a .*function"):
        save_model(AudioEmbedding(lambda sound: sound), tmp_path / "model")


def test_named_parts_of_an_ensemble_stay_the_same_objects(tmp_path):
    model = class_named("VotingRegressor")([("a", Ridge()), ("b", Ridge())]).fit(X, Y1)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.named_estimators_.a is again.estimators_[0]


def test_a_union_keeps_what_passes_through(tmp_path):
    union = FeatureUnion([("a", PCA(2)), ("b", "passthrough")]).fit(X)
    save_model(union, tmp_path / "model")
    assert_array_equal(load_model(tmp_path / "model").transform(X)[:, 2:], X)
