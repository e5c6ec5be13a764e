"""A table of names: the numbers of a dictionary, whatever the bytes are."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcoldstart.datasets._name_table import NameTable


def parts_of(names):
    """Return names one after the other, and where each starts."""
    ends = np.cumsum([0, *map(len, names)])
    return np.frombuffer(b"".join(names), np.uint8), ends


@pytest.fixture
def names(rng):
    """Names of 0 to 600 bytes, most of which come again."""
    lengths = rng.choice([0, 1, 7, 8, 9, 40, 255, 256, 600], 300)
    different = [bytes(rng.integers(0, 3, n).astype(np.uint8)) for n in lengths]
    return [different[i] for i in rng.integers(0, 300, 5000)]


def test_numbers_are_those_of_a_dictionary(names):
    table, known = NameTable(n_names=1), {}
    for start in range(0, len(names), 700):
        block = names[start : start + 700]
        expected = [known.setdefault(name, len(known)) for name in block]
        assert_array_equal(table.codes(*parts_of(block)), expected)
    assert len(table) == len(known)
    assert_array_equal(table.lengths(), [*map(len, known)])
    data, offsets = table.to_buffer()
    assert data.tobytes() == b"".join(known)
    assert_array_equal(offsets, parts_of(known)[1])
