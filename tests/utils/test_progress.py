"""Progress bars: shown when asked for, and nothing left behind."""

import threading

import pytest

from skcoldstart._utils.progress import progress_bar


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_bar_counts_iterates_and_leaves_no_thread(verbose, capsys):
    before = set(threading.enumerate())
    with progress_bar(description="Songs", verbose=verbose, total=4) as bar:
        bar.set_postfix(loss=1.5)
        bar.update(3)
        bar.update()
        assert bar.n == 4
    assert list(progress_bar("abc", description="", verbose=verbose)) == list("abc")
    assert set(threading.enumerate()) <= before
    shown = capsys.readouterr().err
    assert ("Songs" in shown and "4/4" in shown) == bool(verbose)
    assert bool(shown) == bool(verbose)
