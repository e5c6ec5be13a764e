"""torch on one thread of the processor."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

__all__ = ["one_torch_thread"]


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Hold torch to one thread, so that a small network learns the same anywhere.

    Several threads wait for each other in every layer; on a machine that does other
    work, that takes a small network many times as long. Does nothing without torch.
    """
    if find_spec("torch") is None:
        yield
        return
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
