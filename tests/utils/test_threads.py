"""Thread counts: set, and restored."""

import os
import subprocess
import sys
import threading

import numba
import pytest
from threadpoolctl import threadpool_info

from skcoldstart._utils.threads import (
    n_kernel_threads,
    one_blas_thread,
    worker_threads,
)


def blas_threads():
    """Return the threads of each BLAS that has one number for the whole process.

    A BLAS on OpenMP, as faiss brings, has a number for each thread that calls it.
    """
    return [
        pool["num_threads"]
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and pool.get("threading_layer") != "openmp"
    ]


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1, 10_000])
def test_threads_never_exceed_what_there_is(n_jobs):
    n_all = numba.config.NUMBA_NUM_THREADS
    known = {None: n_all, 1: 1}.get(n_jobs, n_kernel_threads(n_jobs))
    assert 1 <= n_kernel_threads(n_jobs) == known <= n_all


def test_blas_is_held_to_one_thread_and_restored_after_an_error():
    before = blas_threads()
    with pytest.raises(KeyboardInterrupt), one_blas_thread():
        assert set(blas_threads()) <= {1}
        raise KeyboardInterrupt
    assert blas_threads() == before


def test_threads_that_overlap_leave_blas_as_it_was():
    before = blas_threads()
    entered, may_leave = threading.Event(), threading.Event()
    seen = []

    def hold_for_longer():
        with one_blas_thread():
            entered.set()
            may_leave.wait(600)
            seen.extend(blas_threads())

    other = threading.Thread(target=hold_for_longer)
    with one_blas_thread():
        other.start()
        assert entered.wait(600)
    may_leave.set()
    other.join()
    assert set(seen) <= {1}
    assert blas_threads() == before


needs_two_threads = pytest.mark.skipif(
    n_kernel_threads(2) < 2, reason="kernels have one thread here"
)


def test_a_library_that_is_loaded_later_is_limited_too():
    code = """
from skcoldstart._utils.threads import one_blas_thread
with one_blas_thread():
    pass
import scipy.linalg
from threadpoolctl import threadpool_info
def threads():
    return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}
before = threads()
with one_blas_thread():
    assert threads() == {1}
assert threads() == before
"""
    two = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"], "2")
    subprocess.run([sys.executable, "-c", code], env=os.environ | two, check=True)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_workers_return_results_in_the_order_of_items(n_jobs):
    with worker_threads(n_jobs) as run:
        for n_items in (0, 1, 2, 100):
            squares = run(lambda item: item * item, range(n_items))
            assert squares == [item * item for item in range(n_items)]


@needs_two_threads
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_workers_come_to_rest_before_an_error_is_raised(error):
    started, failing = threading.Event(), threading.Event()
    n_items = 1_000_000
    seen = []

    def work(item):
        if item == 0:
            started.wait(600)
            failing.set()
            raise error
        started.set()
        failing.wait(600)
        seen.append(item)

    with worker_threads(2) as run:
        with pytest.raises(error):
            run(work, range(n_items))
        at_rest = len(seen)
        assert run(str, [7]) == ["7"]
    assert len(seen) == at_rest < n_items - 1


@needs_two_threads
def test_the_calling_thread_is_one_of_the_workers():
    both_at_work = threading.Barrier(2, timeout=600)
    workers = set()

    def work(_):
        both_at_work.wait()
        workers.add(threading.current_thread())

    with worker_threads(2) as run:
        run(work, range(6))
    assert len(workers) == 2
    assert threading.current_thread() in workers


@needs_two_threads
@pytest.mark.parametrize("failing_thread", ["calling", "other"])
def test_an_error_of_any_thread_is_raised(failing_thread):
    both_at_work = threading.Barrier(2, timeout=600)
    caller = threading.current_thread()

    def work(item):
        if item < 2:
            both_at_work.wait()
            if (threading.current_thread() is caller) == (failing_thread == "calling"):
                raise ValueError("of this item")

    with worker_threads(2) as run, pytest.raises(ValueError, match="of this item"):
        run(work, range(10_000))
