"""Train a net from checked data and parameters, and predict factors."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.utils import noop
from torch.optim import lr_scheduler

from skcoldstart._utils.progress import progress_bar
from skcoldstart.neural._checks import TargetScale
from skcoldstart.neural._torch.architectures import SpectrogramNet
from skcoldstart.neural._torch.loading import (
    WindowBatches,
    n_reading_threads,
    prediction_batches,
    window_reader,
)
from skcoldstart.neural._torch.net import (
    FactorNet,
    RandomStream,
    plain_torch,
    resolve_device,
)
from skcoldstart.neural._torch.objectives import OBJECTIVES
from skcoldstart.neural._torch.processes import Processes
from skcoldstart.neural._windows import WindowReader, frame_moments

# Rounding depends on the shape of a batch. Batches are padded to the same shape, so a
# prediction depends only on the item.
PREDICTION_BATCH = {"cpu": 64, "cuda": 1024}
MOST_PASSES = 1 << 20  # of one network, so that processes draw different numbers
LEAST_GAIN = 1e-4  # relative decrease of the loss that is an improvement
LR_FACTOR = 0.5  # of the learning rate on a plateau


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


@plain_torch()
def build_net(params: Any, data: TrainingSet, seed: int) -> FactorNet:
    moments = np.zeros(data.n_features), np.ones(data.n_features)
    if params.standardize:
        moments = frame_moments(data.frames, data.train)
    device, n_outputs = resolve_device(params.device), data.targets.shape[1]
    with RandomStream(seed, device).opened():
        module = SpectrogramNet(params, n_outputs, *moments)
    net = _as_skorch(params, module, device)
    if callable(params.architecture):
        # Other outputs would be broadcast against the targets.
        given, expected = (2, params.window, data.n_features), (2, n_outputs)
        got = net.outputs(np.zeros(given, np.float32)).shape
        if got != expected:
            raise ValueError(
                f"The network of architecture maps windows of shape {given} to {got}; "
                f"expected {expected}: (n_windows, window, n_features) to (n_windows, "
                "n_outputs)."
            )
    return net


@plain_torch()
def restore_net(
    params: Any, n_features: int, n_outputs: int, weights: dict[str, np.ndarray]
) -> FactorNet:
    """Return a net with the weights of another one with the same parameters."""

    def build() -> SpectrogramNet:
        return SpectrogramNet(params, n_outputs, *torch.empty(2, n_features))

    module = with_weights(build, params, weights)
    return _as_skorch(params, module, resolve_device(params.device))


def with_weights(
    build: Callable[[], Any], params: Any, weights: dict[str, np.ndarray]
) -> Any:
    """Return a network that takes over given weights of its layers."""
    n_layers = len(params.hidden)
    if params.architecture is not None:
        n_layers += len(params.n_filters)
    try:
        if n_layers > len(weights):
            raise TypeError(f"{n_layers} layers have {len(weights)} arrays of weights")
        # No memory is taken by layers before there are weights for them.
        with torch.device("meta"):
            module = build()
        tensors = {name: torch.tensor(array) for name, array in weights.items()}
        module.load_state_dict(tensors, assign=True)
    except (OverflowError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"The weights do not match the network of these parameters: {error}"
        ) from error
    return module


def _as_skorch(params: Any, module: SpectrogramNet, device: torch.device) -> FactorNet:
    optimizer, options = torch.optim.AdamW, {}
    if params.optimizer == "sgd":
        optimizer = torch.optim.SGD
        options = {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    net = FactorNet(
        module,
        criterion=torch.nn.MSELoss,  # while it is not in training
        optimizer=optimizer,
        **options,
        optimizer__weight_decay=params.weight_decay,
        lr=params.lr,
        batch_size=params.batch_size,
        train_split=None,
        device=str(device),
        compile=params.compile,
        verbose=0,
        callbacks__print_log=None,
    ).initialize()
    net.precision = params.precision
    if params.precision == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
        net.precision = "bfloat16" if half else "float32"
    return net


@plain_torch()
def train_net(
    net: FactorNet, params: Any, data: TrainingSet, seed: int, epochs: int
) -> None:
    """Train a net for more passes over the data."""
    device = torch.device(net.device)
    processes = Processes.current()
    processes.check_same(seed, data.n_frames, data.targets, data.train)
    processes.follow_first(*net.module_.state_dict().values())
    read = window_reader(
        data.frames, data.n_frames, data.n_features, params.device_storage, device
    )
    on_host = isinstance(read, WindowReader)
    objective = OBJECTIVES[params.objective](data, device, params.temperature)
    batches = WindowBatches(
        read,
        data.train,
        data.n_frames,
        torch.from_numpy(data.scale.to_network(data.targets)),
        objective,
        window=params.window,
        batch_size=params.batch_size,
        seed=seed,
        n_threads=n_reading_threads(params.n_jobs, device) if on_host else 0,
        device=device,
        processes=processes,
    )
    held_out = None
    if len(data.held_out):
        held_out = replace(batches, items=data.held_out, shuffle=False)
    # After a warm start they may differ from those of the net.
    rates = {"lr": params.lr, "initial_lr": params.lr}
    for group in net.optimizer_.param_groups:
        group.update(rates, weight_decay=params.weight_decay)
    random: Any = nullcontext
    if callable(params.architecture) or params.dropout:
        # Each process drops different units; a single process is not affected.
        first = seed + len(net.history) + processes.rank * MOST_PASSES
        random = RandomStream(first, device).opened
    bar: Any = nullcontext()
    if params.verbose:
        name = type(params).__name__
        bar = progress_bar(description=name, verbose=1, total=epochs, unit="epoch")
    with bar as shown:
        net.train(
            objective,
            batches,
            held_out,
            epochs=epochs,
            callbacks=_callbacks(params, held_out is not None, epochs, shown),
            random=random,
        )


class _Progress(Callback):
    """A bar over all passes; skorch has one per pass, which waits for every loss."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        names = {"train_loss": "train", "valid_loss": "held_out"}
        shown = {name: f"{row[key]:.4g}" for key, name in names.items() if key in row}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()


