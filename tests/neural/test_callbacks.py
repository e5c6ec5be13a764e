"""Callbacks of skorch, as its users know them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.metrics import r2_score
from skorch import callbacks as skorch

from skcoldstart import CNNFactorRegressor
from tests.neural.conftest import SMALL


def small(**params):
    return CNNFactorRegressor(**SMALL | {"validation_fraction": 0.2} | params)


class Count(skorch.Callback):
    """Count training batches, and remember the targets of held-out ones."""

    def on_train_begin(self, net, **kwargs):
        self.n, self.y = 0, []

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        self.n += training
        if not training:
            self.y.append(batch[1].numpy())


class Writer:
    """Stand in for TensorBoard, Weights & Biases and Sacred."""

    def __init__(self, folder):
        self.dir = folder
        self.seen = []

    def log(self, *values, **named):
        self.seen.append(named or values)

    add_scalar = watch = log_scalar = close = log


def every_kind(folder):
    """Return lists of callbacks, as one would write them."""
    checkpoint = skorch.Checkpoint(dirname=folder / "best")
    return {
        "best": [checkpoint, skorch.LoadInitState(checkpoint)],
        "best of training": [
            skorch.Checkpoint(monitor="train_loss_best", dirname=folder / "train")
        ],
        "load best": [
            skorch.ProgressBar(),
            skorch.Checkpoint(dirname=folder / "load", load_best=True),
        ],
        "every pass": [
            skorch.Checkpoint(
                monitor=None,
                dirname=folder / "all",
                f_params="{last_epoch[epoch]}.pt",
                f_pickle="net.pkl",
            )
        ],
        "safetensors": [
            skorch.Checkpoint(
                dirname=folder / "safe", f_optimizer=None, use_safetensors=True
            )
        ],
        "end": [skorch.TrainEndCheckpoint(dirname=folder / "end")],
        "by name": [
            skorch.EpochScoring("r2", lower_is_better=False),
            skorch.EpochScoring("neg_mean_squared_error", on_train=True, name="mse"),
            skorch.Checkpoint(monitor="r2_best", dirname=folder / "r2"),
        ],
        "without cache": [
            skorch.EpochScoring(
                lambda net, X, y: float(net.predict(X).mean()),
                use_caching=False,
                name="mean",
            )
        ],
        "batches": [skorch.BatchScoring("r2", name="r2", lower_is_better=False)],
        "rates": [
            skorch.LRScheduler("StepLR", step_size=1),
            skorch.LRScheduler(
                torch.optim.lr_scheduler.OneCycleLR,
                max_lr=0.01,
                total_steps=99,
                step_every="batch",
            ),
        ],
        "plateau": [skorch.LRScheduler("ReduceLROnPlateau", monitor="valid_loss")],
        "own names": [
            ("early_stopping", skorch.EarlyStopping()),
            ("lr_schedule", skorch.LRScheduler("ExponentialLR", gamma=0.9)),
            ("progress", skorch.ProgressBar("count")),
            ("train_scores", skorch.PassthroughScoring("train_loss", on_train=True)),
        ],
        "classes": [skorch.ProgressBar, skorch.EpochTimer, skorch.EarlyStopping],
        "gradients": [skorch.GradientNormClipping(0.1)],
        "layers": [skorch.Freezer("network.0.*"), skorch.Initializer("*.bias")],
        "log": [skorch.PrintLog(sink=str)],
        "loggers": [
            skorch.TensorBoard(Writer(folder)),
            skorch.WandbLogger(Writer(folder)),
            skorch.SacredLogger(Writer(folder), log_on_batch_end=True),
        ],
    }


KINDS = list(every_kind(Path()))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("kind", "verbose"), [*((kind, 1) for kind in KINDS), ("own names", 0)]
)
def test_callbacks_of_skorch_work_once_and_again(kind, verbose, clips, tmp_path):
    frames, factors = clips
    chosen = every_kind(tmp_path)[kind]
    model = small(callbacks=chosen, verbose=verbose, batch_size=9)
    with config_context(enable_metadata_routing=bool(verbose)):
        model.fit(frames, factors)
        first = model.predict(frames)
        assert np.isfinite(first).all()
        model.set_params(warm_start=True).fit(frames, factors)
        model.fit(frames, factors)
    if kind != "without cache":  # a lambda cannot be pickled
        again = pickle.loads(pickle.dumps(model))
        assert_array_equal(again.predict(frames), model.predict(frames))


def test_a_checkpoint_is_what_it_says(clips, tmp_path):
    frames, factors = clips
    kept = skorch.Checkpoint(dirname=tmp_path, f_pickle="net.pkl")
    model = small(callbacks=[kept], max_epochs=6).fit(frames, factors)
    best = np.flatnonzero(model.history_[:, "event_cp"])[-1]
    assert best == np.argmin(model.history_[:, "valid_loss"])
    # Early stopping has gone back to the best pass as well.
    saved = torch.load(tmp_path / "params.pt")
    for name, weights in model.net_.module_.state_dict().items():
        assert torch.equal(weights, saved[name])
    whole = pickle.loads((tmp_path / "net.pkl").read_bytes())
    model.net_, expected = whole, model.predict(frames)
    assert_array_equal(model.predict(frames), expected)
    # It holds neither frames nor users.
    assert (tmp_path / "net.pkl").stat().st_size < 60_000


def test_scores_by_name_are_those_of_predictions_and_targets(rng):
    cube = rng.normal(size=(40, 16, 6)).astype(np.float32)  # one window an item
    factors = cube.mean(axis=1)[:, :3]
    seen = Count()
    scoring = skorch.EpochScoring("r2", lower_is_better=False)
    model = small(max_epochs=1, callbacks=[scoring, seen]).fit(cube, factors)
    targets = model._scale.to_network(factors)
    held_out = np.concatenate(seen.y)
    rows = np.argmin(((held_out[:, None] - targets) ** 2).sum(axis=2), axis=1)
    assert_array_equal(targets[rows], held_out)
    expected = r2_score(factors[rows], model.predict(cube[rows]))
    assert_allclose(model.history_[-1, "r2"], expected, rtol=1e-5)


def test_the_stock_loop_learns_what_the_lean_one_does(clips):
    frames, factors = clips
    count = Count()
    lean = small(batch_size=9).fit(frames, factors)
    stock = small(batch_size=9, callbacks=[("count", count)]).fit(frames, factors)
    assert count.n == 4 * 4
    assert_array_equal(stock.predict(frames), lean.predict(frames))
    for loss in ("train_loss", "valid_loss"):
        assert_allclose(stock.history_[:, loss], lean.history_[:, loss], rtol=1e-6)
    assert stock.history_[:, "train_loss_best"] == lean.history_[:, "train_loss_best"]


def test_a_users_early_stopping_ends_training(clips):
    stopping = skorch.EarlyStopping("train_loss", patience=2, threshold=10.0)
    assert small(callbacks=[stopping], max_epochs=50).fit(*clips).n_iter_ == 3


def test_a_users_schedule_sets_the_rate(clips):
    schedule = skorch.LRScheduler("ExponentialLR", gamma=0.5)
    model = small(callbacks=[schedule], lr_schedule="constant").fit(*clips)
    assert_allclose(model.history_[:, "event_lr"], 0.01 * 0.5 ** np.arange(4))


@pytest.mark.parametrize("callback", ["checkpoint", ("name", 3), (3, Count())])
def test_what_is_no_callback_is_refused(callback, clips):
    with pytest.raises(TypeError, match="expected skorch callbacks"):
        small(callbacks=[callback]).fit(*clips)
