"""Convert an estimator to attributes that are data or of known classes, and back."""

import inspect
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from skcoldstart.persistence._adapters import need

# Dimensions of arrays: an attribute that is a number, or a name for equal numbers.
_SHAPES: dict[str, dict[str, tuple[str, str]]] = {
    "KNeighborsRegressor": {"_fit_X": ("n_samples_fit_", "n_features_in_")},
    "NMF": {"components_": ("_n_components", "n_features_in_")},
    "VectorQuantizer": {"codebook_": ("codewords", "n_features_in_")},
    "WMF": {
        "item_factors_": ("items", "components"),
        "user_factors_": ("n_features_in_", "components"),
    },
}
# Numbers that become dimensions of arrays when the estimator is used, with limits.
_SIZES = {
    "BagOfWords": {"n_codewords_": 1 << 24},
    "CNNFactorRegressor": {"_window": 1 << 16},
    "PolynomialFeatures": {"n_output_features_": 1 << 24, "_n_out_full": 1 << 24},
    "SplineTransformer": {"n_features_out_": 1 << 24},
}


# Compiled code would read or write outside of arrays with inconsistent shapes.
def check_loaded(estimator: Any) -> None:
    """Raise ValueError if an estimator has attributes that would crash its methods."""
    name = type(estimator).__name__
    for size, most in _SIZES.get(name, {}).items():
        value = getattr(estimator, size, 0)
        need(0 <= value <= most, f"{name}.{size} is {value}; at most {most}")
    if name in _SHAPES:
        _check_shapes(estimator, _SHAPES[name])
    if name in _CHECKS:
        _CHECKS[name](estimator)


def _check_shapes(estimator: Any, shapes: dict[str, tuple[str, str]]) -> None:
    state = vars(estimator)
    if not any(name in state for name in shapes):
        return  # not fitted
    sides: dict[str, Any] = {}
    for name, expected in shapes.items():
        shape = np.shape(state[name])
        kind = getattr(state[name], "dtype", np.dtype(object)).kind
        for side, n in zip(expected, shape, strict=False):
            known = sides if side.isalpha() else state
            known.setdefault(side, n)
        wanted = [(sides | state)[side] for side in expected]
        need(
            list(shape) == wanted and min(shape) > 0 and kind in "fiu",
            f"{type(estimator).__name__}.{name} has shape {shape} and type {kind}; "
            f"expected numbers of shape ({', '.join(expected)}): {wanted}",
        )


def _check_one_hot(encoder: Any) -> None:
    """Follow every category to the column that it ends in."""
    if not hasattr(encoder, "categories_"):
        return
    n_columns = encoder._compute_n_features_outs()
    dropped = encoder._drop_idx_after_grouping
    for feature, categories in enumerate(encoder.categories_):
        codes = np.arange(len(categories))
        if encoder._infrequent_enabled:
            mapping = encoder._default_to_infrequent_mappings[feature]
            codes = codes if mapping is None else np.take(mapping, codes)
        drop = None if dropped is None else dropped[feature]
        if drop is not None:
            codes = codes[codes != drop]
            codes = codes - (codes > drop)
        need(
            bool(((codes >= 0) & (codes < n_columns[feature])).all()),
            f"OneHotEncoder has a category of feature {feature} outside of its "
            f"{n_columns[feature]} columns",
        )


def _check_vocabulary(vectorizer: Any) -> None:
    vocabulary = getattr(vectorizer, "vocabulary_", None)
    if vocabulary is not None:
        need(
            set(vocabulary.values()) == set(range(len(vocabulary))),
            f"{type(vectorizer).__name__}.vocabulary_ must number its "
            f"{len(vocabulary)} terms from 0",
        )


def _check_trees(estimator: Any) -> None:
    own = [estimator] if hasattr(estimator, "tree_") else []
    for member in [*own, *np.ravel(getattr(estimator, "estimators_", []))]:
        need(
            estimator.n_features_in_ == member.tree_.n_features,
            f"{type(estimator).__name__} of {estimator.n_features_in_} features has a "
            f"tree of {member.tree_.n_features}",
        )


