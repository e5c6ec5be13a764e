"""Scores as sums of named parts, each a product of an item and a user value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.sources import open_recommender
from skcoldstart._utils.sk import _safe_indexing
from skcoldstart.compose import (
    LINEAR_REGRESSORS,
    BlendRecommender,
    ColdStartRecommender,
    ContentKNNRecommender,
    ContentProfileRecommender,
    PopularityRecommender,
    dual_weights,
    features_and_head,
    score_by_window,
)
from skcoldstart.factorization import WMF

# Maximum relative difference between predictions and dual weights.
_TOLERANCE = 1e-3
_POPULARITY = np.array(["(predicted popularity)"], dtype=object)


@dataclass
class Parts:
    """The score of item i for user u is the sum over parts of ``A[i] * B[u]``.

    Shapes: `A` (n_items, n_parts), `B` (n_selected_users, n_parts).
    """

    kind: str  # "song", "content", "time", "popularity", "plays" or "constant"
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


class PartsOfPairs(NamedTuple):
    """Parts that differ from pair to pair: their labels and values by item and user."""

    kind: str
    of_pair: Callable[[int, int], tuple[np.ndarray, np.ndarray]]


def parts_of(
    model: Any, X: Any, users: np.ndarray, *, by: str, X_train: Any, item_ids: Any
) -> list[Any]:
    """Return the parts of the scores of a fitted recommender.

    Shapes: `users` (n_selected_users,).
    """
    if isinstance(model, ContentKNNRecommender):
        _refuse(model, by, "songs")
        songs = model.played_items_
        labels = _names_of_songs(item_ids, songs)
        A, B = model.predict_factors(X), model.user_factors_[users]
        return [Parts("song", labels, A, B)]
    if isinstance(model, ContentProfileRecommender):
        _refuse(model, by, "content")
        A, B = model.predict_factors(X), model.user_factors_[users]
        return [Parts("content", _column_names(model, A.shape[1]), A, B)]
    if isinstance(model, PopularityRecommender):
        A, B = model.predict_factors(X), model.user_factors_[users]
        return [Parts("popularity", _POPULARITY, A, B)]
    if isinstance(model, ColdStartRecommender):
        if by == "songs" or (by == "auto" and X_train is not None):
            return _songs_behind_factors(model, X, users, X_train, item_ids)
        return _columns_behind_factors(model, X, users)
    if isinstance(model, BlendRecommender):
        return _parts_of_blend(
            model, X, users, by=by, X_train=X_train, item_ids=item_ids
        )
    if isinstance(model, WMF):
        _refuse(model, by, "songs")
        return _songs_a_user_played(model, X, users, X_train, item_ids)
    raise TypeError(
        f"{type(model).__name__} cannot be explained; expected a "
        "ContentKNNRecommender, a ContentProfileRecommender, a PopularityRecommender, "
        "a ColdStartRecommender whose regressor is linear or a kernel ridge, a blend "
        "of these, or a WMF."
    )


def parts_by_time(model: Any, X: Any, users: np.ndarray, scores: Any) -> list[Any]:
    """Split scores (n_items, n_selected_users) by window of the sound.

    Shapes: `users` (n_selected_users,), names of users or, where there are none,
    indices.
    """
    found = [score_by_window(model, item, users)[1:] for item in X]
    labels = [np.array(own, dtype=object) for _, own in found]
    values = [own for own, _ in found]
    rest = scores - np.reshape([own.sum(axis=0) for own in values], scores.shape)

    def windows(item: int, user: int) -> tuple[np.ndarray, np.ndarray]:
        return labels[item], values[item][:, user]

    return [
        PartsOfPairs("time", windows),
        _one_of_each_pair("constant", "(without sound)", rest),
    ]


def _refuse(model: Any, by: str, only: str) -> None:
    if by not in ("auto", only):
        raise ValueError(
            f"by={by!r}, but scores of a {type(model).__name__} are sums over {only}; "
            f"pass by={only!r} or leave it out."
        )


def _columns_behind_factors(model: Any, X: Any, users: np.ndarray) -> list[Parts]:
    """Split scores by the input columns of the last step of the regressor."""
    features, head = features_and_head(model.regressor_, X)
    if not isinstance(head, LINEAR_REGRESSORS):
        raise TypeError(
            f"The regressor ends in {type(head).__name__}, whose predictions are not "
            "sums over columns of content; expected Ridge, RidgeCV or "
            "LinearRegression. For KernelRidge pass by='songs' and X_train."
        )
    A = sp.csr_array(features) if sp.issparse(features) else np.asarray(features)
    coefficients = np.atleast_2d(head.coef_)
    k, n_columns = len(coefficients), A.shape[1]
    B = model.user_factors_[users].astype(np.float64)
    slopes = B[:, :k] @ coefficients
    offsets = B[:, :k] @ np.broadcast_to(head.intercept_, k)
    if model.play_weight:  # smoothed plays are linear in the same columns
        slopes += B[:, k : k + n_columns]
        offsets += B[:, k + n_columns]
    return [
        Parts("content", _column_names(model, n_columns), A, slopes),
        _constant(len(users), A.shape[0], offsets),
        *_popularity(model, X, B),
    ]


def _popularity(model: Any, X: Any, B: np.ndarray) -> list[Parts]:
    """Return the part of predicted popularity, the last column of factors."""
    if not model.popularity_weight:
        return []
    return [
        Parts("popularity", _POPULARITY, model.predict_factors(X)[:, -1:], B[:, -1:])
    ]


def _parts_of_blend(
    model: Any, X: Any, users: np.ndarray, *, by: str, X_train: Any, item_ids: Any
) -> list[Parts]:
    """Return the parts of each recommender in units of the blend, and its shift."""
    parts = []
    for m in np.flatnonzero(model.weights_):
        recommender, content = open_recommender(model.recommenders_[m], X)
        known = X_train
        if known is not None:
            known = open_recommender(model.recommenders_[m], known)[1]
        # Neighbours are always songs and profiles are always content.
        one_kind = (ContentKNNRecommender, ContentProfileRecommender)
        own = parts_of(
            *(recommender, content, users),
            by="auto" if isinstance(recommender, one_kind) else by,
            X_train=known,
            item_ids=item_ids,
        )
        scale = model.scales_[m, users]
        for part in own:
            part.B = (
                sp.csr_array(sp.diags_array(scale) @ part.B)
                if sp.issparse(part.B)
                else scale[:, np.newaxis] * part.B
            )
        parts += own
    n_items = parts[0].A.shape[0]
    return [*parts, _constant(len(users), n_items, model.shifts_[users])]


def _songs_behind_factors(
    model: Any, X: Any, users: np.ndarray, X_train: Any, item_ids: Any
) -> list[Parts]:
    """Split scores by training song, through the dual weights of a ridge."""
    if X_train is None:
        raise ValueError(
            "by='songs' requires X_train, the content that the recommender was fitted "
            "on."
        )
    if model.group_level:
        raise TypeError(
            "With group_level=True the regressor was fitted on groups instead of "
            "songs; pass by='content'."
        )
    played, targets = model.training_factors()
    n_train = X_train.shape[0] if hasattr(X_train, "shape") else len(X_train)
    if n_train <= int(played.max()):
        raise ValueError(
            f"X_train has {n_train} items, but the recommender was fitted on more; "
            f"pass the complete content of fit in the same order."
        )
    known, head = features_and_head(model.regressor_, X_train)
    new, _ = features_and_head(model.regressor_, X)
    rows = known.tocsr() if sp.issparse(known) else known
    weights = dual_weights(head, _safe_indexing(rows, played), new)
    factors, k = model.predict_factors(X), targets.shape[1]
    predicted = factors[:, :k]
    gap = np.abs(weights @ targets - predicted).max()
    if gap > _TOLERANCE * max(np.abs(predicted).max(), 1e-30):
        raise ValueError(
            f"Dual weights on X_train differ from the predictions of the regressor by "
            f"{gap:.2g}; pass the content of fit. Weighted items "
            "(item_weight, sample_weight) cannot be explained by songs."
        )
    labels = _names_of_songs(item_ids, played)
    B = model.user_factors_[users].astype(np.float64)
    parts = [Parts("song", labels, weights, B[:, :k] @ targets.T)]
    if model.play_weight:  # plays of single songs are not stored: one sum for all
        stop = factors.shape[1] - bool(model.popularity_weight)
        smoothed = factors[:, k:stop].astype(np.float64) @ B[:, k:stop].T
        parts.append(_one_of_each_pair("plays", "(smoothed plays)", smoothed))
    return [*parts, *_popularity(model, X, B)]


def _songs_a_user_played(
    model: WMF, X: Any, users: np.ndarray, X_train: Any, item_ids: Any
) -> list[Any]:
    """Split scores of items with plays by the songs that each user has played.

    A user's factors solve ``(V'CV + reg I) x = V'Cp``, so that a score ``y @ x`` is
    the sum of ``y @ inv(V'CV + reg I) @ v_j c_j`` over the played songs j.
    """
    if X_train is None:
        raise ValueError(
            "A WMF keeps no plays; pass X_train, the plays that it was fitted to."
        )
    plays = check_play_counts(X_train, input_name="X_train")
    V = model.item_factors_.astype(np.float64)
    n_users = len(model.user_factors_)
    if plays.shape != (len(V), n_users):
        raise ValueError(
            f"X_train has shape {plays.shape}; expected {(len(V), n_users)}, the plays "
            "that the WMF was fitted to."
        )
    counts = sp.csr_array(model.confidences(plays[:, users]).T)
    gram = V.T @ V
    songs, weights = [], []  # of each user: (n_songs_u,), (n_components, n_songs_u)
    reg, exponent = model.reg_, model.reg_exponent
    for start, stop in zip(counts.indptr[:-1], counts.indptr[1:], strict=True):
        played, c = counts.indices[start:stop], counts.data[start:stop]
        own = V[played]
        system = gram + (own.T * (c - 1.0)) @ own
        if len(played):
            system[np.diag_indices_from(system)] += reg * len(played) ** exponent
            own = scipy.linalg.solve(system, own.T * c, assume_a="pos").T
        songs.append(played)
        weights.append(own.T)
    factors = model.transform(X).astype(np.float64)
    labels = _names_of_songs(item_ids, np.arange(len(V)))
    # The fit ends with the items, so users are as close to their solution as it is.
    solved = np.array([own.sum(axis=1) for own in weights])
    off = factors @ (model.user_factors_[users] - solved).T

    def played_songs(item: int, user: int) -> tuple[np.ndarray, np.ndarray]:
        return labels[songs[user]], factors[item] @ weights[user]

    return [
        PartsOfPairs("song", played_songs),
        _one_of_each_pair("constant", "(last sweep of the fit)", off),
    ]


def _names_of_songs(item_ids: Any, songs: np.ndarray) -> np.ndarray:
    """Return names of training songs, or their rows if they have none, (n_songs,)."""
    if item_ids is None:
        return songs
    names = np.asarray(item_ids)
    if names.ndim != 1 or len(names) <= songs.max(initial=-1):
        raise ValueError(
            f"item_ids has shape {names.shape}, but the recommender was fitted on at "
            f"least {songs.max() + 1} items; expected a name for each."
        )
    return names[songs]


def _column_names(model: Any, n_columns: int) -> np.ndarray:
    """Return names of the columns of a model's content."""
    regressor = getattr(model, "regressor_", None)
    if isinstance(regressor, Pipeline) and len(regressor) > 1:
        try:
            return np.asarray(regressor[:-1].get_feature_names_out())
        except (AttributeError, ValueError, TypeError):
            pass  # a step without names: columns are numbered
    names = getattr(model, "feature_names_in_", None)
    if names is not None and len(names) == n_columns:
        return np.asarray(names)
    return np.array([f"x{i}" for i in range(n_columns)], dtype=object)


def _one_of_each_pair(kind: str, label: str, values: np.ndarray) -> Parts:
    """Return a part with a value for each pair, (n_items, n_selected_users)."""
    n_users = values.shape[1]
    return Parts(kind, np.full(n_users, label, object), values, np.eye(n_users))


def _constant(n_users: int, n_items: int, values: np.ndarray) -> Parts:
    """Return the part of a score that is the same for all items."""
    return Parts(
        "constant",
        np.array(["(all items alike)"], dtype=object),
        np.ones((n_items, 1)),
        np.reshape(values, (n_users, 1)),
    )
