"""What an estimator knows, as values that are data or estimators."""

from typing import Any

__all__ = ["estimator_from", "state_of"]

# The version, which the whole file has, and what only a continued fit needs.
_NOT_KEPT = {"_sklearn_version"}
_NOT_KEPT_OF = {"MLPRegressor": {"_optimizer", "_random_state"}}


def state_of(estimator: Any) -> dict[str, Any]:
    """Return the attributes of an estimator."""
    from skcoldstart.neural import CNNFactorRegressor
    from skcoldstart.neural._state import plain_state

    if isinstance(estimator, CNNFactorRegressor):
        return plain_state(estimator)
    left_out = _NOT_KEPT | _NOT_KEPT_OF.get(type(estimator).__name__, set())
    state: dict[str, Any] = estimator.__getstate__()
    return {name: value for name, value in state.items() if name not in left_out}


def estimator_from(cls: type, state: dict[str, Any]) -> Any:
    """Return an estimator with the attributes that `state_of` returned."""
    from skcoldstart.neural import CNNFactorRegressor
    from skcoldstart.neural._state import network_from_plain_state

    estimator: Any = object.__new__(cls)
    if cls is CNNFactorRegressor:
        network_from_plain_state(estimator, state)
    else:
        vars(estimator).update(state)
    return estimator
