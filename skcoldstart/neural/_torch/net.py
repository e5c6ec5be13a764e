"""The skorch net that trains on batches of windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer

from skcoldstart.neural._torch.callbacks import TrainingStopped
from skcoldstart.neural._torch.loading import WindowBatches

__all__ = ["FactorNet", "resolve_device", "seeded"]

# What a callback overrides if it wants to see every batch.
_BATCH_METHODS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class FactorNet(NeuralNet):
    """A net that learns from `WindowBatches` and brings its own lean loop.

    The loss is that of the batches' objective; losses stay on the device until the
    end of a pass. Where a callback wants to see batches, skorch's loop runs instead.
    """

    def __init__(self, module: Any, *, precision: str, **kwargs: Any) -> None:
        super().__init__(module, criterion=None, **kwargs)
        self.precision = precision

    def train(
        self, batches: WindowBatches, validation: WindowBatches | None, epochs: int
    ) -> None:
        """Make passes over batches; an interrupt goes through."""
        self._batches, self._validation = batches, validation
        self.notify("on_train_begin", X=batches, y=None)
        try:
            self.fit_loop(batches, None, epochs=epochs)
        except TrainingStopped:
            pass
        except KeyboardInterrupt:
            if not self._stopped_by_skorch():
                self.notify("on_train_end", X=batches, y=None)
                raise
        finally:
            # They hold the spectrograms and the users.
            del self._batches, self._validation
        self.notify("on_train_end", X=batches, y=None)

    def outputs(self, windows: np.ndarray) -> np.ndarray:
        """Return outputs of shape (n_windows, n_outputs), float32."""
        self._set_training(False)
        with torch.inference_mode():
            on_device = torch.from_numpy(windows).to(self.device, non_blocking=True)
            return self.infer(on_device).cpu().numpy()

    def forget_training(self) -> None:
        """Drop what only training needs: gradients, and moments of the optimizer."""
        self._zero_grad_optimizer(set_to_none=True)
        self.optimizer_.state.clear()

    # skorch's hooks, narrowed to what is trained here

    def initialize_criterion(self) -> "FactorNet":
        """Have no criterion: batches bring their objective."""
        self.criterion_ = None
        return self

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [("epoch_timer", EpochTimer())]

    def get_split_datasets(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Return the batches that `train` was given."""
        return self._batches, self._validation

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return batches, which iterate themselves."""
        return dataset

    def infer(self, x: torch.Tensor, **params: Any) -> torch.Tensor:
        """Run the network in the precision asked for and return float32."""
        if self.precision == "bfloat16":
            with torch.autocast(torch.device(self.device).type, torch.bfloat16):
                return self.module_(x).float()
        return self.module_(x)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Return the objective of a batch."""
        return self._batches.objective(y_pred, *y_true)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **params: Any
    ) -> None:
        """Make one pass and record its mean loss."""
        if iterator is None:
            return
        # The first row belongs to this pass.
        iterator.epoch = len(self.history) - 1
        if self._wants_batches():
            super().run_single_epoch(iterator, training, prefix, step_fn, **params)
            sizes = self.history[-1, "batches", :, f"{prefix}_batch_size"]
            losses = self.history[-1, "batches", :, f"{prefix}_loss"]
            loss = float(np.average(losses, weights=sizes))
        else:
            loss = self._run_lean(iterator, training)
        if not np.isfinite(loss):
            raise ValueError(
                f"The loss became {loss} in epoch {len(self.history)}: lower lr, or "
                "check that frames and targets are of ordinary size."
            )
        before = [row.get(f"{prefix}_loss", np.inf) for row in self.history[:-1]]
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", loss < min(before, default=np.inf))

    def _run_lean(self, iterator: Any, training: bool) -> float:
        self._set_training(training)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        with torch.set_grad_enabled(training):
            for windows, target in iterator:
                loss = self.get_loss(self.infer(windows), target)
                if training:
                    self.optimizer_.zero_grad(set_to_none=True)
                    loss.backward()
                    self.optimizer_.step()
                total += loss.detach().double() * len(windows)
        return float(total) / len(iterator)

    def _wants_batches(self) -> bool:
        return any(
            getattr(type(callback), method) is not getattr(Callback, method)
            for _, callback in self.callbacks_
            for method in _BATCH_METHODS
            if getattr(callback, "step_every", None) != "epoch"
        )

    def _stopped_by_skorch(self) -> bool:
        """Whether an interrupt is how a callback of the user said to stop."""
        return any(
            isinstance(callback, EarlyStopping)
            and callback.misses_ >= callback.patience
            for _, callback in self.callbacks_
        )


def resolve_device(device: str) -> torch.device:
    """Return the device of a name; "auto" is the first GPU, or the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators inside, and leave them as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
