"""Networks from windows of frames to factors."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

KERNEL = 4  # frames that a filter spans


class SpectrogramNet(nn.Module):
    """Standardize windows, run the network, and return outputs in its own units."""

    def __init__(
        self,
        network: Callable[[int, int], nn.Module],
        n_outputs: int,
        mean: Any,
        deviation: Any,
    ) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.network = network(len(mean), n_outputs)
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
            (n_features, *n_filters), n_filters, pools, strict=False
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


def _dense(n_in: int, hidden: Sequence[int], n_outputs: int, dropout: float) -> Any:
    layers: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise((n_in, *hidden)):
        layers += [nn.Linear(width_in, width_out), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear((n_in, *hidden)[-1], n_outputs))


def _initialize(network: nn.Module) -> nn.Module:
    """Draw weights that preserve the scale of signals through layers of ReLU."""
    last = None
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            last = module
    if last is not None:
        # Start near the mean target.
        nn.init.xavier_uniform_(last.weight, gain=0.1)
    return network


def spotify2014(
    n_features: int,
    n_outputs: int,
    *,
    window: int,
    n_filters: Sequence[int],
    hidden: Sequence[int],
    dropout: float,
    batch_norm: bool,
) -> nn.Module:
    """Convolutions over time, global mean, maximum and L2 pooling, dense layers."""
    pools = _spotify2014_pools(len(n_filters))
    return _initialize(
        nn.Sequential(
            _TimeConvolutions(n_features, n_filters, pools, batch_norm),
            _GlobalPool(),
            _dense(3 * n_filters[-1], hidden, n_outputs, dropout),
        )
    )


def nips2013(
    n_features: int,
    n_outputs: int,
    *,
    window: int,
    n_filters: Sequence[int],
    hidden: Sequence[int],
    dropout: float,
    batch_norm: bool,
) -> nn.Module:
    """Two convolutions over time, and two dense layers over time positions."""
    n_filters, pools = n_filters[:2], _NIPS2013_POOLS
    time = _time_left(window, pools[: len(n_filters)])
    return _initialize(
        nn.Sequential(
            _TimeConvolutions(n_features, n_filters, pools, batch_norm),
            nn.Flatten(),
            _dense(time * n_filters[-1], hidden[:1], n_outputs, dropout),
        )
    )


class _Image(nn.Module):
    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, window, n_features) to (n_windows, 1, n_features, window)."""
        return windows.transpose(1, 2).unsqueeze(1)


class _GlobalMaximum(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (n_windows, n_filters, bands, time) to (n_windows, n_filters)."""
        return maps.amax((2, 3))


def shortchunk(
    n_features: int,
    n_outputs: int,
    *,
    window: int,
    n_filters: Sequence[int],
    hidden: Sequence[int],
    dropout: float,
    batch_norm: bool,
) -> nn.Module:
    """Seven 3 x 3 convolutions of the spectrogram as an image, global maximum."""
    widest = n_filters[-1]
    widths = [max(1, widest // share) for share in (4, 4, 2, 2, 2, 2, 1)]
    layers: list[nn.Module] = [_Image()]
    sides = [n_features, window]
    for n_in, n_out in itertools.pairwise((1, *widths)):
        pool = [2 if side >= 2 else 1 for side in sides]
        sides = [side // stride for side, stride in zip(sides, pool, strict=True)]
        layers += [
            nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.MaxPool2d(tuple(pool)),
        ]
    layers += [_GlobalMaximum(), _dense(widest, hidden, n_outputs, dropout)]
    return _initialize(nn.Sequential(*layers))


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "spotify2014": spotify2014,
    "nips2013": nips2013,
    "shortchunk": shortchunk,
}
_NIPS2013_POOLS = (4, 2)


def _spotify2014_pools(n_layers: int) -> list[int]:
    # Pooling stands between layers: by 4 after the first, by 2 after the others.
    return [*[4, *[2] * n_layers][: n_layers - 1], 1]


def _time_left(window: int, pools: Sequence[int]) -> int:
    for pool in pools:
        window = (window - KERNEL + 1) // pool
    return window


def smallest_window(architecture: str, n_layers: int) -> int:
    """Return the minimum number of frames for a nonempty output of all layers."""
    if architecture == "shortchunk":
        return 1
    pools = _spotify2014_pools(n_layers)
    if architecture == "nips2013":
        pools = list(_NIPS2013_POOLS[:n_layers])
    needed = 1
    for pool in reversed(pools):
        needed = needed * pool + KERNEL - 1
    return needed
