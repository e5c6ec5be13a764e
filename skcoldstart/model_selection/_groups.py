"""Groups of items, for splitters outside and inside an estimator."""

from typing import Any

from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skcoldstart._utils.sk import _routing_enabled, _safe_indexing


def split_and_fit_parameters(
    estimator: Any, groups: Any, params: dict[str, Any] | None
) -> dict[str, Any]:
    """Return ``groups`` and ``params`` in the form of scikit-learn's functions.

    Groups are passed to the splitter, and to a search inside the estimator that uses
    them.
    """
    params = dict(params or {})
    if _routing_enabled():
        return {"params": params if groups is None else params | {"groups": groups}}
    if groups is None and "groups" in params:
        groups = params.pop("groups")
    return {"groups": groups, "params": groups_for_fit(estimator, groups) | params}


def fit_with_groups(estimator: Any, X: Any, y: Any, rows: Any, groups: Any) -> Any:
    """Fit an estimator to some rows, with their groups if it uses groups."""
    params = {
        name: _safe_indexing(values, rows)
        for name, values in groups_for_fit(estimator, groups).items()
    }
    return estimator.fit(_safe_indexing(X, rows), y[rows], **params)


def groups_for_fit(estimator: Any, groups: Any) -> dict[str, Any]:
    """Return groups under the parameter name of `fit` for the step that uses them."""
    if groups is None:
        return {}
    if _routing_enabled():
        routing = get_routing_for_object(estimator)
        return {"groups": groups} if routing.consumes("fit", {"groups"}) else {}
    name = _name_in_fit(estimator)
    return {} if name is None else {name: groups}


def _name_in_fit(estimator: Any) -> str | None:
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = _name_in_fit(last)
        return None if inner is None else f"{name}__{inner}"
    if hasattr(estimator, "refit"):
        requests = get_routing_for_object(check_cv(estimator.cv)).split.requests
        return "groups" if requests.get("groups") is True else None
    if has_fit_parameter(estimator, "groups"):
        return "groups"
    # A recommender passes unknown parameters to its regressor.
    regressor = getattr(estimator, "regressor", None)
    return None if regressor is None else _name_in_fit(regressor)
