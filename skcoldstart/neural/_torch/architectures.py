"""Networks from windows of frames to factors."""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

KERNEL = 4  # frames that a filter spans


class SpectrogramNet(nn.Module):
    """Standardize windows, run the network, and return outputs in its own units."""

    def __init__(self, params: Any, n_outputs: int, mean: Any, deviation: Any) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        named = not callable(params.architecture)
        build = partial(build_network, params) if named else params.architecture
        self.network = build(len(mean), n_outputs)
        if not isinstance(self.network, nn.Module):
            raise TypeError(
                f"architecture returned a {type(self.network).__name__}; expected a "
                "torch.nn.Module. Pass a class of modules, or a function that accepts "
                "(n_features, n_outputs) and returns one."
            )
        self.network.float()  # the type of windows, also for pretrained weights
        self.register_buffer("mean", torch.as_tensor(mean).float())
        self.register_buffer(
            "inverse_deviation", 1 / torch.as_tensor(deviation).float()
        )

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, window, n_features) to (n_windows, n_outputs)."""
        return self.network((windows - self.mean) * self.inverse_deviation)


class _TimeConvolutions(nn.Sequential):
    """Convolutions over time with pooling; bands are channels.

    A (1, k) convolution in two dimensions is a k convolution in one, and faster.
    """

    def __init__(
        self,
        n_features: int,
        n_filters: Sequence[int],
        pools: Sequence[int],
        batch_norm: bool,
    ) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out, pool in zip(
            (n_features, *n_filters[:-1]), n_filters, pools, strict=True
        ):
            layers.append(nn.Conv2d(n_in, n_out, (1, KERNEL), bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(n_out))
            layers.append(nn.ReLU())
            if pool > 1:
                layers.append(nn.MaxPool2d((1, pool)))
        super().__init__(*layers)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, window, n_features) to (n_windows, n_filters, 1, time)."""
        return super().forward(windows.transpose(1, 2).unsqueeze(2))


class _GlobalPool(nn.Module):
    """Mean, maximum and L2 norm over time."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, n_filters, 1, time) to (n_windows, 3 n_filters)."""
        maps = maps.flatten(2)
        # In half precision squares overflow, and at 0 the root has no gradient.
        wide = maps.float()
        norm = (wide.square().sum(2) + 1e-12).sqrt().to(maps.dtype)
        return torch.cat([maps.mean(2), maps.amax(2), norm], dim=1)


class _Image(nn.Module):
    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, window, n_features) to (n_windows, 1, n_features, window)."""
        return windows.transpose(1, 2).unsqueeze(1)


class _GlobalMaximum(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, n_filters, bands, time) to (n_windows, n_filters)."""
        return maps.amax((2, 3))


def build_network(params: Any, n_features: int, n_outputs: int) -> nn.Module:
    """Return a named network, with weights that preserve the scale of signals."""
    name, window, hidden = params.architecture, params.window, tuple(params.hidden)
    n_filters = tuple(params.n_filters)
    layers: list[nn.Module]
    if name == "shortchunk":
        width = n_filters[-1]
        widths = [max(1, width // share) for share in (4, 4, 2, 2, 2, 2, 1)]
        layers, sides = [_Image()], [n_features, window]
        for n_in, n_out in itertools.pairwise((1, *widths)):
            strides = tuple(2 if side >= 2 else 1 for side in sides)
            sides = [side // n for side, n in zip(sides, strides, strict=True)]
            layers += [
                nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(),
                nn.MaxPool2d(strides),
            ]
        layers.append(_GlobalMaximum())
    else:
        if name == "nips2013":
            n_filters, hidden = n_filters[:2], hidden[:1]
            pools = [4, 2][: len(n_filters)]
        else:  # pooling stands between layers: by 4 after the first, then by 2
            pools = [*[4, *[2] * len(n_filters)][: len(n_filters) - 1], 1]
        n_frames, needed = window, 1
        for pool in pools:
            n_frames = (n_frames - KERNEL + 1) // pool
        if n_frames < 1:
            for pool in reversed(pools):
                needed = needed * pool + KERNEL - 1
            raise ValueError(
                f"window={window} frames are too few for {name!r} with "
                f"{len(n_filters)} convolutional layers, which need {needed}. Use "
                "longer windows or fewer n_filters."
            )
        layers = [_TimeConvolutions(n_features, n_filters, pools, params.batch_norm)]
        if name == "nips2013":
            layers.append(nn.Flatten())
            width = n_frames * n_filters[-1]
        else:
            layers.append(_GlobalPool())
            width = 3 * n_filters[-1]
    dense: list[nn.Module] = []
    for n_out in hidden:
        dense += [nn.Linear(width, n_out), nn.ReLU()]
        if params.dropout:
            dense.append(nn.Dropout(params.dropout))
        width = n_out
    network = nn.Sequential(*layers, nn.Sequential(*dense, nn.Linear(width, n_outputs)))
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            last = module
    nn.init.xavier_uniform_(last.weight, gain=0.1)  # start near the mean target
    return network
