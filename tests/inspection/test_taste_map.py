"""The map of taste: neighbours stay neighbours, close-ups are readable."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.transforms import Bbox
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from skcoldstart import WMF
from skcoldstart.inspection import TasteMapDisplay
from skcoldstart.inspection._style import GREY


@pytest.fixture(scope="module")
def three_tastes():
    """Items of three kinds that different users play."""
    rng = np.random.default_rng(0)
    kind = np.repeat(["rock", "jazz", "pop"], [50, 40, 30])
    V = 5 * np.eye(3)[np.unique(kind, return_inverse=True)[1]]
    V += 0.4 * rng.normal(size=V.shape)
    return V, rng.normal(size=(200, 3)), kind


@pytest.fixture(scope="module")
def placed(three_tastes):
    """Their map."""
    V, U, kind = three_tastes
    names = [f"{k} number {i}, a long title" for i, k in enumerate(kind)]
    return TasteMapDisplay.from_factors(V, U, labels=kind, names=names, random_state=0)


def test_items_of_one_taste_are_neighbours_on_the_map(placed):
    near = KNeighborsClassifier(6).fit(placed.points, placed.labels)
    assert near.score(placed.points, placed.labels) == 1.0


@pytest.mark.slow
def test_the_map_does_not_depend_on_the_length_of_factors(three_tastes, placed):
    V, U, _ = three_tastes
    fame = np.random.default_rng(0).uniform(0.5, 50, size=(len(V), 1))
    plain = placed.points
    famous = TasteMapDisplay.from_factors(fame * V, U, random_state=0).points
    # Chaotic in the last bits, so compare neighbourhoods and not coordinates.
    same, other = (
        NearestNeighbors(n_neighbors=10).fit(points).kneighbors(return_distance=False)
        for points in (plain, famous)
    )
    shared = [len(set(a) & set(b)) for a, b in zip(same, other, strict=True)]
    assert np.mean(shared) > 8


def test_an_item_without_plays_keeps_its_row_and_has_no_position():
    rng = np.random.default_rng(0)
    y = rng.poisson(0.5, size=(30, 40))
    y[7] = 0
    wmf = WMF(4, random_state=0).fit(y)
    display = TasteMapDisplay.from_estimator(wmf, random_state=0)
    assert display.points.shape == (30, 2)
    assert_array_equal(np.flatnonzero(np.isnan(display.points).any(axis=1)), [7])
    display.plot()
    drawn = sum(len(c.get_offsets()) for c in display.ax_.collections)
    assert drawn == 29
    with pytest.raises(ValueError, match="Item 7 of closeups has no position"):
        display.plot(closeups=[7])


def test_every_item_is_drawn_in_the_colour_of_its_label(three_tastes):
    V, _, kind = three_tastes
    display = TasteMapDisplay(V[:, :2], labels=kind).plot()
    (dots,) = display.ax_.collections
    assert_allclose(dots.get_offsets(), V[:, :2])
    keys = display.ax_.get_legend().legend_handles
    colours = {key.get_label(): to_hex(key.get_color()) for key in keys}
    assert [to_hex(c) for c in dots.get_facecolors()] == [colours[k] for k in kind]
    texts = display.ax_.get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["rock", "jazz", "pop"]


def test_labels_differ_in_colour_or_shape_and_rare_ones_are_grey():
    labels = [f"g{i:02d}" for i in range(25) for _ in range(30 - i)] + [""]
    display = TasteMapDisplay(np.eye(len(labels), 2), labels=labels).plot()
    keys = display.ax_.get_legend().legend_handles
    looks = {(key.get_color(), key.get_marker()) for key in keys}
    assert len(looks) == len(keys) == 22
    assert [key.get_label() for key in keys[:2]] == ["g00", "g01"]
    assert (keys[-1].get_label(), keys[-1].get_color()) == ("other", GREY)


def test_closeups_are_apart_and_their_names_clear_of_each_other_and_the_dots(
    three_tastes, placed
):
    points = 4 * three_tastes[0][:, :2]  # the last bits of a t-SNE may move names
    display = TasteMapDisplay(points, names=placed.names, labels=placed.labels)
    display.plot(closeups=3, closeup_items=20)
    display.figure_.draw_without_rendering()
    windows, kinds = [], []
    for axes in display.closeups_:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        inside = (display.points >= [left, low]) & (display.points <= [right, high])
        found = set(display.labels[inside.all(axis=1)])
        assert inside.all(axis=1).sum() >= 20 and len(found) == 1
        kinds += found
        windows.append(Bbox([[left, low], [right, high]]))
        frame = axes.get_window_extent()
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) >= 6
        dots = axes.transData.transform(
            np.concatenate([c.get_offsets() for c in axes.collections])
        )
        for i, box in enumerate(boxes[1:], 1):  # the first is the letter
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1
            assert frame.y0 <= box.y0 and box.y1 <= frame.y1
            assert not any(box.overlaps(other) for other in boxes[:i])
            assert not any(box.contains(*dot) for dot in dots)
    assert sorted(kinds) == ["jazz", "pop", "rock"]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(windows, 2))


def test_a_closeup_holds_at_least_as_many_items_as_asked_for():
    points = np.random.default_rng(0).normal(size=(6, 2))
    display = TasteMapDisplay(points).plot(closeups=[0], closeup_items=6)
    (dots,) = display.closeups_[0].collections
    assert_array_equal(np.sort(dots.get_offsets(), axis=0), np.sort(points, axis=0))


def test_same_places_for_all_items_still_make_a_closeup():
    display = TasteMapDisplay(np.ones((5, 2))).plot(closeups=1)
    assert len(display.closeups_) == 1


@pytest.mark.parametrize("inches", [1.2, 2.5, 8])
@pytest.mark.parametrize("n_labels", [1, 5, 60])
def test_the_legend_is_never_larger_than_the_map(inches, n_labels):
    labels = [f"a genre of a long name, {i % n_labels}" for i in range(120)]
    _, ax = plt.subplots(figsize=(inches, inches))
    points = np.random.default_rng(0).normal(size=(120, 2))
    for given in (ax, None):
        display = TasteMapDisplay(points, labels=labels).plot(given)
        assert given in (None, display.ax_) and display.figure_ is display.ax_.figure
        legend = display.ax_.get_legend()
        frame, extent = display.ax_.get_window_extent(), legend.get_window_extent()
        assert extent.width <= frame.width or len(legend.get_texts()) == 1
        assert extent.height <= max(frame.height / 3, 40)
        texts = [text.get_text() for text in legend.get_texts()]
        n_left = min(n_labels, 22) - len(texts)
        if n_left:
            assert texts[-1] == f"and {n_left + 1} more"
    assert 0 <= extent.y0 and extent.y1 <= frame.y0  # of a figure of its own


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": np.ones((3, 3))}, r"expected \(n_items, 2\)"),
        ({"names": ["a"]}, r"names has shape \(1,\)"),
        ({"labels": ["a"]}, r"labels has shape \(1,\)"),
        ({"points": np.full((3, 2), np.nan)}, "No item has a position"),
        ({"closeups": -1}, "closeups=-1"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    options = {"points": np.ones((3, 2)), "closeups": 0} | options
    closeups = options.pop("closeups")
    with pytest.raises(ValueError, match=message):
        TasteMapDisplay(**options).plot(closeups=closeups)


def test_too_few_items_for_a_map_are_said():
    with pytest.raises(ValueError, match="1 of 3 items have a usage pattern"):
        TasteMapDisplay.from_factors(np.eye(3)[:, :1], np.ones((4, 1)))
