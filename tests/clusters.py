"""A Dask cluster for tests that lasts as long as a busy machine needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def two_workers() -> Iterator[Any]:
    """Yield the client of two workers, each a process of its own.

    Dask gives up workers that have not reported for five minutes, and connections that
    take half a minute.
    """
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    patient = {
        "distributed.scheduler.worker-ttl": None,
        "distributed.comm.timeouts.connect": "1800s",
        "distributed.comm.timeouts.tcp": "1800s",
    }
    with (
        dask.config.set(patient),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
