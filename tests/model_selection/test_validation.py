import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
)
from sklearn.model_selection import cross_validate as sklearn_cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import RaggedArray, make_recommendation_scorer, recommendation_scorer
from skcoldstart.model_selection import (
    cross_val_score,
    cross_validate,
    learning_curve,
)
from tests.stubs import FactorRecommender, LinearRecommender, SequenceRecommender

SPARSE = [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array, sp.coo_matrix]


@pytest.fixture
def catalog(rng):
    X = rng.integers(-2, 3, size=(60, 4)).astype(float)
    y = rng.poisson(np.exp(X @ rng.normal(size=(4, 25)) / 2 - 1))
    return X, y, rng.integers(0, 12, size=60)


def expected_scores(X, y, folds, model=LinearRecommender, **params):
    return [
        recommendation_scorer(model(**params).fit(X[a], y[a]), X[b], y[b])
        for a, b in folds
    ]


@pytest.mark.parametrize("container", [*SPARSE, np.asarray, np.ndarray.tolist])
def test_folds_hold_out_items_in_any_container(container, catalog):
    X, y, _ = catalog
    results = cross_validate(
        FactorRecommender(), X, container(y), cv=3, error_score="raise"
    )
    assert sorted(results) == ["fit_time", "score_time", "test_auc", "test_map"]
    expected = expected_scores(X, y, KFold(3).split(X))
    for key in ("map", "auc"):
        assert_allclose(results[f"test_{key}"], [e[key] for e in expected], rtol=1e-12)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_groups_hold_out_artists(n_jobs, catalog):
    X, y, groups = catalog
    results = cross_validate(
        LinearRecommender(),
        X,
        sp.csr_array(y),
        groups=groups,
        cv=GroupKFold(4),
        n_jobs=n_jobs,
        return_indices=True,
        return_estimator=True,
        return_train_score=True,
    )
    for train, test in zip(*results["indices"].values(), strict=True):
        assert not set(groups[train]) & set(groups[test])
    expected = expected_scores(X, y, GroupKFold(4).split(X, y, groups))
    assert_allclose(results["test_map"], [e["map"] for e in expected], rtol=1e-12)
    assert len(results["estimator"]) == len(results["train_auc"]) == 4


def test_dense_plays_give_what_scikit_learn_gives(catalog):
    X, y, groups = catalog
    options = {
        "groups": groups,
        "cv": GroupShuffleSplit(3, random_state=0),
        "scoring": recommendation_scorer,
    }
    ours = cross_validate(LinearRecommender(), X, y, **options)
    theirs = sklearn_cross_validate(LinearRecommender(), X, y, **options)
    assert ours.keys() == theirs.keys()
    assert_array_equal(ours["test_map"], theirs["test_map"])


def test_sequences_of_any_kind_are_content(catalog):
    X, y, _ = catalog
    expected = cross_validate(LinearRecommender(), X, y, cv=3)["test_map"]
    zeros = np.zeros((2, 4))
    ragged = [np.vstack([x, zeros[: i % 3]]) for i, x in enumerate(X)]
    paths = ["/".join(map(str, x)) for x in X]
    for items in (RaggedArray.from_sequence(ragged), ragged, paths, np.array(paths)):
        results = cross_validate(
            SequenceRecommender(), items, sp.csr_array(y), cv=3, error_score="raise"
        )
        assert_allclose(results["test_map"], expected, rtol=1e-12)


@pytest.mark.slow
def test_ragged_items_travel_to_processes(catalog):
    X, y, _ = catalog
    items = RaggedArray(X, np.arange(61))
    one, two = (
        cross_validate(SequenceRecommender(), items, sp.csr_array(y), n_jobs=n_jobs)
        for n_jobs in (1, 2)
    )
    assert_array_equal(one["test_auc"], two["test_auc"])


def test_sparse_content_is_content(catalog):
    class FromSparse(LinearRecommender):
        def features(self, X):
            return X.toarray()

    X, y, _ = catalog
    results = cross_validate(FromSparse(), sp.csr_array(X), y, cv=3)
    expected = cross_validate(LinearRecommender(), X, y, cv=3)["test_map"]
    assert_allclose(results["test_map"], expected, rtol=1e-12)


def test_metrics_go_by_their_names(catalog):
    X, y, _ = catalog
    model, plays = FactorRecommender(), sp.csr_array(y)
    expected = cross_val_score(
        model, X, plays, cv=3, scoring=make_recommendation_scorer("ndcg@10")
    )
    assert_array_equal(
        cross_val_score(model, X, plays, cv=3, scoring="ndcg@10"), expected
    )
    several = cross_validate(model, X, plays, cv=3, scoring=["ndcg@10", "recall@5"])
    assert_array_equal(several["test_ndcg@10"], expected)
    assert "test_recall@5" in several
    _, _, test_scores = learning_curve(
        model, X, plays, cv=3, scoring="ndcg@10", train_sizes=[1.0]
    )
    assert_array_equal(test_scores[0], expected)
    with pytest.raises(ValueError, match="nonsense"):
        cross_validate(model, X, plays, scoring="nonsense")
    # What is no ranking metric is scikit-learn's.
    assert "test_r2" in cross_validate(LinearRegression(), X, y, cv=3, scoring=["r2"])


def test_one_number_per_fold(catalog):
    X, y, _ = catalog
    model, plays = LinearRecommender(), sp.csr_array(y)
    full = cross_validate(model, X, plays, cv=3)
    assert_array_equal(cross_val_score(model, X, plays, cv=3), full["test_map"])
    auc = cross_val_score(
        model, X, plays, cv=3, scoring=make_recommendation_scorer("auc")
    )
    assert_array_equal(auc, full["test_auc"])
    with pytest.raises(ValueError, match=r"metrics \['map', 'auc'\]"):
        cross_val_score(model, X, plays, scoring=recommendation_scorer)


def test_a_single_path_is_no_sequence_of_items():
    with pytest.raises(TypeError, match="single path"):
        cross_validate(SequenceRecommender(), "a.wav", np.eye(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.T, r"users as rows \(y.T\)"),
        (lambda y: y[:-1], "y has 59 rows but X has 60 items"),
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
    with pytest.raises(ValueError, match="'with_mean' parameter"):
        cross_validate(
            make_pipeline(StandardScaler(with_mean="yes"), LinearRecommender()),
            X,
            sp.csr_array(y),
            error_score="raise",
        )
