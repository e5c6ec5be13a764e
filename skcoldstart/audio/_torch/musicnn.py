"""The musicnn network from log-mel windows to tags, and modules that run on windows."""

import math
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skcoldstart._utils.threads import one_torch_thread_in_children

one_torch_thread_in_children()


def choose_device(name: str) -> str:
    """Return the first GPU or the CPU for "auto"; check other names."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name).cpu()  # which "meta" cannot
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={name!r} but torch {torch.__version__} finds no such device; use "
            "device='auto' or 'cpu'."
        ) from error
    return str(torch.device(name))


def forward(
    module: nn.Module,
    windows: np.ndarray,
    device: str,
    precision: str,
    layer: str | None = None,
) -> Any:
    """Return the output of a module in evaluation mode, or of its submodule `layer`."""
    seen: list[torch.Tensor] = []
    caller = threading.get_ident()

    def keep(_: Any, __: Any, out: torch.Tensor) -> None:
        if threading.get_ident() == caller:  # threads share the module
            seen.append(out)

    half = precision == "bfloat16" or (
        precision == "auto"
        and device.startswith("cuda")
        and torch.cuda.is_bf16_supported()
    )
    with (
        nullcontext()
        if layer is None
        # Its handle is a context that removes the hook.
        else module.get_submodule(layer).register_forward_hook(keep),
        torch.inference_mode(),
        torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half),
    ):
        out = module(torch.as_tensor(windows, dtype=torch.float32, device=device))
    if seen:
        out = seen[-1]
    if isinstance(out, dict):
        return {name: _vectors(value) for name, value in out.items()}
    return _vectors(out)


def _vectors(out: torch.Tensor) -> np.ndarray:
    return out.flatten(1).float().cpu().numpy()


_EPSILON = 1e-3  # of batch normalization, in the trained network


class _ConvReluNorm(nn.Module):
    """Convolve, rectify, normalise; then the maximum over bands."""

    def __init__(self, weights: Mapping[str, np.ndarray], conv: str, norm: str) -> None:
        super().__init__()
        kernel = weights[f"{conv}/kernel"].transpose(3, 2, 0, 1)
        self.kernel = nn.Parameter(torch.tensor(kernel))
        self.bias = nn.Parameter(torch.tensor(weights[f"{conv}/bias"]))
        self.norm = _norm(nn.BatchNorm1d, weights, norm)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (n, 1, time, bands) to the maximum over bands, (n, filters, time).

        "same" padding of time is explicit, because an even filter has one row less
        before it than after it. What follows the convolution keeps the order of a
        filter's values or reverses it, so it can be done after the maximum: the same
        numbers in two thirds of the time.
        """
        width = self.kernel.shape[2]
        maps = functional.pad(maps, (0, 0, (width - 1) // 2, width // 2))
        maps = functional.conv2d(maps, self.kernel, self.bias)
        smallest, largest = torch.aminmax(maps, dim=3)
        falls = self.norm.weight[:, None] < 0
        return self.norm(functional.relu(torch.where(falls, smallest, largest)))


class MusicNN(nn.Module):
    """Timbral and temporal filters, three dense convolutions, pooling, two layers."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        super().__init__()
        self.input_norm = _norm(nn.BatchNorm2d, weights, "batch_normalization")
        blocks = [
            _ConvReluNorm(weights, name, f"batch_normalization_{i + 1}")
            for i, name in enumerate(["conv2d", *(f"conv2d_{i}" for i in range(1, 8))])
        ]
        self.frontend = nn.ModuleList(blocks[:5])
        self.midend = nn.ModuleList(blocks[5:])
        self.pool_norm = _norm(nn.BatchNorm1d, weights, "batch_normalization_9")
        self.dense = _linear(weights, "dense")
        self.dense_norm = _norm(nn.BatchNorm1d, weights, "batch_normalization_10")
        self.output = _linear(weights, "dense_1")
        self.eval()

    def forward(self, windows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map log-mel windows (n, time, bands) to the layers, each (n, features)."""
        x = self.input_norm(windows.unsqueeze(1))
        features = [torch.cat([block(x) for block in self.frontend], dim=1)]
        for i, block in enumerate(self.midend):
            # Channels of the last layer take the place of bands of the spectrogram.
            image = features[-1].transpose(1, 2).unsqueeze(1)
            out = block(image)
            features.append(out if i == 0 else out + features[-1])
        joined = torch.cat(features, dim=1)
        largest, mean = joined.amax(2), joined.mean(2)
        # The two statistics of a channel are neighbours.
        pooled = torch.stack([largest, mean], dim=2).flatten(1)
        penultimate = self.last_layers(pooled)
        return {
            "mean_pool": mean,
            "max_pool": largest,
            "pool": pooled,
            "penultimate": penultimate,
            "tags": torch.sigmoid(self.output(penultimate)),
        }

    def last_layers(self, pooled: torch.Tensor) -> torch.Tensor:
        """Map what the convolutions leave, (n, 1506), to the penultimate layer."""
        return self.dense_norm(functional.relu(self.dense(self.pool_norm(pooled))))


def _norm(kind: type, weights: Mapping[str, np.ndarray], name: str) -> nn.Module:
    gamma = torch.tensor(weights[f"{name}/gamma"])
    norm = kind(len(gamma), eps=_EPSILON)
    norm.weight.data = gamma
    norm.bias.data = torch.tensor(weights[f"{name}/beta"])
    norm.running_mean = torch.tensor(weights[f"{name}/moving_mean"])
    norm.running_var = torch.tensor(weights[f"{name}/moving_variance"])
    return norm


def _linear(weights: Mapping[str, np.ndarray], name: str) -> nn.Linear:
    kernel = torch.tensor(weights[f"{name}/kernel"].T.copy())
    layer = nn.Linear(kernel.shape[1], kernel.shape[0])
    layer.weight.data = kernel
    layer.bias.data = torch.tensor(weights[f"{name}/bias"])
    return layer


class TunedMusicNN(nn.Module):
    """A new output layer on musicnn, whose weights may be frozen."""

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        n_outputs: int,
        *,
        frozen: bool | Literal["convolutions"],
        pooled: bool,
    ) -> None:
        super().__init__()
        self.body = MusicNN(weights)
        self.head = nn.Linear(self.body.dense.out_features, n_outputs)
        self.pooled = pooled  # whether frames are what the convolutions leave
        self.body.requires_grad_(not frozen)
        if frozen == "convolutions":
            for layer in (self.body.pool_norm, self.body.dense, self.body.dense_norm):
                layer.requires_grad_(True)

    def train(self, mode: bool = True) -> "TunedMusicNN":
        """Set the mode of the head; statistics of the body do not change."""
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map frames log(1 + 10000 S), (n, time, 96), to (n, n_outputs).

        Or, where they are pooled, (n, 1, 1506).
        """
        if self.pooled:
            return self.head(self.body.last_layers(windows[:, 0]))
        return self.head(self.body(windows / math.log(10))["penultimate"])
