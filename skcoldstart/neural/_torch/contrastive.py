"""Networks from content to unit vectors, trained to identify a user's items."""

import copy
import itertools
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn
from torch.nn import functional

from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.threads import read_ahead
from skcoldstart.neural._bags import BagBatch, Bags
from skcoldstart.neural._torch.architectures import SpectrogramNet
from skcoldstart.neural._torch.contrastive_loss import (
    LOSS_ROWS,
    softmax_loss,
    user_vectors,
)
from skcoldstart.neural._torch.loading import (
    n_reading_threads,
    prediction_batches,
)
from skcoldstart.neural._torch.net import RandomStream, plain_torch, resolve_device
from skcoldstart.neural._torch.training import with_weights
from skcoldstart.neural._windows import WindowReader, frame_moments, training_starts

PREDICTION_ROWS = 256  # always the same, because rounding depends on it


class TableNet(nn.Module):
    """Dense layers over rows of a table, with batch normalization between them."""

    def __init__(
        self, params: Any, n_features: int, row_size: float, unit: float
    ) -> None:
        super().__init__()
        self.input_dropout = params.input_dropout
        self.register_buffer("inverse_unit", torch.tensor(1 / unit))
        widths = (*params.hidden, params.n_components)
        self.first = nn.Parameter(torch.empty(n_features, widths[0]))
        # As in nn.Linear, with the mean number of features in a row instead of all
        # features.
        nn.init.uniform_(self.first, -(row_size**-0.5), row_size**-0.5)
        layers: list[nn.Module] = []
        for width, following in itertools.pairwise(widths):
            layers += [nn.BatchNorm1d(width), nn.ReLU()]
            if params.dropout:
                layers.append(nn.Dropout(params.dropout))
            layers.append(nn.Linear(width, following))
        self.layers = nn.Sequential(*layers)

    def forward(self, *rows: torch.Tensor) -> torch.Tensor:
        """Map rows to (n_rows, n_outputs); sparse ones are columns, starts, values."""
        values = rows[-1] * self.inverse_unit
        if self.input_dropout:
            values = functional.dropout(values, self.input_dropout, self.training)
        if len(rows) == 1:
            return self.layers(values @ self.first)
        columns, starts = rows[:-1]
        return self.layers(
            functional.embedding_bag(
                columns, self.first, starts, mode="sum", per_sample_weights=values
            )
        )


@dataclass(frozen=True)
class TableContent:
    """Rows of a table, float32; sparse ones as columns, starts and values.

    Shapes: `X` (n_items, n_features).
    """

    X: Any

    def read(self, items: np.ndarray, epoch: int) -> tuple[torch.Tensor, ...]:
        """Return rows, which are the same in each pass."""
        rows = self.X[items]
        if not sp.issparse(rows):
            return (torch.from_numpy(rows),)
        columns, starts = rows.indices.astype(np.int64), rows.indptr[:-1]
        parts = columns, starts.astype(np.int64), rows.data
        return tuple(map(torch.from_numpy, parts))

    def moments(self) -> tuple[float, float]:
        """Return the number of nonzero features per row, and their root mean square."""
        values = self.X.data if sp.issparse(self.X) else self.X
        n_values = np.count_nonzero(values)
        squares = np.square(values, dtype=np.float64).sum()
        size = math.sqrt(squares / n_values) if squares else 1.0
        return max(1.0, n_values / self.X.shape[0]), size


