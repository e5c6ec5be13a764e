"""Ways to read a table of contributions."""

import numpy as np


def rows_of(explanation):
    """Return the rows of a table, a DataFrame or columns, as dicts."""
    columns = [np.asarray(explanation[name]).tolist() for name in explanation]
    return [
        dict(zip(explanation, row, strict=True)) for row in zip(*columns, strict=True)
    ]


def by_source(explanation, kind=None):
    """Return the contributions to one score by their source."""
    rows = [row for row in rows_of(explanation) if kind in (None, row["kind"])]
    found = {row["source"]: row["contribution"] for row in rows}
    assert len(found) == len(rows)
    return found


def sums(explanation, shape):
    """Return the sum of contributions of each item and user, given by its index."""
    totals = np.zeros(shape)
    pairs = explanation["item"], explanation["user"]
    np.add.at(totals, pairs, explanation["contribution"])
    return totals
