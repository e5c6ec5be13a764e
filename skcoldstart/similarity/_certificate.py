"""Bound the difference of an objective from its minimum."""

import numpy as np

from skcoldstart.similarity._objective import RankingObjective

N_SAMPLES = 8  # planes around the factor
RADII = (1e-3, 1e-2)  # of the samples, relative to the factor
N_ROUNDS = 24  # each adds a plane and directions
N_DIRECTIONS = 4  # found in a round
ENOUGH = 1e-3  # sufficient gap, relative to the objective


def lower_bound(objective: RankingObjective, L: np.ndarray, seed: int) -> float:
    r"""Bound the least objective of any metric from below.

    Shapes: `L` (n_components, n_features).

    Supporting planes of the mean hinge at several metrics around W = L'L, mixed with
    weights
    :math:`a_t \ge 0, \sum a_t \le 1`, give a plane with loss :math:`\Delta` and slope
    :math:`\Psi` that is below the mean hinge everywhere, because hinges are not
    negative. Then no metric has an objective below :math:`C\Delta`, if
    :math:`\lambda_{\max}(\Psi) \le 1 / (d C)` for the trace, or than
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