def _check_boosting(estimator: Any) -> None:
    if not hasattr(estimator, "_predictors"):
        return
    n_features, mapper = estimator.n_features_in_, estimator._bin_mapper
    is_category = np.asarray(mapper.is_categorical_)
    need(
        is_category.dtype == np.uint8
        and is_category.shape == (n_features,)
        and len(mapper.bin_thresholds_) == n_features,
        f"HistGradientBoostingRegressor of {n_features} features has the kinds of "
        f"{is_category.size}",
    )
    for feature in np.flatnonzero(is_category):
        values = np.asarray(mapper.bin_thresholds_[feature])
        need(
            bool(((values >= 0) & (values < 256)).all()),
            f"feature {feature} of HistGradientBoostingRegressor has categories "
            "outside [0, 256)",
        )
    for predictor in (p for trees in estimator._predictors for p in trees):
        inner = predictor.nodes[predictor.nodes["is_leaf"] == 0]
        places = inner["feature_idx"]
        need(
            bool((places < n_features).all())
            and bool(is_category[places[inner["is_categorical"] != 0]].all()),
            "a node of HistGradientBoostingRegressor uses a feature that does not "
            "exist",
        )
    if estimator._preprocessor is not None:
        _check_preprocessor(estimator._preprocessor, n_features)


def _check_preprocessor(preprocessor: Any, n_features: int) -> None:
    """Reject an estimator that gives trees fewer columns than they read."""
    steps = [
        (type(step).__name__, columns)
        for _, step, columns in preprocessor.transformers_
    ]
    names = [name for name, columns in steps if np.any(columns)]
    n_columns = sum(int(np.sum(columns)) for _, columns in steps)
    masks = all(np.asarray(c).dtype == bool and len(c) == n_features for _, c in steps)
    need(
        set(names) <= {"OrdinalEncoder", "FunctionTransformer"}
        and masks
        and n_columns == n_features,
        f"HistGradientBoostingRegressor prepares its input by {names}",
    )


def _check_stacking(stack: Any) -> None:
    methods = getattr(stack, "stack_method_", [])
    need(
        set(methods) <= {"predict", "predict_proba", "decision_function"},
        f"StackingRegressor calls {', '.join(map(str, methods))}",
    )


_CHECKS: dict[str, Callable[[Any], None]] = {
    "CountVectorizer": _check_vocabulary,
    "DecisionTreeRegressor": _check_trees,
    "ExtraTreeRegressor": _check_trees,
    "ExtraTreesRegressor": _check_trees,
    "GradientBoostingRegressor": _check_trees,
    "HistGradientBoostingRegressor": _check_boosting,
    "OneHotEncoder": _check_one_hot,
    "RandomForestRegressor": _check_trees,
    "StackingRegressor": _check_stacking,
    "TfidfVectorizer": _check_vocabulary,
    "WordCounter": _check_vocabulary,
}


# Parameters by which a file could decide where its reader writes, what is compiled, or
# how many processes start.
SET_ASIDE = ("memory", "store", "compile")
_MOST_JOBS = max(64, os.cpu_count() or 1)

# State that only a continued fit needs, and attributes that `_REBUILT` restores.
_NOT_KEPT = {
    "GradientBoostingRegressor": "_loss _rng",
    "GridSearchCV": "scorer_",
    "HistGradientBoostingRegressor": "_feature_subsample_rng _in_fit _loss _scorer",
    "KNeighborsRegressor": "_tree",
    "MLPRegressor": "_optimizer _random_state",
    "OneHotEncoder": "_n_features_outs",
    "RandomizedSearchCV": "scorer_",
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
    if hasattr(estimator, "_plain_state"):
        state = estimator._plain_state()
    else:
        state = estimator.__getstate__() or {}
    state = _kept(type(estimator), state)
    if "memory" in state:  # a joblib.Memory is a place to write to
        state["memory"] = getattr(state["memory"], "location", state["memory"])
    return state


def _kept(cls: type, state: dict[str, Any]) -> dict[str, Any]:
    left_out = _NOT_KEPT.get(cls.__name__, "").split()
    left_out.append("_sklearn_version")  # is stored once per file
    return {name: value for name, value in state.items() if name not in left_out}


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
    state = _kept(cls, state)

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
