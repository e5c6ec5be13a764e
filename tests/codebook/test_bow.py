"""BagOfWords: counts, weights, and codes that do not exist."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import TfidfTransformer

from skcoldstart import BagOfWords, RaggedArray
from skcoldstart._sequences.ragged import LazySequence
from tests.references.codewords import count_table


@pytest.fixture
def codes(rng):
    return [rng.integers(0, 9, n).astype(np.int32) for n in (5, 0, 300, 1, 40)]


CONTAINERS = {
    "list": list,
    "list of lists": lambda items: [item.tolist() for item in items],
    "object array": lambda items: np.array([*items, None], dtype=object)[:-1],
    "Series": pd.Series,
    "RaggedArray": RaggedArray.from_sequence,
    "uint16": lambda items: RaggedArray.from_sequence(items, dtype=np.uint16),
    "uint64 and int64": lambda items: [
        item.astype(np.uint64 if i % 2 else np.int64) for i, item in enumerate(items)
    ],
    "lazy": lambda items: LazySequence(lambda i: items[i], range(len(items))),
}


@pytest.mark.parametrize("sparse_output", [False, True])
@pytest.mark.parametrize("container", CONTAINERS)
def test_counts_equal_bincount_in_any_container(codes, container, sparse_output):
    X = CONTAINERS[container](codes)
    bags = BagOfWords(11, sparse_output=sparse_output).fit_transform(X)
    assert bags.dtype == np.float32
    assert sp.issparse(bags) == sparse_output
    if sparse_output:
        # Many estimators refuse 64-bit indices.
        assert bags.indices.dtype == bags.indptr.dtype == np.int32
        assert bags.format == "csr"
        assert bags.has_canonical_format
        assert bags.data.all()
        bags = bags.toarray()
    assert_array_equal(bags, count_table(codes, 11))


@pytest.mark.parametrize(
    "table",
    [
        np.asarray,
        lambda rows: np.array(rows, object),
        lambda rows: pd.DataFrame(rows, columns=["a", "b", "c"]),
        lambda rows: pl.DataFrame(rows, schema=["a", "b", "c"], orient="row"),
    ],
    ids=["array", "objects", "pandas", "polars"],
)
def test_a_table_is_items_of_equal_length(table):
    rows = [[0, 1, 1], [2, 2, 2]]
    assert_array_equal(BagOfWords().fit_transform(table(rows)), [[1, 2, 0], [0, 0, 3]])


# Items are counted in blocks of 512, or of 131,072 counters.
@pytest.mark.parametrize("sparse_output", [False, True])
@pytest.mark.parametrize(
    ("n_codewords", "n_items"), [(7, 1_100), (5_000, 80), (140_000, 4)]
)
def test_items_of_all_blocks_are_counted(rng, n_codewords, n_items, sparse_output):
    codes = [rng.integers(0, n_codewords, n) for n in rng.integers(0, 9, n_items)]
    bags = BagOfWords(n_codewords, sparse_output=sparse_output).fit_transform(codes)
    bags = bags.toarray() if sparse_output else bags
    assert_array_equal(bags, count_table(codes, n_codewords))


@pytest.mark.parametrize("sparse_output", [False, True])
@pytest.mark.parametrize("weighting", ["count", "frequency", "sqrt", "tfidf"])
def test_weights_are_their_formula_on_held_out_items(
    codes, rng, weighting, sparse_output
):
    bow = BagOfWords(12, weighting=weighting, sparse_output=sparse_output).fit(codes)
    held_out = [rng.integers(0, 12, n) for n in (30, 0, 7)]
    counts = count_table(held_out, 12)
    if weighting == "tfidf":
        tfidf = TfidfTransformer().fit(count_table(codes, 12))
        assert_allclose(bow.idf_, tfidf.idf_, rtol=1e-12)
        expected = tfidf.transform(counts).toarray()
    else:
        n_frames = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        expected = {"frequency": counts / n_frames, "sqrt": np.sqrt(counts)}.get(
            weighting, counts
        )
    bags = bow.transform(held_out)
    bags = bags.toarray() if sparse_output else bags
    assert_allclose(bags, expected, rtol=1e-6)


def test_the_number_of_codewords_is_the_largest_code_plus_one(codes):
    largest = max(item.max() for item in codes if len(item))
    bow = BagOfWords().fit(codes)
    assert bow.n_codewords_ == 1 + largest
    unsigned = RaggedArray.from_sequence(codes, dtype=np.uint8)
    assert BagOfWords().fit(unsigned).n_codewords_ == 1 + largest
    assert BagOfWords(99).fit(codes).n_codewords_ == 99
    assert not hasattr(bow, "n_features_in_")


def test_a_higher_code_names_the_item_and_the_remedy():
    bow = BagOfWords().fit([np.array([0, 3])])
    items = [np.array([1]), np.array([], int), np.array([3, 4])]
    with pytest.raises(ValueError, match=r"Item 2 .* code 4; .*\[0, 4\).*n_codewords"):
        bow.transform(items)
    with pytest.raises(ValueError, match=r"Item 2 .* code 4"):
        BagOfWords(4).fit(items)
    many = [np.array([0])] * 700 + [np.array([9])]
    with pytest.raises(ValueError, match=r"Item 700 .* code 9"):
        bow.transform(many)


def test_a_negative_code_names_the_item():
    items = [np.array([0]), np.array([2, -1])]
    for bow in (BagOfWords(), BagOfWords(5)):
        with pytest.raises(ValueError, match=r"Item 1 .* code -1"):
            bow.fit(items)


@pytest.mark.parametrize("item", [[0.0, 1.0], [[0, 1]], ["a"], [True], 1], ids=str)
def test_what_are_no_codes_is_refused_by_item(item):
    with pytest.raises(ValueError, match=r"Item 1 .*expected 1-D integer codes"):
        BagOfWords(3).fit([np.array([0, 1]), np.array(item)])


def test_frames_and_single_items_are_refused():
    for X in (np.zeros((3, 4)), np.arange(4), RaggedArray(np.zeros((4, 2)), [0, 4])):
        with pytest.raises(ValueError, match="quantize frames first"):
            BagOfWords(3).fit(X)


def test_items_without_any_code_need_the_number_of_codewords():
    empty = [np.array([], int)] * 3
    with pytest.raises(ValueError, match="Pass n_codewords"):
        BagOfWords().fit(empty)
    assert_array_equal(BagOfWords(2).fit_transform(empty), np.zeros((3, 2)))


def test_another_fit_forgets_the_one_before(codes):
    bow = BagOfWords(weighting="tfidf").fit(codes)
    bow.set_params(weighting="count").fit([np.array([0, 1])])
    assert bow.n_codewords_ == 2
    assert not hasattr(bow, "idf_")
