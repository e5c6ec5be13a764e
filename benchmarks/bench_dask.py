"""WMF on small Dask clusters: the same bits, workers killed in each phase, memory.

    python benchmarks/bench_dask.py [--users 40000 --items 15000 --pairs 1500000]

Run it from the root of a checkout: it kills workers as the tests do. A `LocalCluster`
of 2, then of 4 processes of one thread fits plays that lie in files. Each fit is
compared bit by bit with that of one machine. A worker that is about to begin a task of
a phase is killed by SIGKILL, once in each fit; "time" is then that of the fit over the
one without a death. Memory is the resident set of each worker, sampled twenty times a
second: the largest in each sixth of the fit, less what the worker held before.
"""

import argparse
import os
import platform
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from plays import make_plays

import skcoldstart
from skcoldstart import WMF

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PHASES = {
    "reading": "_checked",
    "shuffle": "_csr",
    "half sweep": "_solve",
    "loss": "_observe",
}
N_BLOCKS, N_PARTS_OF_TRACE = 8, 6


def write_blocks(plays, folder):
    """Write blocks of rows to files."""
    edges = np.linspace(0, plays.shape[0], N_BLOCKS + 1).astype(int)
    for i in range(N_BLOCKS):
        sp.save_npz(Path(folder, f"{i}.npz"), plays[edges[i] : edges[i + 1]])


def blocks_in(folder):
    """Return all blocks as delayed reads, which a worker that dies cannot lose."""
    from dask import delayed

    read = delayed(sp.load_npz, pure=True)
    return [read(str(Path(folder, f"{i}.npz"))) for i in range(N_BLOCKS)]


def resident():
    """Return the bytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def start_trace(dask_worker):
    """Begin to sample the memory of a worker."""
    trace, stop = [], threading.Event()

    def sample():
        while not stop.wait(0.05):
            trace.append((time.time(), resident()))

    threading.Thread(target=sample, daemon=True).start()
    dask_worker.trace, dask_worker.stop_trace = trace, stop
    trace.append((time.time(), resident()))


def end_trace(dask_worker):
    """Return the samples."""
    if not hasattr(dask_worker, "trace"):  # it stands in for one that was killed
        return []
    dask_worker.stop_trace.set()
    return dask_worker.trace


def brief(trace, start, end):
    """Return the largest samples of each part of a fit, less the first, in MB."""
    times, held = map(np.array, zip(*trace, strict=True))
    edges = np.linspace(start, end, N_PARTS_OF_TRACE + 1)
    part = np.clip(np.searchsorted(edges, times) - 1, 0, N_PARTS_OF_TRACE - 1)
    most = [held[part == i].max(initial=held[0]) for i in range(N_PARTS_OF_TRACE)]
    return " ".join(f"{(m - held[0]) / 1e6:.0f}" for m in most)


def is_same(model, expected):
    """Whether two models have the same bits."""
    return all(
        np.array_equal(getattr(model, name), getattr(expected, name))
        for name in ("item_factors_", "user_factors_", "loss_history_")
    )


def traced_fit(client, wmf, folder):
    """Return seconds of a fit, whether its bits are those of `wmf`, and memory."""
    client.run(start_trace)
    start = time.time()
    model = WMF(**wmf.get_params()).fit(blocks_in(folder))
    end = time.time()
    traces = [trace for trace in client.run(end_trace).values() if trace]
    memory = "; ".join(brief(trace, start, end) for trace in traces)
    return end - start, is_same(model, wmf), memory


def main():
    """Fit, kill, compare, and print."""
    import distributed

    from tests.factorization.test_dask import Assassin

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--users", type=int, default=40_000)
    parser.add_argument("--items", type=int, default=15_000)
    parser.add_argument("--pairs", type=int, default=1_500_000)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--sweeps", type=int, default=5)
    args = parser.parse_args()
    sizes = args.users, args.items, args.pairs
    wmf = WMF(args.rank, max_iter=args.sweeps, tol=0, random_state=0)
    plays = make_plays(*sizes, seed=0)
    wmf.fit(plays)
    print(
        f"skcoldstart {skcoldstart.__version__}, distributed "
        f"{distributed.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores; {args.users:,} users, {args.items:,} items, "
        f"{plays.nnz:,} pairs, rank {args.rank}, "
        f"{args.sweeps} sweeps"
    )
    whole = 24 * plays.nnz / 1e6
    sides = 4 * args.rank * np.array(plays.shape) / 1e6
    print(
        f"plays of all workers, by item and by user: {whole:.0f} MB; factors of items "
        f"{sides[0]:.0f} MB, of users {sides[1]:.0f} MB"
    )
    print("| workers | killed while | same bits | time | MB of each worker |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_blocks(plays, folder)
        for n_workers in (2, 4):
            undisturbed = None
            for phase, prefix in {"–": None, **PHASES}.items():
                flag = Path(folder, f"{n_workers}-{prefix}")
                with (
                    distributed.LocalCluster(
                        n_workers=n_workers,
                        threads_per_worker=1,
                        dashboard_address=None,
                    ) as cluster,
                    distributed.Client(cluster) as client,
                ):
                    if prefix is not None:
                        client.register_plugin(Assassin(prefix, flag), name="kill")
                    seconds, same, memory = traced_fit(client, wmf, folder)
                undisturbed = undisturbed or seconds
                if prefix is None:
                    time_of = f"{seconds:.0f} s"
                else:
                    memory, time_of = "", f"{seconds / undisturbed:.1f} ×"
                    phase += "" if flag.exists() else ": NOBODY DIED"
                print(
                    f"| {n_workers} | {phase} | {same} | {time_of} | {memory} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
