"""The regressor inside a recommender: any regressor of scikit-learn."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from skcoldstart._utils.sk import HasMethods, _check_sample_weight, _routing_enabled
from skcoldstart.neural import UserFactors


class RegressorPerFactor(MultiOutputRegressor):
    """Repeat a regressor whose `predict` exists only after `fit`, such as a stack."""

    _parameter_constraints: dict = MultiOutputRegressor._parameter_constraints | {
        "estimator": [HasMethods(["fit"])]
    }


def check_predicts(regressor: Any) -> None:
    """Reject what is not a regressor; some regressors get `predict` in `fit`."""
    if not (hasattr(regressor, "predict") or is_regressor(last_step(regressor))):
        raise TypeError(
            f"regressor={type(regressor).__name__} has no predict; expected a "
            "regressor, or a Pipeline that ends in one."
        )


def for_all_factors(regressor: Any) -> Any:
    """Clone a regressor, repeated per factor if it predicts one output."""
    regressor = clone(regressor)
    if _fits_several_outputs(regressor):
        return regressor
    last = last_step(regressor)
    repeat = MultiOutputRegressor if hasattr(last, "predict") else RegressorPerFactor
    if isinstance(regressor, Pipeline):
        return regressor.set_params(**{regressor.steps[-1][0]: repeat(last)})
    return repeat(regressor)


def _fits_several_outputs(regressor: Any) -> bool:
    """Return whether a regressor or the one it wraps accepts y of several columns."""
    from sklearn.ensemble import BaggingRegressor
    from sklearn.neural_network import MLPRegressor

    # TODO(sklearn 1.11): MLPRegressor supports several outputs, but its tags and those
    # of its wrappers do not. One network per factor would cost k times as much and
    # share nothing between factors.
    if isinstance(regressor, Pipeline):
        return _fits_several_outputs(regressor.steps[-1][1])
    if isinstance(regressor, TransformedTargetRegressor):
        return regressor.regressor is None or _fits_several_outputs(regressor.regressor)
    if isinstance(regressor, BaggingRegressor) or _is_search(regressor):
        return regressor.estimator is None or _fits_several_outputs(regressor.estimator)
    tags = get_tags(regressor).target_tags
    return tags.multi_output or isinstance(regressor, MLPRegressor)


def _is_search(regressor: Any) -> bool:
    return hasattr(regressor, "estimator") and hasattr(regressor, "refit")


def kept_or_new(given: Any, fitted: Any, new: Callable[[Any], Any]) -> Any:
    """Return the fitted step with new parameters if it has a warm start, or a new one.

    `fitted` is None if there is none yet.
    """
    params = {} if fitted is None else given.get_params()
    warm = [name for name in params if name.endswith("warm_start") and params[name]]
    if not warm:
        return new(given)
    last = last_step(fitted)
    searches = any(map(_is_search, (given, *params.values())))
    if searches or isinstance(last, MultiOutputRegressor):
        raise ValueError(
            f"{warm[0]}=True of {type(given).__name__} cannot be continued: a search, "
            "or a regressor of one output that is repeated per factor, starts from "
            f"scratch in each fit. Set {warm[0]}=False, or use a regressor with "
            "several outputs."
        )
    if type(given) is not type(fitted):
        return new(given)
    plain = {
        name: value
        for name, value in params.items()
        if not hasattr(value, "get_params") and not isinstance(value, list)
    }
    return fitted.set_params(**plain)


def name_of_groups(regressor: Any) -> str | None:
    """Return the name of the parameter of `fit` that takes groups of items."""
    if isinstance(regressor, Pipeline):
        name, last = regressor.steps[-1]
        inner = name_of_groups(last)
        return None if inner is None else f"{name}__{inner}"
    takes = _is_search(regressor) or has_fit_parameter(regressor, "groups")
    return "groups" if takes else None


def with_item_weights(
    regressor: Any, params: dict[str, Any], item_weight: Any, plays: sp.csr_array
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return parameters of `fit` with weights of items among them, and all weights.

    The weight of an item is a power of its number of users, of mean 1.
    """
    given = [name for name in params if name.endswith("sample_weight")]
    own = params[given[0]] if given else None
    if own is not None:
        own = _check_sample_weight(own, plays, dtype=np.float64)
    exponent = {"uniform": 0.0, "inverse": -1.0}.get(item_weight, item_weight)
    if exponent == 0:
        return params, own
    named = _named_for_fit(regressor, ("sample_weight",))
    if not named:
        raise TypeError(
            f"item_weight needs a regressor whose fit takes sample_weight, but "
            f"{type(regressor).__name__} has none; use item_weight='uniform'."
        )
    weight = np.diff(plays.indptr).astype(np.float64) ** exponent
    weight /= weight.mean()
    if own is not None:
        weight *= own
    return params | {named["sample_weight"]: weight}, weight


