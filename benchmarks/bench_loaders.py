"""Millions of play counts from text to a sparse matrix: time, peak memory, same matrix.

    python benchmarks/bench_loaders.py [--lines 5000000] [--rounds 3] [--packed]
    python benchmarks/bench_loaders.py --yambda [--lines 10000000]

Writes a file in the form of the Taste Profile (users of 40 hexadecimal digits whose
lines follow each other, songs of 18 characters by power law) and reads it with
``load_taste_profile``, with pandas (``read_csv``, ``factorize`` and ``csr_array``, also
with its pyarrow engine where that is installed), with ``pyarrow.csv`` in blocks whose
names become dictionaries, and, as the limit, by counting its newlines in NumPy. Every
reading is a fresh process, in turns; compiled code is warmed on a small file first, the
file itself lies in the page cache. Peak memory is that of the process, less what it had
after its imports. ``--packed`` reads gzip instead.

All readings must give the same names and the same matrix.

``--yambda`` writes listens and 100,000 embeddings of 128 numbers in the form of Yambda
instead, and reads them with ``load_yambda`` and ``load_yambda_embeddings``; listens are
counted again with pandas for comparison.
"""

import argparse
import gzip
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

N_SONGS = 384_546
LINES_A_USER = 47  # of the Taste Profile: 48,373,586 lines, 1,019,318 users


