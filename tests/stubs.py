"""Tiny recommenders that worker processes can import."""

import io
import signal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted


def loudness(windows):
    """Return the root mean square of each window, a model of one number."""
    return np.sqrt((windows**2).mean(axis=1, keepdims=True))


class LinearRecommender(BaseEstimator):
    """Score by X @ coef_, a ridge regression of plays on content."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        X, y = self.features(X), y.toarray() if sp.issparse(y) else np.asarray(y)
        gram = X.T @ X + self.alpha * np.eye(X.shape[1])
        self.coef_ = np.linalg.solve(gram, X.T @ y)
        return self

    def predict(self, X):
        check_is_fitted(self)
        return self.features(X) @ self.coef_

    def features(self, X):
        return np.asarray(X, dtype=float)


class FactorRecommender(LinearRecommender):
    """The same, with its scores offered as factors."""

    @property
    def user_factors_(self):
        return self.coef_.T

    def predict_factors(self, X):
        return self.features(X)

    def predict(self, X):
        raise AssertionError("the table of all scores was asked for")


class SequenceRecommender(LinearRecommender):
    """Items are paths, or arrays of unequal length; content is what they add up to."""

    def features(self, X):
        if isinstance(X[0], str):
            return np.array([[float(part) for part in p.split("/")] for p in X])
        return np.array([np.sum(item, axis=0) for item in X], dtype=float)


class BrokenRecommender(LinearRecommender):
    """Fits, and predicts what ``failure`` says."""

    def __init__(self, failure="nan"):
        self.failure = failure

    def fit(self, X, y):
        self.n_users_ = y.shape[1]
        return self

    def predict(self, X):
        check_is_fitted(self)
        scores = np.zeros((len(X), self.n_users_))
        if self.failure == "nan":
            scores[0, 0] = np.nan
        if self.failure == "raise":
            raise RuntimeError("the model is out of order")
        if self.failure == "shape":
            return scores[:, :-1]
        if self.failure == "flat":
            return scores[:, 0]
        return scores


class InterruptedAtWork(io.StringIO):
    """Standard error of a process that is interrupted when it shows an objective."""

    def __init__(self):
        super().__init__()
        # Whatever the process inherited.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def write(self, text):
        if "objective=" in text:
            signal.raise_signal(signal.SIGINT)
        return super().write(text)
