"""FramePooling: closed forms of each statistic, for frames of every container."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import FramePooling, MelSpectrogram

ALL = ("mean", "std", "min", "max", "median", "quantiles")


@pytest.fixture
def items(rng):
    return [rng.normal(size=(n, 3)) for n in (4, 1, 9, 2)]


def expected_row(frames):
    statistics = [
        frames.mean(0),
        frames.std(0),
        frames.min(0),
        frames.max(0),
        np.median(frames, 0),
        *np.quantile(frames, (0.1, 0.5, 0.9), axis=0),
    ]
    return np.concatenate(statistics)


def test_rows_hold_the_statistics_in_order(items):
    rows = FramePooling(ALL).fit_transform(items)
    assert_allclose(rows, [expected_row(item) for item in items], rtol=1e-14)


def test_delta_adds_the_statistics_of_differences(items):
    rows = FramePooling(ALL, delta=True).fit_transform(items)
    width = rows.shape[1] // 2
    assert_allclose(rows[:, :width], FramePooling(ALL).fit_transform(items))
    for row, item in zip(rows, items, strict=True):
        wanted = expected_row(np.diff(item, axis=0)) if len(item) > 1 else 0
        assert_allclose(row[width:], wanted, rtol=1e-14)


def test_cubes_and_tables_are_items_of_equal_length(rng):
    pooling = FramePooling(("mean", "max")).fit(np.ones((1, 1, 3)))
    cube = rng.normal(size=(5, 7, 3))
    assert_array_equal(pooling.transform(cube), pooling.transform(list(cube)))
    assert_array_equal(pooling.transform(cube[:, 0]), pooling.transform(cube[:, :1]))


def test_lazy_frames_are_pooled_item_by_item(rng):
    clips = [rng.uniform(-0.5, 0.5, n) for n in (9000, 4000)]
    options = {"sr": 8000, "n_fft": 256, "hop_length": 128, "n_mels": 10}
    held = MelSpectrogram(**options).fit_transform(clips)
    lazy = MelSpectrogram(**options, lazy=True).fit_transform(clips)
    rows = FramePooling().fit_transform(held)
    assert_array_equal(FramePooling().fit_transform(lazy), rows)
    assert rows.dtype == np.float32


def test_item_without_frames_is_a_row_of_zeros(items):
    rows = FramePooling(delta=True).fit_transform([items[0], np.empty((0, 3))])
    assert rows[0].any() and not rows[1].any()


def test_names_have_statistic_and_feature(items):
    pooling = FramePooling(("std", "quantiles"), quantiles=(0.25,), delta=True)
    names = pooling.fit(items).get_feature_names_out(["a", "b", "c"])
    stems = [f"{s}_{f}" for s in ("std", "quantile0.25") for f in "abc"]
    assert names.tolist() == stems + [f"delta_{stem}" for stem in stems]
    assert pooling.transform(items).shape[1] == len(names)
    assert FramePooling(("max",)).fit(items).get_feature_names_out()[0] == "max_x0"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"statistics": ("mode",)}, "statistics holds 'mode'"),
        ({"statistics": ()}, "statistics is empty"),
        ({"quantiles": (1.5,)}, "numbers from 0 to 1"),
        ({"quantiles": ()}, "numbers from 0 to 1"),
    ],
)
def test_bad_statistics_are_named(options, match, items):
    with pytest.raises(ValueError, match=match):
        FramePooling(**options).fit(items)


def test_statistics_beyond_the_type_of_frames_are_refused(items):
    for dtype, value in ((np.float64, 1e160), (np.float64, 1e308), (np.float32, 3e38)):
        frames = [item.astype(dtype) for item in items]
        frames[0] = np.array([[value] * 3, [-value] * 3, [value] * 3], dtype)
        with pytest.raises(ValueError, match=r"item 0 of X are beyond float"):
            FramePooling(["std"], delta=True).fit_transform(frames)


def test_nan_and_another_number_of_features_are_refused(items):
    pooling = FramePooling().fit(items)
    with pytest.raises(
        ValueError, match="X has 2 features, but FramePooling is expecting 3"
    ):
        pooling.transform([np.ones((4, 2))])
    with pytest.raises(ValueError, match="item 1, frame 2"):
        pooling.transform([np.ones((4, 3)), np.array([[0.0] * 3] * 2 + [[np.nan] * 3])])
