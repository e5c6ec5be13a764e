"""Thread counts: ours set and restored, BLAS held to one inside threaded work."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import joblib
from threadpoolctl import ThreadpoolController

__all__ = [
    "ThreadMap",
    "map_in_threads",
    "n_kernel_threads",
    "one_blas_thread",
    "worker_threads",
]

ThreadMap = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


def n_kernel_threads(n_jobs: int | None) -> int:
    """Return the threads a compiled kernel may use."""
    from skcoldstart._kernels.compilation import max_threads

    if n_jobs is None:
        return max_threads()
    return max(1, min(joblib.effective_n_jobs(n_jobs), max_threads()))


class _BlasLimit:
    """The limit of one BLAS thread, shared by all who hold it at the same time.

    The number of BLAS threads is one for the whole process. If each of two threads
    that overlap restored what it found, the last would restore the first one's limit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_holders = 0
        self._n_modules = 0

    def acquire(self) -> None:
        with self._lock:
            if self._n_holders == 0:
                # Looking for libraries takes milliseconds, and they come with modules.
                if self._n_modules != len(sys.modules):
                    self._controller = ThreadpoolController()
                    self._n_modules = len(sys.modules)
                self._limits = self._controller.limit(limits=1, user_api="blas")
            self._n_holders += 1

    def release(self) -> None:
        with self._lock:
            self._n_holders -= 1
            if self._n_holders == 0:
                self._hand_over()
                self._limits.restore_original_limits()
                self._hand_over()

    def _hand_over(self) -> None:
        """Let any thread set limits: threadpoolctl 3.8 obeys the one that set them."""
        for library in self._controller.lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


_BLAS_LIMIT = _BlasLimit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, so that results do not depend on its number.

    Threads may hold it together: the first sets the limit, the last restores what
    was before.
    """
    _BLAS_LIMIT.acquire()
    try:
        yield
    finally:
        _BLAS_LIMIT.release()


def map_in_threads(
    function: Callable[[Any], Any], items: Iterable[Any], n_threads: int
) -> Iterator[Any]:
    """Yield function(item) in the order of items; drop what waits on an error."""
    if n_threads == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(n_threads)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def worker_threads(n_jobs: int | None) -> Iterator[ThreadMap]:
    """Keep threads for many short rounds of work, with BLAS held to one in each."""
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
