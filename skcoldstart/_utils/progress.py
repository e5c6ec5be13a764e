"""Progress bars, shown only if ``verbose`` is set."""

import functools
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    description: str,
    verbose: int | bool,
    total: int | None = None,
    unit: str = "it",
) -> Any:
    """Return a tqdm bar on standard error, silent if `verbose` is 0."""
    if not verbose:
        return _SilentBar(iterable)
    return _bar_class()(iterable, desc=description, total=total, unit=unit)


class _SilentBar:
    """Replace a silent tqdm bar, without its locks."""

    def __init__(self, iterable: Iterable[Any] | None) -> None:
        self._iterable = iterable or ()
        self.n = 0

    def __enter__(self) -> "_SilentBar":
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def update(self, n: int = 1) -> None:
        self.n += n

    def close(self, *args: Any, **values: Any) -> None:
        """Do nothing."""

    __exit__ = set_postfix = close


@functools.cache
def _bar_class() -> Any:
    """Return tqdm without a monitor thread, and usable in a forked child."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        monitor_interval = 0

    # tqdm's own lock is shared by processes, so a forked child may wait for it forever.
    lock = threading.RLock()
    Bar.set_lock(lock)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire,
            after_in_parent=lock.release,
            after_in_child=lock.release,
        )
    return Bar
