"""A log of events to a sparse table: time, peak memory, the same table as pandas.

    python benchmarks/bench_events.py [--events 50000000] [--rounds 3] [--text]

Writes a log in parquet (users by activity, items by a power law, one row an event, in
the order of time; user ids are text, item ids are numbers) and adds it up with
``plays_from_events`` from the file, from a polars frame and from a pandas frame, and
with pandas itself (``read_parquet``, ``factorize``, ``coo_array``), with and without a
half-life of 30 days. ``--text`` writes CSV instead. Every reading is a fresh process,
in turns, and begins with a small log. Peak memory is that of the process, less what it
had before the large log. All readings must give the same ids and, within rounding, the
same table.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

DAYS, HALF_LIFE = 365, 30


def write_log(path, n_events, seed=0, block=2_000_000):
    """Write a log, block by block."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    n_users, n_items = max(10, n_events // 50), max(10, n_events // 125)
    writer = None
    for first in range(0, n_events, block):
        n = min(block, n_events - first)
        users = (n_users * rng.random(n) ** 2).astype(np.int64)
        items = np.minimum(n_items * rng.random(n) ** 4, n_items - 1).astype(np.int64)
        items = (items * 7919 + users // 100) % n_items  # users of a kind share taste
        times = np.sort(rng.integers(0, 86_400, n)) + first * DAYS * 86_400 // n_events
        table = pa.table({
            "user_id": pa.array(np.char.add("user-", users.astype(str))),
            "item_id": items,
            "played_at": np.datetime64("2025-01-01T00", "us")
            + (times * 10**6).astype("m8[us]"),
        })
        if writer is None and path.suffix == ".csv":
            writer = pyarrow.csv.CSVWriter(path, table.schema)
        elif writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def ours(path, half_life, frame=None):
    from skcoldstart.datasets import plays_from_events

    events = path
    if frame == "polars":
        import polars as pl

        events = pl.read_parquet(path)
    elif frame == "pandas":
        import pandas as pd

        events = pd.read_parquet(path)
    taste = plays_from_events(
        events, timestamp="played_at", half_life=half_life, until="2026-06-01"
    )
    return taste.plays, taste.item_ids, taste.user_ids


def by_pandas(path, half_life):
    import pandas as pd
    import scipy.sparse as sp

    if path.suffix == ".csv":
        log = pd.read_csv(path, dtype={"item_id": str, "user_id": str})
    else:
        log = pd.read_parquet(path)
    item, item_ids = pd.factorize(log.item_id, sort=True)
    user, user_ids = pd.factorize(log.user_id, sort=True)
    weight = np.ones(len(log))
    if half_life is not None:
        age = pd.Timestamp("2026-06-01") - pd.to_datetime(log.played_at)
        weight = 0.5 ** (age / pd.Timedelta(days=half_life)).to_numpy()
    log.groupby("item_id").played_at.min()
    plays = sp.csr_array(sp.coo_array((weight, (item, user))))
    return plays, item_ids, user_ids


READERS = {
    "file": lambda path, h: ours(path, h),
    "polars frame": lambda path, h: ours(path, h, "polars"),
    "pandas frame": lambda path, h: ours(path, h, "pandas"),
    "pandas": by_pandas,
}


def peak_bytes():
    """Return the peak of this process (ru_maxrss knows that of its parent, too)."""
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return 1024 * int(line.split()[1])


def measure(name, path, small, half_life):
    """Read in this process; print seconds, peak memory in bytes and a checksum."""
    READERS[name](small, half_life)
    before = peak_bytes()
    start, start_cpu = time.perf_counter(), time.process_time()
    plays, item_ids, user_ids = READERS[name](path, half_life)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = peak_bytes() - before
    check = zlib.crc32("\n".join([*map(str, item_ids), *user_ids]).encode())
    for part in (plays.indptr, plays.indices):
        check = zlib.crc32(part.astype(np.int64), check)
    print(json.dumps([seconds, cpu, peak, plays.nnz, check, plays.sum()]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--text", action="store_true", help="write CSV")
    parser.add_argument("--folder", type=Path, help="where to write the log")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, path, small, half_life = options.measure
        measure(name, Path(path), Path(small), json.loads(half_life))
        return
    packages = ["numpy", "scipy", "pandas", "polars", "pyarrow"]
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.0f}; "
        + ", ".join(f"{name} {version(name)}" for name in packages)
    )
    names = ["file", "pandas"] if options.text else list(READERS)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        suffix = ".csv" if options.text else ".parquet"
        path, small = Path(folder, f"log{suffix}"), Path(folder, f"small{suffix}")
        write_log(path, options.events)
        write_log(small, 1000)
        print(f"{options.events} events, {path.stat().st_size / 1e6:.0f} MB")
        for half_life in (None, HALF_LIFE):
            found = {name: [] for name in names}
            for _ in range(options.rounds):
                for name in names:
                    command = [sys.executable, __file__, "--measure", name, str(path)]
                    command += [str(small), json.dumps(half_life)]
                    out = subprocess.run(command, check=True, capture_output=True)
                    found[name].append(json.loads(out.stdout))
            report(found, options.events, half_life)


def report(found, n_events, half_life):
    """Print a table of medians, and whether all readings agree."""
    rows = [row for rows in found.values() for row in rows]
    base = np.median([row[0] for row in found["pandas"]])
    print(f"half-life {half_life}; {rows[0][3]} pairs")
    print(
        f"{'':14}{'s':>8}{'CPU s':>8}{'M events/s':>12}{'B an event':>12}{'ratio':>8}"
    )
    for name, of_name in found.items():
        seconds, cpu, peak = np.median([row[:3] for row in of_name], axis=0)
        print(
            f"{name:14}{seconds:8.2f}{cpu:8.2f}{n_events / seconds / 1e6:12.2f}"
            f"{peak / n_events:12.1f}{base / seconds:8.2f}"
        )
    same = len({tuple(row[3:5]) for row in rows}) == 1
    same = same and np.allclose([row[5] for row in rows], rows[0][5], rtol=1e-9)
    print("same table and ids" if same else "TABLES DIFFER")


if __name__ == "__main__":
    main()
