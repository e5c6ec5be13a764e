"""Regressors that get their predict in fit, alone and inside others."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metaestimators import available_if

from skcoldstart import WMF, ColdStartRecommender


class LatePredictor(RegressorMixin, BaseEstimator):
    """A regressor that has `predict` only once it is fitted."""

    def fit(self, X, y):
        self.mean_ = np.mean(y, axis=0)
        return self

    @available_if(lambda self: hasattr(self, "mean_"))
    def predict(self, X):
        return np.broadcast_to(self.mean_, (len(X), *np.shape(self.mean_)))


STACK = StackingRegressor([("a", Ridge()), ("b", Ridge(100.0))])


@pytest.mark.parametrize(
    "regressor",
    [
        STACK,
        StackingRegressor([("a", Ridge())], RidgeCV()),
        make_pipeline(StandardScaler(), STACK),
        GridSearchCV(STACK, {"a__alpha": [0.1, 10.0]}, cv=2),
        Pipeline([("s", StandardScaler()), ("p", make_pipeline("passthrough", STACK))]),
        LatePredictor(),
    ],
    ids=["stack", "stack with end", "pipeline", "search", "nested", "late"],
)
def test_a_regressor_without_predict_before_fit_is_fitted_per_factor(rng, regressor):
    X = rng.normal(size=(40, 4))
    y = sp.csr_array(rng.poisson(0.8, size=(40, 12)).astype(float))
    wmf = WMF(3, random_state=0)
    model = ColdStartRecommender(regressor, wmf).fit(X, y)
    fitted = clone(wmf).fit(y)
    expected = np.column_stack([
        clone(regressor).fit(X, t).predict(X) for t in fitted.item_factors_.T
    ])
    assert_allclose(model.predict_factors(X), expected, rtol=1e-5, atol=1e-7)
    assert_allclose(model.predict(X), expected @ fitted.user_factors_.T, atol=1e-5)


@pytest.mark.parametrize(
    "regressor", [StandardScaler(), make_pipeline(StandardScaler())], ids=str
)
def test_what_never_predicts_is_refused(rng, regressor):
    with pytest.raises(TypeError, match="has no predict; expected a regressor"):
        ColdStartRecommender(regressor).fit(rng.normal(size=(9, 2)), np.eye(9))
