"""Minimize the objective, and describe the result.

L-BFGS is used for small problems, Adam for large ones.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.warning import warn
from skcoldstart.similarity._certificate import lower_bound
from skcoldstart.similarity._objective import RankingObjective, embed

LBFGS_SCORES = 5_000_000  # queries times items up to which "auto" is "lbfgs"
CERTIFIED_FEATURES = 512  # up to which a bound costs less than the minimization
START_SCALES = 10.0 ** np.arange(-1.0, 1.6, 0.5)  # not nearer to 0, a saddle
START_QUERIES = 256  # that evaluate them
N_CORRECTIONS = 20
N_RESTARTS = 3
BETAS = (0.9, 0.99)
STEP = 0.3  # relative to the root mean square of the initial factor
DECAY = 0.3  # of the step after a pass without improvement
PATIENCE = 3  # consecutive passes without improvement before the end
WORTH_A_PASS = 10.0  # times tol, the relative decrease that is an improvement
VALIDATION_SHARE = 0.1
MAX_VALIDATION = 1024


@dataclass(frozen=True)
class Trained:
    """A factor, its objective over all queries, the gap (or NaN), and iterations."""

    L: np.ndarray
    objective: float
    gap: float
    n_iter: int


def train(
    objective: RankingObjective, n_components: int, params: Any, seed: int
) -> Trained:
    """Minimize an objective, and warn if it did not converge or collapsed."""
    L = starting_factor(objective, n_components, diagonal=params.diagonal, seed=seed)
    solver, options = params.solver, {"max_iter": params.max_iter, "tol": params.tol}
    if solver == "auto":
        n_scores = len(objective.queries) * len(objective.X)
        solver = "lbfgs" if n_scores <= LBFGS_SCORES else "sgd"
    with progress_bar(
        description="MLR", verbose=params.verbose, total=params.max_iter
    ) as bar:
        if solver == "lbfgs":
            L, n_iter, converged = minimize_lbfgs(objective, L, bar=bar, **options)
        else:
            rng, batch_size = np.random.default_rng(seed), params.batch_size
            L, n_iter = minimize_sgd(
                objective, L, batch_size=batch_size, rng=rng, bar=bar, **options
            )
            converged = True
    if not converged:
        warn(
            f"L-BFGS made {n_iter} iterations without converging; increase max_iter "
            f"or tol.",
            ConvergenceWarning,
        )
    value = objective.value(L, objective.queries)
    nothing = objective.value(np.zeros_like(L), objective.queries)
    bound = np.nan
    if solver == "lbfgs" and objective.X.shape[1] <= CERTIFIED_FEATURES:
        bound = lower_bound(objective, L, seed)
    if value >= nothing * (1 - 1e-12):
        warn(
            f"The metric collapsed to 0: with C={params.C:g} no metric with a lower "
            f"objective than 0 was found (the best is {value / nothing:.6g} of it), "
            f"and all similarities are 0. Increase C, or use loss='auc', which "
            f"depends least on the first ranks."
        )
        L, value = np.zeros_like(L), nothing
    return Trained(L, value, value - bound, n_iter)


def starting_factor(
    objective: RankingObjective, n_components: int, *, diagonal: bool, seed: int
) -> np.ndarray:
    """Return the isotropic metric with the best scale.

    Shapes: -> (n_components, n_features).

    It is the identity, or the projection on the leading principal components if there
    are fewer components than features.
    """
    X = objective.X
    L: np.ndarray
    if diagonal:
        L = np.ones(X.shape[1])
    elif n_components == X.shape[1]:
        L = np.eye(X.shape[1])
    else:
        L = PCA(n_components, random_state=seed).fit(X).components_
    spread = 2.0 * embed(X, L).var(axis=0).sum()
    L /= np.sqrt(spread) if spread > 0 else 1.0
    step = -(-len(objective.queries) // START_QUERIES)
    judges = objective.queries[::step]
    return L * min(START_SCALES, key=lambda scale: objective.value(scale * L, judges))


def minimize_lbfgs(
    objective: RankingObjective, L: np.ndarray, *, max_iter: int, tol: float, bar: Any
) -> tuple[np.ndarray, int, bool]:
    """Minimize by L-BFGS, restarted until a restart gains almost nothing.

    The objective has kinks, at which the method's memory of curvature is wrong; a
    restart clears it.
    """
    from scipy.optimize import minimize

    shape = L.shape

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(flat.reshape(shape))
        return value, gradient.ravel()

    def report(intermediate_result: Any) -> None:
        bar.set_postfix(objective=f"{intermediate_result.fun:.6g}", refresh=False)
        bar.update()

    n_iter, last = 0, np.inf
    for _ in range(1 + N_RESTARTS):
        result = minimize(
            function,
            L.ravel(),
            jac=True,
            method="L-BFGS-B",
            callback=report,
            options={
                "maxcor": N_CORRECTIONS,
                "maxiter": max_iter - n_iter,
                "maxfun": 20 * max_iter,
                "ftol": 0.01 * tol * min(1.0, objective.C),
                "gtol": 0.0,
            },
        )
        L = result.x.reshape(shape)
        n_iter += result.nit
        if n_iter >= max_iter:
            return L, n_iter, False
        if last - result.fun <= tol * abs(result.fun):
            break
        last = result.fun
    return L, n_iter, True


def minimize_sgd(
    objective: RankingObjective,
    L: np.ndarray,
    *,
    batch_size: int,
    max_iter: int,
    tol: float,
    rng: np.random.Generator,
    bar: Any,
) -> tuple[np.ndarray, int]:
    """Minimize by Adam on batches of queries, until held-out queries stop improving."""
    queries = rng.permutation(objective.queries)
    n_held = min(int(VALIDATION_SHARE * len(queries)), MAX_VALIDATION)
    held, queries = (queries[:n_held], queries[n_held:]) if n_held else (queries,) * 2
    # Relative to the initial factor, or to one with mean squared distance 1: from a
    # smaller one, which is best if the isotropic metric helps little, more steps are
    # needed.
    spread = 2.0 * embed(objective.X, L).var(axis=0).sum()
    rate = STEP * np.sqrt(np.mean(L**2) * max(1.0, 1.0 / max(spread, 1e-300)))
    best, best_value = L, objective.value(L, held)
    worth = WORTH_A_PASS * tol
    first, second = np.zeros_like(L), np.zeros_like(L)
    n_steps = n_stale = n_passes = 0
    while n_passes < max_iter and n_stale < PATIENCE:
        order = rng.permutation(queries)
        total = np.zeros_like(L)
        starts = range(0, len(order), batch_size)
        for start in starts:
            _, gradient = objective(L, order[start : start + batch_size])
            n_steps += 1
            first += (1 - BETAS[0]) * (gradient - first)
            second += (1 - BETAS[1]) * (gradient**2 - second)
            scale = rate / (1 - BETAS[0] ** n_steps)
            root = np.sqrt(second / (1 - BETAS[1] ** n_steps))
            L = L - scale * first / (root + 1e-12)
            total += L
        mean = total / len(starts)
        value = objective.value(mean, held)
        bar.set_postfix(held_out=f"{value:.6g}", refresh=False)
        bar.update()
        n_passes += 1
        n_stale = 0 if best_value - value > worth * best_value else n_stale + 1
        if value < best_value:
            best, best_value = mean, value
        rate *= DECAY if n_stale else 1.0
    return best, n_passes
