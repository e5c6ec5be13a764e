import re
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import label_ranking_average_precision_score, roc_auc_score

from skcoldstart import metrics
from skcoldstart.metrics import mean_auc, mean_average_precision_at_k, ranking_report
from tests.references import ranking as reference


def capped_recall(y_true, y_score, **options):
    return metrics.recall(y_true, y_score, capped=True, **options)


AT_K = {
    "capped_recall": (capped_recall, reference.capped_recall),
    "hit_rate": (metrics.hit_rate, reference.hit_rate),
    "map": (mean_average_precision_at_k, reference.average_precision),
    "mrr": (metrics.mrr, reference.mrr),
    "ndcg": (metrics.ndcg, reference.ndcg),
    "precision": (metrics.precision, reference.precision),
    "recall": (metrics.recall, reference.recall),
}
ALL = [*(f for f, _ in AT_K.values()), mean_auc]


def make_plays_and_scores(rng, n_items=60, n_users=40, *, ties=False):
    """Return plays and scores; user 0 played nothing, user 1 everything."""
    y = rng.poisson(0.15, size=(n_items, n_users))
    y[:, 0], y[:, 1] = 0, 1
    scores = rng.normal(size=y.shape)
    return y, np.round(scores) if ties else scores


# Closed forms and hand values


MAP = (1 + 2 / 3) / 2


@pytest.mark.parametrize(
    ("name", "k", "played", "expected"),
    [
        ("map", None, [1, 0, 7, 0], MAP),
        ("map", 500, [1, 0, 7, 0], MAP),
        ("map", 2, [1, 0, 7, 0], 1 / 2),
        ("map", 1, [1, 0, 7, 0], 1.0),
        ("ndcg", 2, [0, 1, 1, 1], (1 / np.log2(3)) / (1 + 1 / np.log2(3))),
        ("recall", 2, [0, 1, 1, 1], 1 / 3),
        ("precision", 2, [0, 1, 1, 1], 1 / 2),
        ("hit_rate", 2, [0, 1, 1, 1], 1.0),
        ("mrr", 2, [0, 1, 1, 1], 1 / 2),
    ],
)
def test_hand_values(name, k, played, expected):
    y, scores = np.array(played)[:, np.newaxis], [[4.0], [3.0], [2.0], [1.0]]
    assert_allclose(AT_K[name][0](y, scores, k=k), expected, rtol=1e-15)


def test_cutoffs_by_default():
    rng = np.random.default_rng(0)
    y, scores = (rng.random((600, 3)) < 0.5), rng.random((600, 3))
    for name, k in [("map", 500), ("ndcg", 10), ("precision", 10), ("mrr", None)]:
        function, twin = AT_K[name]
        expected = reference.per_user(twin, y, scores, k).mean()
        assert_allclose(function(y, scores), expected, rtol=1e-12)


# Readable twins and outside oracles


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("excluding", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 10, 500, None])
@pytest.mark.parametrize("name", AT_K)
def test_metrics_at_k_equal_their_twins(name, k, ties, excluding, dtype, rng):
    function, twin = AT_K[name]
    y, scores = make_plays_and_scores(rng, ties=ties)
    scores = scores.astype(dtype)
    exclude = (rng.random(y.shape) < 0.3) & (y == 0) if excluding else None
    assert_allclose(
        function(y, scores, k=k, exclude=exclude, per_user=True),
        reference.per_user(twin, y, scores, k, exclude=exclude),
        rtol=1e-13,
    )


@pytest.mark.parametrize("ties", [False, True])
def test_auc_equals_roc_auc_score_of_each_user(ties, rng):
    y, scores = make_plays_and_scores(rng, ties=ties)
    for exclude in (np.zeros(y.shape, bool), (rng.random(y.shape) < 0.3) & (y == 0)):
        expected = [
            roc_auc_score(y[kept, u] > 0, scores[kept, u])
            for u, kept in enumerate(~exclude.T)
            if u > 1
        ]
        values = mean_auc(y, scores, exclude=exclude, per_user=True)
        assert_allclose(values[2:], expected, rtol=1e-13)
        found = mean_auc(y, scores, exclude=exclude)
        assert_allclose(found, np.mean(expected), rtol=1e-13)


@pytest.mark.parametrize("ties", [False, True])
def test_pooled_auc_is_roc_auc_score_of_all_pairs(ties, rng):
    y, scores = make_plays_and_scores(rng, n_users=300, ties=ties)
    expected = roc_auc_score((y > 0).ravel(), scores.ravel())
    assert_allclose(mean_auc(y, scores, average="pooled"), expected, rtol=1e-13)
    exclude = (rng.random(y.shape) < 0.3) & (y == 0)
    expected = roc_auc_score((y > 0)[~exclude], scores[~exclude])
    pooled = mean_auc(y, scores, average="pooled", exclude=exclude)
    assert_allclose(pooled, expected, rtol=1e-13)


