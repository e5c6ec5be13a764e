"""Checks of the input of networks, and the scale of their targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from numbers import Integral
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skcoldstart._scores.item_labels import check_groups, check_same_items
from skcoldstart._sequences.checks import check_frames, check_one_row_per_item
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import COUNT, Interval

N_JOBS = [Interval(Integral, None, -1, closed="right"), *COUNT, None]


def import_torch(module: str, needs: str = "CNNFactorRegressor") -> ModuleType:
    """Return a module that imports torch, or say what needs it."""
    try:
        return import_module(f"skcoldstart.neural._torch.{module}")
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("torch", "skorch"):
            raise
        raise ImportError(
            f"{needs} needs torch and skorch, and {error.name} is not installed. "
            "Install them with `pip install skcoldstart[neural]`."
        ) from error


def check_known_frames(network: Any, X: Any) -> RaggedArray | LazySequence:
    """Validate frames and their features for a fitted network."""
    if hasattr(X, "columns") or (isinstance(X, np.ndarray) and X.dtype != object):
        # Only a table has names to compare.
        table = X[0] if X.ndim == 3 and len(X) else X
        if table.ndim == 2:
            validate_data(network, table, skip_check_array=True, reset=False)
    return check_frames(X, n_features=network.n_features_in_)


def check_targets(X: Any, y: Any, n_items: int) -> tuple[np.ndarray, bool]:
    """Validate item factors, and return whether they are one number per item.

    Shapes: `y` (n_items, n_outputs) -> `targets` (n_items, n_outputs).
    """
    if y is None:
        raise ValueError(
            "CNNFactorRegressor requires y to be passed, but the target y is None; "
            "pass item factors of shape (n_items, n_outputs)."
        )
    refuse_masked(X, "X")
    refuse_masked(y, "y")
    check_same_items(X, y)
    targets = check_array(
        y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y"
    )
    columns = " and one column per factor"
    check_one_row_per_item(targets.shape, n_items, columns=columns)
    return targets.reshape(n_items, -1), targets.ndim == 1


def check_layer_sizes(name: str, sizes: Any, *, allow_none: bool = False) -> None:
    """Reject anything but a sequence of layer widths."""
    good = isinstance(sizes, (Sequence, np.ndarray)) and not isinstance(sizes, str)
    good = good and all(isinstance(size, Integral) and int(size) >= 1 for size in sizes)
    if not good or (len(sizes) == 0 and not allow_none):
        raise ValueError(
            f"{name}={sizes!r}; expected a tuple of layer widths, integers >= 1, such "
            "as (256, 512)."
        )


def check_same_network(network: Any, n_outputs: int) -> None:
    """Reject a warm start of a network with different parameters."""
    if n_outputs != len(network.target_mean_):
        raise ValueError(
            f"y has {n_outputs} columns but the network has "
            f"{len(network.target_mean_)} outputs; expected the same number. Use "
            f"warm_start=False for another number."
        )
    for name, before in network._built_with.items():
        now = getattr(network, name)
        if not np.array_equal(now, before):
            raise ValueError(
                f"{name}={now!r} but the network was built with {before!r}; expected "
                "the same. Use warm_start=False for another network."
            )


def hold_out(
    X: Any,
    heard: np.ndarray,
    groups: Any,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Split items into training items and items for early stopping.

    Shapes: `heard` (n_heard,), `groups` (n_items,).
    """
    check_groups(groups, X)
    if fraction == 0 or len(heard) < 2:
        return heard, heard[:0]
    own = heard if groups is None else np.asarray(groups)[heard]
    n_groups = len(set(own.tolist()))
    if n_groups < 2:
        raise ValueError(
            f"groups of the items with frames are all {own.tolist()[0]!r}; at least "
            f"two groups are required to hold one out. Use validation_fraction=0."
        )
    n_held_out = min(max(1, round(fraction * n_groups)), n_groups - 1)
    splitter = GroupShuffleSplit(1, test_size=n_held_out, random_state=rng)
    train, held_out = next(splitter.split(heard, groups=own))
    return heard[train], heard[held_out]


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
        """Learn the map from targets: `targets` (n_items, n_outputs)."""
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
