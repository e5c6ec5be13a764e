"""From an objective to the best metric found, and what is known about it."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skcoldstart._utils.progress import progress_bar
from skcoldstart.similarity._certificate import lower_bound
from skcoldstart.similarity._objective import RankingObjective
from skcoldstart.similarity._solvers import (
    minimize_lbfgs,
    minimize_sgd,
    starting_factor,
)

__all__ = ["Trained", "train", "unit_of"]

LBFGS_SCORES = 5_000_000  # queries times items up to which "auto" is "lbfgs"
CERTIFIED_FEATURES = 512  # up to which a bound costs less than the minimisation
STACKLEVEL = 4  # train, fit, the wrapper of fit, the user


@dataclass(frozen=True)
class Trained:
    """A factor, its objective over all queries, the gap (or NaN), and iterations."""

    L: np.ndarray
    objective: float
    gap: float
    n_iter: int


def unit_of(X: np.ndarray) -> float:
    """Return the root of the mean squared distance; 1 where rows do not differ."""
    unit = np.sqrt(2.0 * X.var(axis=0).sum())
    return unit if unit > 1e-13 * np.abs(X).max() else 1.0


def train(
    objective: RankingObjective,
    n_components: int,
    *,
    diagonal: bool,
    solver: str,
    max_iter: int,
    tol: float,
    batch_size: int,
    seed: int,
    verbose: int,
) -> Trained:
    """Minimise an objective and warn where the result is not what it seems."""
    L = starting_factor(objective, n_components, diagonal=diagonal, seed=seed)
    if solver == "auto":
        n_scores = len(objective.queries) * len(objective.X)
        solver = "lbfgs" if n_scores <= LBFGS_SCORES else "sgd"
    with progress_bar(description="MLR", verbose=verbose, total=max_iter) as bar:
        if solver == "lbfgs":
            L, n_iter, converged = minimize_lbfgs(
                objective, L, max_iter=max_iter, tol=tol, bar=bar
            )
            if not converged:
                warnings.warn(
                    f"L-BFGS made {n_iter} iterations without converging; raise "
                    "max_iter or tol.",
                    ConvergenceWarning,
                    stacklevel=STACKLEVEL,
                )
        else:
            rng = np.random.default_rng(seed)
            L, n_iter = minimize_sgd(
                objective,
                L,
                batch_size=batch_size,
                max_iter=max_iter,
                tol=tol,
                rng=rng,
                bar=bar,
            )
    value = objective.value(L, objective.queries)
    nothing = objective.value(np.zeros_like(L), objective.queries)
    bound = np.nan
    if solver == "lbfgs" and objective.X.shape[1] <= CERTIFIED_FEATURES:
        bound = lower_bound(objective, L, seed)
    if value >= nothing * (1 - 1e-12):
        warnings.warn(
            f"The metric collapsed to 0: with C={objective.C} none that was found is "
            f"worth its penalty (objective {value:.6g}, and {nothing:.6g} without a "
            "metric), and all similarities are 0. To get one, raise C, or choose "
            "loss='auc', which asks least of the first ranks.",
            UserWarning,
            stacklevel=STACKLEVEL,
        )
        L, value = np.zeros_like(L), nothing
    return Trained(L, value, value - bound, n_iter)
