"""From checked data and parameters to a trained net, and from a net to factors."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from skcoldstart.neural._targets import TargetScale
from skcoldstart.neural._torch.architectures import (
    ARCHITECTURES,
    SpectrogramNet,
    smallest_window,
)
from skcoldstart.neural._torch.callbacks import make_callbacks
from skcoldstart.neural._torch.loading import (
    ResidentReader,
    WindowBatches,
    n_readers,
    prediction_batches,
)
from skcoldstart.neural._torch.net import FactorNet, resolve_device, seeded
from skcoldstart.neural._torch.objectives import make_objective
from skcoldstart.neural._windows import FrameReader, frame_moments

# Rounding depends on the shape of a batch. It is always the same, filled up if need be,
# so that a prediction depends on nothing but the item.
PREDICTION_BATCH = {"cpu": 64, "cuda": 1024}

__all__ = ["TrainingSet", "build_net", "predict_outputs", "restore_net", "train_net"]


@dataclass(frozen=True)
class TrainingSet:
    """Checked data of one fit; all arrays have one entry per item of X.

    Shapes: `n_frames` (n_items,), `targets` (n_items, n_outputs), `user_factors`
    (n_users, n_outputs), `usage` (n_items, n_users).
    """

    frames: Any
    n_frames: np.ndarray
    n_features: int
    targets: np.ndarray
    scale: TargetScale
    user_factors: np.ndarray | None
    usage: Any
    train: np.ndarray
    held_out: np.ndarray


def build_net(params: Any, data: TrainingSet, seed: int) -> FactorNet:
    """Return a net with fresh weights."""
    mean, deviation = np.zeros(data.n_features), np.ones(data.n_features)
    if params.standardize:
        mean, deviation = frame_moments(data.frames, data.train)
    return _new_net(params, data.targets.shape[1], mean, deviation, seed)


def restore_net(
    params: Any, n_features: int, n_outputs: int, weights: dict[str, np.ndarray]
) -> FactorNet:
    """Return a net with weights of another of the same parameters."""
    _check_weights(params, n_features, n_outputs, weights)
    # Moments of the bands are among the weights.
    net = _new_net(params, n_outputs, np.zeros(n_features), np.ones(n_features), 0)
    net.module_.load_state_dict({
        name: torch.from_numpy(array) for name, array in weights.items()
    })
    return net


def _check_weights(
    params: Any, n_features: int, n_outputs: int, weights: dict[str, np.ndarray]
) -> None:
    """Refuse weights of another network before memory is taken for that network."""
    n_layers = len(params.n_filters) + len(params.hidden)
    if weights["mean"].shape != (n_features,) or n_layers > len(weights):
        raise ValueError(
            f"{len(weights)} arrays of weights, of {weights['mean'].shape} bands, are "
            f"not those of {n_layers} layers and {n_features} bands"
        )
    mean = [0.0] * n_features
    with torch.device("meta"):  # shapes without numbers
        module = SpectrogramNet(_network(params), n_outputs, mean, mean)
    expected = {name: tuple(w.shape) for name, w in module.state_dict().items()}
    found = {name: weight.shape for name, weight in weights.items()}
    if found != expected:
        odd = next(n for n in expected | found if found.get(n) != expected.get(n))
        raise ValueError(
            f"weights {odd!r} have shape {found.get(odd)}; expected {expected.get(odd)}"
        )


def _new_net(
    params: Any, n_outputs: int, mean: np.ndarray, deviation: np.ndarray, seed: int
) -> FactorNet:
    device = resolve_device(params.device)
    optimizers = {
        "adamw": (torch.optim.AdamW, {}),
        "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    }
    optimizer, options = optimizers[params.optimizer]
    net = FactorNet(
        SpectrogramNet,
        module__network=_network(params),
        module__n_outputs=n_outputs,
        module__mean=mean.tolist(),
        module__deviation=deviation.tolist(),
        precision=_precision(params.precision, device),
        optimizer=optimizer,
        optimizer__weight_decay=params.weight_decay,
        **{f"optimizer__{name}": value for name, value in options.items()},
        lr=params.lr,
        max_epochs=params.max_epochs,
        batch_size=params.batch_size,
        train_split=None,
        device=str(device),
        compile=params.compile,
        verbose=0,
    )
    with seeded(seed, device):
        net.initialize()
    if callable(params.architecture):
        _check_outputs(net, (2, params.window, len(mean)), (2, n_outputs))
    return net


def _check_outputs(net: FactorNet, given: tuple, expected: tuple) -> None:
    """Refuse a network whose outputs would be broadcast against the targets."""
    got = net.outputs(np.zeros(given, np.float32)).shape
    if got != expected:
        raise ValueError(
            f"The network of architecture maps windows of shape {given} to {got}; "
            f"expected {expected}: (n_windows, window, n_features) to (n_windows, "
            "n_outputs)."
        )


def train_net(
    net: FactorNet, params: Any, data: TrainingSet, seed: int, epochs: int
) -> None:
    """Train a net for some more passes over the data."""
    device = torch.device(net.device)
    objective = make_objective(
        params.objective,
        data.scale,
        device,
        targets=data.targets,
        user_factors=data.user_factors,
        usage=data.usage,
        temperature=params.temperature,
    )
    reader = _reader(params, data, device)
    resident = isinstance(reader, ResidentReader)
    batches = partial(
        WindowBatches,
        reader,
        n_frames=data.n_frames,
        objective=objective,
        window=params.window,
        batch_size=params.batch_size,
        seed=seed,
        n_threads=0 if resident else n_readers(params.n_jobs, device),
        device=device,
    )
    held_out = batches(items=data.held_out, shuffle=False)
    # After a warm start they may not be those that the net was built with.
    net.lr = params.lr
    for group in net.optimizer_.param_groups:
        group["weight_decay"] = params.weight_decay
    net.callbacks = make_callbacks(
        lr_schedule=params.lr_schedule,
        n_epochs=epochs,
        patience=params.patience,
        has_validation=len(held_out) > 0,
        verbose=params.verbose,
        callbacks=params.callbacks,
    )
    net.initialize_callbacks()
    with seeded(seed + len(net.history), device):
        net.train(
            batches(items=data.train, shuffle=True),
            held_out if len(held_out) else None,
            epochs,
        )


def predict_outputs(net: FactorNet, X: Any, n_features: int, window: int) -> np.ndarray:
    """Return the mean output over the consecutive windows of each item.

    Shapes: -> (n_items, n_outputs).
    """
    batch_size = PREDICTION_BATCH.get(torch.device(net.device).type, 64)
    sums = np.zeros((len(X), net.module__n_outputs))
    n_windows = np.zeros(len(X), np.int64)
    for owners, windows in prediction_batches(
        X, n_features, window=window, batch_size=batch_size
    ):
        np.add.at(sums, owners, net.outputs(windows)[: len(owners)])
        np.add.at(n_windows, owners, 1)
    return sums / np.maximum(n_windows, 1)[:, np.newaxis]


def _network(params: Any) -> Any:
    """Return the factory of the network between input and output."""
    if callable(params.architecture):
        return params.architecture
    n_layers = len(params.n_filters)
    needed = smallest_window(params.architecture, n_layers)
    if params.window < needed:
        raise ValueError(
            f"window={params.window} frames are too few for {params.architecture!r} "
            f"with {n_layers} convolutional layers, which need {needed}. Use longer "
            "windows or fewer n_filters."
        )
    return partial(
        ARCHITECTURES[params.architecture],
        window=params.window,
        n_filters=tuple(params.n_filters),
        hidden=tuple(params.hidden),
        dropout=params.dropout,
        batch_norm=params.batch_norm,
    )


def _precision(precision: str, device: torch.device) -> str:
    if precision != "auto":
        return precision
    half = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if half else "float32"


def _reader(params: Any, data: TrainingSet, device: torch.device) -> Any:
    storage = params.device_storage
    if storage == "auto":
        n_bytes = 2 * int(data.n_frames.sum()) * data.n_features
        storage = ResidentReader.choose(n_bytes, device)
    if storage == "host":
        return FrameReader(data.frames, data.n_features)
    return ResidentReader(data.frames, data.n_frames, data.n_features, storage, device)
