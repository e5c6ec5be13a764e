"""CNNFactorRegressor as a citizen of scikit-learn."""

import pickle
import subprocess
import sys
from copy import copy

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

from skcoldstart import CNNFactorRegressor, RaggedArray
from skcoldstart._sequences.ragged import LazySequence
from tests.neural.conftest import SMALL


def small(**params):
    return CNNFactorRegressor(**SMALL | params)


@pytest.mark.slow
def test_learns_what_can_be_heard(rng):
    # Means of bands in noise: known to a linear model, here through windows.
    factors = rng.normal(size=(300, 3))
    mixing = rng.normal(size=(3, 6))
    clips = [
        (row @ mixing + rng.normal(size=(n, 6))).astype(np.float32)
        for row, n in zip(factors, rng.integers(20, 60, 300), strict=True)
    ]
    model = small(max_epochs=40, hidden=(32,)).fit(clips[:250], factors[:250])
    assert model.score(clips[250:], factors[250:]) > 0.8


@pytest.mark.slow
def test_hears_the_order_of_frames(rng):
    """What a bag of frames cannot tell: the same frames, rising or falling."""
    rising = rng.random(400) < 0.5
    clips = []
    for up in rising:
        ramp = np.tile(np.linspace(-1, 1, 8), 8)[rng.integers(8) :]
        clips.append((ramp if up else -ramp)[:, None].astype(np.float32))
    y = np.where(rising, 1.0, -1.0)
    model = small(max_epochs=30, n_filters=(16,)).fit(clips[:320], y[:320])
    assert np.mean((model.predict(clips[320:]) > 0) == rising[320:]) > 0.95


def test_prediction_is_the_mean_over_consecutive_windows(clips):
    frames, factors = clips
    model = small().fit(frames, factors)
    long = np.concatenate(frames[:2])[:40]
    parts = [long[:16], long[16:32], long[24:]]
    with torch.inference_mode():
        outputs = model.net_.module_(torch.tensor(np.stack(parts))).numpy()
    expected = outputs.mean(axis=0) * model._scale.scale + model._scale.mean
    assert_allclose(model.predict([long])[0], expected, rtol=1e-5)
    short = frames[0][:9]
    padded = np.concatenate([short, np.zeros((7, 6), np.float32)])
    assert_array_equal(model.predict([short]), model.predict([padded]))


@pytest.mark.parametrize("shape", [(12, 20, 6), (30, 6)])
def test_arrays_are_items_of_equal_length(shape, rng):
    X = rng.normal(size=shape)
    y = X.reshape(len(X), -1)[:, :2]
    items = list(X.reshape(len(X), -1, 6))
    model = small().fit(X, y)
    assert model.n_features_in_ == 6
    assert_array_equal(model.predict(X), small().fit(items, y).predict(items))


def test_a_seed_gives_the_same_bits_for_any_number_of_readers(clips):
    frames, factors = clips
    params = {"dropout": 0.5, "batch_size": 8}
    expected = small(**params).fit(frames, factors).predict(frames)
    for n_jobs in (1, 2, 5, -1):
        again = small(**params, n_jobs=n_jobs).fit(frames, factors).predict(frames)
        assert_array_equal(again, expected)
    other = small(**params, random_state=1).fit(frames, factors).predict(frames)
    assert np.abs(other - expected).max() > 1e-3


def test_random_state_none_draws_anew_and_generators_go_on(clips):
    frames, factors = clips
    rng = np.random.RandomState(0)
    model = small(random_state=rng)
    first = model.fit(frames, factors).predict(frames)
    assert np.abs(model.fit(frames, factors).predict(frames) - first).max() > 1e-4


def test_predictions_do_not_depend_on_company(clips):
    frames, factors = clips
    model = small(n_filters=(8, 16), window=30).fit(frames, factors)
    together = model.predict(frames)
    alone = np.concatenate([model.predict([clip]) for clip in frames])
    order = np.random.default_rng(0).permutation(len(frames))
    shuffled = model.predict([frames[i] for i in order])
    assert_array_equal(alone, together)
    assert_array_equal(shuffled, together[order])


