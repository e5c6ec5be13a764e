"""Attributes computed once."""

from skcoldstart._utils.cached import cached_property


class Table:
    n_computed = 0

    @cached_property
    def rows(self):
        """Rows of the table."""
        self.n_computed += 1
        return []


def test_the_value_is_computed_once_for_each_instance():
    one, other = Table(), Table()
    assert one.rows is one.rows
    assert one.rows is not other.rows
    assert (one.n_computed, other.n_computed) == (1, 1)
    assert Table.rows.__doc__ == "Rows of the table."
