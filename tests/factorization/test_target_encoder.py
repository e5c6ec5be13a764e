"""FactorTargetEncoder: closed forms, folds, categories of every type, composition."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    FactorTargetEncoder,
    load_model,
    save_model,
)

ARTISTS = np.array([["a"], ["b"], ["a"], ["c"], ["a"]], dtype=object)
FACTORS = np.array([[1.0, 0.0], [4.0, 2.0], [3.0, 1.0], [0.0, 8.0], [2.0, -1.0]])
MEAN = [2.0, 2.0]


def encodings_by_hand(categories, factors, shrinkage):
    """Return the formula of the docstring as a dict."""
    found = {}
    for category in set(categories):
        own = factors[[c == category for c in categories]]
        prior = shrinkage * factors.mean(axis=0)
        found[category] = (own.sum(axis=0) + prior) / (len(own) + shrinkage)
    return found


@pytest.mark.parametrize("shrinkage", [0, 0.5, 2, 1e9])
def test_a_category_is_the_shrunken_mean_of_its_items(shrinkage):
    encoder = FactorTargetEncoder(shrinkage=shrinkage).fit(ARTISTS, FACTORS)
    expected = encodings_by_hand(ARTISTS[:, 0], FACTORS, shrinkage)
    assert_allclose(
        encoder.transform([["c"], ["a"], ["b"]]), [expected[c] for c in "cab"]
    )
    assert_array_equal(encoder.counts_[0], [3, 1, 1])
    assert_array_equal(encoder.categories_[0], ["a", "b", "c"])
    assert_allclose(encoder.target_mean_, MEAN)


def test_what_fit_has_not_seen_is_the_mean_of_all_items():
    encoder = FactorTargetEncoder(shrinkage=0).fit(ARTISTS, FACTORS)
    unknown = np.array([["z"], [None], [np.nan], [""], [1]], dtype=object)
    assert_allclose(encoder.transform(unknown), np.tile(MEAN, (5, 1)))


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT, float("nan")])
def test_missing_values_are_no_category(gap):
    artists = ARTISTS.copy()
    artists[1, 0] = artists[3, 0] = gap
    encoder = FactorTargetEncoder(shrinkage=1).fit(artists, FACTORS)
    assert_array_equal(encoder.categories_[0], ["a"])
    expected = (FACTORS[[0, 2, 4]].sum(axis=0) + MEAN) / 4
    assert_allclose(encoder.transform([["a"]])[0], expected)
    # Two songs without an artist are not by the same artist.
    alone = FactorTargetEncoder(shrinkage=1, cv=KFold(5))
    assert_allclose(
        alone.fit_transform(artists, FACTORS)[3], FACTORS[[0, 1, 2, 4]].mean(axis=0)
    )


def test_items_are_encoded_from_the_other_folds():
    encoder = FactorTargetEncoder(shrinkage=1, cv=KFold(5))
    encoded = encoder.fit_transform(ARTISTS, FACTORS)
    for row in range(5):
        others = np.arange(5) != row
        of_others = encodings_by_hand(ARTISTS[others, 0], FACTORS[others], 1)
        expected = of_others.get(ARTISTS[row, 0], FACTORS[others].mean(axis=0))
        assert_allclose(encoded[row], expected)
    # What is learnt is learnt from all items.
    assert_allclose(
        encoder.transform(ARTISTS),
        FactorTargetEncoder(shrinkage=1).fit(ARTISTS, FACTORS).transform(ARTISTS),
    )


def test_own_factors_never_reach_an_encoding(rng):
    artists = rng.integers(5, size=(40, 1))
    factors = rng.normal(size=(40, 3))
    changed = factors.copy()
    changed[7] += 100
    for cv in (2, 5, 100, KFold(4)):
        encoder = FactorTargetEncoder(cv=cv)
        before = encoder.fit_transform(artists, factors)[7]
        assert_allclose(encoder.fit_transform(artists, changed)[7], before)


def test_whole_numbers_deal_each_artist_to_the_folds_whatever_the_order(rng):
    """Catalogues are sorted by artist: plain folds would hold out whole artists."""
    artists = np.repeat(np.arange(20), 5)[:, np.newaxis]
    of_artist = rng.normal(size=(20, 2))
    factors = of_artist[artists[:, 0]]
    encoded = FactorTargetEncoder(shrinkage=0).fit_transform(artists, factors)
    assert_allclose(encoded, factors)
    plain = FactorTargetEncoder(shrinkage=0, cv=KFold(20))
    assert np.abs(plain.fit_transform(artists, factors) - factors).max() > 0.5


def test_columns_are_encoded_one_by_one_and_named(rng):
    table = pd.DataFrame({
        "artist": rng.choice(list("abc"), 30),
        "year": rng.integers(1990, 1993, 30),
    })
    factors = rng.normal(size=(30, 2))
    both = FactorTargetEncoder().fit(table, factors)
    assert list(both.get_feature_names_out()) == [
        *("artist_0", "artist_1", "year_0", "year_1")
    ]
    for name, part in (("artist", slice(0, 2)), ("year", slice(2, 4))):
        one = FactorTargetEncoder()
        assert_allclose(
            one.fit_transform(table[[name]], factors),
            both.fit_transform(table, factors)[:, part],
        )
        assert_allclose(one.transform(table[[name]]), both.transform(table)[:, part])
    frame = clone(both).set_output(transform="pandas").fit_transform(table, factors)
    assert list(frame.columns) == list(both.get_feature_names_out())
    assert list(frame.index) == list(table.index)


@pytest.mark.parametrize(
    "values",
    [
        np.array([3, 1, 3, 2, 3]),
        np.array([0.5, 2.5, 0.5, 1.5, 0.5]),
        np.array([True, False, True, True, True]),
        np.array(["x", "yy", "x", "z", "x"]),
        np.array(["x", "yy", "x", "z", "x"], dtype=object),
        np.array([1, "b", 1, 2.5, 1], dtype=object),
        np.array(["2020", "2021", "2020", "2022", "2020"], dtype="datetime64[D]"),
        pd.Series(["x", "y", "x", "z", "x"], dtype="category"),
        pd.Series(["x", "y", "x", "z", "x"], dtype="string"),
        pd.Series([3, 1, 3, 2, 3], dtype="Int64"),
        [("x", 1), ("y", 1), ("x", 1), ("z", 1), ("x", 1)],
    ],
    ids=lambda values: str(getattr(values, "dtype", "tuples")),
)
def test_categories_are_of_any_type(values):
    if isinstance(values, pd.Series):
        column = values.to_frame("artist")
    else:
        column = np.empty((5, 1), getattr(values, "dtype", object))
        column[:, 0] = values
    encoded = FactorTargetEncoder(shrinkage=1).fit(column, FACTORS).transform(column)
    keys = list(map(str, values))
    expected = encodings_by_hand(keys, FACTORS, 1)
    assert_allclose(encoded, [expected[key] for key in keys])


def test_numbers_beside_text_stay_numbers():
    encoder = FactorTargetEncoder(shrinkage=0).fit([["1"], [1]], [[5.0], [7.0]])
    assert_allclose(encoder.transform([[1], ["1"]]), [[7.0], [5.0]])


def test_sparse_y_is_plays_and_is_factorized(rng):
    plays = sp.csr_array(rng.poisson(0.4, size=(60, 25)).astype(float))
    artists = rng.integers(8, size=(60, 1))
    wmf = WMF(n_components=4, random_state=0)
    encoder = FactorTargetEncoder(wmf, shrinkage=1)
    from_plays = encoder.fit_transform(artists, plays)
    played = np.diff(plays.indptr) > 0
    factors = clone(wmf).fit_transform(plays)
    by_hand = encodings_by_hand(artists[played, 0], factors[played], 1)
    assert_allclose(encoder.transform([[3]])[0], by_hand[3], rtol=1e-4, atol=1e-6)
    assert encoder.factorizer_ is not wmf
    assert from_plays.shape == (60, 4)
    dense = FactorTargetEncoder(clone(wmf), shrinkage=1)
    assert_allclose(dense.fit_transform(artists, plays.toarray()), from_plays)
    assert FactorTargetEncoder().fit(artists, plays).encodings_[0].shape[0] == 8


def test_items_without_plays_do_not_count(rng):
    plays = rng.poisson(0.4, size=(30, 12)).astype(float)
    artists = rng.integers(4, size=(30, 1))
    wmf = TruncatedSVD(3, random_state=0)
    expected = FactorTargetEncoder(wmf).fit(artists, plays)
    silent = np.vstack([plays, np.zeros((5, 12))])
    more = np.vstack([artists, [[0], [0], [1], [9], [9]]])
    encoder = FactorTargetEncoder(wmf).fit(more, silent)
    assert_allclose(encoder.target_mean_, expected.target_mean_, atol=1e-8)
    assert_allclose(encoder.transform(artists), expected.transform(artists), atol=1e-8)
    assert_allclose(encoder.transform([[9]])[0], encoder.target_mean_)


def test_the_artist_helps_inside_the_regressor_of_a_recommender(rng):
    """An effect of the artist that content says nothing of."""
    artist = np.arange(300) % 30
    taste, users = 2 * rng.normal(size=(30, 3)), rng.normal(size=(80, 3))
    odds = 1 / (1 + np.exp(3 - taste[artist] @ users.T))
    y = sp.csr_array((rng.random(odds.shape) < odds).astype(float))
    X = pd.DataFrame({"artist": artist.astype(str), "noise": rng.normal(size=300)})
    encoded = (FactorTargetEncoder(shrinkage=1), ["artist"])
    scores = []
    for columns in ([encoded], []):
        content = make_column_transformer(*columns, ("passthrough", ["noise"]))
        model = ColdStartRecommender(
            make_pipeline(content, Ridge()), WMF(4, random_state=0)
        )
        scores.append(model.fit(X[:200], y[:200]).score(X[200:], y[200:]))
    assert scores[0] > 1.5 * scores[1]


def test_saved_and_loaded_without_code(tmp_path, rng):
    table = pd.DataFrame({"a": ["x", "y", None, "x"], "b": [1, 2, 2, 1]})
    encoder = FactorTargetEncoder().fit(table, rng.normal(size=(4, 2)))
    save_model(encoder, tmp_path / "encoder")
    again = load_model(tmp_path / "encoder")
    assert_array_equal(again.transform(table), encoder.transform(table))


def test_single_precision_stays():
    encoder = FactorTargetEncoder()
    assert encoder.fit_transform(ARTISTS, FACTORS.astype("f")).dtype == np.float32
    assert encoder.transform(ARTISTS).dtype == np.float32


def test_what_is_wrong_is_said():
    lists = np.empty((5, 1), dtype=object)
    lists[:, 0] = [["Ada", "Bo"]] * 5
    encoder = FactorTargetEncoder()
    for X, y, match in (
        (ARTISTS, FACTORS[:3], "one row per item"),
        (ARTISTS, None, "requires y to be passed"),
        (ARTISTS, sp.csr_array((5, 3)), "has no plays"),
        (ARTISTS, np.full((5, 2), np.nan), "NaN"),
        (ARTISTS[:, 0], FACTORS, "Expected 2D array"),
        (lists, FACTORS, "can be hashed"),
    ):
        with pytest.raises((ValueError, TypeError), match=match):
            encoder.fit(X, y)
    with pytest.raises(ValueError, match="cv"):
        FactorTargetEncoder(cv=1).fit(ARTISTS, FACTORS)
