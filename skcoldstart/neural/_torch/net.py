"""The skorch net that trains on batches of windows, and its settings of torch."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from skcoldstart._utils.threads import one_torch_thread_in_children
from skcoldstart.neural._torch.loading import WindowBatches, Windows
from skcoldstart.neural._torch.processes import Processes

# Methods that a callback overrides to see every batch.
_BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_grad_computed")
_DROPOUT = nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout
# torch's default type and random generator are shared by all threads.
_GLOBALS_LOCK = threading.RLock()


class FactorNet(NeuralNet):
    """A net that learns from `WindowBatches`, with its own fast training loop.

    Losses stay on the device until the end of a pass. If a callback uses batches,
    skorch's loop runs instead. In both cases a pass leaves at least one batch in the
    history, as skorch's callbacks expect.
    """

    precision = "float32"
    dropping = False  # whether predictions drop units, as training does
    _random: Any = nullcontext  # random generators of layers in training
    _processes = Processes()  # that share each batch

    def train(
        self,
        objective: torch.nn.Module,
        batches: WindowBatches,
        held_out: WindowBatches | None,
        *,
        epochs: int,
        callbacks: list[tuple[str, Callback]],
        random: Callable[[], AbstractContextManager],
    ) -> None:
        """Make passes over batches; re-raise Ctrl-C, but not early stopping.

        Callbacks whose names begin with "_" are removed at the end.
        """
        self.callbacks, self._random = callbacks, random
        self._processes = batches.processes
        self.initialize_callbacks()
        self.criterion_ = objective
        self.train_split = predefined_split(held_out) if held_out else None
        self.notify("on_train_begin", X=batches, y=None)
        try:
            self.fit_loop(batches, epochs=epochs)
        except KeyboardInterrupt:
            self.notify("on_train_end", X=batches, y=None)
            # skorch signals early stopping by an interrupt.
            if not any(
                isinstance(callback, EarlyStopping)
                and callback.misses_ == callback.patience
                for _, callback in self.callbacks_
            ):
                raise
        else:
            self.notify("on_train_end", X=batches, y=None)
        finally:
            self.__dict__.update(self._at_rest())
            for _, callback in self.callbacks_:
                if isinstance(callback, LRScheduler):
                    callback.lr_scheduler_ = None  # it holds the optimizer

    def dropout_layers(self) -> list[torch.nn.Module]:
        """Return the layers that drop units."""
        layers = self.module_.modules()
        return [one for one in layers if isinstance(one, _DROPOUT) and one.p > 0]

    def outputs(self, windows: np.ndarray) -> np.ndarray:
        """Return outputs of shape (n_windows, n_outputs), float32."""
        self._set_training(False)
        if self.dropping:
            for layer in self.dropout_layers():
                layer.train()
        with torch.inference_mode():
            on_device = torch.from_numpy(windows).to(self.device, non_blocking=True)
            return self.infer(Windows(on_device, len(windows))).cpu().numpy()

    def forget_training(self) -> None:
        """Release gradients and moments of the optimizer."""
        self._zero_grad_optimizer(set_to_none=True)
        self.optimizer_.state.clear()

    # skorch's hooks, specialized for this training

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return batches, which are their own iterator."""
        return dataset

    def infer(self, x: Windows, **params: Any) -> torch.Tensor:
        """Run the network in its precision and return float32."""
        # In a caller's autocast, its cache would keep the weights of the first step.
        autocast = torch.autocast(
            x.values.device.type,
            torch.bfloat16,
            enabled=self.precision == "bfloat16",
            cache_enabled=False,
        )
        with self._random(), autocast:
            return self.module_(x.values).float()

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Return the objective of a batch, of all processes that share it."""
        outputs = self._processes.gather(y_pred, len(X))
        return self.criterion_(outputs, y_true, *X.usage)

    def train_step_single(self, batch: Any, **params: Any) -> dict[str, Any]:
        """Compute the loss and its gradients, of all processes that share the batch."""
        step = super().train_step_single(batch, **params)
        self._processes.add(self._gradients())
        return step

    def _gradients(self) -> Iterator[torch.Tensor]:
        parameters = self.module_.parameters()
        return (p.grad for p in parameters if p.grad is not None)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **params: Any
    ) -> None:
        """Make one pass; losses of batches, or their mean, go into the history."""
        if iterator is None:
            return
        # The first row belongs to this pass.
        iterator.epoch = len(self.history) - 1
        wants_batches = any(
            getattr(type(callback), method) is not getattr(Callback, method)
            for _, callback in self.callbacks_
            for method in _BATCH_METHODS
            if getattr(callback, "step_every", None) != "epoch"
        )
        if wants_batches:
            super().run_single_epoch(iterator, training, prefix, step_fn, **params)
        else:
            self._set_training(training)
            total = torch.zeros((), dtype=torch.float64, device=self.device)
            n_batches = 0
            with torch.set_grad_enabled(training):
                for windows, targets in iterator:
                    loss = self.get_loss(self.infer(windows), targets, windows)
                    if training:
                        self.optimizer_.zero_grad(set_to_none=True)
                        loss.backward()
                        self._processes.add(self._gradients())
                        self.optimizer_.step()
                    total += loss.detach().double() * len(windows)
                    n_batches += 1
            self._processes.follow_first(total)
            self.history.new_batch()
            self.history.record_batch(f"{prefix}_loss", float(total) / len(iterator))
            self.history.record_batch(f"{prefix}_batch_size", len(iterator))
            self.history.record(f"{prefix}_batch_count", n_batches)
        if training:
            kinds = "running_mean", "running_var"  # of layers
            buffers = self.module_.named_buffers()
            statistics = (buffer for name, buffer in buffers if name.endswith(kinds))
            self._processes.add(statistics, mean=True)
        losses = self.history[-1, "batches", :, f"{prefix}_loss"]
        if not np.isfinite(losses).all():
            raise ValueError(
                f"The loss became {np.mean(losses)} in epoch {len(self.history)}: "
                "decrease lr, or check that frames and targets have moderate values."
            )

    def _at_rest(self) -> dict[str, Any]:
        """Return the attributes after training, without data and weights."""
        return {
            "callbacks": None,
            "callbacks_": [c for c in self.callbacks_ if not c[0].startswith("_")],
            "criterion_": torch.nn.MSELoss(),
            "train_split": None,
            "_random": nullcontext,
            "_processes": Processes(),
        }

    def __getstate__(self) -> dict[str, Any]:
        # A callback may save the whole net in the middle of training.
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | self._at_rest())
        return NeuralNet.__getstate__(copy)

    def __setstate__(self, state: dict[str, Any]) -> None:
        with plain_torch():
            super().__setstate__(state)


def resolve_device(device: str) -> torch.device:
    """Return the device of a name; "auto" is the process's own GPU, or the CPU."""
    if device == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", Processes.current().gpu())
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved).cpu()  # which "meta" cannot
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} but torch {torch.__version__} finds no such device; "
            "use device='auto' or 'cpu'."
        ) from error
    return resolved


@contextmanager
def plain_torch() -> Iterator[None]:
    """Leave the caller's modes of torch: inference, autocast, a device."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


class RandomStream:
    """torch's generators for one net: its own state inside, the caller's outside.

    One thread holds them at a time, and none while the process forks.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._generators = [torch.default_generator]
        if device.type == "cuda":
            place = (
                torch.cuda.current_device() if device.index is None else device.index
            )
            self._generators.append(torch.cuda.default_generators[place])
        self._states = [
            torch.Generator(generator.device).manual_seed(seed).get_state()
            for generator in self._generators
        ]

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Use the net's random state, and single precision for new layers."""
        with _GLOBALS_LOCK:
            dtype = torch.get_default_dtype()
            torch.set_default_dtype(torch.float32)
            self._exchange()
            try:
                yield
            finally:
                self._exchange()
                torch.set_default_dtype(dtype)

    def _exchange(self) -> None:
        for i, generator in enumerate(self._generators):
            state, self._states[i] = self._states[i], generator.get_state()
            generator.set_state(state)


one_torch_thread_in_children()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_GLOBALS_LOCK.acquire,
        after_in_parent=_GLOBALS_LOCK.release,
        after_in_child=_GLOBALS_LOCK.release,
    )
