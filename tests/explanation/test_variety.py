"""Lists ordered anew, and what is shown to anybody."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import PopularityRecommender, diversify, exposure_report, recommend


@pytest.fixture
def lists(rng):
    """Return eight lists of twelve of 40 items, best first."""
    items = np.stack([rng.permutation(40)[:12] for _ in range(8)])
    return items, -np.sort(-rng.normal(size=(8, 12))), rng.normal(size=(40, 5))


def scaled(scores):
    return (scores - scores.min()) / (scores.max() - scores.min())


def cosines_of(items, vectors):
    unit = vectors[items] / np.linalg.norm(vectors[items], axis=1, keepdims=True)
    return unit @ unit.T


def by_mmr(items, scores, vectors, trade_off, n):
    relevance, cosines, taken = scaled(scores), cosines_of(items, vectors), []
    while len(taken) < n:
        value = trade_off * relevance
        if taken:
            value = value - (1 - trade_off) * cosines[:, taken].max(axis=1)
        value[taken] = -np.inf
        taken.append(int(value.argmax()))
    return items[taken]


def by_determinants(items, scores, vectors, trade_off, n):
    quality = np.exp(trade_off * scaled(scores) / (2 * (1 - trade_off)))
    kernel = np.outer(quality, quality) * (1 + cosines_of(items, vectors)) / 2
    taken = []
    while len(taken) < n:
        left = [i for i in range(len(items)) if i not in taken]
        value = [np.linalg.det(kernel[np.ix_([*taken, i], [*taken, i])]) for i in left]
        # Equal items keep their order, whatever the last digits of a determinant.
        taken.append(left[int(np.argmax(np.round(value, 12)))])
    return items[taken]


@pytest.mark.parametrize("trade_off", [0.0, 0.3, 0.7, 0.95])
@pytest.mark.parametrize(
    ("method", "twin", "n"), [("mmr", by_mmr, 12), ("dpp", by_determinants, 5)]
)
def test_the_order_is_that_of_the_definition(method, twin, n, trade_off, lists):
    items, scores, vectors = lists
    found, values = diversify(
        items, scores, vectors, method=method, trade_off=trade_off, n=n
    )
    for row, (listed, of_list) in enumerate(zip(items, scores, strict=True)):
        assert_array_equal(found[row], twin(listed, of_list, vectors, trade_off, n))
        of_item = dict(zip(listed.tolist(), of_list.tolist(), strict=True))
        assert values[row].tolist() == [of_item[item] for item in found[row].tolist()]


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_scores_alone_keep_the_order_and_variety_comes_with_less_weight(method, lists):
    items, scores, vectors = lists
    same, _ = diversify(items, scores, vectors, method=method, trade_off=1.0)
    assert_array_equal(same, items)

    def alike(trade_off):
        found, _ = diversify(
            items, scores, vectors, method=method, trade_off=trade_off, n=5
        )
        return np.mean([cosines_of(row, vectors).mean() for row in found.filled()])

    assert alike(0.2) < alike(1.0)


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_short_lists_and_equal_items_stay_whole(method, lists):
    items, scores, vectors = lists
    vectors[:] = vectors[0]
    items = np.ma.masked_array(items, np.arange(12) >= [[4], *[[12]] * 7])
    found, values = diversify(items, scores, vectors, method=method)
    assert_array_equal(found.filled(), items.filled(-1))
    assert_array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(found))


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_lists_hold_only_so_many_of_a_group(method, lists):
    items, scores, vectors = lists
    groups = np.array(["a", "b", "c", "d"])[np.arange(40) % 4]
    found, _ = diversify(
        *(items, scores, vectors), method=method, max_per_group=2, groups=groups
    )
    for row, listed in zip(found, items, strict=True):
        _, counts = np.unique(groups[row.compressed()], return_counts=True)
        assert counts.max() == 2
        available = np.minimum(np.unique(groups[listed], return_counts=True)[1], 2)
        assert len(row.compressed()) == available.sum()


def test_lists_of_a_recommender_are_taken_as_they_are(rng):
    X, y = rng.integers(0, 5, size=(30, 1)), rng.poisson(1.0, size=(30, 6))
    found = recommend(PopularityRecommender().fit(X, y), X, n=8)
    one = diversify(found, found.scores, rng.normal(size=(30, 3)), trade_off=1.0)
    assert_array_equal(one[0], found.items)


def test_lists_that_do_not_fit_are_refused(lists):
    items, scores, vectors = lists
    with pytest.raises(ValueError, match="but vectors has 20 rows"):
        diversify(items, scores, vectors[:20])
    with pytest.raises(ValueError, match=r"expected indices and scores of one shape"):
        diversify(items, scores[:, 1:], vectors)
    with pytest.raises(ValueError, match="scores contain NaN"):
        diversify(items, np.full(scores.shape, np.nan), vectors)
    with pytest.raises(ValueError, match="pass both"):
        diversify(items, scores, vectors, max_per_group=1)
    with pytest.raises(ValueError, match="1 of 40 items, the first in row 0"):
        diversify(
            *(items, scores, vectors), max_per_group=1, groups=[None, *["a"] * 39]
        )


# Exposure


def test_exposure_of_items_groups_and_strata_by_hand():
    lists = np.ma.masked_array(
        [[0, 1, 2], [0, 1, 9]], [[False] * 3, [False, False, True]]
    )
    table = exposure_report(
        lists,
        6,
        new_items=[0, 0, 1, 1, 1, 0],
        groups=["a", "a", "b", "b", "c", "c"],
        popularity=[9, 1, 0, 3, 0, 0],
        n_strata=2,
    )
    rows = table.set_index(["by", "part"])
    expected = {
        ("all", "all"): (6, 3, 1 / 2, 1.0),
        ("items", "new"): (3, 1, 1 / 3, 0.2),
        ("items", "known"): (3, 2, 2 / 3, 0.8),
        ("groups", "all"): (3, 2, 2 / 3, 1.0),
        ("popularity", "0-3"): (4, 1, 1 / 4, 0.2),
        ("popularity", "10"): (2, 2, 1.0, 0.8),
    }
    assert rows.index.tolist() == list(expected)
    columns = ["n", "n_shown", "shown", "exposure"]
    assert_allclose(rows[columns], list(expected.values()))
    gini = 2 * (2 * 1 + 3 * 4) / (3 * 5) - 4 / 3
    assert_allclose(rows.loc[("groups", "all"), "gini"], gini)


def test_gini_is_the_mean_difference_of_pairs(rng):
    lists = rng.integers(0, 12, size=(30, 4)) ** 2 // 12
    places = np.bincount(lists.ravel(), minlength=15)
    expected = np.abs(places[:, None] - places).mean() / (2 * places.mean())
    assert_allclose(exposure_report(lists, 15)["gini"][0], expected)
    equal = np.arange(12).reshape(4, 3)
    assert_allclose(exposure_report(equal, 12)["gini"][0], 0.0, atol=1e-15)
    assert_allclose(exposure_report([[3], [3]], 5)["gini"][0], 1 - 1 / 5)


def test_nothing_shown_is_nan_and_what_does_not_fit_is_refused():
    table = exposure_report([[-1, -1]], 4)
    assert (table["shown"][0], table["n_shown"][0]) == (0.0, 0)
    assert np.isnan([table["gini"][0], table["exposure"][0]]).all()
    with pytest.raises(ValueError, match="hold 4; expected item indices below"):
        exposure_report([[4]], 4)
    with pytest.raises(ValueError, match=r"expected shape \(4,\)"):
        exposure_report([[0]], 4, popularity=[1, 2])
    with pytest.raises(ValueError, match="there are 4 items"):
        exposure_report([[0]], 4, groups=["a"])
