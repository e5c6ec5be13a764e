"""Processes that train one network together, each with a share of every batch.

The outputs of all shares are gathered before the loss, so an objective uses the whole
batch. Each process has the gradient of the loss with respect to its own outputs; the
sum is the gradient of one process with the whole batch.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import distributed


@dataclass(frozen=True)
class Processes:
    """A group of processes and the rank of this one; a single process by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """Return the processes of torch's default group, or a single process."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def gpu(self) -> int | None:
        """Return the GPU of this process on its machine, None for a single process."""
        if self.size == 1:
            return None
        own = self.rank % torch.cuda.device_count()
        return distributed.get_node_local_rank(fallback_rank=own)

    def share(self, n_rows: int) -> slice:
        """Return the rows of a batch that belong to this process."""
        return slice(
            n_rows * self.rank // self.size, n_rows * (self.rank + 1) // self.size
        )

    def check_same(self, *arrays: Any) -> None:
        """Raise an error if processes received different inputs."""
        if self.size == 1:
            return
        mark = 0
        for array in arrays:
            mark = zlib.crc32(np.ascontiguousarray(array).data, mark)
        marks: list[Any] = [None] * self.size
        distributed.all_gather_object(marks, mark)
        if len(set(marks)) > 1:
            raise ValueError(
                f"The {self.size} processes of the group received different items, "
                f"targets or random_state; expected the same X, y and an int as "
                "random_state in every process, which then takes its share of each "
                "batch."
            )

    def gather(self, outputs: torch.Tensor, n_rows: int) -> torch.Tensor:
        """Return the outputs of all processes, with gradients for the own outputs.

        Shapes: `outputs` (n_own_rows, n_outputs) -> (n_rows, n_outputs).
        """
        if self.size == 1:
            return outputs
        own = self.share(n_rows)
        everyone = outputs.new_zeros((n_rows, *outputs.shape[1:]))
        everyone[own] = outputs.detach()
        distributed.all_reduce(everyone)
        return torch.cat([everyone[: own.start], outputs, everyone[own.stop :]])

    def follow_first(self, *tensors: torch.Tensor) -> None:
        """Copy the values of the first process to all."""
        for tensor in tensors if self.size > 1 else ():
            distributed.broadcast(tensor, 0)

    def add(self, tensors: Iterable[torch.Tensor], *, mean: bool = False) -> None:
        """Replace tensors by their sums, or means, over all processes."""
        tensors = list(tensors) if self.size > 1 else []
        if not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        if mean:
            flat /= self.size
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
