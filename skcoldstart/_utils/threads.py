"""Threads for kernels, with BLAS limited to one thread."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import Any

import joblib
import numpy as np
from threadpoolctl import ThreadpoolController

ThreadMap = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


def n_kernel_threads(n_jobs: int | None) -> int:
    """Return the number of threads that a compiled kernel may use."""
    from skcoldstart._kernels.compilation import N_THREADS

    if n_jobs is None:
        return N_THREADS
    return max(1, min(joblib.effective_n_jobs(n_jobs), N_THREADS))


@cache
def one_torch_thread_in_children() -> None:
    """Make torch usable in forked children, which do not have its threads.

    OpenMP would wait for these threads forever.
    """
    if hasattr(os, "register_at_fork"):
        torch = sys.modules["torch"]
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class _BlasLimit:
    """The limit of one BLAS thread, shared by all threads that hold it.

    The number of BLAS threads is global. If two overlapping threads each restored the
    value they found, the last one would restore the limit of the first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread_of: dict[object, int] = {}  # number of holders
        self._modules = (0, "")
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._go_on_in_child,
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Limit BLAS to one thread, so that results do not depend on its number.

        Several threads may hold the limit: the first sets it, the last restores the old
        value.
        """
        holder = object()
        with self._lock:
            if not self._thread_of:
                # The search for libraries takes milliseconds; new modules can add
                # libraries.
                modules = len(sys.modules), next(reversed(sys.modules))
                if self._modules != modules:
                    self._controller = ThreadpoolController()
                    self._modules = modules
                self._limits = self._controller.limit(limits=1, user_api="blas")
            self._thread_of[holder] = threading.get_ident()
        try:
            yield
        finally:
            with self._lock:
                self._thread_of.pop(holder, None)
                self._restore_if_free()

    def _restore_if_free(self) -> None:
        if not self._thread_of:
            self._hand_over()
            self._limits.restore_original_limits()
            self._hand_over()

    def _hand_over(self) -> None:
        """Allow any thread to set limits: threadpoolctl 3.8 allows only one."""
        for library in self._controller.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)

    def _go_on_in_child(self) -> None:
        """Remove holders in threads that a forked child does not have."""
        try:
            if self._thread_of:
                here = threading.get_ident()
                holders = self._thread_of.items()
                self._thread_of = {holder: t for holder, t in holders if t == here}
                self._restore_if_free()
        finally:
            self._lock.release()


one_blas_thread = _BlasLimit().held


_held_draws: list[Any] = []  # locks of NumPy's global random state


def _hold_draws() -> None:
    """Let no other thread draw from NumPy's global random state during a fork.

    The child would inherit a lock that nobody releases, and its first draw, which
    ``random_state=None`` makes, would wait forever.
    """
    lock = np.random.mtrand.get_bit_generator().lock
    if lock.acquire(timeout=10):  # if not, the fork must not wait forever
        _held_draws.append(lock)


def _release_draws() -> None:
    while _held_draws:
        _held_draws.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_hold_draws,
        after_in_parent=_release_draws,
        after_in_child=_release_draws,
    )


@contextmanager
def worker_threads(n_jobs: int | None) -> Iterator[ThreadMap]:
    """Keep threads for many short rounds of work, with BLAS limited to one thread.

    Yields a function that maps over items and returns the results in order.
    """
    n_threads = n_kernel_threads(n_jobs)
    with one_blas_thread():
        if n_threads == 1:
            yield lambda function, items: list(map(function, items))
            return
        with ThreadPoolExecutor(n_threads - 1) as pool:
            yield lambda function, items: _run(pool, n_threads, function, items)


def _run(
    pool: ThreadPoolExecutor,
    n_threads: int,
    function: Callable[[Any], Any],
    items: Iterable[Any],
) -> list[Any]:
    """Map over items: each thread takes the next item until none is left.

    The calling thread takes part and starts at once. There is one future per thread
    instead of one per item, because small items take less time than a future.
    """
    waiting = deque(enumerate(items))
    results: list[Any] = [None] * len(waiting)

    def work() -> None:
        while True:
            try:
                place, item = waiting.popleft()
            except IndexError:
                return
            try:
                results[place] = function(item)
            except BaseException:
                waiting.clear()
                raise

    threads: list[Future[None]] = []
    try:
        for _ in range(min(n_threads, len(waiting)) - 1):
            threads.append(pool.submit(work))
        work()
        for thread in threads:
            thread.result()
    finally:
        waiting.clear()
        wait(threads)
    return results


def read_ahead(
    read: Callable[[Any], Any], tasks: Iterator[Any], n_threads: int
) -> Iterator[Any]:
    """Yield ``read(task)`` in order, twice as many tasks ahead as there are threads.

    joblib's generators and a pool's map read ahead without a limit.
    """
    if n_threads == 0:
        yield from map(read, tasks)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        pending: deque[Any] = deque()
        try:
            for task in tasks:
                pending.append(pool.submit(read, task))
                if len(pending) > 2 * n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
