"""Scores as sums of named parts: products of a table of items and a table of users."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.pipeline import Pipeline

from skcoldstart.compose import (
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
)

__all__ = ["Parts", "parts_of"]

_LINEAR = (Ridge, RidgeCV, LinearRegression)

# Dual weights reproduce the predictions of a fitted regressor as closely as this.
_TOLERANCE = 1e-3


@dataclass
class Parts:
    """The score of item i for user u is the sum over parts of ``A[i] * B[u]``.

    Shapes: `A` (n_items, n_parts), `B` (n_selected_users, n_parts).
    """

    kind: str  # "song", "content" or "constant"
    labels: np.ndarray
    A: Any
    B: Any

    def of_pair(self, item: int, user: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels and values of the parts of one score."""
        if not (sp.issparse(self.A) or sp.issparse(self.B)):
            return self.labels, self.A[item] * self.B[user]
        a, b = sp.csr_array(self.A[[item]]), sp.csr_array(self.B[[user]])
        product = sp.csr_array(a.multiply(b))
        return self.labels[product.indices], product.data


def parts_of(
    model: Any, X: Any, users: np.ndarray, *, by: str, X_train: Any, item_ids: Any
) -> list[Parts]:
    """Return the parts of the scores of a fitted recommender.

    Shapes: `users` (n_selected_users,).
    """
    if isinstance(model, ContentKNNRecommender):
        _refuse(model, by, "songs")
        songs = model.played_items_
        labels = songs if item_ids is None else np.asarray(item_ids)[songs]
        A, B = model.predict_factors(X), model.user_factors_[users]
        return [Parts("song", labels, A, B)]
    if isinstance(model, ContentProfileRecommender):
        _refuse(model, by, "content")
        A, B = model.predict_factors(X), model.user_factors_[users]
        return [Parts("content", _column_names(model, A.shape[1]), A, B)]
    if isinstance(model, ColdStartRecommender):
        if model.play_weight or model.popularity_weight or model.group_level:
            raise TypeError(
                "Scores with play_weight, popularity_weight or group_level are not "
                "explained yet; fit a ColdStartRecommender without them."
            )
        if by == "songs" or (by == "auto" and X_train is not None):
            return _songs_behind_factors(model, X, users, X_train, item_ids)
        return _columns_behind_factors(model, X, users)
    raise TypeError(
        f"{type(model).__name__} cannot be explained; expected a "
        "ContentKNNRecommender, a ContentProfileRecommender, or a "
        "ColdStartRecommender whose regressor is linear or a kernel ridge."
    )


def _refuse(model: Any, by: str, only: str) -> None:
    if by not in ("auto", only):
        raise ValueError(
            f"by={by!r}, but scores of a {type(model).__name__} are sums over {only}; "
            f"pass by={only!r} or leave it out."
        )


def _columns_behind_factors(model: Any, X: Any, users: np.ndarray) -> list[Parts]:
    """Split scores by column of what the last step of the regressor sees."""
    features, head = _features_and_head(model.regressor_, X)
    if not isinstance(head, _LINEAR):
        raise TypeError(
            f"The regressor ends in {type(head).__name__}, whose predictions are not "
            "sums over columns of content; expected Ridge, RidgeCV or "
            "LinearRegression. For KernelRidge pass by='songs' and X_train."
        )
    A = sp.csr_array(features) if sp.issparse(features) else np.asarray(features)
    coefficients = np.atleast_2d(head.coef_)
    B = model.user_factors_[users]
    offset = np.broadcast_to(head.intercept_, len(coefficients))
    return [
        Parts("content", _column_names(model, A.shape[1]), A, B @ coefficients),
        _constant(len(users), A.shape[0], B @ offset),
    ]