def test_map_without_cutoff_is_lrap_where_nothing_ties(rng):
    y, scores = make_plays_and_scores(rng)
    expected = label_ranking_average_precision_score(y.T[1:] > 0, scores.T[1:])
    assert_allclose(mean_average_precision_at_k(y, scores, k=None), expected)


SCORES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(-3, 3).map(float),
)


@settings(deadline=None, max_examples=20)
@given(scores=SCORES, seed=st.integers(0, 99), k=st.integers(1, 14))
def test_tables_of_any_size_equal_their_twins_and_auc_is_antisymmetric(scores, seed, k):
    y = np.random.default_rng(seed).random(scores.shape) < 0.4
    for function, twin in AT_K.values():
        values = function(y, scores, k=k, per_user=True)
        assert_allclose(values, reference.per_user(twin, y, scores, k), rtol=1e-13)
    forward = mean_auc(y, scores, per_user=True)
    assert_allclose(mean_auc(y, -scores, per_user=True), 1 - forward, atol=1e-15)


# Invariants


@pytest.mark.parametrize(
    "container", [sp.csr_matrix, sp.csc_array, sp.coo_array, np.asarray, list]
)
def test_the_container_of_plays_does_not_matter(container, rng):
    y, scores = make_plays_and_scores(rng)
    for function in ALL:
        assert function(container(y), scores) == function(y > 0, scores)


def test_stored_zeros_and_duplicates_count_once():
    row, col = np.array([0, 0, 1, 2]), np.array([0, 0, 0, 0])
    y = sp.coo_array(([1.0, 2.0, 0.0, 1.0], (row, col)), shape=(3, 1))
    scores = [[1.0], [2.0], [3.0]]
    assert_allclose(mean_average_precision_at_k(y, scores), (1 + 2 / 3) / 2)
    assert y.nnz == 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_scores_are_left_alone_whatever_their_layout(order, rng):
    y, scores = make_plays_and_scores(rng)
    scores = np.asarray(scores, order=order)
    before = scores.copy()
    scores.setflags(write=False)
    exclude = y == 0
    assert mean_average_precision_at_k(y, scores, exclude=exclude) == 1.0
    assert_array_equal(scores, before)
    assert mean_auc(y, y > 0) == 1.0


# Edges


def test_users_without_positives_are_skipped_and_marked(rng):
    y, scores = make_plays_and_scores(rng)
    for function in ALL:
        values = function(y, scores, per_user=True)
        assert np.isnan(values[0])
        assert_allclose(function(y, scores), np.nanmean(values), rtol=1e-13)


def test_a_user_who_played_everything_counts_for_map_but_not_for_auc(rng):
    y, scores = make_plays_and_scores(rng)
    assert mean_average_precision_at_k(y, scores, per_user=True)[1] == 1.0
    assert np.isnan(mean_auc(y, scores, per_user=True)[1])


@pytest.mark.parametrize("function", [*ALL, partial(mean_auc, average="pooled")])
def test_no_user_left_is_nan_with_a_warning_at_the_caller(function):
    with pytest.warns(UndefinedMetricWarning, match="no user has") as record:
        assert np.isnan(function(np.zeros((3, 2)), np.ones((3, 2))))
    assert [warning.filename for warning in record] == [__file__]


@pytest.mark.parametrize("average", ["user", "pooled"])
def test_auc_without_negatives_is_nan(average):
    with pytest.warns(UndefinedMetricWarning, match="auc: no user has"):
        assert np.isnan(mean_auc([[1]], [[1.0]], average=average))


@pytest.mark.parametrize("average", ["user", "pooled"])
@pytest.mark.parametrize(("item", "user"), [(0, 0), (1, 1), (2, 1)])
def test_nan_scores_raise_wherever_they_stand(item, user, average):
    y = np.array([[0, 0], [0, 1], [0, 0]])
    scores = np.ones((3, 2))
    scores[item, user] = np.nan
    for function in ALL:
        options = {"average": average} if function is mean_auc else {}
        with pytest.raises(ValueError, match="contain NaN"):
            function(y, scores, **options)


