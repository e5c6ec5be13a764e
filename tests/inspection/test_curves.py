"""Curves of losses, of spectra, and of the first plays of an item."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    LibrosaFeatures,
    MelSpectrogram,
    MFCCExtractor,
)
from skcoldstart.inspection import LossCurveDisplay, SpectrogramDisplay, WarmupDisplay
from skcoldstart.model_selection import warmup_curve

SECOND = np.arange(22050) / 22050


def texts_of(artists):
    return [artist.get_text() for artist in artists]


def test_losses_of_wmf_are_drawn_sweep_by_sweep(items):
    wmf = WMF(4, random_state=0).fit(items[1])
    curve = LossCurveDisplay.from_estimator(wmf).plot()
    (line,) = curve.lines_
    assert_array_equal(line.get_xdata(), np.arange(1, wmf.n_iter_ + 1))
    assert_allclose(line.get_ydata(), wmf.loss_history_)
    assert curve.ax_.get_xlabel() == "sweep" and curve.best_step is None


def test_the_regressor_s_record_comes_before_the_factorizer_s(items):
    X, y = items
    net = MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0)
    with pytest.warns(UserWarning, match="iterations"):
        model = ColdStartRecommender(
            make_pipeline(StandardScaler(), net), WMF(3, random_state=0)
        ).fit(X, y)
    outer = make_pipeline(StandardScaler(), model)
    outer.__sklearn_is_fitted__ = lambda: True
    for source in (model, outer):
        curve = LossCurveDisplay.from_estimator(source)
        fitted = model.regressor_[-1]
        assert_allclose(curve.curves["train_loss"], fitted.loss_curve_)
    plain = ColdStartRecommender(Ridge(), WMF(3, random_state=0)).fit(X, y)
    curve = LossCurveDisplay.from_estimator(plain)
    assert_allclose(curve.curves["objective"], plain.factorizer_.loss_history_)


def test_history_may_lack_values_and_hold_other_things():
    history = [
        {"epoch": 1, "train_loss": np.float32(3), "valid_loss": None, "dur": 0.1},
        {"epoch": 2, "train_loss": 2.0, "valid_loss": 5.0, "batches": [{}]},
        {"epoch": 3, "train_loss": 1.5, "valid_loss": 4.0, "train_loss_best": True},
        {"epoch": 4, "valid_loss": float("nan")},
    ]
    curve = LossCurveDisplay.from_history(history)
    assert list(curve.curves) == ["train_loss", "valid_loss"]
    assert_allclose(curve.curves["train_loss"], [3, 2, 1.5, np.nan])
    assert curve.best_step == 3
    texts = texts_of(curve.plot().ax_.get_legend().get_texts())
    assert texts == ["train loss", "valid loss", "best epoch: 3"]
    step, value = curve.ax_.lines[-1].get_data()
    assert (list(step), list(value)) == ([3], [4.0])
    seconds = LossCurveDisplay.from_history(history, names=["dur"])
    assert_allclose(seconds.curves["dur"], [0.1, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("last", "scale"), [(1.0, "log"), (50.0, "linear"), (-1.0, "linear")]
)
def test_losses_over_several_decades_are_on_a_logarithmic_scale(last, scale):
    assert LossCurveDisplay({"loss": [100.0, last]}).plot().ax_.get_yscale() == scale


@pytest.mark.parametrize("hz", [300, 1000, 5000])
def test_a_tone_is_drawn_at_its_time_and_frequency(hz):
    tone = np.where(SECOND < 0.5, 0.0, np.sin(2 * np.pi * hz * SECOND))
    display = SpectrogramDisplay.from_estimator(MelSpectrogram(), tone).plot()
    drawn = np.asarray(display.image_.get_array())
    left, right, bottom, top = display.image_.get_extent()
    n_bands, n_frames = drawn.shape
    assert (bottom, top) == (-0.5, n_bands - 0.5)
    step = (right - left) / n_frames
    assert_allclose(step, 512 / 22050)
    band, frame = np.unravel_index(drawn.argmax(), drawn.shape)
    assert left + (frame + 0.5) * step >= 0.5 - 2 * step
    width = np.diff(display.frequencies)[min(band, n_bands - 2)]
    assert abs(display.frequencies[band] - hz) <= width
    # The ticks lie where the bands of their frequencies are.
    named = [
        float(text.replace("k", "e3"))
        for text in texts_of(display.ax_.get_yticklabels())
    ]
    places = display.ax_.get_yticks()
    assert_allclose(np.interp(places, range(n_bands), display.frequencies), named)


def test_coefficients_are_drawn_in_their_standard_deviations(rng):
    noise = rng.normal(size=22050) * np.linspace(0.01, 0.5, 22050)
    display = SpectrogramDisplay.from_estimator(MFCCExtractor(), noise).plot()
    drawn = np.asarray(display.image_.get_array())
    assert_allclose(drawn.mean(axis=1), 0, atol=1e-4)
    assert_allclose(drawn.std(axis=1), 1, atol=1e-3)
    labels = texts_of(display.ax_.get_yticklabels())
    assert labels == ["MFCC", "differences", "second\ndifferences"]
    assert_allclose(display.ax_.get_yticks(), [6, 19, 32])


def test_features_of_librosa_are_drawn_under_their_names():
    librosa_display = pytest.importorskip("librosa.display", reason="needs librosa")
    tone = np.sin(2 * np.pi * 440 * SECOND)
    features = LibrosaFeatures(("chroma_stft", "tonnetz", "rms"))
    display = SpectrogramDisplay.from_estimator(features, tone).plot()
    labels = texts_of(display.ax_.get_yticklabels())
    assert labels == ["chroma_stft", "tonnetz", "rms"]
    assert_allclose(display.ax_.get_yticks(), [5.5, 17.5, 29.5])
    drawn = np.asarray(display.image_.get_array())
    assert len(drawn) == 36 and (drawn[24:] == drawn[24]).all()
    assert_array_equal(drawn[12:24:2], drawn[13:24:2])
    chroma = SpectrogramDisplay.from_estimator(LibrosaFeatures("chroma_stft"), tone)
    ax = Figure().subplots()
    drawn = librosa_display.specshow(
        chroma.frames.T, x_axis="time", y_axis="chroma", sr=22050, hop_length=512, ax=ax
    )
    assert_array_equal(np.asarray(drawn.get_array()), chroma.frames.T)
    with pytest.raises(ValueError, match="set pooling=None to draw its frames"):
        SpectrogramDisplay.from_estimator(features.set_params(pooling=("mean",)), tone)


TWO_METRICS = {
    "system": ["a", "a", "a"],
    "n_plays": [5, 1, 1],
    "metric": ["auc", "auc", "map"],
    "mean": [0.7, 0.6, 0.1],
    "low": [0.6, 0.5, 0.0],
    "high": [0.8, 0.7, 0.2],
}
MEL, FRAMES = MelSpectrogram(), np.ones((4, 3))
REFUSED = {
    r"it has \['epoch'\]": lambda: LossCurveDisplay.from_history([{"epoch": 1}]),
    r"no finite numbers in \['x'\]": lambda: LossCurveDisplay({"x": [np.nan]}).plot(),
    r"shape \(4, 3\)": lambda: SpectrogramDisplay.from_estimator(MEL, FRAMES),
    "sequence of 2 paths": lambda: SpectrogramDisplay.from_estimator(MEL, ["a", "b"]),
    "frequencies counts 2 features but .* 3": lambda: SpectrogramDisplay(
        FRAMES, frequencies=[100, 200]
    ).plot(),
    "0 sample": lambda: SpectrogramDisplay(FRAMES[:0]).plot(),
    "no metric 'mrr'; it has: auc, map": lambda: WarmupDisplay(
        TWO_METRICS, metric="mrr"
    ).plot(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_said(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


def test_an_estimator_without_a_record_is_said():
    with pytest.raises(TypeError, match="Ridge recorded no losses"):
        LossCurveDisplay.from_estimator(Ridge().fit(*np.ones((2, 3, 1))))


def test_first_plays_are_drawn_as_they_were_measured(items):
    X, y = items
    model = make_pipeline(
        StandardScaler(), ColdStartRecommender(Ridge(), WMF(4, random_state=0))
    )
    options = {"n_plays": [0, 2, 5], "cv": GroupKFold(2), "groups": np.arange(80) // 2}
    display = WarmupDisplay.from_estimator(model, X, y, metric="auc", **options).plot()
    table = warmup_curve(model, X, y, metrics="auc", **options)
    names = ["content only", "plays only", "content and plays"]
    assert [line.get_label() for line in display.lines_] == names
    for line, name in zip(display.lines_, names, strict=True):
        own = table["system"] == name
        assert_array_equal(line.get_xdata(), table["n_plays"][own])
        assert_array_equal(line.get_ydata(), table["mean"][own])
    bands = [band.get_paths()[0].vertices for band in display.ax_.collections]
    assert_allclose(bands[0][:, 1].min(), table["low"][:3].min())
    assert_allclose(bands[0][:, 1].max(), table["high"][:3].max())
    assert display.ax_.get_ylabel() == "AUC on later plays"


def test_lines_are_named_where_they_end_without_overlap():
    table = {
        "system": ["a", "a", "b", "b", "c", "c"],
        "n_plays": [0, 8] * 3,
        "metric": ["auc"] * 6,
        "mean": [0.5, 0.7, 0.5, 0.7, 0.5, 0.701],
        "low": [0.4] * 6,
        "high": [0.8] * 6,
    }
    display = WarmupDisplay(table).plot()
    display.figure_.draw_without_rendering()
    texts = display.ax_.texts
    colours = {line.get_label(): line.get_color() for line in display.lines_}
    assert {text.get_text(): text.get_color() for text in texts} == colours
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda b: b.y0)
    assert all(a.y1 <= b.y0 + 2 for a, b in itertools.pairwise(boxes))


def test_one_metric_of_a_table_is_drawn_in_the_order_of_plays():
    (line,) = WarmupDisplay(TWO_METRICS).plot().lines_
    assert_array_equal(line.get_xdata(), [1, 5])
    assert_array_equal(line.get_ydata(), [0.6, 0.7])
