"""Convert an estimator to attributes that are data or of known classes, and back."""

import inspect
import os
from collections.abc import Callable
from typing import Any

from skcoldstart.persistence._checks import check_loaded

# Parameters by which a file could decide where its reader writes, what is compiled, or
# how many processes start.
SET_ASIDE = ("memory", "store", "compile")
_MOST_JOBS = max(64, os.cpu_count() or 1)

# The version, which is stored once per file.
_NOT_KEPT = {"_sklearn_version"}
# State that only a continued fit needs, and attributes that `_REBUILT` restores.
_NOT_KEPT_OF = {
    "GradientBoostingRegressor": {"_loss", "_rng"},
    "GridSearchCV": {"scorer_"},
    "HistGradientBoostingRegressor": {
        *("_feature_subsample_rng", "_in_fit", "_loss", "_scorer"),
    },
    "KNeighborsRegressor": {"_tree"},
    "MLPRegressor": {"_optimizer", "_random_state"},
    "OneHotEncoder": {"_n_features_outs"},
    "RandomizedSearchCV": {"scorer_"},
}


def _rebuild_loss(estimator: Any) -> None:
    if hasattr(estimator, "train_score_"):
        estimator._loss = estimator._get_loss(sample_weight=None)


def _rebuild_scorer(search: Any) -> None:
    if hasattr(search, "cv_results_"):
        search.scorer_ = search._get_scorers()[0]


def _rebuild_neighbors(estimator: Any) -> None:
    from sklearn.neighbors import BallTree, KDTree

    method = getattr(estimator, "_fit_method", None)
    if method is None:
        return
    tree = {"ball_tree": BallTree, "kd_tree": KDTree, "brute": None}[method]
    estimator._tree = tree and tree(
        estimator._fit_X,
        estimator.leaf_size,
        metric=estimator.effective_metric_,
        **estimator.effective_metric_params_,
    )


def _rebuild_columns(encoder: Any) -> None:
    if hasattr(encoder, "categories_"):
        encoder._n_features_outs = encoder._compute_n_features_outs()


_REBUILT: dict[str, Callable[[Any], None]] = {
    "GradientBoostingRegressor": _rebuild_loss,
    "GridSearchCV": _rebuild_scorer,
    "HistGradientBoostingRegressor": _rebuild_loss,
    "KNeighborsRegressor": _rebuild_neighbors,
    "OneHotEncoder": _rebuild_columns,
    "RandomizedSearchCV": _rebuild_scorer,
}


def state_of(estimator: Any) -> dict[str, Any]:
    """Return the attributes of an estimator."""
    if hasattr(estimator, "_plain_state"):
        state = estimator._plain_state()
    else:
        state = estimator.__getstate__() or {}
    left_out = _NOT_KEPT | _NOT_KEPT_OF.get(type(estimator).__name__, set())
    state = {name: value for name, value in state.items() if name not in left_out}
    if "memory" in state:  # a joblib.Memory is a place to write to
        state["memory"] = getattr(state["memory"], "location", state["memory"])
    return state


def restore(
    cls: type, state: dict[str, Any], *, fill_in: bool
) -> tuple[Any, dict[str, Any]]:
    """Return an estimator with the attributes returned by `state_of`.

    Also return, by name, attributes that were not restored. `fill_in` sets missing
    parameters, which another version may not have had, to their defaults.
    """
    defaults = _parameters(cls)
    for name in state:
        if not isinstance(name, str) or (name not in defaults and hasattr(cls, name)):
            raise ValueError(f"{cls.__name__} has no attribute {name!r} to set")
    if fill_in:
        state = defaults | state
    missing = defaults.keys() - state
    if missing:
        raise ValueError(f"{cls.__name__} lacks {', '.join(sorted(missing))}")
    set_aside = _set_aside(state, defaults)
    left_out = _NOT_KEPT_OF.get(cls.__name__, set())
    state = {name: value for name, value in state.items() if name not in left_out}

    estimator: Any = object.__new__(cls)
    if hasattr(cls, "_set_plain_state"):
        estimator._set_plain_state(state)
    else:
        vars(estimator).update(state)
    check_loaded(estimator)
    if cls.__name__ in _REBUILT:
        _REBUILT[cls.__name__](estimator)
    return estimator, set_aside


def _parameters(cls: type) -> dict[str, Any]:
    """Return the parameters of a class and their defaults."""
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    return {
        name: None if parameter.default is parameter.empty else parameter.default
        for name, parameter in list(signature.parameters.items())[1:]
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def _set_aside(state: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Replace parameters that a file must not decide; return their values."""
    found = {}
    for name in SET_ASIDE:
        if name in defaults and state[name] not in (None, defaults[name]):
            found[name], state[name] = state[name], defaults[name]
    n_jobs = state.get("n_jobs")
    if isinstance(n_jobs, int) and n_jobs > _MOST_JOBS:
        found["n_jobs"], state["n_jobs"] = n_jobs, None
    for name in ("param_grid", "param_distributions"):
        grids = state.get(name) or []
        for grid in grids if isinstance(grids, list) else [grids]:
            for key in list(grid):
                if str(key).rpartition("__")[2] in SET_ASIDE:
                    found[f"{name}[{key!r}]"] = grid.pop(key)
    return found