def write_triplets(path, n_lines, seed=0):
    """Write about n_lines triplets; return how many."""
    rng = np.random.default_rng(seed)
    n_songs = min(N_SONGS, max(100, n_lines // 10))
    songs = np.array([f"SO{rng.integers(16**8):08X}12A{i:05X}" for i in range(n_songs)])
    share = np.cumsum((np.arange(n_songs) + 4.0) ** -0.85)
    share /= share[-1]
    n_written = 0
    with open(path, "w") as file:
        while n_written < n_lines:
            size = int(np.clip(rng.lognormal(np.log(LINES_A_USER) - 0.5, 1.0), 5, 4000))
            chosen = np.unique(np.searchsorted(share, rng.random(size)))
            counts = np.floor((1.0 - rng.random(len(chosen))) ** (-1 / 1.5)).astype(int)
            user = rng.bytes(20).hex()
            file.writelines(
                f"{user}\t{song}\t{count}\n"
                for song, count in zip(
                    songs[rng.permutation(chosen)], counts, strict=True
                )
            )
            n_written += len(chosen)
    return n_written


def write_yambda(folder, n_listens, n_items=100_000, n_features=128, seed=0):
    """Write listens, sorted by user and time, and embeddings of all tracks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    n_users = max(10, n_listens // 5000)  # 46 million listens of 9,238 users
    users = np.sort(rng.integers(n_users, size=n_listens)).astype(np.uint32) * 100
    share = np.cumsum((np.arange(n_items) + 4.0) ** -0.85)
    items = np.searchsorted(share / share[-1], rng.random(n_listens))
    names = rng.choice(9_400_000, n_items, replace=False).astype(np.uint32)
    listens = pa.table({
        "uid": users,
        "item_id": names[np.minimum(items, n_items - 1)],
        "timestamp": (5 * np.arange(n_listens)).astype(np.uint32),
        "is_organic": np.ones(n_listens, np.uint8),
        "played_ratio_pct": rng.choice([5, 30, 100], n_listens).astype(np.uint16),
        "track_length_seconds": np.full(n_listens, 200, np.uint32),
    })
    place = folder / "flat" / "50m"
    place.mkdir(parents=True)
    pq.write_table(listens, place / "listens.parquet")
    schema = pa.schema([
        ("item_id", pa.uint32()),
        *((name, pa.list_(pa.float64())) for name in ("embed", "normalized_embed")),
    ])
    with pq.ParquetWriter(folder / "embeddings.parquet", schema) as file:
        for part in np.array_split(names, 20):
            X = rng.standard_normal((len(part), n_features))
            offsets = np.arange(len(part) + 1, dtype=np.int32) * n_features
            lists = [
                pa.ListArray.from_arrays(offsets, rows.ravel())
                for rows in (X, X / np.linalg.norm(X, axis=1, keepdims=True))
            ]
            file.write_table(pa.table([part, *lists], schema=schema))


def yambda_by_pandas(folder):
    """Count listens of which more than half was played."""
    import pandas as pd
    import scipy.sparse as sp

    table = pd.read_parquet(
        folder / "flat" / "50m" / "listens.parquet",
        columns=["uid", "item_id", "played_ratio_pct"],
    )
    table = table[table.played_ratio_pct > 50]
    item, item_ids = pd.factorize(table.item_id, sort=True)
    user, user_ids = pd.factorize(table.uid, sort=True)
    plays = sp.csr_array((np.ones(len(item)), (item, user)))
    plays.sum_duplicates()
    return plays, np.asarray(item_ids, dtype=str), np.asarray(user_ids, dtype=str)


def yambda_by_us(folder):
    from skcoldstart.datasets import load_yambda

    taste = load_yambda(folder)
    return taste.plays, taste.item_ids.astype(str), taste.user_ids.astype(str)


def embeddings_by_us(folder):
    from skcoldstart.datasets import load_yambda_embeddings

    load_yambda_embeddings(folder)


def ours(path):
    from skcoldstart.datasets import load_taste_profile

    taste = load_taste_profile(path)
    return taste.plays, taste.item_ids, taste.user_ids


def by_pandas(path, engine):
    import pandas as pd
    import scipy.sparse as sp

    table = pd.read_csv(
        path, sep="\t", names=["user", "song", "plays"], header=None, engine=engine
    )
    item, item_ids = pd.factorize(table.song, sort=True)
    user, user_ids = pd.factorize(table.user, sort=True)
    plays = sp.csr_array((table.plays.to_numpy(np.float32), (item, user)))
    plays.sort_indices()
    return plays, np.asarray(item_ids, dtype=str), np.asarray(user_ids, dtype=str)


def by_arrow(path):
    """Read blocks; encode the names of a million lines at once, then unify them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import scipy.sparse as sp
    from pyarrow import csv

    reader = csv.open_csv(
        path,
        csv.ReadOptions(column_names=["user", "song", "plays"], block_size=1 << 22),
        csv.ParseOptions(delimiter="\t", quote_char=False),
        csv.ConvertOptions(
            column_types={"user": pa.string(), "song": pa.string(), "plays": pa.int32()}
        ),
    )
    known = {name: pa.array([], pa.string()) for name in ("song", "user")}
    codes, counts, waiting = {name: [] for name in known}, [], []

    def encode():
        table = pa.Table.from_batches(waiting)
        waiting.clear()
        counts.append(table.column("plays").to_numpy())
        for name in known:
            column = table.column(name).dictionary_encode().combine_chunks()
            before = pa.DictionaryArray.from_arrays(
                pa.array([], pa.int32()), known[name]
            )
            both = pa.chunked_array([before, column]).unify_dictionaries()
            known[name] = both.chunk(1).dictionary
            codes[name].append(both.chunk(1).indices.to_numpy())

    for batch in reader:
        waiting.append(batch)
        if sum(len(part) for part in waiting) >= 1 << 20:
            encode()
    if waiting:
        encode()
    places, ids = [], []
    for name, names in known.items():
        order = pc.sort_indices(names).to_numpy()
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order))
        places.append(rank[np.concatenate(codes[name])])
        ids.append(np.array(names.take(pa.array(order)).to_pylist()))
    data = np.concatenate(counts).astype(np.float32)
    return sp.csr_array(sp.coo_array((data, tuple(places)))), *ids


def newlines(path):
    opener = gzip.open if path.suffix == ".gz" else open
    n_lines = 0
    with opener(path, "rb") as file:
        while chunk := file.read(1 << 22):
            n_lines += int((np.frombuffer(chunk, np.uint8) == 10).sum())
    return None


