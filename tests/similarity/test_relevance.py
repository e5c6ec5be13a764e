"""Which items are relevant: from plays, labels and tables."""

import numpy as np
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skcoldstart.similarity._targets import (
    LabelRelevance,
    TableRelevance,
    listeners_in_common,
)
from tests.references.relevance import most_alike


def as_table(relevance, n_items):
    indptr, items = relevance.of(np.arange(n_items))
    table = np.zeros((n_items, n_items), bool)
    table[np.repeat(np.arange(n_items), np.diff(indptr)), items] = True
    return table


def test_listeners_in_common_are_those_of_all_pairs(rng):
    # Few users make many ties, at 0 and above.
    plays = rng.poisson(0.4, size=(40, 7))
    plays[3] = 0
    groups = rng.integers(0, 30, 40).astype(np.int32)
    for n_relevant in (1, 5, 40):
        found = listeners_in_common(sp.csr_array(plays), groups, n_relevant, 1)
        expected = most_alike(plays, n_relevant, groups)
        assert_array_equal(found.toarray() > 0, expected)


def test_number_of_threads_changes_nothing(rng):
    plays = sp.csr_array(rng.poisson(0.2, size=(600, 30)))
    groups = np.arange(600, dtype=np.int32)
    one, two = (listeners_in_common(plays, groups, 4, n_jobs) for n_jobs in (1, 2))
    assert_array_equal(one.toarray(), two.toarray())


def test_label_relevance_is_same_class_in_another_group(rng):
    labels, groups = rng.integers(0, 3, 25), rng.integers(0, 12, 25).astype(np.int32)
    relevance = LabelRelevance(labels, groups)
    same = (labels[:, None] == labels) & (groups[:, None] != groups)
    assert_array_equal(as_table(relevance, 25), same)
    assert_array_equal(relevance.counts, same.sum(axis=1))


def test_table_relevance_drops_pairs_within_a_group_and_lists_any_rows(rng):
    table = rng.random((20, 20)) < 0.3
    groups = rng.integers(0, 12, 20).astype(np.int32)
    relevance = TableRelevance(sp.csr_array(table.astype(np.int8)), groups)
    kept = table & (groups[:, None] != groups)
    assert_array_equal(as_table(relevance, 20), kept)
    queries = np.array([7, 2, 19])
    indptr, items = relevance.of(queries)
    for place, q in enumerate(queries):
        own = items[indptr[place] : indptr[place + 1]]
        assert_array_equal(np.sort(own), np.flatnonzero(kept[q]))
