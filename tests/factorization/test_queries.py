import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import cosine_similarity

from skcoldstart import WMF
from skcoldstart._scores.top_n import usage_coordinates


@pytest.fixture
def plays(rng):
    counts = rng.poisson(0.4, (40, 30)).astype(float)
    counts[3] = counts[:, 5] = 0
    return counts


@pytest.fixture
def wmf(plays):
    return WMF(6, random_state=0, reg=1.0, dtype="float64").fit(plays)


def test_scores_are_products_of_factors(wmf, rng):
    Z = rng.normal(size=(4, 6))
    assert_allclose(wmf.inverse_transform(Z), Z @ wmf.user_factors_.T)
    assert_array_equal(wmf.components_, wmf.user_factors_.T)
    with pytest.raises(ValueError, match="Z has 5 columns; expected 6"):
        wmf.inverse_transform(np.ones((2, 5)))


@pytest.mark.parametrize("excluded", [False, True])
def test_recommended_items_are_the_best_that_are_not_excluded(wmf, plays, excluded):
    users = np.array([7, 0, 7])
    exclude = sp.csr_matrix(plays) if excluded else None
    items, scores = wmf.recommend(8, users=users, exclude=exclude)
    table = wmf.inverse_transform(wmf.item_factors_)
    table[(plays > 0) & excluded] = -np.inf
    for row, user in enumerate(users):
        expected = np.argsort(-table[:, user], kind="stable")[:8]
        assert_array_equal(items[row], expected)
        assert_allclose(scores[row], table[expected, user])


def test_excluded_pairs_of_users_in_another_order_are_refused(plays):
    Y = pd.DataFrame(plays, columns=np.arange(30) + 5)
    wmf = WMF(2, random_state=0).fit(Y)
    with pytest.raises(ValueError, match="columns of exclude are not the users of fit"):
        wmf.recommend(3, exclude=Y.iloc[:, ::-1])


def test_usage_similarity_is_the_cosine_of_predicted_patterns_over_all_users(wmf):
    items, similarities = wmf.similar_items(n=5)
    patterns = wmf.inverse_transform(wmf.item_factors_)
    expected = cosine_similarity(patterns)
    np.fill_diagonal(expected, -np.inf)
    assert_allclose(
        similarities, -np.sort(-expected, axis=1)[:, :5], rtol=1e-9, atol=1e-12
    )
    played = np.arange(40) != 3
    assert_array_equal(items[played, 0], expected[played].argmax(axis=1))


def test_factor_similarity_is_the_cosine_of_factors(wmf):
    items, similarities = wmf.similar_items([4, 9], n=3, metric="factors")
    expected = cosine_similarity(wmf.item_factors_)[[4, 9]]
    for row, item in enumerate([4, 9]):
        expected[row, item] = -np.inf
        best = np.argsort(-expected[row])[:3]
        assert_array_equal(items[row], best)
        assert_allclose(similarities[row], expected[row, best])


def test_usage_similarity_does_not_depend_on_the_basis_of_the_factors(wmf, rng):
    _, before = wmf.similar_items(n=5)
    basis = rng.normal(size=(6, 6))
    wmf.item_factors_ = wmf.item_factors_ @ basis
    wmf.user_factors_ = wmf.user_factors_ @ np.linalg.inv(basis).T
    _, after = wmf.similar_items(n=5)
    assert_allclose(after, before, rtol=1e-6, atol=1e-9)


def test_an_item_is_not_similar_to_itself_and_lists_are_padded(wmf):
    items, similarities = wmf.similar_items(np.arange(40) < 2, n=45)
    assert 0 not in items[0] and 1 not in items[1]
    assert_array_equal(items[:, 39:], -1)
    assert_array_equal(similarities[:, 39:], -np.inf)
    assert_array_equal(np.sort(items[0, :39]), np.arange(1, 40))
    assert_array_equal(wmf.similar_items([3], n=4)[1], 0)  # nobody played it


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metric": "euclidean"}, "expected 'usage' or 'factors'"),
        ({"items": [40]}, "items holds 40 but there are 40 items"),
        ({"n": 0}, "n=0; expected an integer"),
    ],
)
def test_similar_items_names_what_it_cannot_use(wmf, arguments, match):
    with pytest.raises(ValueError, match=match):
        wmf.similar_items(**arguments)


@pytest.mark.parametrize("n_users", [3, 5000])
def test_usage_coordinates_keep_products_of_patterns(rng, n_users):
    V, U = rng.normal(size=(9, 6)), rng.normal(size=(n_users, 6))
    points = usage_coordinates(V, U)
    patterns = V @ U.T
    assert_allclose(points @ points.T, patterns @ patterns.T, rtol=1e-9, atol=1e-9)
