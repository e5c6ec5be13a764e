"""Check assumptions of compiled code before it uses arrays of an untrusted file.

It would read or write outside of arrays with inconsistent shapes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

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


def check_loaded(estimator: Any) -> None:
    """Raise ValueError if an estimator has attributes that would crash its methods."""
    name = type(estimator).__name__
    for size, most in _SIZES.get(name, {}).items():
        value = getattr(estimator, size, 0)
        _need(0 <= value <= most, f"{name}.{size} is {value}; at most {most}")
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
        _need(
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
        _need(
            bool(((codes >= 0) & (codes < n_columns[feature])).all()),
            f"OneHotEncoder has a category of feature {feature} outside of its "
            f"{n_columns[feature]} columns",
        )


def _check_vocabulary(vectorizer: Any) -> None:
    vocabulary = getattr(vectorizer, "vocabulary_", None)
    if vocabulary is not None:
        _need(
            set(vocabulary.values()) == set(range(len(vocabulary))),
            f"{type(vectorizer).__name__}.vocabulary_ must number its "
            f"{len(vocabulary)} terms from 0",
        )


def _check_tree(estimator: Any) -> None:
    if hasattr(estimator, "tree_"):
        _need_features(estimator, estimator.tree_.n_features)


def _check_forest(forest: Any) -> None:
    for tree in np.ravel(getattr(forest, "estimators_", [])):
        _need_features(forest, tree.tree_.n_features)


def _need_features(estimator: Any, n_features: int) -> None:
    _need(
        estimator.n_features_in_ == n_features,
        f"{type(estimator).__name__} of {estimator.n_features_in_} features has a tree "
        f"of {n_features}",
    )


def _check_boosting(estimator: Any) -> None:
    if not hasattr(estimator, "_predictors"):
        return
    n_features, mapper = estimator.n_features_in_, estimator._bin_mapper
    is_category = np.asarray(mapper.is_categorical_)
    _need(
        is_category.dtype == np.uint8
        and is_category.shape == (n_features,)
        and len(mapper.bin_thresholds_) == n_features,
        f"HistGradientBoostingRegressor of {n_features} features has the kinds of "
        f"{is_category.size}",
    )
    for feature in np.flatnonzero(is_category):
        values = np.asarray(mapper.bin_thresholds_[feature])
        _need(
            bool(((values >= 0) & (values < 256)).all()),
            f"feature {feature} of HistGradientBoostingRegressor has categories "
            "outside [0, 256)",
        )
    for predictor in (p for trees in estimator._predictors for p in trees):
        inner = predictor.nodes[predictor.nodes["is_leaf"] == 0]
        places = inner["feature_idx"]
        _need(
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
    _need(
        set(names) <= {"OrdinalEncoder", "FunctionTransformer"}
        and masks
        and n_columns == n_features,
        f"HistGradientBoostingRegressor prepares its input by {names}",
    )


def _check_stacking(stack: Any) -> None:
    methods = getattr(stack, "stack_method_", [])
    _need(
        set(methods) <= {"predict", "predict_proba", "decision_function"},
        f"StackingRegressor calls {', '.join(map(str, methods))}",
    )


def _need(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


_CHECKS: dict[str, Callable[[Any], None]] = {
    "CountVectorizer": _check_vocabulary,
    "DecisionTreeRegressor": _check_tree,
    "ExtraTreeRegressor": _check_tree,
    "ExtraTreesRegressor": _check_forest,
    "GradientBoostingRegressor": _check_forest,
    "HistGradientBoostingRegressor": _check_boosting,
    "OneHotEncoder": _check_one_hot,
    "RandomForestRegressor": _check_forest,
    "StackingRegressor": _check_stacking,
    "TfidfVectorizer": _check_vocabulary,
    "WordCounter": _check_vocabulary,
}
