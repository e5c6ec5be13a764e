"""MLRSimilarity among scikit-learn's tools and as a recommender."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    MLRSimilarity,
    recommendation_scorer,
)
from skcoldstart._scores.sources import LowRankScores, score_source
from skcoldstart.model_selection import cross_validate


def quick(**options):
    return MLRSimilarity(**({"C": 100.0, "tol": 0.1, "random_state": 0} | options))


@pytest.mark.slow
def test_a_search_chooses_metric_and_similarity_on_sparse_plays(world):
    grid = {
        "mlrsimilarity__C": [30.0, 1000.0],
        "mlrsimilarity__metric": ["cosine", "neg_sqeuclidean"],
    }
    search = GridSearchCV(
        make_pipeline(PCA(6), quick()),
        grid,
        cv=GroupKFold(3),
        scoring=recommendation_scorer,
        refit="map",
        n_jobs=2,
    )
    search.fit(world.X, world.y, groups=world.artists)
    assert np.isfinite(search.cv_results_["mean_test_auc"]).all()
    assert len(set(search.cv_results_["mean_test_map"])) == 4
    assert isinstance(score_source(search, world.X), LowRankScores)
    scores = search.predict(world.X)
    items, _ = search.best_estimator_[-1].recommend(
        search.best_estimator_[:-1].transform(world.X), 1
    )
    assert_array_equal(scores[items[:, 0], np.arange(len(items))], scores.max(axis=0))


def test_cross_validation_scores_it_in_blocks(world):
    figures = cross_validate(quick(), world.X, world.y, cv=3)
    assert figures["test_auc"].mean() > 0.6


def test_it_maps_content_in_the_middle_of_a_pipeline(world):
    model = make_pipeline(
        quick(n_components=3), ColdStartRecommender(Ridge(), WMF(4, random_state=0))
    )
    model.fit(world.X, world.y)
    mapped = quick(n_components=3).fit(world.X, world.y).transform(world.X)
    direct = ColdStartRecommender(Ridge(), WMF(4, random_state=0)).fit(mapped, world.y)
    assert_allclose(model.predict(world.X), direct.predict(mapped), rtol=1e-6)


def test_groups_are_routed_to_fit(world):
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(PCA(8), quick().set_fit_request(groups=True))
        pipeline.fit(world.X, world.y, groups=world.artists)
    alone = quick().fit(PCA(8).fit_transform(world.X), world.y, groups=world.artists)
    assert_array_equal(pipeline[-1].relevant_counts_, alone.relevant_counts_)


def test_tables_have_names(world):
    pd = pytest.importorskip("pandas", reason="output as a DataFrame needs pandas")
    X = pd.DataFrame(world.X, columns=list("abcdefgh"))
    model = quick(n_components=2).set_output(transform="pandas").fit(X, world.y)
    names = ["mlrsimilarity0", "mlrsimilarity1"]
    assert list(model.transform(X).columns) == names
    assert list(model.get_feature_names_out()) == names
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[list("hgfedcba")])


def test_a_dumped_model_scores_the_same(world, tmp_path):
    model = quick().fit(world.X, world.y)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert_array_equal(again.predict(world.X), model.predict(world.X))
    assert_array_equal(
        again.similarity(world.X, world.X[:5]), model.similarity(world.X, world.X[:5])
    )


def test_changing_the_metric_after_fit_changes_nothing_learned(world):
    model = quick().fit(world.X, world.y)
    scores = model.predict(world.X)
    model.set_params(metric="neg_sqeuclidean")
    assert_array_equal(model.predict(world.X), scores)


def test_without_users_there_are_no_scores_and_it_says_why(wine):
    X, y = wine
    model = quick().fit(X, y)
    for method in ("predict", "predict_factors", "user_factors_", "n_users_"):
        assert not hasattr(model, method)
    for method in ("predict", "recommend"):
        with pytest.raises(AttributeError) as error:
            getattr(model, method)(X)
        assert "has no users" in str(error.value.__cause__)


def test_a_refit_to_labels_forgets_users(world):
    model = quick().fit(world.X, world.y)
    model.fit(world.X, np.arange(120) % 2)
    assert not hasattr(model, "user_factors_")
    assert not hasattr(model, "n_users_")
