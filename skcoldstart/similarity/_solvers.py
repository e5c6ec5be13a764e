"""Minimize the objective, and describe the result.

L-BFGS is used for small problems, Adam for large ones.
"""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.warning import warn
from skcoldstart.similarity._objective import RankingObjective, embed

N_SAMPLES = 8  # planes around the factor
RADII = (1e-3, 1e-2)  # of the samples, relative to the factor
N_ROUNDS = 24  # each adds a plane and directions
N_DIRECTIONS = 4  # found in a round
ENOUGH = 1e-3  # sufficient gap, relative to the objective


def lower_bound(objective: RankingObjective, L: np.ndarray, seed: int) -> float:
    r"""Bound the least objective of any metric from below.

    Shapes: `L` (n_components, n_features).

    Supporting planes of the mean hinge at several metrics around W = L'L, mixed with
    weights :math:`a_t \ge 0, \sum a_t \le 1`, give a plane with loss :math:`\Delta` and
    slope :math:`\Psi` that is below the mean hinge everywhere, because hinges are not
    negative. Then no metric has an objective below :math:`C\Delta`, if
    :math:`\lambda_{\max}(\Psi) \le 1 / (d C)` for the trace, or below
    :math:`C \Delta - d C^2 \lVert\Psi_+\rVert^2 / 2` for the Frobenius norm. The
    weights maximize this bound; at a kink a single plane is not sufficient.
    """
    rng = np.random.default_rng(seed)
    size = np.sqrt(np.mean(L**2))
    planes = [objective.plane(L)]
    for sample in range(N_SAMPLES):
        radius = RADII[sample % len(RADII)] * size
        planes.append(objective.plane(L + radius * rng.standard_normal(L.shape)))
    if objective.regularizer == "trace":
        return objective.C * _bound_by_trace(objective, L, planes)
    return objective.C * _bound_by_norm(objective, planes)


def _bound_by_trace(
    objective: RankingObjective, L: np.ndarray, planes: list[tuple[float, np.ndarray]]
) -> float:
    """Return the largest loss of a mix without an eigenvalue above 1 / (d C).

    A linear program over planes and directions. Its multipliers give the best metric
    for these planes, and the next plane is half-way between this metric and L.
    """
    from scipy.optimize import linprog

    weight = objective.X.shape[1] * objective.C
    target = objective.value(L, objective.queries) / objective.C
    directions: list[np.ndarray] = []
    best = 0.0
    for _ in range(N_ROUNDS):
        losses = np.array([loss for loss, _ in planes])
        slopes = np.array([slope for _, slope in planes])
        cuts = [np.ones(len(planes))]
        cuts += [weight * _along(slopes, v) for v in directions]
        program = linprog(-losses, A_ub=np.array(cuts), b_ub=np.ones(len(cuts)))
        if program.x is None:  # for a very large C its numbers differ too much in size
            break
        shares = np.maximum(program.x, 0.0)
        shares /= max(1.0, shares.sum())
        values, leading = _leading(np.tensordot(shares, slopes, axes=1))
        excess = max(1.0, weight * values[0])
        best = max(best, float(shares @ losses) / excess)
        if target - best <= ENOUGH * target:
            break
        multipliers = weight * np.maximum(-program.ineqlin.marginals[1:], 0.0)
        planes.append(objective.plane(_half_way(L, multipliers, directions)))
        directions += list(leading)
    return best


def _half_way(
    L: np.ndarray, multipliers: np.ndarray, directions: list[np.ndarray]
) -> np.ndarray:
    """Return a factor of the mean of L'L and the metric of weighted directions."""
    rows = np.array([
        np.sqrt(m) * v for m, v in zip(multipliers, directions, strict=True) if m > 0
    ])
    if L.ndim == 1:
        return np.sqrt(0.5 * (L**2 + (rows**2).sum(axis=0)))
    return np.sqrt(0.5) * (np.vstack([L, rows]) if len(rows) else L)