@dataclass(frozen=True)
class FrameContent:
    """Windows of frames, with a new window of each item in each pass.

    Shapes: `n_frames` (n_items,).
    """

    X: Any
    n_frames: np.ndarray
    n_features: int
    window: int
    seed: int = 0

    def read(self, items: np.ndarray, epoch: int) -> tuple[torch.Tensor, ...]:
        """Return a window of each item."""
        settings = {"window": self.window, "epoch": epoch, "seed": self.seed}
        starts = training_starts(items, self.n_frames[items], **settings)
        reader = WindowReader(self.X, self.n_features)
        return (torch.from_numpy(reader(items, starts, self.window)),)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of the features."""
        return frame_moments(self.X, np.flatnonzero(self.n_frames))


@dataclass(frozen=True)
class HeldOut:
    """Items for early stopping, with their plays and those of the training items.

    Shapes: `train` (n_train,), `items` (n_held_out,), `plays` (n_users, n_items).
    """

    train: np.ndarray
    items: np.ndarray
    plays: sp.csr_array


@plain_torch()
def build_encoder(params: Any, content: Any, n_features: int, seed: int) -> nn.Module:
    device = resolve_device(params.device)
    with RandomStream(seed, device).opened():
        net = _network(params, n_features, content.moments())
    net.to(device)
    if callable(params.architecture):
        with torch.inference_mode():
            outputs = net.eval()(torch.zeros(2, params.window, n_features).to(device))
        if outputs.shape != (2, params.n_components):
            raise ValueError(
                f"The network of architecture maps windows of shape (2, "
                f"{params.window}, {n_features}) to {tuple(outputs.shape)}; expected "
                f"(2, {params.n_components}): (n_windows, n_components)."
            )
    return net


@plain_torch()
def restore_encoder(
    params: Any, n_features: int, weights: dict[str, np.ndarray]
) -> nn.Module:
    """Return a network with the weights of another one with the same parameters."""

    def build() -> nn.Module:
        is_table = params.architecture is None
        moments = (1.0, 1.0) if is_table else torch.empty(2, n_features)
        return _network(params, n_features, moments)

    return with_weights(build, params, weights).eval()


def _network(params: Any, n_features: int, moments: Any) -> nn.Module:
    if params.architecture is None:
        return TableNet(params, n_features, *moments)
    return SpectrogramNet(params, params.n_components, *moments)


@plain_torch()
def train_encoder(
    net: nn.Module,
    params: Any,
    content: Any,
    bags: Bags,
    held_out: HeldOut | None,
    seed: int,
) -> list[dict[str, float]]:
    """Train a network, keep the best pass, and return the losses of passes."""
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            # Statistics of at most one pass, because weights change.
            module.momentum = max(module.momentum or 0, 1 / len(bags))
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=params.lr, weight_decay=params.weight_decay
    )
    n_steps = params.max_epochs * len(bags)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    device = _device_of(net)
    random: Any = nullcontext
    if callable(params.architecture) or params.dropout or params.input_dropout:
        random = RandomStream(seed + 1, device).opened
    n_threads = 0
    if isinstance(content, FrameContent):
        n_threads = n_reading_threads(params.n_jobs, device)
    history: list[dict[str, float]] = []
    best, weights = math.inf, None
    with progress_bar(
        description="ContrastiveEncoder",
        verbose=params.verbose,
        total=params.max_epochs,
        unit="epoch",
    ) as bar:
        for epoch in range(params.max_epochs):

            def read(batch: BagBatch, epoch: int = epoch) -> tuple[BagBatch, Any]:
                return batch, content.read(batch.items, epoch)

            batches = read_ahead(read, bags.batches(epoch), n_threads)
            loss = _one_pass(net, params, batches, optimizer, schedule, random)
            row = {"epoch": epoch + 1, "train_loss": loss}
            if held_out is not None:
                row["valid_loss"] = _held_out_loss(net, content, held_out, params)
            history.append(row)
            bar.set_postfix(
                {name: f"{value:.4g}" for name, value in row.items()}, refresh=False
            )
            bar.update()
            if not all(map(math.isfinite, row.values())):
                raise ValueError(
                    f"The loss became {loss} in epoch {epoch + 1}: decrease lr or "
                    f"increase temperature, or check that X has moderate values."
                )
            if held_out is None:
                continue
            if row["valid_loss"] < best:
                best, weights = row["valid_loss"], copy.deepcopy(net.state_dict())
                n_worse = 0
            else:
                n_worse += 1
                if n_worse == params.patience:
                    break
    if weights is not None:
        net.load_state_dict(weights)
    net.eval()
    return history


def _one_pass(
    net: nn.Module,
    params: Any,
    batches: Iterator[Any],
    optimizer: Any,
    schedule: Any,
    random: Any,
) -> float:
    """Make a pass over batches of plays and content; return the mean loss."""
    net.train()
    device = _device_of(net)
    total, n_asked = torch.zeros((), dtype=torch.float64, device=device), 0
    for batch, rows in batches:
        if not len(batch.asked):
            continue
        with random():
            vectors = functional.normalize(net(*(part.to(device) for part in rows)))
        loss = softmax_loss(
            user_vectors(vectors, batch),
            vectors,
            torch.from_numpy(batch.places[batch.asked]).to(device),
            (batch.hidden_rows, batch.hidden_places),
            params.temperature,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.detach().double() * len(batch.asked)
        n_asked += len(batch.asked)
    return float(total) / max(1, n_asked)


@torch.inference_mode()
def _held_out_loss(
    net: nn.Module, content: Any, held_out: HeldOut, params: Any
) -> float:
    """Return the loss of held-out plays; a user is the sum of all training items."""
    net.eval()
    train, held = (
        _encoded(net, content, items) for items in (held_out.train, held_out.items)
    )
    known = held_out.plays[:, held_out.train]
    asked = held_out.plays[:, held_out.items]
    users = np.flatnonzero(np.diff(known.indptr) * np.diff(asked.indptr))
    total = 0.0
    for start in range(0, len(users), LOSS_ROWS):
        block = users[start : start + LOSS_ROWS]
        near = functional.normalize(torch.from_numpy(known[block] @ train))
        logits = near @ torch.from_numpy(held).T / params.temperature
        rows, columns = (torch.from_numpy(part) for part in asked[block].nonzero())
        own = logits[rows, columns]
        logits[rows, columns] = -1e30  # not -inf if everything is played
        others = logits.logsumexp(1)[rows]
        total += float(functional.softplus(others - own).sum(dtype=torch.float64))
    return total / max(1, asked[users].nnz)


@torch.inference_mode()
def _encoded(net: nn.Module, content: Any, items: np.ndarray) -> np.ndarray:
    """Return unit vectors of items from one reading of each.

    Rounding depends on the shape of a batch. Batches are padded to the same shape, so a
    vector depends only on the item.
    """
    device, found = _device_of(net), []
    for start in range(0, len(items), PREDICTION_ROWS):
        block = np.resize(items[start : start + PREDICTION_ROWS], PREDICTION_ROWS)
        rows = content.read(block, 0)
        outputs = net(*(part.to(device) for part in rows))
        found.append(functional.normalize(outputs).cpu().numpy())
    return np.concatenate(found)[: len(items)]


@plain_torch()
@torch.inference_mode()
def item_vectors(net: Any, content: Any) -> np.ndarray:
    """Return unit vectors of all items, zeros for those without frames.

    Shapes: -> (n_items, n_components).
    """
    if isinstance(content, TableContent):
        return _encoded(net, content, np.arange(content.X.shape[0]))
    device = _device_of(net)
    sums = np.zeros((len(content.X), net.n_outputs))
    for owners, windows in prediction_batches(
        content.X, content.n_features, window=content.window, batch_size=64
    ):
        outputs = net(torch.from_numpy(windows).to(device))[: len(owners)]
        np.add.at(sums, owners, functional.normalize(outputs).cpu().numpy())
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return (sums / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _device_of(net: nn.Module) -> torch.device:
    return next(net.parameters()).device
