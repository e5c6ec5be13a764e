"""How sure a network is of an item: how far apart its windows are."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import nnls

from skcoldstart._scores.covariance import FactorCovariance
from skcoldstart._utils.sk import _safe_indexing

FEWEST_HELD = 20  # items that a network has not learnt from
MOST_USERS = 1024
NORMAL_90 = 1.6448536269514722  # 90 % of a normal variable lie within


def learn_from_windows(
    network: Any, frames: Any, targets: np.ndarray, users: np.ndarray
) -> dict[str, Any]:
    """Return what covariances are made of, from the items that stop the training.

    The squared error of an item is a constant plus a multiple of the variance of the
    mean of its windows, both fitted by non-negative least squares. Shapes: `targets`
    (n_items, k), `users` (n_users, k).
    """
    held = network.held_out_
    means, spreads = _of_windows(network, _safe_indexing(frames, held))
    errors = targets[held].astype(np.float64) - means
    typical = float(np.nanmean(spreads)) if np.isfinite(spreads).any() else 0.0
    state: dict[str, Any] = {"windows": True, "typical": typical, "share": 0.0}
    if typical > 0:
        design = np.column_stack([np.ones(len(held)), _filled(spreads, typical)])
        (fixed, of_spread), _ = nnls(design, (errors**2).mean(axis=1))
        state["share"] = of_spread / max(fixed + of_spread, 1e-30)
    scale = _scale(state, spreads)
    kept = errors / np.sqrt(scale)[:, np.newaxis]
    values, vectors = np.linalg.eigh(kept.T @ kept / len(kept))
    sure = values > values.max(initial=0.0) * 1e-12
    root = vectors[:, sure] * np.sqrt(values[sure])
    # Of the scores of these items 90 % lie within 1.645 deviations.
    step = -(-len(users) // MOST_USERS)
    seen = users[::step].astype(np.float64)
    deviations = np.outer(np.sqrt(scale), np.linalg.norm(seen @ root, axis=1))
    known = deviations > 0
    ratios = np.abs(errors @ seen.T)[known] / deviations[known]
    if ratios.size:
        root *= np.quantile(ratios, 0.9) / NORMAL_90
    return state | {"root": root}


def covariance_of_windows(
    network: Any, frames: Any, state: dict[str, Any]
) -> FactorCovariance:
    """Return the covariances of the factors that a network predicts."""
    _, spreads = _of_windows(network, frames)
    return FactorCovariance(_scale(state, spreads), state["root"])


def _scale(state: dict[str, Any], spreads: np.ndarray) -> np.ndarray:
    """Return the variance of each item, 1 where windows differ as they usually do."""
    share = state["share"]
    return 1.0 - share + share * _filled(spreads, state["typical"])


def _filled(spreads: np.ndarray, typical: float) -> np.ndarray:
    """Return spreads relative to the typical one, 1 for items of less than two."""
    if typical == 0:
        return np.ones(len(spreads))
    return np.where(np.isfinite(spreads), spreads, typical) / typical


def _of_windows(network: Any, frames: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the windows of each item, and the variance of that mean.

    Shapes: (n_items, k), (n_items,); the variance is NaN for less than two windows.
    """
    windows, counts = [], []
    for item in frames:
        starts, width = network._window_starts(len(item))
        windows += [np.asarray(item[s : s + width]) for s in starts]
        counts.append(len(starts))
    k = len(network.target_mean_)
    outputs = np.zeros((0, k))
    if windows:
        outputs = np.reshape(network.predict(windows), (len(windows), k))
    means = np.tile(np.asarray(network.target_mean_, np.float64), (len(counts), 1))
    spreads = np.full(len(counts), np.nan)
    edges = np.cumsum([0, *counts])
    for i, (start, stop) in enumerate(pairwise(edges)):
        own = outputs[start:stop].astype(np.float64)
        if len(own):
            means[i] = own.mean(axis=0)
        if len(own) > 1:
            spreads[i] = own.var(axis=0, ddof=1).mean() / len(own)
    return means, spreads
