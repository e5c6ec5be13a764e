import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skcoldstart.metrics import coverage, novelty


def test_coverage_counts_each_item_once_and_no_padding():
    assert coverage([[0, 1], [1, -1], [-1, -1]], n_items=8) == 2 / 8
    assert coverage(np.arange(8).reshape(2, 4), n_items=8) == 1.0
    assert coverage([[-1]], n_items=8) == 0.0


def test_novelty_is_the_mean_information_of_recommendations():
    y = np.array([[1, 1, 1], [0, 9, 0], [0, 0, 0]])
    bits = np.log2([4 / 4, 4 / 2, 4 / 1])
    assert_allclose(novelty([[0, 1], [1, -1]], y), (bits[0] + 2 * bits[1]) / 3)
    assert_allclose(novelty([[2]], sp.csr_array(y)), bits[2])
    assert novelty([[0, 0]], y) == 0.0


def test_novelty_of_nothing_is_nan():
    assert np.isnan(novelty([[-1, -1]], np.eye(2)))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([[0, 2]], "item 2 but there are 2 items"),
        ([[-2, 0]], "item -2"),
        ([0, 1], r"shape \(2,\)"),
        ([[0.5]], "dtype float64"),
    ],
)
def test_recommendations_of_another_form_are_refused(items, message):
    with pytest.raises(ValueError, match=message):
        coverage(items, n_items=2)
    with pytest.raises(ValueError, match=message):
        novelty(items, np.eye(2))
