"""Targets in the units of the network."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TargetScale:
    """An affine map from outputs of the network to item factors.

    Shapes: `mean` (n_outputs,), `scale` (n_outputs,).
    """

    mean: np.ndarray
    scale: np.ndarray
    unit_norm: bool

    @classmethod
    def learn(cls, targets: np.ndarray, scaling: str) -> "TargetScale":
        """Learn the map from targets.

        Shapes: `targets` (n_items, n_outputs).
        """
        unit_norm = scaling == "unit"
        targets = _normalized(targets) if unit_norm else targets
        mean = targets.mean(axis=0, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            deviation = np.sqrt(np.mean((targets - mean) ** 2, axis=0))
        if not np.isfinite(deviation).all():
            raise ValueError(
                f"y has values as large as {np.abs(targets).max():.3g}, whose squares "
                f"exceed double precision. Scale y to values near 1."
            )
        if scaling != "factor":
            deviation[:] = np.sqrt(np.mean(deviation**2))
        tiny = deviation <= 1e-7 * np.abs(mean).max(initial=0.0)
        return cls(mean, np.where(tiny, 1.0, deviation), unit_norm)

    def to_network(self, targets: np.ndarray) -> np.ndarray:
        """Return targets in the units of the network, float32."""
        targets = _normalized(targets) if self.unit_norm else targets
        return ((targets - self.mean) / self.scale).astype(np.float32)


def _normalized(targets: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(targets, axis=1, keepdims=True)
    return targets / np.where(norms > 0, norms, 1)
