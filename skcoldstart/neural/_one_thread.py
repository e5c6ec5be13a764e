"""Limit torch to one thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit torch to one thread, so that a small network is reproducible.

    Several threads wait for each other in every layer. On a busy machine this makes a
    small network many times slower. Does nothing without torch.
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
