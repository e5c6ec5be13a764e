"""What a sweep of WMF on a cluster costs, by a model, checked on small clusters.

    python benchmarks/scale_model.py [--users 1e8 --items 1e8 --pairs 1e11 --rank 128]
        [--workers 100 --cores 32 --gbit 25 --pair-gflops 5 --dense-gflops 30]
    python benchmarks/scale_model.py --check [--users 60000 --items 20000 --pairs 4e6]

The first prints the model for a cluster of that size. The second fits synthetic plays
on `LocalCluster` of 1, 2 and 4 processes of one thread, with few sweeps and with more,
and prints what one sweep more costs beside what the model says: bytes over the loopback
device, which other programs on the machine may use too; seconds of the processor in the
workers, where the rate of a core is that of one machine in the same run; and the memory
of the largest worker over the whole fit.
"""

import argparse
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import skcoldstart

CG_STEPS = 3  # of WMF
PAIR_BYTES = 12  # a weight, an index and their share of pointers
FLOAT = 4


@dataclass(frozen=True)
class Model:
    """Cost of one fit; all numbers are counts, bytes or operations."""

    users: float
    items: float
    pairs: float
    rank: int
    workers: int

    @property
    def width(self):
        """Numbers in a row of factors."""
        return 16 * -(-self.rank // 16)

    @property
    def rows(self):
        """Rows of both sides."""
        return self.users + self.items

    @property
    def factor_bytes(self):
        """Factors of both sides."""
        return FLOAT * self.width * self.rows

    def flops(self):
        """Return operations of a sweep: in pairs, in dense products of workers, here.

        A pass over the pairs of a side is a product with each row of factors and one
        back: 4 operations a number. There is one for the residual and one for each
        step. Dense products change the basis of the rows to solve, and back; the caller
        computes the Gram matrix of the fixed side and changes its basis.
        """
        in_pairs = 2 * self.pairs * 4 * self.width * (1 + CG_STEPS)
        dense = 2 * 2 * self.width**2 * self.rows
        return in_pairs, dense, 2 * 2 * self.width**2 * self.rows

    def sweep_bytes(self):
        """Return bytes of a sweep: the fixed sides to all workers; rows to and fro.

        Rows are sent to any worker, which passes them on unless it holds their plays.
        """
        passed_on = 1 - 1 / self.workers
        return self.workers * self.factor_bytes, (2 + passed_on) * self.factor_bytes

    def caller_bytes(self):
        """Return what the caller sends and receives in a sweep.

        A fixed side leaves the caller once; workers pass it on.
        """
        return self.factor_bytes + 2 * self.factor_bytes

    def shuffle_bytes(self):
        """Return bytes of the one transposition: what does not stay where it is."""
        return PAIR_BYTES * self.pairs * (1 - 1 / self.workers)

    def worker_memory(self):
        """Return bytes of plays, by item and by user, and of the larger fixed side."""
        plays = 2 * PAIR_BYTES * self.pairs / self.workers
        return plays, FLOAT * self.width * max(self.users, self.items)

    def caller_memory(self):
        """Return bytes of both sides, and of the larger one in another basis."""
        return self.factor_bytes + FLOAT * self.width * max(self.users, self.items)


def print_model(args):
    """Print what a fit of this size costs."""
    model = Model(args.users, args.items, args.pairs, args.rank, args.workers)
    print(
        f"{args.users:.0e} users, {args.items:.0e} items, {args.pairs:.0e} pairs, rank "
        f"{args.rank}; {args.workers} workers of {args.cores} cores of "
        f"{args.pair_gflops:g} GFLOP/s in pairs and {args.dense_gflops:g} in dense "
        f"products, links of {args.gbit:g} Gbit/s"
    )
    link = args.gbit / 8 * 1e9
    in_pairs_s, dense_s = (1e9 * r for r in (args.pair_gflops, args.dense_gflops))
    in_pairs, dense, here = model.flops()
    fixed, _ = model.sweep_bytes()
    plays, side = model.worker_memory()
    cores = args.cores * args.workers
    steps = [
        ("sweep: pairs", in_pairs, "FLOP", in_pairs / in_pairs_s / cores),
        ("sweep: dense, workers", dense, "FLOP", dense / dense_s / cores),
        ("sweep: dense, caller", here, "FLOP", here / dense_s / args.cores),
        ("sweep: fixed sides, all workers", fixed, "B", None),
    ]
    for what, amount in (
        ("sweep: fixed sides, a worker", fixed / args.workers),
        ("sweep: link of the caller", model.caller_bytes()),
        ("once: shuffle, a worker", model.shuffle_bytes() / args.workers),
    ):
        steps.append((what, amount, "B", amount / link))
    steps += [
        ("memory, worker: plays", plays, "B", None),
        ("memory, worker: fixed side", side, "B", None),
        ("memory, caller", model.caller_memory(), "B", None),
    ]
    for what, amount, unit, seconds in steps:
        spent = "" if seconds is None else f"{seconds:10,.1f} s"
        print(f"{what:34}{amount:12.3g} {unit:5}{spent}")


def loopback_bytes():
    """Return the bytes that went over the loopback device since the machine began."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    raise RuntimeError("there is no loopback device in /proc/net/dev")


def usage():
    """Return seconds of the processor, and the peak of memory, of this process."""
    spent = os.times()
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    return spent.user + spent.system, 1024 * int(peak)


def check(args):
    """Fit on clusters of 1, 2, 4 workers; print the model beside what was measured."""
    from bench_dask import blocks_in, is_same, resident, write_blocks
    from dask.distributed import Client, LocalCluster
    from plays import make_plays

    from skcoldstart import WMF

    few, many = args.sweeps
    plays = make_plays(int(args.users), int(args.items), int(args.pairs), seed=0)
    sizes = plays.shape[1], plays.shape[0], plays.nnz, args.rank

    def wmf(n_sweeps):
        return WMF(args.rank, max_iter=n_sweeps, tol=0, random_state=0, n_jobs=1)

    wmf(few).fit(plays)  # compile
    spent = [usage()[0]]
    for n_sweeps in (few, many):
        expected = wmf(n_sweeps).fit(plays)
        spent.append(usage()[0])
    alone = (spent[2] - 2 * spent[1] + spent[0]) / (many - few)
    rate = sum(Model(*sizes, 1).flops()) / alone
    print(
        f"{sizes[0]:,} users, {sizes[1]:,} items, {sizes[2]:,} pairs, rank "
        f"{args.rank}; "
        f"a sweep of one thread of one machine: {alone:.2f} s of the processor, "
        f"{rate / 1e9:.1f} GFLOP/s"
    )
    print(
        "| workers | same bits | MB moved in a sweep | model | s of the workers' "
        "processors in a sweep | model | MB of the largest worker | model |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for n_workers in args.clusters:
        with (
            LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            Client(cluster, direct_to_workers=True) as client,
            tempfile.TemporaryDirectory() as folder,
        ):
            write_blocks(plays, folder)
            wmf(1).fit(blocks_in(folder))  # compile
            rest = client.run(resident)
            moved, cpu = [loopback_bytes()], [client.run(usage)]
            for n_sweeps in (few, many):
                found = wmf(n_sweeps).fit(blocks_in(folder))
                moved.append(loopback_bytes())
                cpu.append(client.run(usage))
        seconds = [sum(spent for spent, _ in of.values()) for of in cpu]
        per_sweep = [
            (of[2] - 2 * of[1] + of[0]) / (many - few) for of in (moved, seconds)
        ]
        memory = max(cpu[2][worker][1] - rest[worker] for worker in rest)
        model = Model(*sizes, n_workers)
        print(
            f"| {n_workers} | {is_same(found, expected)} | {per_sweep[0] / 1e6:.0f} | "
            f"{sum(model.sweep_bytes()) / 1e6:.0f} | {per_sweep[1]:.2f} | "
            f"{sum(model.flops()[:2]) / rate:.2f} | {memory / 1e6:.0f} | "
            f"{sum(model.worker_memory()) / 1e6:.0f} |",
            flush=True,
        )


def main():
    """Print the model, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--users", type=float)
    parser.add_argument("--items", type=float)
    parser.add_argument("--pairs", type=float)
    parser.add_argument("--rank", type=int)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--cores", type=int, default=32, help="of a worker")
    parser.add_argument("--gbit", type=float, default=25, help="of a link, a second")
    # A core in sweeps over 48 million pairs of a million users, at ranks 64 and 400.
    parser.add_argument("--pair-gflops", type=float, default=5)
    parser.add_argument("--dense-gflops", type=float, default=30)
    parser.add_argument("--sweeps", type=int, nargs=2, default=[2, 10])
    parser.add_argument("--clusters", type=int, nargs="+", default=[1, 2, 4])
    args = parser.parse_args()
    sizes = (60_000, 20_000, 4e6, 64) if args.check else (1e8, 1e8, 1e11, 128)
    for name, size in zip(("users", "items", "pairs", "rank"), sizes, strict=True):
        if getattr(args, name) is None:
            setattr(args, name, size)
    if args.check:
        import distributed

        print(
            f"skcoldstart {skcoldstart.__version__}, distributed "
            f"{distributed.__version__}, numpy {np.__version__}, Python "
            f"{platform.python_version()}, {os.cpu_count()} cores"
        )
        check(args)
    else:
        print_model(args)


if __name__ == "__main__":
    main()
