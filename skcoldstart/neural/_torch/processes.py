"""Processes that train one network together, each on its share of every batch.

The outputs of all shares meet before the loss, so that an objective sees the whole
batch whatever it compares in it. Each process has the gradient of the loss by its own
outputs; their sum is that of one process with the whole batch.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import distributed

__all__ = ["Processes"]


@dataclass(frozen=True)
class Processes:
    """Some processes and which of them this one is; one alone by default."""

    rank: int = 0
    size: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """Return the processes of torch's default group, or this one alone."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def gpu(self) -> int | None:
        """Return the GPU of this process on its machine; None where it is alone."""
        if self.size == 1:
            return None
        own = self.rank % torch.cuda.device_count()
        return distributed.get_node_local_rank(fallback_rank=own)

    def share(self, n_rows: int) -> slice:
        """Return the rows of a batch that are this process's."""
        return slice(
            n_rows * self.rank // self.size, n_rows * (self.rank + 1) // self.size
        )

    def check_same(self, *arrays: Any) -> None:
        """Refuse to train where processes were given different things."""
        if self.size == 1:
            return
        mark = 0
        for array in arrays:
            mark = zlib.crc32(np.ascontiguousarray(array).data, mark)
        marks: list[Any] = [None] * self.size
        distributed.all_gather_object(marks, mark)
        if len(set(marks)) > 1:
            raise ValueError(
                f"The {self.size} processes of the group were given different items, "
                "targets or random_state; expected the same X, y and an int as "
                "random_state in every process, which then takes its share of each "
                "batch."
            )

    def gather(self, outputs: torch.Tensor, n_rows: int) -> torch.Tensor:
        """Return the outputs of all processes; gradients flow to one's own.

        Shapes: `outputs` (n_own_rows, n_outputs) -> (n_rows, n_outputs).
        """
        if self.size == 1:
            return outputs
        own = self.share(n_rows)
        everyone = outputs.new_zeros((n_rows, *outputs.shape[1:]))
        everyone[own] = outputs.detach()
        distributed.all_reduce(everyone)
        return torch.cat([everyone[: own.start], outputs, everyone[own.stop :]])

    def add_gradients(self, parameters: Iterable[torch.Tensor]) -> None:
        """Give every process the sum of all gradients."""
        self._add([p.grad for p in parameters if p.grad is not None])

    def average_statistics(self, module: torch.nn.Module) -> None:
        """Give every process the mean of the running statistics of layers."""
        statistics = [
            buffer
            for name, buffer in module.named_buffers()
            if name.endswith(("running_mean", "running_var"))
        ]
        self._add(statistics)
        for buffer in statistics:
            buffer /= self.size

    def follow_first(self, *tensors: torch.Tensor) -> None:
        """Give every process the values of the first one."""
        for tensor in tensors if self.size > 1 else ():
            distributed.broadcast(tensor, 0)

    def _add(self, tensors: list[torch.Tensor]) -> None:
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))
