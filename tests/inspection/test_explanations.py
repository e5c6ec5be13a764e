"""Displays of explanations, of releases, and of what exposure costs."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    explain,
    exposure_report,
    make_recommendation_scorer,
    recommend,
)
from skcoldstart.inspection import (
    ExplanationDisplay,
    NewReleaseDisplay,
    TradeOffDisplay,
)


@pytest.fixture
def world(items):
    X, y = items
    return X[:50], y[:50], X[50:], y[50:]


@pytest.fixture
def model(world):
    X, y, *_ = world
    return ColdStartRecommender(Ridge(), WMF(4, reg=1.0, random_state=0)).fit(X, y)


def test_bars_are_the_contributions_to_one_score(world, model):
    _, _, X_new, _ = world
    asked = (model, X_new[:2], [3, 7])
    table = explain(*asked, n=2, by="content")
    display = ExplanationDisplay.from_estimator(*asked, n=2, by="content")
    display.plot(item=1, user=7)
    own = table[(table["item"] == 1) & (table["user"] == 7)]
    widths = [bar.get_width() for bar in display.bars_]
    assert_allclose(widths, own["contribution"])
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == own["source"].tolist()
    low, high = display.ax_.get_ylim()
    assert low > high  # the first on top
    score = model.predict(X_new)[1, 7]
    assert display.ax_.get_title(loc="left").endswith(f"score {score:.3g}")
    _, ax = plt.subplots()
    assert ExplanationDisplay(table).plot(ax=ax).ax_ is ax
    with pytest.raises(ValueError, match="no row of item 5 and user 3"):
        display.plot(item=5)


def test_values_are_clear_of_the_names_of_their_bars():
    names = ["a name of some length", "another name"]
    table = {"item": [0] * 2, "user": [0] * 2, "kind": ["content"] * 2}
    display = ExplanationDisplay(
        table | {"source": names, "contribution": [-0.0609, 0.9]}
    ).plot()
    display.figure_.draw_without_rendering()
    values = [text.get_window_extent() for text in display.ax_.texts]
    labels = [text.get_window_extent() for text in display.ax_.get_yticklabels()]
    bars = [bar.get_window_extent() for bar in display.bars_]
    assert [text.get_text() for text in display.ax_.texts] == ["-0.0609", "+0.9"]
    for value, label, bar in zip(values, labels, bars, strict=True):
        assert not value.overlaps(label) and not value.overlaps(bar)


RELEASES = {
    "policy": ["greedy"] * 4 + ["ucb"] * 4,
    "round": [1, 2] * 4,
    "seed": [0, 0, 1, 1] * 2,
    "hits": [10, 20, 20, 40, 5, 30, 10, 60],
    "items": [0, 2, 0, 4, 0, 4, 0, 8],
}


def test_lines_are_means_over_seeds_and_bands_their_intervals():
    display = NewReleaseDisplay(RELEASES).plot()
    labels = [ax.get_ylabel() for ax in display.axes_]
    assert labels == ["hits so far", "items with enough listeners"]
    assert_allclose(display.lines_[0].get_ydata(), [15, 30])
    assert_allclose(display.lines_[3].get_ydata(), [0, 6])
    band = display.axes_[0].collections[0].get_paths()[0].vertices[:, 1]
    half = 12.7062 * np.std([20, 40], ddof=1) / np.sqrt(2)  # Student's t, one degree
    assert_allclose(band.max(), 30 + half, rtol=1e-4)
    ratio = NewReleaseDisplay(RELEASES, baseline="greedy").plot()
    assert_allclose(ratio.lines_[1].get_ydata(), [0.5, 1.5])
    assert_allclose(ratio.lines_[3].get_ydata(), [np.nan, 2.0])


LAST_TWICE = {column: [*values, values[-1]] for column, values in RELEASES.items()}
REFUSED = {
    "no policy 'best'; it has: greedy, ucb": lambda: NewReleaseDisplay(
        RELEASES, baseline="best"
    ).plot(),
    "expected 2": lambda: NewReleaseDisplay(RELEASES).plot([plt.gca()]),
    "expected one for each pair": lambda: NewReleaseDisplay(LAST_TWICE).plot(),
    "one value of each": lambda: TradeOffDisplay([1, 2], [0.1], [0.2]).plot(),
    "NaN": lambda: TradeOffDisplay([1], [np.nan], [0.2]).plot(),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_said(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


def test_a_release_is_replayed_for_the_display(world, model):
    _, _, X_new, y_new = world
    display = NewReleaseDisplay.from_estimator(
        model, X_new, y_new, n_rounds=3, policies={"mine": {}}
    ).plot()
    assert_array_equal(display.lines_[0].get_xdata(), [1, 2, 3])


def test_frontier_holds_the_points_that_none_beats(rng):
    accuracy, exposure = rng.uniform(size=(2, 40))
    display = TradeOffDisplay(np.arange(40), accuracy, exposure).plot()
    beaten = [
        np.any((accuracy > accuracy[i]) & (exposure >= exposure[i])) for i in range(40)
    ]
    assert sorted(display.frontier_) == np.flatnonzero(~np.array(beaten)).tolist()
    assert np.all(np.diff(exposure[display.frontier_]) > 0)
    points = display.points_.get_offsets()
    assert_allclose(points, np.column_stack([exposure, accuracy]))


def test_settings_are_written_as_they_are():
    settings = ["informative", None, True, 0.5, np.inf]
    display = TradeOffDisplay(settings, np.arange(5), np.arange(5)).plot()
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["informative", "None", "1", "0.5", "∞"]


def test_a_lever_is_set_and_measured(world):
    X, y, X_new, y_new = world
    model = ColdStartRecommender(Ridge(), WMF(4, reg=1.0, random_state=0))
    data = {"X_new": X_new, "y_new": y_new}
    display = TradeOffDisplay.from_estimator(
        model, X, y, **data, lever="popularity_weight", values=[0, 3], n=4
    ).plot()
    model.set_params(popularity_weight=3).fit(X, y)
    scorer = make_recommendation_scorer("ndcg@20")
    assert_allclose(display.accuracy[1], scorer(model, X_new, y_new))
    report = exposure_report(recommend(model, X_new, 4), 30)
    assert_allclose(display.exposure[1], report["shown"][0])
    assert display.ax_.get_ylabel() == "ndcg@20"
    variety = TradeOffDisplay.from_estimator(
        model, X, y, **data, lever="trade_off", values=[0.0, 1.0], n=4, column="gini"
    )
    items = recommend(model, X_new, 4).items
    played = y_new.toarray() > 0
    active = np.flatnonzero(played.any(axis=0))
    hits = [played[items[u], u].mean() for u in active]
    assert_allclose(variety.accuracy[1], np.mean(hits))
    assert_allclose(variety.exposure[1], 1 - exposure_report(items, 30)["gini"][0])
    with pytest.raises(TypeError, match=r"factors of ContentKNN.* are sparse"):
        TradeOffDisplay.from_estimator(
            ContentKNNRecommender(), X, y, **data, lever="trade_off", values=[0.0]
        )
    with pytest.raises(ValueError, match="no part 'new'"):
        TradeOffDisplay.from_reports([0], [0.1], [report], part="new")
