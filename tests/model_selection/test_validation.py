"""Cross-validation and curves with sparse plays are scikit-learn's with dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.model_selection
from numpy.testing import assert_allclose, assert_array_equal, assert_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import RaggedArray, make_recommendation_scorer, recommendation_scorer
from skcoldstart.model_selection import (
    WarmupSplit,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from tests.stubs import FactorRecommender, LinearRecommender, SequenceRecommender

SPARSE = [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array, sp.coo_matrix]
CURVES = [
    (learning_curve, {"train_sizes": [10, 40]}),
    (validation_curve, {"param_name": "alpha", "param_range": [0.1, 1.0, 1e4]}),
]


@pytest.mark.parametrize("container", [*SPARSE, np.asarray, np.ndarray.tolist])
def test_folds_hold_out_items_in_any_container(container, catalog):
    X, y, _ = catalog
    results = cross_validate(
        FactorRecommender(), X, container(y), cv=3, error_score="raise"
    )
    assert sorted(results) == ["fit_time", "score_time", "test_auc", "test_map"]
    for fold, (train, test) in enumerate(KFold(3).split(X)):
        model = LinearRecommender().fit(X[train], y[train])
        for key, expected in recommendation_scorer(model, X[test], y[test]).items():
            assert_allclose(results[f"test_{key}"][fold], expected, rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_sparse_plays_give_what_scikit_learn_gives_for_dense_ones(n_jobs, catalog):
    X, y, groups = catalog
    options = {"groups": groups, "cv": GroupShuffleSplit(3, random_state=0)}
    names = ("return_indices", "return_estimator", "return_train_score")
    options |= dict.fromkeys(names, True)
    model = LinearRecommender()
    expected = sklearn.model_selection.cross_validate(
        model, X, y, scoring=recommendation_scorer, **options
    )
    for plays in (y, sp.csr_array(y)):
        results = cross_validate(model, X, plays, n_jobs=n_jobs, **options)
        assert results.keys() == expected.keys()
        for key in ("test_map", "test_auc", "train_map", "indices"):
            assert_equal(results[key], expected[key])
        assert len(results["estimator"]) == 3


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix, np.asarray])
@pytest.mark.parametrize("scoring", [None, "auc"])
@pytest.mark.parametrize(("curve", "options"), CURVES)
def test_curves_of_sparse_plays_are_those_of_scikit_learn_for_dense_ones(
    curve, options, scoring, container, catalog
):
    X, y, groups = catalog
    options = options | {"groups": groups, "cv": GroupKFold(3)}
    theirs = getattr(sklearn.model_selection, curve.__name__)
    scorer = make_recommendation_scorer(scoring or "map@500")
    expected = theirs(LinearRecommender(), X, y, scoring=scorer, **options)
    options["scoring"] = scoring
    assert_equal(curve(LinearRecommender(), X, container(y), **options), expected)


@pytest.mark.parametrize(("evaluate", "options"), [(cross_validate, {}), *CURVES])
def test_what_does_not_fit_is_refused_before_any_fold(evaluate, options, catalog):
    X, y, _ = catalog
    with pytest.raises(ValueError, match="one row per item"):
        evaluate(LinearRecommender(), X, y[1:], **options)
    with pytest.raises(TypeError, match="splits plays"):
        evaluate(LinearRecommender(), X, y, cv=WarmupSplit(), **options)
    with pytest.raises(TypeError, match="single path"):
        evaluate(SequenceRecommender(), "a.wav", y, **options)


def test_sequences_of_any_kind_are_content(catalog):
    X, y, _ = catalog
    expected = cross_val_score(LinearRecommender(), X, y, cv=3)
    zeros = np.zeros((2, 4))
    items = [np.vstack([x, zeros[: i % 3]]) for i, x in enumerate(X)]
    paths = ["/".join(map(str, x)) for x in X]
    model, options = SequenceRecommender(), {"cv": 3, "error_score": "raise"}
    for content in (RaggedArray.from_sequence(items), items, paths, np.array(paths)):
        scores = cross_val_score(model, content, sp.csr_array(y), **options)
        assert_allclose(scores, expected, rtol=1e-12)


@pytest.mark.slow
def test_ragged_items_travel_to_processes(catalog):
    X, y, _ = catalog
    data = SequenceRecommender(), RaggedArray(X, np.arange(97)), sp.csr_array(y)
    expected = cross_val_score(*data, scoring="auc")
    assert_array_equal(cross_val_score(*data, scoring="auc", n_jobs=2), expected)


def test_sparse_content_is_content(catalog):
    class FromSparse(LinearRecommender):
        def features(self, X):
            return X.toarray()

    X, y, _ = catalog
    scores = cross_val_score(FromSparse(), sp.csr_array(X), y, cv=3)
    expected = cross_val_score(LinearRecommender(), X, y, cv=3)
    assert_allclose(scores, expected, rtol=1e-12)


def test_metrics_go_by_their_names(catalog):
    X, y, _ = catalog
    model, plays = FactorRecommender(), sp.csr_array(y)
    scorer = make_recommendation_scorer("ndcg@10")
    expected = cross_val_score(model, X, plays, cv=3, scoring=scorer)
    by_name = cross_val_score(model, X, plays, cv=3, scoring="ndcg@10")
    assert_array_equal(by_name, expected)
    several = cross_validate(model, X, plays, cv=3, scoring=["ndcg@10", "recall@5"])
    assert_array_equal(several["test_ndcg@10"], expected)
    assert "test_recall@5" in several
    for names, keys in ((["map@500"], ["map"]), (["auc", "r2"], ["auc", "r2"])):
        model = LinearRegression()
        found = cross_validate(model, X, y, cv=3, scoring=names)
        assert [key[5:] for key in found if key.startswith("test_")] == keys
    with pytest.raises(ValueError, match="nonsense"):
        cross_validate(model, X, plays, scoring="nonsense")
    # What is no ranking metric is scikit-learn's.
    assert "test_r2" in cross_validate(LinearRegression(), X, y, cv=3, scoring=["r2"])


def test_one_number_per_fold(catalog):
    X, y, _ = catalog
    model, plays = LinearRecommender(), sp.csr_array(y)
    full = cross_validate(model, X, plays, cv=3)
    assert_array_equal(cross_val_score(model, X, plays, cv=3), full["test_map"])
    auc = cross_val_score(model, X, plays, cv=3, scoring="auc")
    assert_array_equal(auc, full["test_auc"])
    for evaluate, options in [(cross_val_score, {}), *CURVES]:
        for scoring in (recommendation_scorer, ["map", "auc"]):
            with pytest.raises(ValueError, match=r"metrics \['map', 'auc'\]"):
                evaluate(model, X, plays, scoring=scoring, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.T, r"users as rows \(y.T\)"),
        (lambda y: y[:-1], "y has 95 rows but X has 96 items"),
        (lambda y: y[:, 0], "one column per user"),
        (lambda y: y - 1, "Play counts are >= 0"),
        (lambda y: None, "y is None"),
    ],
)
def test_plays_of_another_form_are_refused_before_any_fold(change, message, catalog):
    X, y, _ = catalog
    with pytest.raises(ValueError, match=message):
        cross_validate(LinearRecommender(), X, change(y))


def test_parameters_of_estimators_stay_checked(catalog):
    X, y, _ = catalog
    model = make_pipeline(StandardScaler(with_mean="yes"), LinearRecommender())
    with pytest.raises(ValueError, match="'with_mean' parameter"):
        cross_validate(model, X, sp.csr_array(y), error_score="raise")
