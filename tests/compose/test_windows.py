"""How sure a network is: spread between the windows of an item."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skcoldstart import WMF, CNNFactorRegressor, ColdStartRecommender
from skcoldstart.compose import FactorCovariance

WINDOW = 8
pytestmark = pytest.mark.slow


def songs(rng, n):
    """Frames whose mean over the item is its taste, but whose windows differ."""
    kind = rng.normal(size=(n, 3))
    unrest = rng.choice([0.1, 1.0], n)
    frames = []
    for own, wide in zip(kind, unrest, strict=True):
        windows = own + wide * rng.normal(size=(4, 3))
        noise = 0.05 * rng.normal(size=(4 * WINDOW, 3))
        frames.append((np.repeat(windows, WINDOW, axis=0) + noise).astype("f4"))
    return frames, kind, unrest


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    frames, kind, unrest = songs(rng, 400)
    plays = rng.poisson(np.exp(kind @ rng.normal(size=(3, 120)) - 1))
    network = CNNFactorRegressor(
        **{"window": WINDOW, "n_filters": (8,), "hidden": (16,), "max_epochs": 60},
        **{"batch_size": 32, "lr": 3e-3, "validation_fraction": 0.3},
        **{"device": "cpu", "random_state": 0},
    )
    model = ColdStartRecommender(network, WMF(4, random_state=0))
    return model.fit(frames[:250], plays[:250]), frames, plays, unrest


def test_restless_songs_are_less_sure_and_intervals_hold(world):
    model, frames, plays, unrest = world
    new = frames[250:]
    factors, cov = model.predict_factors(new, return_cov=True)
    assert isinstance(cov, FactorCovariance)
    assert_allclose(factors, model.predict_factors(new), rtol=1e-6)
    scores, deviations = model.predict(new, return_std=True)
    size = deviations.mean(axis=1)
    assert size[unrest[250:] > 0.5].mean() > 1.1 * size[unrest[250:] < 0.5].mean()
    truth = model.factorizer_.transform(plays[250:]) @ model.user_factors_.T
    inside = np.abs(truth - scores) < 1.645 * deviations
    assert 0.8 < inside.mean() < 0.97


def test_covariance_is_one_matrix_times_the_spread_of_windows(world):
    model, frames, _, _ = world
    cov = np.asarray(model.predict_factors(frames[250:260], return_cov=True)[1])
    network = model.regressor_
    spread = []
    for item in frames[250:260]:
        outputs = network.predict(np.split(item, 4))
        spread.append(outputs.var(axis=0, ddof=1).mean() / 4)
    scale = np.trace(cov, axis1=1, axis2=2)
    # Affine in the variance of the mean of the windows.
    slope, offset = np.polyfit(spread, scale, 1)
    assert_allclose(scale, offset + slope * np.array(spread), rtol=1e-4)
    assert slope > 0
    shared = np.broadcast_to(cov[0] / scale[0], cov.shape)
    assert_allclose(cov / scale[:, None, None], shared, rtol=1e-6, atol=1e-9)


def test_plays_make_it_surer_and_lists_explore(world):
    model, frames, plays, _ = world
    new = frames[250:]
    before = model.predict_factors(new, return_cov=True)[1].std(model.user_factors_)
    after = model.refine_factors(new, plays[250:], True)[1].std(model.user_factors_)
    assert np.mean(after.mean(axis=1) < before.mean(axis=1)) > 0.9
    lists = model.recommend(new, 5, explore="thompson", random_state=0)
    assert lists.items.shape == (120, 5)


def test_items_without_frames_or_with_one_window_are_as_sure_as_usual(world):
    model, frames, _, _ = world
    odd = [np.zeros((0, 3), "f4"), frames[0][:WINDOW]]
    _, cov = model.predict_factors(odd, return_cov=True)
    assert_allclose(cov.scale, 1.0)


def test_networks_that_held_nothing_out_are_refused(world):
    _, frames, plays, _ = world
    network = CNNFactorRegressor(
        **{"window": WINDOW, "n_filters": (4,), "hidden": (4,), "max_epochs": 1},
        **{"device": "cpu", "validation_fraction": 0, "random_state": 0},
    )
    blind = ColdStartRecommender(network, WMF(4, random_state=0))
    blind.fit(frames[:50], plays[:50])
    with pytest.raises(TypeError, match="larger validation_fraction"):
        blind.predict(frames[:2], return_std=True)
