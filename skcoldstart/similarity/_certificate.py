"""How far from the least possible objective a metric can be."""

import numpy as np

from skcoldstart.similarity._objective import RankingObjective

__all__ = ["lower_bound"]

N_PLANES = 16
RADII = (1e-3, 1e-2)  # of the samples, relative to the factor


def lower_bound(objective: RankingObjective, L: np.ndarray, seed: int) -> float:
    r"""Bound the least objective of any metric from below.

    Planes of the mean hinge at several metrics, mixed, give a plane with loss
    :math:`\Delta` and slope :math:`\Psi`, below the mean hinge everywhere. With the
    trace, no metric costs less than
    :math:`C\Delta / \max(1, d C \lambda_{\max}(\Psi))`; with the Frobenius norm, than
    the largest :math:`C s \Delta - d C^2 s^2 \lVert\Psi_+\rVert^2 / 2`,
    :math:`0 \le s \le 1`. Gradients are sampled around L and mixed into the shortest
    one, since at a kink none of them alone is short.

    Parameters
    ----------
    objective : RankingObjective
        The objective.
    L : ndarray of shape (n_components, n_features) or (n_features,)
        A factor, best at or near the minimum.
    seed : int
        Of the samples.

    Returns
    -------
    float
        A lower bound, at least 0.

    References
    ----------
    J. Burke, A. Lewis, M. Overton, "A robust gradient sampling algorithm for
    nonsmooth, nonconvex optimization", SIAM Journal on Optimization 15(3), 2005.
    """
    from scipy.optimize import nnls

    rng = np.random.default_rng(seed)
    size = np.sqrt(np.mean(L**2))
    losses, slopes, gradients, bounds = [], [], [], []
    _, of_penalty = objective.penalty(L)
    for sample in range(N_PLANES):
        radius = RADII[sample % len(RADII)] * size if sample else 0.0
        loss, slope = objective.plane(L + radius * rng.standard_normal(L.shape))
        losses.append(loss)
        slopes.append(slope)
        pull = L * slope if L.ndim == 1 else L @ slope
        gradients.append((of_penalty - 2 * objective.C * pull).ravel())
        bounds.append(_bound(objective, loss, slope))
    table = np.array(gradients)
    scale = max(np.abs(table).max(), 1e-300)
    # Non-negative least squares, with a heavy equation that shares add up to 1.
    system = np.vstack([table.T / scale, np.full(len(table), 1e3)])
    target = np.r_[np.zeros(system.shape[0] - 1), 1e3]
    q, r = np.linalg.qr(system)
    shares, _ = nnls(r, q.T @ target)
    shares /= shares.sum()
    slope = np.tensordot(shares, np.array(slopes), axes=1)
    bounds.append(_bound(objective, float(shares @ losses), slope))
    return max(0.0, *bounds)


def _bound(objective: RankingObjective, loss: float, slope: np.ndarray) -> float:
    """Return the least objective that the plane of a mean hinge allows."""
    d, C = objective.X.shape[1], objective.C
    spectrum = slope if slope.ndim == 1 else np.linalg.eigvalsh(slope)
    if objective.regularizer == "trace":
        return C * loss / max(1.0, d * C * float(spectrum.max()))
    size = d * C * float((np.maximum(spectrum, 0.0) ** 2).sum())
    share = 1.0 if size <= loss else loss / size
    return C * share * (loss - 0.5 * size * share)
