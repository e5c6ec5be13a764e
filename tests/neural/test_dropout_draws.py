"""Predictions with dropout: their variance, and what they leave unchanged."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import WMF, CNNFactorRegressor, ColdStartRecommender

SETTINGS = {"window": 4, "max_epochs": 2, "device": "cpu", "random_state": 0}


def dropout_and_linear(n_features, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(4 * n_features, n_outputs),
    )


@pytest.fixture
def songs(rng):
    return [rng.normal(size=(n, 3)).astype("f4") for n in rng.integers(2, 20, 80)]


def test_variance_is_that_of_dropped_units(songs, rng):
    network = CNNFactorRegressor(architecture=dropout_and_linear, **SETTINGS)
    network.fit(songs, rng.normal(size=(80, 2)))
    items = [song[:4] for song in songs[:5]]  # of one window each
    drawn = network._draws_of_dropout(items, 2000)
    [linear] = [m for m in network.net_.module_.modules() if hasattr(m, "weight")]
    seen = []
    handle = linear.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    predicted = network.predict(items)
    handle.remove()
    rows = torch.cat(seen)[: len(items)].numpy()
    scale = np.reshape(network._scale.scale, -1)
    # A kept unit is doubled: its contribution varies by its square.
    expected = (rows**2) @ (linear.weight.detach().numpy() ** 2).T * scale**2
    assert_allclose(drawn.var(axis=0), expected, rtol=0.15)
    centre = drawn.mean(axis=0) + network._scale.mean
    assert_allclose(centre, predicted, atol=5 * np.sqrt(expected.max() / 2000))


def test_draws_are_the_same_and_leave_predictions_and_generators_unchanged(songs, rng):
    network = CNNFactorRegressor(dropout=0.3, n_filters=(4,), hidden=(8,), **SETTINGS)
    network.fit(songs, rng.normal(size=(80, 2)))
    before, state = network.predict(songs), torch.random.get_rng_state()
    first = network._draws_of_dropout(songs, 3)
    assert_array_equal(torch.random.get_rng_state(), state)
    assert_array_equal(network._draws_of_dropout(songs, 3), first)
    assert (first[0] != first[1]).any()
    assert_array_equal(network.predict(songs), before)
    assert not any(module.training for module in network.net_.module_.modules())
    without = CNNFactorRegressor(n_filters=(4,), hidden=(8,), **SETTINGS)
    without.fit(songs, rng.normal(size=(80, 2)))
    assert without._draws_of_dropout(songs, 3) is None


@pytest.mark.slow
def test_a_network_with_dropout_gives_covariances_by_windows_and_dropout(rng):
    kind = rng.normal(size=(300, 3))
    songs = [
        (own + rng.normal(size=(12, 3)) * rng.choice([0.1, 1])).astype("f4")
        for own in kind
    ]
    plays = rng.poisson(np.exp(kind @ rng.normal(size=(3, 60)) - 1))
    settings = SETTINGS | {"max_epochs": 20, "validation_fraction": 0.3}
    network = CNNFactorRegressor(dropout=0.3, n_filters=(8,), hidden=(16,), **settings)
    model = ColdStartRecommender(network, WMF(3, random_state=0))
    model.fit(songs[:220], plays[:220])
    odd = [*songs[220:], songs[0][:4], np.zeros((0, 3), "f4")]
    _, cov = model.predict_factors(odd, return_cov=True)
    fitted = model.regressor_
    parts = [np.reshape(fitted.predict(np.split(s, 3)), (3, 3)) for s in odd[:-2]]
    by_windows = [part.var(axis=0, ddof=1).mean() / 3 for part in parts]
    drawn = fitted._draws_of_dropout(odd, 10)
    by_dropout = drawn.var(axis=0, ddof=1).mean(axis=1)[:-2]
    design = np.column_stack([np.ones(80), by_windows, by_dropout])
    parts, *_ = np.linalg.lstsq(design, cov.scale[:-2])
    assert_allclose(cov.scale[:-2], design @ parts, rtol=1e-5)
    assert (parts > -1e-9).all()
    assert parts[1:].sum() > 0
    assert_allclose(cov.scale[-1], 1.0)  # without frames: as usual
    scores, deviations = model.predict(songs[220:], return_std=True)
    truth = model.factorizer_.transform(plays[220:]) @ model.user_factors_.T
    assert 0.8 < (np.abs(truth - scores) < 1.645 * deviations).mean() < 0.97
