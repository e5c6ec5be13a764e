"""What happens between passes: stopping, the learning rate, the progress bar.

skorch's own callbacks stop by raising KeyboardInterrupt and ask for every batch; these
leave both to those who need them.
"""

import copy
from typing import Any

import torch
from skorch.callbacks import Callback

from skcoldstart._utils.progress import progress_bar

__all__ = ["TrainingStopped", "make_callbacks"]

LEAST_GAIN = 1e-4  # share of the loss that counts as an improvement
LR_FACTOR = 0.5  # of the learning rate on a plateau


class TrainingStopped(Exception):
    """Raised at the end of a pass when no further one is worth making."""


class _StopEarly(Callback):
    """Stop when items held out are no longer predicted better; keep the best net."""

    def __init__(self, patience: int | None) -> None:
        self.patience = patience

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self._best, self._n_bad, self._weights = float("inf"), 0, None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        loss = net.history[-1, "valid_loss"]
        self._n_bad += 1
        if loss < self._best:
            if loss < self._best - LEAST_GAIN * abs(self._best) or not self._weights:
                self._n_bad = 0
            self._best = loss
            self._weights = copy.deepcopy(net.module_.state_dict())
        if self.patience is not None and self._n_bad >= self.patience:
            raise TrainingStopped

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self._weights is not None:
            net.module_.load_state_dict(self._weights)
        self._weights = None


class _Schedule(Callback):
    """Lower the learning rate from pass to pass; each training begins at the top."""

    def __init__(self, kind: str, monitor: str, n_bad: int, n_epochs: int) -> None:
        self.kind = kind
        self.monitor = monitor
        self.n_bad = n_bad
        self.n_epochs = n_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        for group in net.optimizer_.param_groups:
            group.pop("initial_lr", None)
            group["lr"] = net.lr
        schedulers = torch.optim.lr_scheduler
        self._scheduler: Any = None
        if self.kind == "plateau":
            self._scheduler = schedulers.ReduceLROnPlateau(
                net.optimizer_,
                factor=LR_FACTOR,
                patience=self.n_bad,
                threshold=LEAST_GAIN,
            )
        elif self.kind == "cosine":
            self._scheduler = schedulers.CosineAnnealingLR(
                net.optimizer_, self.n_epochs
            )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history.record("lr", net.optimizer_.param_groups[0]["lr"])
        if self.kind == "plateau":
            self._scheduler.step(net.history[-1, self.monitor])
        elif self.kind == "cosine":
            self._scheduler.step()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self._scheduler = None


class _Progress(Callback):
    """A bar over passes, with the losses of the last one."""

    def __init__(self, n_epochs: int, verbose: int) -> None:
        self.n_epochs = n_epochs
        self.verbose = verbose

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self._bar = progress_bar(
            description="CNNFactorRegressor",
            verbose=self.verbose,
            total=self.n_epochs,
            unit="epoch",
        )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        names = {"train_loss": "train", "valid_loss": "held_out"}
        shown = {name: f"{row[key]:.4g}" for key, name in names.items() if key in row}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self._bar.close()
        self._bar = None


def make_callbacks(
    *,
    lr_schedule: str,
    n_epochs: int,
    patience: int | None,
    has_validation: bool,
    verbose: int,
    callbacks: Any,
) -> list[Any]:
    """Return early stopping, the schedule of the learning rate, a progress bar."""
    for callback in callbacks or []:
        named = (
            isinstance(callback, tuple)
            and len(callback) == 2
            and isinstance(callback[0], str)
        )
        kind = callback[1] if named else callback
        kind = kind if isinstance(kind, type) else type(kind)  # skorch takes both
        if not issubclass(kind, Callback):
            raise TypeError(
                f"callbacks holds {callback!r}; expected skorch callbacks, or pairs of "
                "a name and a callback."
            )
    monitor = "valid_loss" if has_validation else "train_loss"
    n_bad = max(1, (patience or 12) // 3)
    made: list[Any] = [
        ("lr_schedule", _Schedule(lr_schedule, monitor, n_bad, n_epochs))
    ]
    if verbose:
        made.append(("progress", _Progress(n_epochs, verbose)))
    made += callbacks or []
    if has_validation:
        # The last, since what it raises ends the pass for all that come after.
        made.append(("early_stopping", _StopEarly(patience)))
    return made