def test_items_without_frames_are_skipped_and_given_the_mean(clips):
    frames, factors = clips
    empty = np.empty((0, 6), np.float32)
    model = small(validation_fraction=0).fit(frames, factors)
    with_empty = small(validation_fraction=0).fit(
        [*frames, empty], np.vstack([factors, np.full(3, 1e3, np.float32)])
    )
    assert_array_equal(with_empty.predict(frames), model.predict(frames))
    assert_allclose(with_empty.predict([empty])[0], factors.mean(axis=0), rtol=1e-6)
    assert_allclose(with_empty.target_mean_, factors.mean(axis=0), rtol=1e-6)
    both = with_empty.predict([empty, frames[0], empty])
    assert_array_equal(both[[0, 2]], with_empty.predict([empty, empty]))
    assert_array_equal(both[1], model.predict(frames[:1])[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_have_the_precision_and_axes_of_the_targets(dtype, clips):
    frames, factors = clips
    table = small().fit(frames, factors[:, :1].astype(dtype)).predict(frames)
    line = small().fit(frames, factors[:, 0].astype(dtype)).predict(frames)
    assert table.dtype == line.dtype == dtype
    assert table.shape == (40, 1)
    assert_array_equal(table[:, 0], line)


@pytest.mark.parametrize("lazy", [False, True])
def test_nan_is_refused_wherever_it_is(lazy, clips):
    frames, factors = clips
    wrap = (lambda clips: LazySequence(np.asarray, clips)) if lazy else list
    model = small().fit(wrap(frames), factors)
    with pytest.raises(ValueError, match="4 features per frame, but 6"):
        model.predict([clip[:, :4] for clip in frames])
    spoilt = [clip.copy() for clip in frames]
    spoilt[17][3, 2] = np.nan
    for action in (small().fit, lambda X, y: model.predict(X)):
        with pytest.raises(ValueError, match=r"NaN or infinity: item 17, frame 3"):
            action(wrap(spoilt), factors)
    wrong = factors.copy()
    wrong[4, 1] = np.inf
    with pytest.raises(ValueError, match="Input y contains infinity"):
        small().fit(frames, wrong)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda X, y: (X, y[:-1]),
            "y has 39 rows but X has 40 items.*one column per factor",
        ),
        (lambda X, y: (X, y.T), r"users as rows \(y.T\)"),
        (lambda X, y: (X, None), "target y is None"),
        (lambda X, y: ([*X[:-1], X[-1][:, :4]], y), "Item 39 has shape"),
        (lambda X, y: ([clip[:0] for clip in X], y), "at least one must have some"),
    ],
)
def test_data_that_do_not_fit_are_explained(spoil, message, clips):
    with pytest.raises(ValueError, match=message):
        small().fit(*spoil(*clips))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window": 6, "n_filters": (8, 8)}, "6 frames are too few for 'spotify2014'"),
        ({"n_filters": ()}, "n_filters"),
        ({"hidden": (0,)}, "hidden"),
        ({"device": "cuda:77"}, "finds no such device"),
        ({"device": "abacus"}, "finds no such device"),
        ({"device": "meta"}, "finds no such device"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"objective": "wpe"}, "needs user_factors and usage"),
        ({"objective": "gram"}, "needs user_factors, which.*not with PCA"),
        ({"architecture": lambda bands, _: nn.Linear(bands, 1)}, "maps windows"),
        (
            {"architecture": lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(96, 1))},
            r"to \(2, 1\); expected \(2, 3\)",
        ),
        ({"architecture": "alexnet"}, "architecture"),
        ({"lr": 1e30, "optimizer": "sgd"}, "The loss became"),
        ({"architecture": lambda *_: 3}, "returned a int; expected a torch"),
    ],
)
def test_parameters_that_cannot_work_are_explained(params, message, clips):
    with pytest.raises((TypeError, ValueError), match=message):
        small(**params).fit(*clips)


