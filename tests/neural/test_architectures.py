"""The layers that the sources describe, and what each lets through."""

import itertools
import pickle
import re
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch import nn

from skcoldstart import CNNFactorRegressor
from skcoldstart.neural._torch.architectures import (
    SpectrogramNet,
    _GlobalPool,
    build_network,
)
from tests.neural.conftest import SMALL


def network(name, n_outputs=50, **sizes):
    defaults = {
        "window": 129,
        "n_filters": (256, 256, 512, 512),
        "hidden": (2048, 2048),
        "dropout": 0.0,
        "batch_norm": False,
    }
    params = CNNFactorRegressor(architecture=name, **defaults | sizes)
    return build_network(params, 128, n_outputs)


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


def conv(n_in, n_out, size):
    return n_in * n_out * size + n_out


def dense(*widths):
    return sum(a * b + b for a, b in itertools.pairwise(widths))


def test_spotify2014_has_the_layers_of_the_post():
    net = network("spotify2014")
    convolutions = conv(128, 256, 4) + conv(256, 256, 4) + conv(256, 512, 4)
    convolutions += conv(512, 512, 4)
    assert n_parameters(net) == convolutions + dense(1536, 2048, 2048, 50)
    lengths = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
            module.register_forward_hook(lambda *args: lengths.append(args[2].shape[3]))
    net(torch.zeros(1, 599, 128))
    assert lengths == [596, 149, 146, 73, 70, 35, 32]


def test_nips2013_has_two_convolutional_and_two_dense_layers():
    net = network("nips2013")
    expected = conv(128, 256, 4) + conv(256, 256, 4) + dense(256 * 14, 2048, 50)
    assert n_parameters(net) == expected
    assert net(torch.zeros(2, 129, 128)).shape == (2, 50)


def test_shortchunk_has_the_widths_of_its_source():
    net = network("shortchunk", hidden=(512,))
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    widths = [module.out_channels for module in convolutions]
    assert widths == [128, 128, 256, 256, 256, 256, 512]
    assert {module.kernel_size for module in convolutions} == {(3, 3)}
    narrow = network("shortchunk", n_filters=(8,), hidden=(4,))
    assert narrow(torch.zeros(2, 129, 128)).shape == (2, 50)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize(
    ("name", "n_layers"),
    [*(("spotify2014", n) for n in (1, 2, 3, 4)), ("nips2013", 1), ("nips2013", 2)],
)
def test_the_smallest_window_is_the_first_that_fits(name, n_layers):
    sizes = {"n_filters": (4,) * n_layers, "hidden": (4,)}
    with pytest.raises(ValueError, match="which need") as caught:
        network(name, window=1, **sizes)
    window = int(re.search(r"need (\d+)", str(caught.value))[1])
    fitting = network(name, window=window, **sizes)
    fitting(torch.zeros(1, window, 128))
    with pytest.raises(RuntimeError, match=r"too small|greater than actual"):
        fitting[0](torch.zeros(1, window - 1, 128))
    with pytest.raises(ValueError, match="which need"):
        network(name, window=window - 1, **sizes)
    if (name, n_layers) == ("spotify2014", 4):
        assert window == 103


def test_global_pool_has_mean_maximum_and_norm(rng):
    maps = rng.normal(size=(3, 5, 1, 7))
    pooled = _GlobalPool()(torch.tensor(maps).float()).numpy()
    flat = maps[:, :, 0]
    expected = [flat.mean(2), flat.max(2), np.sqrt((flat**2).sum(2))]
    assert_allclose(pooled, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-6)
    silence = torch.zeros(1, 2, 1, 4, requires_grad=True)
    _GlobalPool()(silence).sum().backward()
    assert torch.isfinite(silence.grad).all()


def test_windows_are_standardised_by_the_training_set(rng):
    mean, deviation = rng.normal(size=6), rng.uniform(1, 2, 6)
    params = CNNFactorRegressor(
        architecture=lambda n_features, n_outputs: nn.Identity()
    )
    net = SpectrogramNet(params, 2, mean.tolist(), deviation.tolist())
    windows = rng.normal(size=(2, 5, 6))
    found = net(torch.tensor(windows).float()).numpy()
    assert_allclose(found, (windows - mean) / deviation, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_the_scale_of_bands_does_not_matter(factor, clips):
    frames, factors = clips
    scaled = [clip * np.float32(factor) + np.float32(factor) for clip in frames]
    params = SMALL | {"window": 5}  # no clip is filled up
    a = CNNFactorRegressor(**params).fit(frames, factors).predict(frames)
    b = CNNFactorRegressor(**params).fit(scaled, factors).predict(scaled)
    assert_allclose(b, a, atol=1e-3)


@pytest.mark.parametrize("params", [{"batch_norm": True}, {"dropout": 0.5}])
@pytest.mark.parametrize("name", ["spotify2014", "nips2013", "shortchunk"])
def test_every_architecture_trains_and_goes_through_pickle(name, params, clips):
    frames, factors = clips
    # 40 items make batches of 10, not 13, 13, 13 and 1, which has no variance.
    small = SMALL | {"batch_size": 13, "validation_fraction": 0, "max_epochs": 1}
    model = CNNFactorRegressor(**small | params, architecture=name)
    model.fit(frames, factors)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(frames), model.predict(frames))
    # Nothing of training is left on: no dropout, no moments of batches.
    assert_array_equal(model.predict(frames), model.predict(frames))


def test_any_callable_may_build_the_network(clips):
    frames, factors = clips
    plain = CNNFactorRegressor(
        **SMALL | {"n_filters": (4,), "hidden": (4,)}, architecture="nips2013"
    ).fit(frames, factors)
    build = partial(build_network, clone(plain))
    model = CNNFactorRegressor(**SMALL, architecture=build).fit(frames, factors)
    assert_array_equal(model.predict(frames), plain.predict(frames))