READERS = {
    "load_taste_profile": ours,
    "pandas": lambda path: by_pandas(path, "c"),
    "pandas, pyarrow": lambda path: by_pandas(path, "pyarrow"),
    "pyarrow.csv": by_arrow,
    "counting newlines": newlines,
    "load_yambda": yambda_by_us,
    "load_yambda_embeddings": embeddings_by_us,
    "pandas, listens": yambda_by_pandas,
}


def peak_bytes():
    """Return the peak of this process; getrusage has that of its parent, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(name, path, small):
    """Read in this process; print seconds, peak memory in bytes and a checksum."""
    read = READERS[name]
    read(small)
    before = peak_bytes()
    start, start_cpu = time.perf_counter(), time.process_time()
    found = read(path)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = peak_bytes() - before
    check = 0
    if found is not None:
        plays, item_ids, user_ids = found
        for part in (plays.indptr, plays.indices):
            check = zlib.crc32(part.astype(np.int64), check)
        check = zlib.crc32(plays.data.astype(np.float32), check)
        check = zlib.crc32("\n".join([*item_ids, *user_ids]).encode(), check)
    print(json.dumps([seconds, cpu, peak, check]))


def in_a_process(name, path, small):
    command = [sys.executable, __file__, "--measure", name, str(path), str(small)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def write_input(folder, options):
    """Write what is read and a small one of its kind; return how many lines it has."""
    if options.yambda:
        path, small, n_lines = folder / "yambda", folder / "small", options.lines
        write_yambda(path, n_lines)
        write_yambda(small, 1000, n_items=200)
        size = sum(file.stat().st_size for file in path.rglob("*.parquet"))
    else:
        path, small = folder / "triplets.txt", folder / "small.txt"
        n_lines = write_triplets(path, options.lines)
        write_triplets(small, 1000)
        size = path.stat().st_size
    print(f"{n_lines} lines, {size / 1e6:.0f} MB")
    if options.packed:
        packed = path.with_suffix(".txt.gz")
        with open(path, "rb") as source, gzip.open(packed, "wb", 1) as target:
            shutil.copyfileobj(source, target, 1 << 22)
        path = packed
    return path, small, n_lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=None)
    parser.add_argument("--yambda", action="store_true", help="listens and embeddings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packed", action="store_true", help="read gzip")
    parser.add_argument("--folder", type=Path, help="where to write the file")
    parser.add_argument("--alone", action="store_true", help="without pandas")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, path, small = options.measure
        measure(name, Path(path), Path(small))
        return
    packages = ["numpy", "scipy", "pandas", "numba"]
    packages += ["pyarrow"] * (find_spec("pyarrow") is not None)
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs; "
        + ", ".join(f"{name} {version(name)}" for name in packages)
    )
    if options.lines is None:
        options.lines = 10_000_000 if options.yambda else 5_000_000
    names = ["load_taste_profile", "counting newlines"]
    if options.yambda:
        names = ["load_yambda", "pandas, listens", "load_yambda_embeddings"]
    elif not options.alone:
        names[1:1] = [
            "pandas",
            *["pandas, pyarrow", "pyarrow.csv"] * ("pyarrow" in packages),
        ]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path, small, n_lines = write_input(Path(folder), options)
        found = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(in_a_process(name, path, small))
    base = np.median([row[0] for row in found[names[0]]])
    checks = {row[3] for name in names for row in found[name] if row[3]}
    heads = f"{'s':>8}{'CPU s':>8}{'M lines/s':>11}{'peak MB':>9}{'B a line':>10}"
    print(f"{'':22}{heads}{'ratio':>8}")
    for name in names:
        seconds, cpu, peak, _ = np.median(found[name], axis=0)
        print(
            f"{name:22}{seconds:8.2f}{cpu:8.2f}{n_lines / seconds / 1e6:11.2f}"
            f"{peak / 1e6:9.0f}{peak / n_lines:10.1f}{seconds / base:8.2f}"
        )
    print("same matrix and names" if len(checks) == 1 else "MATRICES DIFFER")


if __name__ == "__main__":
    main()
