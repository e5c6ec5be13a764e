"""The only module that imports private names of scikit-learn."""

import sys
from functools import cache
from numbers import Integral, Real
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_method_params,
    _check_sample_weight,
    _num_samples,
)

__all__ = [
    "COUNT",
    "INTERVAL",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_BaseComposition",
    "_check_feature_names_in",
    "_check_method_params",
    "_check_sample_weight",
    "_fit_context",
    "_get_output_config",
    "_num_samples",
    "_routing_enabled",
    "_safe_indexing",
    "classes_inside_trees",
    "error_score_of_caller",
    "validate_params",
    "validated",
]

COUNT = [Interval(Integral, 1, None, closed="left")]
INTERVAL: dict[str, list] = {  # options of a bootstrap
    "confidence": [Interval(Real, 0, 1, closed="neither")],
    "n_resamples": COUNT,
    "random_state": ["random_state"],
}


def validated(**constraints: Any) -> Any:
    """Check the parameters of a function by the constraints of scikit-learn."""
    return validate_params(constraints, prefer_skip_nested_validation=True)


def error_score_of_caller() -> Any:
    """Return the error_score of the search or cross-validation that scores, or NaN.

    TODO(sklearn 1.11): a callable that returns several scores does not receive it.
    """
    from sklearn.model_selection._validation import _score

    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not _score.__code__:
        frame = frame.f_back  # type: ignore[assignment]
    return float("nan") if frame is None else frame.f_locals["error_score"]


@cache
def classes_inside_trees() -> dict[str, type]:
    """Return the private classes of fitted ensembles by name, imported on demand."""
    from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

    return {cls.__name__: cls for cls in (_BinMapper, Tree, TreePredictor)}