@pytest.mark.slow
def test_pickles_and_clones(clips, tmp_path):
    frames, factors = clips
    model = small().fit(frames, factors)
    expected = model.predict(frames)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(frames), expected)
    fresh = clone(model)
    assert not hasattr(fresh, "net_")
    assert_array_equal(fresh.fit(frames, factors).predict(frames), expected)
    joblib.dump((model, frames, expected), tmp_path / "model")
    code = (
        "import joblib, numpy, sys; model, X, y = joblib.load(sys.argv[1]); "
        "numpy.testing.assert_array_equal(model.predict(X), y)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "model"], check=True)


def test_a_fitted_net_holds_neither_data_nor_users(clips, rng):
    frames, factors = clips
    users = rng.normal(size=(20_000, 3)).astype(np.float32)
    usage = (rng.random((40, 20_000)) < 0.01).astype(float)
    model = small(objective="wpe").fit(frames, factors, user_factors=users, usage=usage)
    assert len(pickle.dumps(model)) < 50_000 < users.nbytes


@pytest.mark.slow
def test_ends_a_pipeline_in_a_search(clips):
    frames, factors = clips
    X = RaggedArray.from_sequence(frames)
    search = GridSearchCV(
        make_pipeline("passthrough", small()),
        {"cnnfactorregressor__lr": [1e-3, 1e-2]},
        cv=GroupKFold(2),
        n_jobs=2,
    )
    search.fit(X, factors, groups=np.arange(40) // 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (40, 3)


def test_warm_start_and_partial_fit_go_on_where_the_last_fit_stopped(clips):
    frames, factors = clips
    params = {"validation_fraction": 0, "lr_schedule": "constant"}
    whole = small(**params, max_epochs=6).fit(frames, factors)
    model = small(**params, max_epochs=3, warm_start=True).fit(frames, factors)
    by_pass = small(**params)
    for _ in range(3):
        by_pass.partial_fit(frames, factors)
    assert_array_equal(by_pass.predict(frames), model.predict(frames))
    model.fit(frames, factors)
    assert (by_pass.n_iter_, model.n_iter_) == (3, 6)
    # Windows, order and moments of the optimizer go on; without dropout nothing
    # else is drawn.
    assert_array_equal(model.predict(frames), whole.predict(frames))
    with pytest.raises(ValueError, match=r"2 columns but the network has 3"):
        model.fit(frames, factors[:, :2])


def test_warm_start_learns_at_the_rate_that_is_set_now(clips):
    frames, factors = clips
    model = small(warm_start=True, validation_fraction=0).fit(frames, factors)
    model.set_params(lr=1e-9, weight_decay=0, lr_schedule="constant")
    before = model.predict(frames)
    assert_allclose(model.fit(frames, factors).predict(frames), before, atol=1e-5)
    assert model.history_[-1, "lr"] == 1e-9


def test_warm_start_refuses_another_network(clips):
    model = small(warm_start=True).fit(*clips)
    for name, value in {
        **{"window": 6, "n_filters": (5, 5), "hidden": [7], "batch_norm": True},
        **{"architecture": "shortchunk", "optimizer": "sgd", "target_scaling": "unit"},
    }.items():
        other = copy(model).set_params(**{name: value})
        with pytest.raises(ValueError, match=f"{name}=.* but the network was built"):
            other.fit(*clips)
    # The same widths in another container are the same network.
    model.set_params(n_filters=np.array(model.n_filters)).fit(*clips)
    assert model.n_iter_ > 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("objective", ["wpe", "gram"])
def test_read_only_user_factors_are_as_good_as_others(objective, clips, rng):
    frames, factors = clips
    users = rng.normal(size=(7, 3)).astype(np.float32)
    usage = (rng.random((40, 7)) < 0.4).astype(float)
    locked = users.copy()
    locked.flags.writeable = False  # as in a worker of a search
    first, second = (
        small(objective=objective)
        .fit(frames, factors, user_factors=given, usage=usage)
        .predict(frames)
        for given in (users, locked)
    )
    assert_array_equal(first, second)


def test_fit_without_warm_start_forgets(clips):
    frames, factors = clips
    model = small().fit([clip[:, :4] for clip in frames], factors[:, :2])
    again = model.fit(frames, factors).predict(frames)
    assert_array_equal(again, small().fit(frames, factors).predict(frames))


def test_early_stopping_keeps_the_best_pass(clips):
    frames, _ = clips
    noise = np.random.default_rng(0).normal(size=(40, 3))
    params = {"max_epochs": 200, "patience": 4, "lr_schedule": "constant"}
    model = small(**params).fit(frames, noise)
    losses = np.array(model.history_[:, "valid_loss"])
    assert model.n_iter_ < 200
    assert len(losses) - 1 - np.argmin(losses) >= 4
    # Training only up to the best pass ends with the same network.
    best = small(**params | {"max_epochs": int(np.argmin(losses)) + 1})
    assert_array_equal(best.fit(frames, noise).predict(frames), model.predict(frames))


def test_groups_are_held_out_whole(clips):
    frames, factors = clips
    groups = np.repeat(np.arange(10), 4)
    model = small(validation_fraction=0.3).fit(frames, factors, groups=groups)
    held_out = groups[model.held_out_]
    assert len(held_out) == 12
    assert len(set(held_out)) == 3
    with pytest.raises(ValueError, match="one group per item"):
        small().fit(frames, factors, groups=groups[:-1])
    with pytest.raises(ValueError, match="at least two groups"):
        small().fit(frames, factors, groups=np.zeros(40))


def test_a_bar_shows_losses(clips, capsys):
    small(verbose=1).fit(*clips)
    shown = capsys.readouterr()
    assert "CNNFactorRegressor" in shown.err
    assert "train=" in shown.err
    assert "held_out=" in shown.err
    assert shown.out == ""
    small().fit(*clips)
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_goes_through_and_a_warm_start_keeps_what_is_learnt(clips):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    model = small(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(*clips)
    with pytest.raises(NotFittedError):
        model.predict(clips[0])
    model.set_params(warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*clips)
    assert model.n_iter_ == 2
    assert model.fit(*clips).n_iter_ == 6


@pytest.mark.slow
def test_torch_is_loaded_when_it_is_used_and_named_if_it_is_missing():
    code = (
        "import sys\n"
        "class NotInstalled:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name == 'torch':\n"
        "            raise ModuleNotFoundError('No torch', name='torch')\n"
        "sys.meta_path.insert(0, NotInstalled())\n"
        "import numpy as np\n"
        "from skcoldstart import CNNFactorRegressor\n"
        "model = CNNFactorRegressor(window=8)\n"
        "model.get_params()\n"
        "assert 'skorch' not in sys.modules\n"
        "try:\n"
        "    model.fit(np.ones((4, 3, 2)), np.ones((4, 1)))\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install skcoldstart[neural]" in done.stdout


def test_moments_of_the_optimizer_are_kept_only_to_go_on(clips):
    model = small().fit(*clips)
    assert not model.net_.optimizer_.state
    assert small(warm_start=True).fit(*clips).net_.optimizer_.state


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda U, C: (U[:, :2], C), "2 columns but y has 3"),
        (lambda U, C: (U[:-1], C), "UserFactors to keep them whole"),
        (lambda U, C: (U, C[:-1]), "usage has 39 rows but X has 40"),
        (lambda U, C: (U, C * 0), "has no plays"),
        (lambda U, C: (U, C / 9), "at least 1"),
        (lambda U, C: (U, -C), "Negative values"),
    ],
)
def test_usage_that_does_not_fit_is_explained(spoil, message, clips, rng):
    users, usage = rng.normal(size=(9, 3)), np.ones((40, 9))
    users, usage = spoil(users, usage)
    with pytest.raises(ValueError, match=message):
        small(objective="wpe").fit(*clips, user_factors=users, usage=usage)