def _callbacks(params: Any, has_held_out: bool, epochs: int, bar: Any) -> list[Any]:
    """Return callbacks: schedule, the user's, progress bar, early stopping."""
    own = params.callbacks or []
    for callback in own:
        named = isinstance(callback, tuple) and len(callback) == 2
        name, kind = callback if named else ("", callback)
        kind = kind if isinstance(kind, type) else type(kind)  # skorch accepts both
        if not isinstance(name, str) or not issubclass(kind, Callback):
            raise TypeError(
                f"callbacks holds {callback!r}; expected skorch callbacks, or pairs of "
                "a name and a callback."
            )
    # Each training starts a new schedule: last_epoch is not that of the history.
    policies: dict[str, tuple[Any, dict[str, Any]]] = {
        "plateau": (
            lr_scheduler.ReduceLROnPlateau,
            {
                "monitor": "valid_loss" if has_held_out else "train_loss",
                "factor": LR_FACTOR,
                "patience": max(1, (params.patience or 12) // 3),
                "threshold": LEAST_GAIN,
            },
        ),
        "cosine": (lr_scheduler.CosineAnnealingLR, {"T_max": epochs, "last_epoch": -1}),
        "constant": (lr_scheduler.ConstantLR, {"factor": 1.0, "last_epoch": -1}),
    }
    policy, options = policies[params.lr_schedule]
    made = [("_lr", LRScheduler(policy, event_name="lr", **options)), *own]
    if bar is not None:
        made.append(("_progress", _Progress(bar)))
    if has_held_out:
        # Last, because its exception ends the pass for later callbacks.
        stopping = EarlyStopping(
            patience=params.patience, threshold=LEAST_GAIN, load_best=True, sink=noop
        )
        made.append(("_early_stopping", stopping))
    return made


@plain_torch()
def predict_outputs(net: FactorNet, X: Any, n_features: int, window: int) -> np.ndarray:
    """Return the mean output over the consecutive windows of each item.

    Shapes: -> (n_items, n_outputs).
    """
    batch_size = PREDICTION_BATCH.get(torch.device(net.device).type, 64)
    sums = np.zeros((len(X), net.module.n_outputs))
    n_windows = np.zeros((len(X), 1), np.int64)
    for owners, windows in prediction_batches(
        X, n_features, window=window, batch_size=batch_size
    ):
        np.add.at(sums, owners, net.outputs(windows)[: len(owners)])
        np.add.at(n_windows, owners, 1)
    finite = np.isfinite(sums).all(axis=1)
    if not finite.all():
        item = int(np.argmin(finite))
        raise ValueError(
            f"The outputs of the network for item {item} of X are not finite: its "
            f"frames have values as large as {np.abs(X[item]).max():.3g}, far from "
            f"those of fit. Check the item, or give it zero frames."
        )
    return sums / np.maximum(n_windows, 1)


def draw_outputs(net: FactorNet, n_draws: int, *frames: Any) -> list[np.ndarray]:
    """Return outputs with units dropped at random, (n_items, n_outputs) a draw."""
    if not net.dropout_layers():
        return []
    random = RandomStream(0, torch.device(net.device))
    net.dropping = True
    try:
        with random.opened():
            return [predict_outputs(net, *frames) for _ in range(n_draws)]
    finally:
        del net.dropping
        net._set_training(False)
