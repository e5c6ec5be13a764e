"""Threads for kernels: one helper, with BLAS held to one thread inside it."""

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
from threadpoolctl import ThreadpoolController

__all__ = [
    "ThreadMap",
    "n_kernel_threads",
    "one_blas_thread",
    "one_torch_thread_in_children",
    "worker_threads",
]

ThreadMap = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


def n_kernel_threads(n_jobs: int | None) -> int:
    """Return the threads a compiled kernel may use."""
    from skcoldstart._kernels.compilation import N_THREADS

    if n_jobs is None:
        return N_THREADS
    return max(1, min(joblib.effective_n_jobs(n_jobs), N_THREADS))


@cache
def one_torch_thread_in_children() -> None:
    """Let forked children compute with torch: its threads are not in them.

    OpenMP would wait for these threads for ever.
    """
    if hasattr(os, "register_at_fork"):
        torch = sys.modules["torch"]
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class _BlasLimit:
    """The limit of one BLAS thread, shared by all who hold it at the same time.

    The number of BLAS threads is one for the whole process. If each of two threads
    that overlap restored what it found, the last would restore the first one's limit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread_of: dict[object, int] = {}  # of each holder
        self._modules = (0, "")
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._go_on_in_child,
            )

    def acquire(self) -> object:
        holder = object()
        with self._lock:
            if not self._thread_of:
                # Looking for libraries takes milliseconds, and they come with modules.
                modules = len(sys.modules), next(reversed(sys.modules))
                if self._modules != modules:
                    self._controller = ThreadpoolController()
                    self._modules = modules
                self._limits = self._controller.limit(limits=1, user_api="blas")
            self._thread_of[holder] = threading.get_ident()
        return holder

    def release(self, holder: object) -> None:
        with self._lock:
            self._thread_of.pop(holder, None)
            self._restore_if_free()

    def _restore_if_free(self) -> None:
        if not self._thread_of:
            self._hand_over()
            self._limits.restore_original_limits()
            self._hand_over()

    def _hand_over(self) -> None:
        """Let any thread set limits: threadpoolctl 3.8 obeys the one that set them."""
        for library in self._controller.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)

    def _go_on_in_child(self) -> None:
        """Forget holders in threads that a forked child does not have."""
        try:
            if self._thread_of:
                here = threading.get_ident()
                holders = self._thread_of.items()
                self._thread_of = {holder: t for holder, t in holders if t == here}
                self._restore_if_free()
        finally:
            self._lock.release()


_BLAS_LIMIT = _BlasLimit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, so that results do not depend on its number.

    Threads may hold it together: the first sets the limit, the last restores what
    was before.
    """
    holder = _BLAS_LIMIT.acquire()
    try:
        yield
    finally:
        _BLAS_LIMIT.release(holder)


@contextmanager
def worker_threads(n_jobs: int | None) -> Iterator[ThreadMap]:
    """Keep threads for many short rounds of work, with BLAS held to one in each.

    What it gives maps a function over items and returns the results in their order.
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
    """Let each thread take the next item until there is none; return the results.

    The calling thread is one of them, and has begun when the others wake up. A future
    for each of these, and not for each item, since small items cost less than a future
    does.
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
