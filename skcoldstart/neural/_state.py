"""Convert a fitted network to plain data and back, for model files."""

from typing import Any

from sklearn.base import clone

from skcoldstart.neural._checks import import_training
from skcoldstart.neural._targets import TargetScale


def plain_state(regressor: Any) -> dict[str, Any]:
    """Return the attributes of a regressor, its network as arrays."""
    state = dict(vars(regressor))
    if "net_" in state:
        net, scale = state.pop("net_"), state["_scale"]
        weights = net.module.state_dict()
        state["net_"] = {n: w.cpu().numpy().copy() for n, w in weights.items()}
        state["history_"] = [dict(row) for row in state["history_"]]
        state["_scale"] = dict(vars(scale))
    return state


def set_plain_state(regressor: Any, state: dict[str, Any]) -> None:
    """Set the attributes of a regressor returned by `plain_state`."""
    vars(regressor).update(state)
    if "net_" in state:
        from skorch.history import History

        regressor._scale = TargetScale(**state["_scale"])
        regressor.history_ = History(state["history_"])
        regressor.net_ = import_training().restore_net(
            clone(regressor).set_params(**regressor._built_with),
            regressor.n_features_in_,
            len(regressor.target_mean_),
            state["net_"],
        )
        regressor.net_.history_ = regressor.history_
