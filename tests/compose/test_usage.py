"""User factors and plays, handed to a regressor that asks for them."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import NMF, PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skcoldstart import WMF, ColdStartRecommender
from skcoldstart.neural import UserFactors

N_ITEMS = 24


class Asking(RegressorMixin, BaseEstimator):
    """Remembers what each fit was given."""

    calls = []  # shared by clones

    def __init__(self, c=0):
        self.c = c

    def fit(self, X, y, *, user_factors=None, usage=None, groups=None):
        self.n_outputs_ = y.shape[1]
        self.user_factors_, self.usage_, self.groups_ = user_factors, usage, groups
        Asking.calls.append((np.asarray(X), user_factors, usage))
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_outputs_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


@pytest.fixture(params=[N_ITEMS, 2 * N_ITEMS // 3, 31], ids="{} users".format)
def problem(request, rng):
    """Content that names the item, and plays; two items were never played.

    There are as many users as items, as items of a fold, or neither.
    """
    Asking.calls.clear()
    plays = rng.poisson(0.4, size=(N_ITEMS, request.param)).astype(float)
    plays[:, 0] += 1
    plays[[3, 17]] = 0
    return np.arange(N_ITEMS, dtype=float)[:, None], sp.csr_array(plays)


def check_calls(y, factorizer):
    """Every fit saw all users, and the confidences of its own items."""
    confidences = factorizer.confidences(y).toarray()
    assert Asking.calls
    for X, users, usage in Asking.calls:
        assert_array_equal(users.array, factorizer.user_factors_)
        assert_allclose(usage.toarray(), confidences[X[:, 0].astype(int)], rtol=1e-6)


def recommender(regressor):
    return ColdStartRecommender(regressor, WMF(3, random_state=0))


@pytest.mark.parametrize(
    "regressor",
    [
        Asking(),
        make_pipeline("passthrough", Asking()),
        GridSearchCV(Asking(), {"c": [0, 1]}, cv=KFold(3)),
        make_pipeline("passthrough", GridSearchCV(Asking(), {"c": [0]}, cv=3)),
        GridSearchCV(make_pipeline("passthrough", Asking()), {}, cv=3),
    ],
    ids=["bare", "pipeline", "search", "search in pipeline", "pipeline in search"],
)
@pytest.mark.parametrize("routing", [False, True])
def test_users_stay_whole_and_usage_follows_the_items(routing, regressor, problem):
    X, y = problem
    with sklearn.config_context(enable_metadata_routing=routing):
        model = recommender(regressor).fit(X, y)
    check_calls(y, model.factorizer_)
    assert not any(3 in X or 17 in X for X, _, _ in Asking.calls)


def test_inside_a_search_of_the_recommender_a_fold_sees_its_own_plays(problem):
    X, y = problem
    search = GridSearchCV(
        recommender(Asking()), {"regressor__c": [0, 1]}, cv=2, scoring=lambda *a: 0.0
    )
    search.fit(X, y)
    for items, users, usage in Asking.calls[:-1]:
        chosen = items[:, 0].astype(int)
        assert usage.shape == (len(chosen), y.shape[1])
        assert_array_equal(usage.toarray() > 0, y.toarray()[chosen] > 0)
        assert users.array.shape == (y.shape[1], 3)


def test_usage_of_a_factorizer_without_confidences_counts_plays_alike(problem):
    X, y = problem
    model = ColdStartRecommender(Asking(), NMF(2, random_state=0, max_iter=500))
    model.fit(X, y)
    _, users, usage = Asking.calls[-1]
    assert_allclose(users.array, model.user_factors_)
    played = np.delete(np.arange(N_ITEMS), [3, 17])
    assert_array_equal(usage.toarray(), (y.toarray() > 0)[played])


def test_nothing_is_handed_over_where_factors_are_not_what_is_predicted(problem):
    X, y = problem
    recommender(TransformedTargetRegressor(Asking())).fit(X, y)
    ColdStartRecommender(Asking(), PCA(2)).fit(X, y.toarray())  # decodes with a mean
    assert [call[1:] for call in Asking.calls] == [(None, None)] * 2
    recommender(Ridge()).fit(X, y)


def test_what_the_user_passes_wins(problem):
    X, y = problem
    own = UserFactors(np.ones((y.shape[1], 3)))
    model = recommender(Asking()).fit(X, y, user_factors=own, groups=np.arange(N_ITEMS))
    assert model.regressor_.user_factors_ is own
    assert_array_equal(model.regressor_.groups_, np.delete(np.arange(N_ITEMS), [3, 17]))


def test_user_factors_are_never_copied():
    factors = UserFactors(np.zeros((5, 2)))
    assert clone(factors, safe=False) is factors
    assert UserFactors(factors.array).array is factors.array


def test_confidences_are_those_of_the_objective(problem):
    _, y = problem
    for options, expected in (
        ({"alpha": 3.0, "epsilon": 0.1}, 1 + 3.0 * np.log(1 + y.data / 0.1)),
        ({"confidence": "linear"}, 1 + 2.0 * y.data),
    ):
        wmf = WMF(2, **options, random_state=0)
        c = wmf.confidences(y)
        assert_allclose(c.data, expected, rtol=1e-6)
        assert_array_equal(c.indices, y.indices)
        same = WMF(2, confidence="precomputed", random_state=0).fit(c)
        assert_allclose(same.loss_, wmf.fit(y).loss_, rtol=1e-5)