def _songs_behind_factors(
    model: Any, X: Any, users: np.ndarray, X_train: Any, item_ids: Any
) -> list[Parts]:
    """Split scores by training song, through the dual weights of a ridge."""
    if X_train is None:
        raise ValueError(
            "by='songs' needs X_train, the content that the recommender was fitted to."
        )
    played, targets = model.training_factors()
    n_train = X_train.shape[0] if hasattr(X_train, "shape") else len(X_train)
    if n_train <= int(played.max()):
        raise ValueError(
            f"X_train has {n_train} items, but the recommender was fitted to more; "
            "pass the content that it was fitted to, whole and in the same order."
        )
    known, head = _features_and_head(model.regressor_, X_train)
    new, _ = _features_and_head(model.regressor_, X)
    weights = _dual_weights(head, known[played], new)
    predicted = model.predict_factors(X)
    gap = np.abs(weights @ targets - predicted).max()
    if gap > _TOLERANCE * max(np.abs(predicted).max(), 1e-30):
        raise ValueError(
            f"Dual weights on X_train miss the predictions of the regressor by "
            f"{gap:.2g}; pass the content that it was fitted to. Weighted items "
            "(item_weight, sample_weight) cannot be explained by songs."
        )
    labels = played if item_ids is None else np.asarray(item_ids)[played]
    return [Parts("song", labels, weights, model.user_factors_[users] @ targets.T)]


def _dual_weights(head: Any, known: Any, new: Any) -> np.ndarray:
    """Return what each training item counts in a prediction, (n_items, n_train).

    Predictions of a ridge are these weights times the targets; weights add up to 1
    where there is an intercept.
    """
    if isinstance(head, KernelRidge):
        params = head.kernel_params or {}
        if not callable(head.kernel):
            params = {"gamma": head.gamma, "degree": head.degree, "coef0": head.coef0}
        gram, cross = (
            pairwise_kernels(F, known, metric=head.kernel, filter_params=True, **params)
            for F in (known, new)
        )
        gram[np.diag_indices_from(gram)] += _strength(head)
        return scipy.linalg.solve(gram, cross.T, assume_a="pos").T
    if not isinstance(head, _LINEAR):
        raise TypeError(
            f"The regressor ends in {type(head).__name__}, which has no dual weights; "
            "expected Ridge, RidgeCV, LinearRegression or KernelRidge."
        )
    known, new = (
        np.asarray(F.toarray() if sp.issparse(F) else F) for F in (known, new)
    )
    known, new = known.astype(np.float64), new.astype(np.float64)
    share = 0.0
    if head.fit_intercept:
        mean = known.mean(axis=0)
        known, new, share = known - mean, new - mean, 1 / len(known)
    covariance = known.T @ known
    covariance[np.diag_indices_from(covariance)] += _strength(head)
    solved = scipy.linalg.lstsq(covariance, known.T)[0]
    return share + new @ solved


def _strength(head: Any) -> float:
    alpha = getattr(head, "alpha_", getattr(head, "alpha", 0.0))
    if np.size(alpha) != 1:
        raise ValueError(
            f"{type(head).__name__} has one alpha for each factor; explanations by "
            "songs need one for all."
        )
    return float(np.ravel(alpha)[0])


def _features_and_head(regressor: Any, X: Any) -> tuple[Any, Any]:
    """Return what the last step of a regressor sees of X, and that step."""
    if isinstance(regressor, Pipeline):
        features = regressor[:-1].transform(X) if len(regressor) > 1 else X
        return features, regressor[-1]
    return (X.to_numpy() if hasattr(X, "to_numpy") else X), regressor


def _column_names(model: Any, n_columns: int) -> np.ndarray:
    """Return names of the columns of content that a model sees."""
    regressor = getattr(model, "regressor_", None)
    if isinstance(regressor, Pipeline) and len(regressor) > 1:
        try:
            return np.asarray(regressor[:-1].get_feature_names_out())
        except (AttributeError, ValueError, TypeError):
            pass  # a step without names: columns are counted
    names = getattr(model, "feature_names_in_", None)
    if names is not None and len(names) == n_columns:
        return np.asarray(names)
    return np.array([f"x{i}" for i in range(n_columns)], dtype=object)


def _constant(n_users: int, n_items: int, values: np.ndarray) -> Parts:
    """Return the part of a score that is the same for all items."""
    return Parts(
        "constant",
        np.array(["(all items alike)"], dtype=object),
        np.ones((n_items, 1)),
        np.reshape(values, (n_users, 1)),
    )
