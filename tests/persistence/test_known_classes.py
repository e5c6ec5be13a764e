"""Every class that a file may name survives, fitted."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
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
    load_model,
    make_recommendation_scorer,
    recommendation_scorer,
    save_model,
)
from skcoldstart.audio import MusicNNArchitecture
from tests.adapters import public_estimators
from tests.persistence.files import KNOWN_CLASSES
from tests.persistence.fitted import ESTIMATORS, PLAYS, RNG, TABLE, answers, fitted


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", sorted(ESTIMATORS.keys() - {"AudioEmbedding"}))
def test_every_known_estimator_answers_the_same_bits(name, tmp_path):
    model, content = fitted(name)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert_array_equal(answers(again, content), answers(model, content))
    assert repr(again) == repr(model)
    if name == "VotingRegressor":  # named parts stay the same objects
        assert again.named_estimators_.a is again.estimators_[0]
    lost = {"_feature_subsample_rng", "_optimizer", "_random_state", "_rng", "_scorer"}
    assert vars(model).keys() - vars(again).keys() <= lost | {"_index"}


def test_splitters_survive(tmp_path):
    names = ("GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut")
    model = Ridge()
    model.splits_ = [KNOWN_CLASSES[name]() for name in names]
    save_model(model, tmp_path / "model")
    assert repr(load_model(tmp_path / "model").splits_) == repr(model.splits_)


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
        ("text", KNOWN_CLASSES["TfidfVectorizer"](stop_words=["here"]), "text"),
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