def usage_parameters(
    regressor: Any, factorizer: Any, user_factors: np.ndarray | None, plays: Any
) -> dict[str, Any]:
    """Return ``user_factors`` and ``usage`` for a regressor whose `fit` has these.

    Behind `TransformedTargetRegressor` it predicts no factors, and is given nothing.
    Shapes: `user_factors` (n_users, k), `plays` (n_items, n_users) of its items.
    """
    names = ("user_factors", "usage")
    named = {} if user_factors is None else _named_for_fit(regressor, names)
    if not named:
        return {}
    if hasattr(factorizer, "confidences"):
        usage = factorizer.confidences(plays)
    else:
        usage = sp.csr_array(plays, copy=True)
        usage.data[:] = 1
    values = {"user_factors": UserFactors(user_factors), "usage": usage}
    return {named[name]: value for name, value in values.items()}


def features_and_head(regressor: Any, X: Any) -> tuple[Any, Any]:
    """Return the input of the last step of a fitted regressor for X, and that step."""
    if isinstance(regressor, Pipeline) and len(regressor) > 1:
        X = regressor[:-1].transform(X)
    return X, last_step(regressor)


def last_step(regressor: Any) -> Any:
    return regressor[-1] if isinstance(regressor, Pipeline) else regressor


@contextmanager
def features_of_fit(regressor: Any, X: Any) -> Iterator[list[Any]]:
    """Yield a list whose last entry is, after a fit, the input of the last step.

    Steps that read sound or text then need not read it again.
    """
    seen = [X]
    head = regressor[-1] if isinstance(regressor, Pipeline) else None
    if head is None or "fit" in vars(head):
        yield seen
        return
    fit = head.fit

    @wraps(fit)
    def recorded(F: Any, *args: Any, **params: Any) -> Any:
        seen.append(F)
        return fit(F, *args, **params)

    head.fit = recorded
    try:
        yield seen
    finally:
        del head.fit


def _named_for_fit(regressor: Any, names: Iterable[str]) -> dict[str, str]:
    """Return parameters of `fit` under the names by which a step receives them.

    Returns all of `names` or nothing, depending on the last step of a Pipeline or the
    estimator of a search. With metadata routing, these are set to request them.
    """
    prefix, asking = _who_asks(regressor, names)
    if asking is None:
        return {}
    if _routing_enabled():
        asking.set_fit_request(**dict.fromkeys(names, True))
        prefix = ""
    return {name: f"{prefix}{name}" for name in names}


def _who_asks(regressor: Any, names: Iterable[str]) -> tuple[str, Any]:
    """Return the estimator that has the parameters, and the prefix of their names."""
    if isinstance(regressor, Pipeline):
        name, last = regressor.steps[-1]
        prefix, asking = _who_asks(last, names)
        if asking is not None and _routing_enabled():
            _leave_out(regressor[:-1], names)
        return f"{name}__{prefix}", asking
    if _is_search(regressor):
        return _who_asks(regressor.estimator, names)
    asks = all(has_fit_parameter(regressor, name) for name in names)
    return "", regressor if asks else None


def _leave_out(steps: Pipeline, names: Iterable[str]) -> None:
    """Set unset requests of metadata to False."""
    for _, step in steps.steps:
        if not hasattr(step, "set_fit_request"):
            continue
        requests = step.get_metadata_routing().fit.requests
        for name in names:
            if requests.get(name, True) is None:
                step.set_fit_request(**{name: False})
