"""Checks of targets and sizes, items to hold out, and the way into torch."""

from collections.abc import Sequence
from numbers import Integral
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_array

from skcoldstart._utils.validation import check_one_row_per_item

__all__ = [
    "check_layer_sizes",
    "check_same_network",
    "check_targets",
    "hold_out",
    "import_training",
]


def import_training() -> ModuleType:
    """Return the module that trains nets.

    Raises
    ------
    ImportError
        If torch or skorch is not installed; the extra is named.
    """
    try:
        from skcoldstart.neural._torch import training
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("torch", "skorch"):
            raise
        raise ImportError(
            f"CNNFactorRegressor needs torch and skorch, and {error.name} is not "
            "installed. Install them with `pip install skcoldstart[neural]`."
        ) from error
    return training


def check_targets(y: Any, n_items: int) -> tuple[np.ndarray, bool]:
    """Validate item factors.

    Parameters
    ----------
    y : array-like of shape (n_items, n_outputs) or (n_items,)
        Targets.
    n_items : int
        Items of X.

    Returns
    -------
    targets : ndarray of shape (n_items, n_outputs)
        Float32 or float64.
    one_output : bool
        Whether y had one axis.

    Raises
    ------
    ValueError
        If y is missing, not finite, or has another number of rows.
    """
    if y is None:
        raise ValueError(
            "CNNFactorRegressor requires y to be passed, but the target y is None; "
            "pass item factors of shape (n_items, n_outputs)."
        )
    targets = check_array(
        y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y"
    )
    if targets.shape[0] != n_items:
        columns = " and one column per factor"
        check_one_row_per_item(targets.shape, n_items, columns=columns)
    one_output = targets.ndim == 1
    return targets.reshape(n_items, -1), one_output


def check_layer_sizes(name: str, sizes: Any, *, allow_none: bool = False) -> None:
    """Refuse anything but a sequence of widths of layers.

    Parameters
    ----------
    name : str
        The parameter.
    sizes : Any
        Its value.
    allow_none : bool, default=False
        Whether no layer at all is a choice.

    Raises
    ------
    ValueError
        If `sizes` is not a sequence of integers >= 1.
    """
    good = isinstance(sizes, (Sequence, np.ndarray)) and not isinstance(sizes, str)
    good = good and all(isinstance(size, Integral) and int(size) >= 1 for size in sizes)
    if not good or (len(sizes) == 0 and not allow_none):
        raise ValueError(
            f"{name}={sizes!r}; expected a tuple of layer widths, integers >= 1, such "
            "as (256, 512)."
        )


def check_same_network(params: Any, built_with: dict[str, Any]) -> None:
    """Refuse to go on with a network that other parameters ask for.

    Parameters
    ----------
    params : CNNFactorRegressor
        Parameters of now.
    built_with : dict of str to object
        Those that its network was built with.

    Raises
    ------
    ValueError
        If one differs.
    """
    for name, before in built_with.items():
        now = getattr(params, name)
        if not np.array_equal(now, before):
            raise ValueError(
                f"{name}={now!r} but the network was built with {before!r}; expected "
                "the same. Use warm_start=False for another network."
            )


def hold_out(
    heard: np.ndarray,
    groups: Any,
    n_items: int,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Split items into those to learn from and those to stop by.

    Parameters
    ----------
    heard : ndarray of shape (n_heard,)
        Items with frames.
    groups : array-like of shape (n_items,) or None
        What must not be torn apart, such as artists.
    n_items : int
        Items of X.
    fraction : float
        Share of items, or of groups, to hold out.
    rng : RandomState
        Draws them.

    Returns
    -------
    train, held_out : ndarray of int
        Positions in X, ascending; none is held out where there is but one item.

    Raises
    ------
    ValueError
        If `groups` does not fit, or holds a single group.
    """
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != (n_items,):
            raise ValueError(
                f"groups has shape {groups.shape} but X has {n_items} items; expected "
                "one group per item."
            )
    if fraction == 0 or len(heard) < 2:
        return heard, heard[:0]
    if groups is None:
        n_held_out = min(max(1, round(fraction * len(heard))), len(heard) - 1)
        order = rng.permutation(len(heard))
        return np.sort(heard[order[n_held_out:]]), np.sort(heard[order[:n_held_out]])
    own = groups[heard]
    n_groups = len(set(own.tolist()))
    if n_groups < 2:
        raise ValueError(
            f"groups of the items with frames are all {own.tolist()[0]!r}; at least "
            "two groups are needed to hold one out. Use validation_fraction=0."
        )
    n_held_out = min(max(1, round(fraction * n_groups)), n_groups - 1)
    splitter = GroupShuffleSplit(1, test_size=n_held_out, random_state=rng)
    train, held_out = next(splitter.split(heard, groups=own))
    return heard[train], heard[held_out]
