"""torch on one thread."""

import sys

import pytest
import torch

from skcoldstart.neural._one_thread import one_torch_thread


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_torch_has_one_thread_inside_and_as_many_as_before_after(three_threads):
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    with pytest.raises(KeyboardInterrupt), one_torch_thread():
        raise KeyboardInterrupt
    assert torch.get_num_threads() == 3


def test_nothing_happens_without_torch(three_threads, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with one_torch_thread():
        assert torch.get_num_threads() == 3