@pytest.mark.parametrize("average", ["user", "pooled"])
def test_infinite_scores_rank_like_very_large_ones(average, rng):
    y, scores = make_plays_and_scores(rng)
    scores[(scores < -1) & (y == 0)] = -np.inf
    scores[scores > 1] = np.inf
    finite = np.nan_to_num(scores, posinf=99.0, neginf=-99.0)
    assert mean_auc(y, scores, average=average) == mean_auc(y, finite, average=average)
    found = mean_average_precision_at_k(y, scores)
    assert found == mean_average_precision_at_k(y, finite)


@pytest.mark.parametrize("average", ["user", "pooled"])
def test_a_positive_scored_minus_infinity_raises(average):
    y, scores = np.eye(3), np.ones((3, 3))
    scores[2, 2] = -np.inf
    with pytest.raises(ValueError, match="User 2 played an item with score -inf"):
        mean_auc(y, scores, average=average)


def test_a_positive_that_is_excluded_raises():
    y = np.eye(3)
    with pytest.raises(ValueError, match=r"1 pairs are both .* user 2 and item 2"):
        mean_auc(y, np.ones((3, 3)), exclude=np.diag([0, 0, 1]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ones((3, 2)), "Did you pass users as rows (y_true.T)?"),
        (np.ones((2, 4)), "y_true has shape (2, 4) but scores have shape (2, 3)"),
        (np.ones(2), "one row per item, one column per user"),
        ([[1, -1, 0], [0, 0, 1]], "Play counts are >= 0"),
        ([[1, np.nan, 0], [0, 0, 1]], "NaN"),
    ],
)
def test_plays_of_another_form_are_refused(y, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mean_average_precision_at_k(y, np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (mean_average_precision_at_k, {"k": 0}, "'k' parameter"),
        (mean_average_precision_at_k, {"k": 2.5}, "'k' parameter"),
        (mean_average_precision_at_k, {"exclude": [[0.0]]}, "exclude has shape"),
        (mean_auc, {"average": "macro"}, "'average' parameter"),
        (mean_auc, {"average": "pooled", "per_user": True}, "no value per user"),
        (ranking_report, {"average": "pooled", "per_user": True}, "no value per user"),
        (ranking_report, {"metrics": "coverage@5", "per_user": True}, "no value per"),
    ],
)
def test_options_that_make_no_sense_are_refused(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(np.eye(2), np.eye(2), **options)


# One pass for several


@pytest.mark.parametrize("per_user", [False, True])
def test_report_holds_what_single_metrics_say_and_what_was_counted(per_user, rng):
    y, scores = make_plays_and_scores(rng)
    names = ("map@5", "ndcg@3", "ndcg@7", "auc")
    report = ranking_report(y, scores, metrics=names, per_user=per_user)
    singles = {
        "map@5": mean_average_precision_at_k(y, scores, k=5, per_user=per_user),
        "ndcg@3": metrics.ndcg(y, scores, k=3, per_user=per_user),
        "ndcg@7": metrics.ndcg(y, scores, k=7, per_user=per_user),
        "auc": mean_auc(y, scores, per_user=per_user),
    }
    for name, expected in singles.items():
        assert_array_equal(report.pop(name), expected)
    assert report == {
        "n_items": 60,
        "n_users_scored": int((y.sum(axis=0) > 0).sum()),
        "n_users_skipped": int((y.sum(axis=0) == 0).sum()),
    }
    pooled = ranking_report(y, scores, metrics="auc", average="pooled")
    assert pooled["auc"] == mean_auc(y, scores, average="pooled")


# Scores that are not a table


def test_factors_and_functions_rank_like_their_table(rng):
    V, U = rng.normal(size=(40, 3)), rng.normal(size=(600, 3))
    y, asked = rng.random((40, 600)) < 0.1, []

    def score(users):
        asked.append(len(users))
        return V @ U[users].T

    function = metrics.CallableScores(score, 40, 600)
    for source in (metrics.LowRankScores(V, U), function):
        for metric in ALL:
            assert_allclose(metric(y, source), metric(y, V @ U.T), rtol=1e-12)
        assert_allclose(
            mean_auc(y, source, average="pooled"),
            mean_auc(y, V @ U.T, average="pooled"),
            rtol=1e-12,
        )
    assert max(asked) == 256


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda users: np.ones((3, 4)), r"shape \(3, 4\) for 3 users; .* \(4, 3\)"),
        (lambda users: np.full((4, 3), np.nan), "contain NaN"),
    ],
)
def test_what_a_function_returns_is_checked(function, message):
    with pytest.raises(ValueError, match=message):
        mean_auc(np.eye(4)[:, :3], metrics.CallableScores(function, 4, 3))
