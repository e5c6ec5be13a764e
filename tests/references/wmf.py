"""Weighted matrix factorization over all pairs, dense and in float64."""

import numpy as np


def confidences(plays, confidence="log", alpha=2.0, epsilon=1e-6):
    """Return c of every pair; 1 where there are no plays."""
    plays = np.asarray(plays, dtype=np.float64)
    if confidence == "precomputed":
        return np.where(plays > 0, plays, 1.0)
    if confidence == "linear":
        return 1 + alpha * plays
    return 1 + alpha * np.log1p(plays / epsilon)


def penalties(plays, reg, reg_exponent=0.0):
    """Return the regularization of every row of plays; 0 where it has none."""
    counts = (np.asarray(plays) > 0).sum(axis=1)
    return np.where(counts > 0, reg * np.maximum(counts, 1.0) ** reg_exponent, 0)


def loss(plays, V, U, *, reg, reg_exponent=0.0, **how):
    """Return the objective as a sum over all pairs."""
    plays, V, U = np.asarray(plays), V.astype(np.float64), U.astype(np.float64)
    fit = confidences(plays, **how) * ((plays > 0) - V @ U.T) ** 2
    of_items = penalties(plays, reg, reg_exponent) @ (V**2).sum(axis=1)
    of_users = penalties(plays.T, reg, reg_exponent) @ (U**2).sum(axis=1)
    return fit.sum() + of_items + of_users


def solve_rows(plays, fixed, *, reg, reg_exponent=0.0, **how):
    """Return the best factors of every row of plays, the others fixed."""
    plays, fixed = np.asarray(plays), fixed.astype(np.float64)
    c = confidences(plays, **how)
    rows = np.zeros((len(plays), fixed.shape[1]))
    for i, penalty in enumerate(penalties(plays, reg, reg_exponent)):
        if penalty > 0:
            system = fixed.T @ (c[i][:, None] * fixed)
            system += penalty * np.eye(fixed.shape[1])
            rows[i] = np.linalg.solve(system, fixed.T @ (c[i] * (plays[i] > 0)))
    return rows


def alternate(plays, V, U, omegas, **how):
    """Move users, then items, omega times the exact step; return V, U, losses."""
    plays = np.asarray(plays)
    losses = []
    for omega in omegas:
        U = U + omega * (solve_rows(plays.T, V, **how) - U)
        losses.append(loss(plays, V, U, **how))
        V = V + omega * (solve_rows(plays, U, **how) - V)
        losses.append(loss(plays, V, U, **how))
    return V, U, losses
