"""How sure a prediction is whose parts differ: windows, dropout, an ensemble."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import nnls
from sklearn.compose import TransformedTargetRegressor
from sklearn.multioutput import MultiOutputRegressor

from skcoldstart._utils.sk import _safe_indexing

FEWEST_HELD = 20  # items that a network has not learnt from
MOST_USERS = 1024
N_DRAWS = 10  # of dropout
NORMAL_90 = 1.6448536269514722  # 90 % of a normal variable lie within


def errors_of_network(
    network: Any, frames: Any, targets: np.ndarray, users: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Return errors of the items that stop the training, with their spreads.

    Shapes: `targets` (n_items, k), `users` (n_users, k).
    """
    held = network.held_out_
    means, spreads = _of_network(network, _safe_indexing(frames, held))
    errors = targets[held].astype(np.float64) - means
    step = -(-len(users) // MOST_USERS)
    users = users[::step].astype(np.float64)
    return [{"errors": errors, "spreads": spreads, "users": users}]


def learn_from_spreads(folds: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Return what covariances are made of, from errors of held-out items.

    The squared error of an item is a constant plus multiples of its spreads, fitted by
    non-negative least squares. Shapes in a fold: `errors` (n_items, k), `spreads`
    (n_items, n_kinds), `users` (n_users, k).
    """
    errors, spreads = (
        np.concatenate([fold[name] for fold in folds]) for name in ("errors", "spreads")
    )
    state = shares_of_spreads(errors, spreads)
    scale = relative_variance(state, spreads)
    root = root_of(errors / np.sqrt(scale)[:, np.newaxis])
    scales = [relative_variance(state, fold["spreads"]) for fold in folds]
    return state | {"root": root * conformal_factor(folds, scales, root)}


def root_of(errors: np.ndarray) -> np.ndarray:
    """Return a root of the covariance of errors, (n_items, k) -> (k, r)."""
    values, vectors = np.linalg.eigh(errors.T @ errors / len(errors))
    sure = values > values.max(initial=0.0) * 1e-12
    return vectors[:, sure] * np.sqrt(values[sure])


def conformal_factor(
    folds: list[dict[str, np.ndarray]], scales: list[np.ndarray], root: np.ndarray
) -> float:
    """Return the factor with which 90 % of scores lie within 1.645 deviations.

    The scores are by plays that neither the regressor nor the users' factors have seen:
    split conformal prediction. Shapes: `scales` (n_items,) of each fold, `root` (k, r).
    """
    ratios = [np.empty(0)]
    for fold, scale in zip(folds, scales, strict=True):
        spread = np.linalg.norm(fold["users"] @ root, axis=1)
        deviations = np.outer(np.sqrt(scale), spread)
        known = deviations > 0
        off = np.abs(fold["errors"] @ fold["users"].T)
        ratios.append(off[known] / deviations[known])
    found = np.concatenate(ratios)
    return float(np.quantile(found, 0.9)) / NORMAL_90 if found.size else 1.0


def shares_of_spreads(errors: np.ndarray, spreads: np.ndarray) -> dict[str, Any]:
    """Return what `relative_variance` needs, from errors and spreads of items."""
    finite = np.isfinite(spreads)
    totals = np.where(finite, spreads, 0.0).sum(axis=0)
    typical = totals / np.maximum(finite.sum(axis=0), 1)
    design = np.column_stack([np.ones(len(errors)), _relative(spreads, typical)])
    design[:, 1:] *= typical > 0
    parts, _ = nnls(design, (errors**2).mean(axis=1))
    return {"typical": typical, "share": parts[1:] / max(parts.sum(), 1e-30)}


def relative_variance(state: dict[str, Any], spreads: np.ndarray) -> np.ndarray:
    """Return the variance of each item, 1 where its spreads are the typical ones."""
    share = state["share"]
    return 1.0 - share.sum() + _relative(spreads, state["typical"]) @ share


def spreads_of(head: Any, F: Any) -> np.ndarray:
    """Return how far the parts of a prediction are apart, (n_items, n_kinds)."""
    if hasattr(head, "held_out_"):
        return _of_network(head, F)[1]
    members = members_of(head, F)
    return members.var(axis=0, ddof=1).mean(axis=1, keepdims=True)


def n_members(model: Any) -> int:
    """Return the number of members of an ensemble, 0 for other regressors."""
    from sklearn import ensemble

    if isinstance(model, TransformedTargetRegressor):
        return n_members(model.regressor_)
    if isinstance(model, MultiOutputRegressor):
        return min(map(n_members, model.estimators_))
    if hasattr(model, "predict_members"):
        return 2  # at least
    means = (
        ensemble.BaggingRegressor,
        ensemble.ExtraTreesRegressor,
        ensemble.RandomForestRegressor,
        ensemble.VotingRegressor,
    )
    return len(model.estimators_) if isinstance(model, means) else 0


def members_of(model: Any, F: Any) -> np.ndarray:
    """Return the predictions of each member, (n_members, n_items, k)."""
    if hasattr(model, "predict_members"):
        return np.asarray(model.predict_members(F), np.float64)
    if isinstance(model, TransformedTargetRegressor):
        inverse = model.transformer_.inverse_transform
        return np.stack([inverse(own) for own in members_of(model.regressor_, F)])
    if isinstance(model, MultiOutputRegressor):
        return np.concatenate([members_of(e, F) for e in model.estimators_], axis=2)
    columns = getattr(model, "estimators_features_", None)
    if columns is None:
        found = [member.predict(F) for member in model.estimators_]
    else:
        rows = F.tocsc() if sp.issparse(F) else np.asarray(F)
        parts = zip(model.estimators_, columns, strict=True)
        found = [member.predict(rows[:, chosen]) for member, chosen in parts]
    return np.stack([np.reshape(own, (len(own), -1)) for own in found])


def _relative(spreads: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Return spreads relative to the typical ones, 1 for items of less than two."""
    filled = np.where(np.isfinite(spreads), spreads, typical)
    return np.where(typical > 0, filled / np.where(typical > 0, typical, 1.0), 1.0)


def outputs_of_windows(network: Any, frames: Any) -> list[np.ndarray]:
    """Return the predictions of the windows of each item, (n_windows, k)."""
    windows, counts = [], []
    for item in frames:
        starts, width = network._window_starts(len(item))
        windows += [np.asarray(item[s : s + width]) for s in starts]
        counts.append(len(starts))
    outputs = np.zeros((0, len(network.target_mean_)))
    if windows:
        outputs = np.reshape(network.predict(windows), (len(windows), -1))
    return np.split(outputs.astype(np.float64), np.cumsum(counts)[:-1])


def _of_network(network: Any, frames: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions, and the variances of the mean of windows and by dropout.

    Shapes: (n_items, k), (n_items, n_kinds); NaN for less than two windows.
    """
    outputs = outputs_of_windows(network, frames)
    means = np.tile(np.asarray(network.target_mean_, np.float64), (len(outputs), 1))
    spreads = np.full((len(outputs), 1), np.nan)
    for i, own in enumerate(outputs):
        if len(own):
            means[i] = own.mean(axis=0)
        if len(own) > 1:
            spreads[i] = own.var(axis=0, ddof=1).mean() / len(own)
    drawn = network._draws_of_dropout(frames, N_DRAWS)
    if drawn is not None:
        by_dropout = drawn.var(axis=0, ddof=1).mean(axis=1, keepdims=True)
        by_dropout[[len(own) == 0 for own in outputs]] = np.nan
        spreads = np.hstack([spreads, by_dropout])
    return means, spreads
