"""The one door to scikit-learn names that are not public."""

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
from sklearn.utils.validation import (
    _check_method_params,
    _get_feature_names,
    _num_samples,
)

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_check_method_params",
    "_fit_context",
    "_get_feature_names",
    "_num_samples",
    "_routing_enabled",
    "_safe_indexing",
    "validate_params",
]
