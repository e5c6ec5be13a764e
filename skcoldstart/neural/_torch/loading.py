"""Batches of windows: read ahead by threads, or gathered on the device."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from skcoldstart.neural._torch.objectives import Objective
from skcoldstart.neural._windows import (
    iter_frames,
    prediction_starts,
    training_starts,
)

__all__ = [
    "ResidentReader",
    "WindowBatches",
    "n_readers",
    "prediction_batches",
    "read_ahead",
]

# Of a device's free memory, what spectrograms may take; the rest is for the network.
RESIDENT_SHARE = 0.6
LEVELS = 255  # of uint8


def n_readers(n_jobs: int | None, device: torch.device) -> int:
    """Return how many threads read ahead; 0 reads in the thread that computes."""
    if n_jobs is None:
        return 0 if device.type == "cpu" else 4
    if n_jobs < 0:
        n_jobs = max(1, (os.cpu_count() or 1) + 1 + n_jobs)
    return 0 if n_jobs <= 1 else n_jobs


def read_ahead(
    read: Callable[[Any], Any], tasks: Iterator[Any], n_threads: int
) -> Iterator[Any]:
    """Yield ``read(task)`` in order, twice as many tasks ahead as there are threads."""
    if n_threads == 0:
        yield from map(read, tasks)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        pending: deque[Any] = deque()
        try:
            for task in tasks:
                pending.append(pool.submit(read, task))
                if len(pending) > 2 * n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class WindowBatches:
    """The batches of one pass over items: windows, and what the objective needs.

    Shapes: `items` (n_items,), `n_frames` (n_training_items,).
    """

    def __init__(
        self,
        reader: Any,
        items: np.ndarray,
        n_frames: np.ndarray,
        objective: Objective,
        *,
        window: int,
        batch_size: int,
        seed: int,
        shuffle: bool,
        n_threads: int,
        device: torch.device,
    ) -> None:
        self._reader = reader
        self._items = items
        self._n_frames = n_frames
        self.objective = objective
        self._window = window
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._n_threads = n_threads
        self._device = device
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, tuple[torch.Tensor, ...]]]:
        items, epoch = self._items, 0
        if self._shuffle:
            epoch = self.epoch
            order = np.random.default_rng([self._seed, epoch]).permutation(len(items))
            items = items[order]
        starts = training_starts(
            items,
            self._n_frames[items],
            window=self._window,
            epoch=epoch,
            seed=self._seed,
        )
        # Batches of like size: one item left over would be a step of its own.
        n_batches = -(-len(items) // self._batch_size)
        tasks = zip(
            np.array_split(items, n_batches),
            np.array_split(starts, n_batches),
            strict=True,
        )
        for windows, batch in read_ahead(self._read, tasks, self._n_threads):
            yield (
                windows.to(self._device, non_blocking=True).float(),
                tuple(part.to(self._device, non_blocking=True) for part in batch),
            )

    def _read(self, task: Any) -> Any:
        items, starts = task
        pin = self._device.type == "cuda"
        if isinstance(self._reader, ResidentReader):
            windows = self._reader.read(items, starts, self._window)
        else:
            dtype = None if pin else np.float32
            windows = torch.from_numpy(
                self._reader.read(items, starts, self._window, dtype)
            )
            windows = windows.pin_memory() if pin else windows
        batch = self.objective.batch(items)
        return windows, tuple(part.pin_memory() if pin else part for part in batch)


class ResidentReader:
    """All frames on the device, in half precision or a byte a value.

    Shapes: `n_frames` (n_items,).
    """

    def __init__(
        self, X: Any, n_frames: np.ndarray, n_features: int, storage: str, device: Any
    ) -> None:
        self._starts = np.concatenate([[0], np.cumsum(n_frames)])
        self._n_frames = n_frames
        self._device = device
        shape = (int(self._starts[-1]), n_features)
        self._low, self._step = None, None
        if storage == "uint8":
            low, step = _levels(X, n_features)
            self._low = torch.as_tensor(low, device=device)
            self._step = torch.as_tensor(step, device=device)
        dtype = torch.float16 if storage == "float16" else torch.uint8
        self._values = torch.empty(shape, dtype=dtype, device=device)
        for item, frames in iter_frames(X, n_features):
            if not len(frames):
                continue
            if storage == "uint8":
                part = np.rint((frames - low) / step).astype(np.uint8)
            else:
                part = _to_half(frames, item)
            stop = self._starts[item + 1]
            self._values[self._starts[item] : stop] = torch.from_numpy(part).to(device)

    @staticmethod
    def choose(n_bytes_of_float16: int, device: torch.device) -> str:
        """Return the finest storage that fits on a device, or "host"."""
        if device.type != "cuda":
            return "host"
        free, _ = torch.cuda.mem_get_info(device)
        if n_bytes_of_float16 <= RESIDENT_SHARE * free:
            return "float16"
        return "uint8" if n_bytes_of_float16 / 2 <= RESIDENT_SHARE * free else "host"

    def read(self, items: np.ndarray, starts: np.ndarray, window: int) -> torch.Tensor:
        """Return windows of shape (n, window, n_features) on the device, float32."""
        first = torch.from_numpy(self._starts[items] + starts).to(self._device)
        last = torch.from_numpy(self._starts[items] + self._n_frames[items])
        place = first[:, None] + torch.arange(window, device=self._device)
        inside = place < last.to(self._device)[:, None]
        place = place.clamp(max=len(self._values) - 1)
        windows = self._values[place].float()
        if self._step is not None:
            windows = windows * self._step + self._low
        return windows * inside[:, :, None]


def _to_half(frames: np.ndarray, item: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        half = frames.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(
            f"Item {item} of X holds values as large as {np.abs(frames).max():.3g}, "
            "which float16 cannot hold. Use device_storage='uint8' or 'host'."
        )
    return half


def _levels(X: Any, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return lowest value and distance of levels of every band, float32."""
    low = np.full(n_features, np.inf, np.float32)
    high = np.full(n_features, -np.inf, np.float32)
    for _, frames in iter_frames(X, n_features):
        if len(frames):
            low = np.minimum(low, frames.min(axis=0))
            high = np.maximum(high, frames.max(axis=0))
    step = (high - low) / LEVELS
    return low.astype(np.float32), np.where(step > 0, step, 1).astype(np.float32)


def prediction_batches(
    X: Any, n_features: int, *, window: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the consecutive windows of all items, an item read when it is due.

    Shapes: -> `items` (n,), `windows` (batch_size, window, n_features).
    """
    owners: list[int] = []
    buffer = np.empty((batch_size, window, n_features), np.float32)
    for item, frames in iter_frames(X, n_features):
        if not len(frames):
            continue
        for start in prediction_starts(len(frames), window).tolist():
            part = frames[start : start + window]
            buffer[len(owners), : len(part)] = part
            buffer[len(owners), len(part) :] = 0
            owners.append(item)
            if len(owners) == batch_size:
                yield np.array(owners), buffer
                owners, buffer = [], np.empty_like(buffer)
    if owners:
        buffer[len(owners) :] = 0
        yield np.array(owners), buffer