def _leading(slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues in decreasing order, and eigenvectors as rows."""
    if slope.ndim == 1:
        places = np.argsort(-slope)[:N_DIRECTIONS]
        return slope[places], np.eye(len(slope))[places]
    values, vectors = np.linalg.eigh(slope)
    return values[::-1][:N_DIRECTIONS], vectors[:, ::-1].T[:N_DIRECTIONS]


def _along(slopes: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return v' Psi_t v of each slope."""
    return slopes @ v**2 if slopes.ndim == 2 else (slopes @ v) @ v


def _bound_by_norm(
    objective: RankingObjective, planes: list[tuple[float, np.ndarray]]
) -> float:
    """Return the largest loss of a mix less d C / 2 times the square of its slope."""
    from scipy.optimize import minimize

    weight = objective.X.shape[1] * objective.C
    losses = np.array([loss for loss, _ in planes])
    slopes = np.array([slope for _, slope in planes])

    def negated(shares: np.ndarray) -> tuple[float, np.ndarray]:
        part = _positive(np.tensordot(shares, slopes, axes=1))
        value = shares @ losses - 0.5 * weight * (part**2).sum()
        inner = np.tensordot(slopes, part, axes=part.ndim)
        return -value, weight * inner - losses

    result = minimize(
        negated,
        np.full(len(losses), 1.0 / len(losses)),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(losses),
        constraints={
            "type": "ineq",
            "fun": lambda shares: 1.0 - shares.sum(),
            "jac": lambda shares: -np.ones_like(shares),
        },
    )
    shares = np.maximum(result.x, 0.0)
    shares /= max(1.0, shares.sum())
    return max(0.0, -negated(shares)[0])


def _positive(slope: np.ndarray) -> np.ndarray:
    """Return the part of a slope with positive eigenvalues."""
    if slope.ndim == 1:
        return np.maximum(slope, 0.0)
    values, vectors = np.linalg.eigh(slope)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


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


def train(
    objective: RankingObjective, n_components: int, params: Any, seed: int
) -> tuple[np.ndarray, float, float, int]:
    """Return a factor, its objective over all queries, the gap (or NaN), iterations."""
    L = starting_factor(objective, n_components, diagonal=params.diagonal, seed=seed)
    solver = params.solver
    if solver == "auto":
        n_scores = len(objective.queries) * len(objective.X)
        solver = "lbfgs" if n_scores <= LBFGS_SCORES else "sgd"
    minimize = minimize_lbfgs if solver == "lbfgs" else minimize_sgd
    with progress_bar(
        description="MLR", verbose=params.verbose, total=params.max_iter
    ) as bar:
        L, n_iter = minimize(objective, L, params=params, seed=seed, bar=bar)
    if solver == "lbfgs" and n_iter >= params.max_iter:
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
    return L, value, value - bound, n_iter


def starting_factor(
    objective: RankingObjective, n_components: int, *, diagonal: bool, seed: int
) -> np.ndarray:
    """Return the identity or the leading principal components, at the best scale.

    Shapes: -> (n_components, n_features).
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
    objective: RankingObjective, L: np.ndarray, *, params: Any, seed: int, bar: Any
) -> tuple[np.ndarray, int]:
    """Minimize by L-BFGS, restarted until a restart gains almost nothing.

    The objective has kinks, at which the method's memory of curvature is wrong; a
    restart clears it.
    """
    from scipy.optimize import minimize

    shape, max_iter, tol = L.shape, params.max_iter, params.tol

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
        if n_iter >= max_iter or last - result.fun <= tol * abs(result.fun):
            break
        last = result.fun
    return L, n_iter


def minimize_sgd(
    objective: RankingObjective, L: np.ndarray, *, params: Any, seed: int, bar: Any
) -> tuple[np.ndarray, int]:
    """Minimize by Adam on batches of queries, until held-out queries stop improving."""
    rng, batch_size = np.random.default_rng(seed), params.batch_size
    queries = rng.permutation(objective.queries)
    n_held = min(int(VALIDATION_SHARE * len(queries)), MAX_VALIDATION)
    held, queries = (queries[:n_held], queries[n_held:]) if n_held else (queries,) * 2
    # Relative to the initial factor, or to one with mean squared distance 1: from a
    # smaller one, which is best if the isotropic metric helps little, more steps are
    # needed.
    spread = 2.0 * embed(objective.X, L).var(axis=0).sum()
    rate = STEP * np.sqrt(np.mean(L**2) * max(1.0, 1.0 / max(spread, 1e-300)))
    best, best_value = L, objective.value(L, held)
    worth = WORTH_A_PASS * params.tol
    first, second = np.zeros_like(L), np.zeros_like(L)
    n_steps = n_stale = n_passes = 0
    while n_passes < params.max_iter and n_stale < PATIENCE:
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
