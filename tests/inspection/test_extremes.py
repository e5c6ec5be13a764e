"""The ends of factors: hand values, artists' means, turned axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ortho_group
from sklearn.linear_model import Ridge

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    PopularityRecommender,
)
from skcoldstart.inspection import FactorExtremesDisplay, TasteMapDisplay

V = np.transpose([[5.0, 3.0, -1.0, -6.0, 0.0, 1.0], [0.0, 1.0, 9.0, -8.0, 2.0, 0.5]])
SONGS = ["a", "b", "c", "d", "e", "f"]


def test_ends_of_hand_made_factors():
    display = FactorExtremesDisplay.from_factors(V, SONGS, factors=[0, 1], n=2)
    assert display.table.to_dict("records")[3] == {
        **{"factor": 0, "end": "lowest", "rank": 2, "name": "c", "value": -1.0}
    }
    assert display.highest.tolist() == [["a", "b"], ["c", "e"]]
    assert display.lowest.tolist() == [["d", "c"], ["d", "a"]]
    assert_allclose(display.highest_values, [[5, 3], [9, 2]])
    assert_allclose(display.lowest_values, [[-6, -1], [-8, 0]])


def test_artists_are_means_of_their_items_and_rare_ones_are_left_out():
    artists = ["Bo", "Bo", "Ada", "Cleo", "Ada", None]
    for min_items, name, value in ((1, "Cleo", -6.0), (2, "Ada", -0.5)):
        display = FactorExtremesDisplay.from_factors(
            V, artists, factors=[0], n=1, min_items=min_items
        )
        assert [*display.highest[0], *display.lowest[0]] == ["Bo", name]
        assert_allclose(
            [display.highest_values, display.lowest_values], [[[4]], [[value]]]
        )


def test_no_name_is_at_both_ends():
    display = FactorExtremesDisplay.from_factors(V[:5], SONGS[:5], n=50)
    ends = np.hstack([display.highest, display.lowest])
    assert [len(set(names)) for names in ends] == [4, 4]


def test_the_factors_that_matter_most_to_scores_come_first():
    by_items = FactorExtremesDisplay.from_factors(V, factors=2)
    assert_array_equal(by_items.factors, [1, 0])
    users = np.array([[10.0, 0.1], [10.0, 0.2]])
    weighed = FactorExtremesDisplay.from_factors(
        V, user_factors=users, factors=1, basis="factors"
    )
    assert_array_equal(weighed.factors, [0])


def test_usage_axes_do_not_depend_on_the_basis_of_the_factors(rng):
    V, U = rng.normal(size=(40, 4)), rng.normal(size=(60, 4)) * [4, 3, 2, 1]
    turn = ortho_group.rvs(4, random_state=0)
    stretch = turn * [1.0, 2.0, 3.0, 4.0]
    names = [f"song {i}" for i in range(40)]
    options = {"factors": [0, 1, 2, 3], "basis": "usage", "n": 4}
    plain = FactorExtremesDisplay.from_factors(V, names, user_factors=U, **options)
    other = FactorExtremesDisplay.from_factors(
        V @ stretch, names, user_factors=U @ np.linalg.inv(stretch).T, **options
    )
    assert_array_equal(plain.highest, other.highest)
    assert_allclose(plain.highest_values, other.highest_values, rtol=1e-8)
    assert_allclose(plain.lowest_values, other.lowest_values, rtol=1e-8)
    assert_allclose(plain.shares.sum(), 1)
    assert (np.diff(plain.shares) < 0).all()
    patterns = V @ U.T - (V @ U.T).mean(axis=0)
    sizes = np.linalg.svd(patterns, compute_uv=False)[:4] ** 2
    assert_allclose(plain.shares, sizes / sizes.sum())


def test_fitted_and_predicted_factors_are_read_from_estimators(items):
    X, y = items
    model = ColdStartRecommender(Ridge(), WMF(4, random_state=0)).fit(X, y)
    names = [f"song {i}" for i in range(80)]
    for source, X_or_none, factors in (
        (model, None, model.factorizer_.item_factors_),
        (model.factorizer_, None, model.factorizer_.item_factors_),
        (model, X, model.predict_factors(X)),
    ):
        display = FactorExtremesDisplay.from_estimator(
            source, X_or_none, names=names, factors=[2], n=1, basis="factors"
        )
        assert display.highest[0][0] == names[factors[:, 2].argmax()]
        assert_allclose(display.lowest_values[0][0], factors[:, 2].min(), rtol=1e-6)


def test_bars_have_the_values():
    display = FactorExtremesDisplay.from_factors(V, SONGS, factors=[0, 1], n=2).plot()
    assert display.figure_ is display.ax_[0].figure
    assert_allclose([b.get_width() for b in display.ax_[0].patches], [5, 3, -1, -6])
    assert [text.get_text() for text in display.ax_[0].texts] == ["a", "b", "c", "d"]


def test_plot_draws_on_given_axes_one_for_each_factor():
    display = FactorExtremesDisplay.from_factors(V, factors=[0, 1])
    figure, axes = plt.subplots(1, 2)
    assert display.plot(axes).figure_ is figure
    with pytest.raises(ValueError, match="Got 1 Axes; expected 2"):
        display.plot(axes[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["a"]}, r"names has shape \(1,\); expected \(6,\)"),
        ({"factors": [7]}, r"factors holds 7"),
        ({"factors": 0}, r"at least 1"),
        ({"basis": "usage"}, r"needs user_factors"),
        ({"basis": "pca"}, r"expected 'usage' or 'factors'"),
        ({"min_items": 3}, r"the most frequent has 1"),
        ({"n": 0}, r"at least 1 name"),
        ({"user_factors": np.ones((3, 5))}, r"has 5 columns; expected 2"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        FactorExtremesDisplay.from_factors(V, **options)


def test_one_name_for_all_items_is_a_type_error():
    with pytest.raises(TypeError, match="single text"):
        FactorExtremesDisplay.from_factors(V, "abcdef")


def test_an_estimator_without_factors_is_a_type_error(rng):
    y = rng.poisson(1.0, size=(6, 8))
    popular = PopularityRecommender().fit(np.zeros((6, 1)), y)
    for display in (FactorExtremesDisplay, TasteMapDisplay):
        with pytest.raises(TypeError, match="PopularityRecommender keeps no factors"):
            display.from_estimator(popular)
    neighbors = ContentKNNRecommender().fit(np.eye(4), np.eye(4))
    for model, message in (
        (neighbors, "factors of ContentKNNRecommender are sparse"),
        (WMF(2, random_state=0).fit(y), "WMF does not predict factors from X"),
    ):
        with pytest.raises(TypeError, match=message):
            FactorExtremesDisplay.from_estimator(model, np.eye(4))
