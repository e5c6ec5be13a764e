"""Batches of windows: read ahead by threads, or gathered on the device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import torch
from torch.utils.data import IterableDataset

from skcoldstart._utils.threads import read_ahead
from skcoldstart.neural._torch.objectives import Objective
from skcoldstart.neural._torch.processes import Processes
from skcoldstart.neural._windows import (
    WindowReader,
    iter_frames,
    prediction_starts,
    training_starts,
)

# Fraction of a device's free memory for spectrograms; the rest is for the network.
RESIDENT_SHARE = 0.6
LEVELS = 255  # of uint8
FLOAT32_MAX = float(np.finfo(np.float32).max)


def n_reading_threads(n_jobs: int | None, device: torch.device) -> int:
    """Return the number of threads that read ahead; 0 reads in the main thread."""
    if n_jobs is None:
        return 0 if device.type == "cpu" else 4
    return 0 if n_jobs == 1 else joblib.effective_n_jobs(n_jobs)


@dataclass
class Windows:
    """Windows of items, and the plays that the objective needs.

    For several processes, `values` are the windows of this one; `n_windows` and the
    plays are those of the whole batch.

    Shapes: `values` (n_own_windows, window, n_features).
    """

    values: torch.Tensor
    n_windows: int
    usage: tuple[torch.Tensor, ...] = ()

    def __len__(self) -> int:
        return self.n_windows


@dataclass(eq=False)
class WindowBatches(IterableDataset):
    """The batches of one pass over items: windows, and targets in the net's units.

    Shapes: `items` (n_items,), `n_frames` (n_training_items,), `targets`
    (n_training_items, n_outputs).
    """

    read: Callable[[np.ndarray, np.ndarray, int], Any]
    items: np.ndarray
    n_frames: np.ndarray
    targets: torch.Tensor
    objective: Objective
    window: int
    batch_size: int
    seed: int
    n_threads: int
    device: torch.device
    processes: Processes
    shuffle: bool = True
    epoch: int = 0

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[tuple[Windows, torch.Tensor]]:
        items, epoch = self.items, self.epoch if self.shuffle else 0
        if self.shuffle:
            items = np.random.default_rng([self.seed, epoch, 1]).permutation(items)
        starts = training_starts(
            items,
            self.n_frames[items],
            window=self.window,
            epoch=epoch,
            seed=self.seed,
        )
        # Batches of similar size: a single remaining item would be a step of its own.
        n_batches = -(-len(items) // self.batch_size)
        tasks = zip(
            np.array_split(items, n_batches),
            np.array_split(starts, n_batches),
            strict=True,
        )
        for parts in read_ahead(self._read_batch, tasks, self.n_threads):
            windows, targets, *usage = [
                part.to(self.device, non_blocking=True) for part in parts
            ]
            yield Windows(windows.float(), len(targets), tuple(usage)), targets

    def _read_batch(self, task: Any) -> list[torch.Tensor]:
        items, starts = task
        own = self.processes.share(len(items))
        windows = torch.as_tensor(self.read(items[own], starts[own], self.window))
        targets = self.targets[torch.from_numpy(items)]
        parts = [windows, targets, *self.objective.usage_of(items)]
        if self.device.type == "cuda":
            return [part if part.is_cuda else part.pin_memory() for part in parts]
        return parts


class ResidentFrames:
    """All frames on the device, in half precision or one byte per value.

    Shapes: `n_frames` (n_items,).
    """

    def __init__(
        self, X: Any, n_frames: np.ndarray, n_features: int, storage: str, device: Any
    ) -> None:
        self._starts = np.concatenate([[0], np.cumsum(n_frames)])
        self._device = device
        self._low, self._step = None, None
        if storage == "uint8":
            low, step = _levels(X, n_features)
            self._low = torch.as_tensor(low, device=device)
            self._step = torch.as_tensor(step, device=device)
        self._values = torch.empty(
            (int(self._starts[-1]), n_features),
            dtype=getattr(torch, storage),
            device=device,
        )
        for item, frames in iter_frames(X, n_features):
            if storage == "uint8":
                part = np.rint((frames - low) / step).astype(np.uint8)
            else:
                with np.errstate(over="ignore"):
                    part = frames.astype(np.float16)
                if not np.isfinite(part).all():
                    raise ValueError(
                        f"Item {item} of X has values as large as "
                        f"{np.abs(frames).max():.3g}, beyond the range of float16. Use "
                        f"device_storage='uint8' or 'host'."
                    )
            stop = self._starts[item + 1]
            self._values[self._starts[item] : stop] = torch.from_numpy(part).to(device)

    def __call__(
        self, items: np.ndarray, starts: np.ndarray, window: int
    ) -> torch.Tensor:
        """Return windows of shape (n, window, n_features) on the device, float32."""
        first = torch.from_numpy(self._starts[items] + starts).to(self._device)
        last = torch.from_numpy(self._starts[items + 1]).to(self._device)
        place = first[:, None] + torch.arange(window, device=self._device)
        inside = place < last[:, None]
        windows = self._values[place.clamp(max=len(self._values) - 1)].float()
        if self._step is not None:
            windows = windows * self._step + self._low
        return windows * inside[:, :, None]


def window_reader(
    X: Any, n_frames: np.ndarray, n_features: int, storage: str, device: torch.device
) -> WindowReader | ResidentFrames:
    """Return the reader of windows, from the host or from frames on the device.

    "auto" is the finest storage that fits on a GPU, or "host".
    """
    if storage == "auto":
        storage = "host"
        if device.type == "cuda":
            n_bytes = 2 * int(n_frames.sum()) * n_features  # in float16
            free = RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]
            if n_bytes <= free:
                storage = "float16"
            elif n_bytes / 2 <= free:
                storage = "uint8"
    if storage != "host":
        return ResidentFrames(X, n_frames, n_features, storage, device)
    # Half precision is copied to a GPU unchanged.
    half = getattr(X, "dtype", None) == np.float16 and device.type == "cuda"
    return WindowReader(X, n_features, np.float16 if half else np.float32)


def _levels(X: Any, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest value and the step of levels of every band, float32."""
    low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    for _, frames in iter_frames(X, n_features):
        low = np.minimum(low, frames.min(axis=0, initial=np.inf))
        high = np.maximum(high, frames.max(axis=0, initial=-np.inf))
    step = (high - low) / LEVELS
    if not max(np.abs(low).max(), np.abs(high).max(), step.max()) < FLOAT32_MAX:
        raise ValueError(
            f"X has values from {low.min():.3g} to {high.max():.3g}, a range too wide "
            f"for device_storage='uint8'. Check the frames, or use 'host'."
        )
    return low.astype(np.float32), np.where(step > 0, step, 1).astype(np.float32)


def prediction_batches(
    X: Any, n_features: int, *, window: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the consecutive windows of all items, reading an item when needed.

    Shapes: -> `items` (n,), `windows` (batch_size, window, n_features).
    """
    owners: list[int] = []
    buffer = np.empty((batch_size, window, n_features), np.float32)
    for item, frames in iter_frames(X, n_features):
        for start in prediction_starts(len(frames), window).tolist():
            part = frames[start : start + window]
            with np.errstate(over="ignore"):
                buffer[len(owners), : len(part)] = part
            buffer[len(owners), len(part) :] = 0
            owners.append(item)
            if len(owners) == batch_size:
                yield np.array(owners), buffer
                owners, buffer = [], np.empty_like(buffer)
    if owners:
        buffer[len(owners) :] = 0
        yield np.array(owners), buffer
