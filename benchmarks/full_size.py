"""The whole size of the Taste Profile on one machine, every step in its own process.

    python benchmarks/full_size.py [--share 1.0] [--folder FOLDER] [--only STEP ...]

Synthetic plays of 1,019,318 users, 382,410 songs and some 48 million pairs are written
as text in the form of the Taste Profile and as parquet. Then: text to plays, parquet to
plays, WMF at rank 64 to its tolerance, WMF at rank 400 for three sweeps, and after each
of these a ridge from 100 features of content to factors, and lists of 100 out of 50,000
new songs for 100,000 users. Peak memory and time of the processor are those of the
whole process, with its imports. ``--share`` shrinks users, songs and pairs alike.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

import skcoldstart

N_USERS, N_ITEMS, N_PAIRS = 1_019_318, 382_410, 48_373_586
N_NEW_ITEMS, N_LISTENERS, LIST_LENGTH, N_FEATURES = 50_000, 100_000, 100, 100
SPREAD = 0.3  # of the synthetic content around what is linear in the factors
LINES_AT_A_TIME = 4_000_000


def write_files(folder, share):
    """Write text and parquet, user by user."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq
    from plays import make_plays

    sizes = [int(size * share) for size in (N_USERS, N_ITEMS, N_PAIRS)]
    by_user = make_plays(*sizes, seed=0).T.tocsr()
    rng = np.random.default_rng(0)
    users = pa.array([rng.bytes(20).hex() for _ in range(sizes[0])])
    songs = pa.array([
        f"SO{x:08X}12A{i:05X}"
        for i, x in enumerate(rng.integers(16**8, size=sizes[1]).tolist())
    ])
    schema = pa.schema([
        ("user_id", pa.string()), ("item_id", pa.string()), ("plays", pa.int64())
    ])  # fmt: skip
    options = pyarrow.csv.WriteOptions(
        include_header=False, delimiter="\t", quoting_style="none"
    )
    user_of = np.repeat(np.arange(sizes[0], dtype=np.int32), np.diff(by_user.indptr))
    with (
        pyarrow.csv.CSVWriter(
            folder / "triplets.txt", schema, write_options=options
        ) as text,
        pq.ParquetWriter(folder / "triplets.parquet", schema) as parquet,
    ):
        for first in range(0, by_user.nnz, LINES_AT_A_TIME):
            part = slice(first, first + LINES_AT_A_TIME)
            table = pa.table(
                [
                    users.take(pa.array(user_of[part])),
                    songs.take(pa.array(by_user.indices[part])),
                    pa.array(by_user.data[part].astype(np.int64)),
                ],
                schema=schema,
            )
            text.write_table(table)
            parquet.write_table(table)
    return f"{by_user.nnz:,} lines"


def read_text(folder, share):
    """Read plays and keep them for the steps that follow."""
    from skcoldstart.datasets import load_taste_profile

    plays = load_taste_profile(folder / "triplets.txt").plays
    started = time.perf_counter()
    for part in ("data", "indices", "indptr"):
        np.save(folder / f"{part}.npy", getattr(plays, part))
    # Written for the next steps, not part of reading.
    return f"{plays.nnz:,} pairs", time.perf_counter() - started


def read_parquet(folder, share):
    """Add up the same plays from parquet."""
    from skcoldstart.datasets import plays_from_events

    plays = plays_from_events(folder / "triplets.parquet", count="plays").plays
    return f"{plays.nnz:,} pairs"


def kept_plays(folder):
    """Return the plays of `read_text`."""
    parts = [np.load(folder / f"{name}.npy") for name in ("data", "indices", "indptr")]
    return sp.csr_array(tuple(parts))


def factorize(folder, **params):
    """Fit WMF and keep its factors."""
    from skcoldstart import WMF

    wmf = WMF(random_state=0, reg=100.0, **params)
    plays = kept_plays(folder)
    wmf.fit(plays[:100])  # compile
    started = time.perf_counter()
    wmf.fit(plays)
    seconds = time.perf_counter() - started
    waited = time.perf_counter()
    np.save(folder / "items.npy", wmf.item_factors_)
    np.save(folder / "users.npy", wmf.user_factors_)
    losses = " > ".join(f"{loss:.4g}" for loss in wmf.loss_history_[[0, -2, -1]])
    note = (
        f"{wmf.n_iter_} sweeps, {seconds / wmf.n_iter_:.1f} s each; objective {losses}"
    )
    return note, time.perf_counter() - waited


def factorize_64(folder, share):
    """Factorize to the tolerance."""
    return factorize(folder, n_components=64, max_iter=60)


def factorize_400(folder, share):
    """Make a few sweeps at the rank of the paper."""
    return factorize(folder, n_components=400, max_iter=3)


class FromContent:
    """Recommends by factors that a ridge predicts from content."""

    def __init__(self, ridge, user_factors):
        self.ridge, self.user_factors_ = ridge, user_factors

    def predict_factors(self, X):
        """Return factors of new items."""
        return self.ridge.predict(X)

    def predict(self, X):
        """Return all scores, which `recommend` does not ask for."""
        return self.predict_factors(X) @ self.user_factors_.T

    def __sklearn_is_fitted__(self):
        return True


def make_lists(folder, share):
    """Learn factors from content, and rank new songs."""
    from sklearn.linear_model import Ridge

    from skcoldstart import recommend

    items, users = np.load(folder / "items.npy"), np.load(folder / "users.npy")
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(items.shape[1], N_FEATURES)).astype(np.float32)
    content = items @ mixing
    content += (
        SPREAD * content.std() * rng.standard_normal(content.shape, dtype=np.float32)
    )
    rng.shuffle(users)
    users = users[: int(N_LISTENERS * min(1.0, 10 * share))]
    new = content[rng.permutation(len(content))[: int(N_NEW_ITEMS * min(1, 2 * share))]]
    started = time.perf_counter()
    ridge = Ridge(10.0).fit(content, items)
    fitted = time.perf_counter()
    lists = recommend(FromContent(ridge, users), new, n=LIST_LENGTH)
    ranked = time.perf_counter()
    return (
        f"rank {items.shape[1]}; ridge {fitted - started:.1f} s, lists of "
        f"{len(users):,} users over {len(new):,} songs {ranked - fitted:.1f} s, "
        f"{lists.items.size:,} entries"
    )


STEPS = {
    "write files": write_files,
    "text to plays": read_text,
    "WMF, rank 64": factorize_64,
    "lists, rank 64": make_lists,
    "parquet to plays": read_parquet,
    "WMF, rank 400": factorize_400,
    "lists, rank 400": make_lists,
}


def measure(step, folder, share):
    """Run a step here and print time, peak memory and what it says, as JSON."""
    started = time.perf_counter()
    said = STEPS[step](folder, share)
    seconds = time.perf_counter() - started
    note, aside = said if isinstance(said, tuple) else (said, 0.0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
    print(json.dumps({"s": seconds - aside, "cpu": cpu, "GiB": peak, "note": note}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.folder, args.share)
        return
    folder = args.folder or Path(tempfile.mkdtemp(prefix="full_size"))
    folder.mkdir(parents=True, exist_ok=True)
    print(
        f"skcoldstart {skcoldstart.__version__}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, {os.cpu_count()} cores, share {args.share}"
    )
    print("| step | time | of the processor | peak memory | |\n|---|---|---|---|---|")
    for step in args.only:
        command = [sys.executable, __file__, "--measure", step]
        command += ["--folder", str(folder), "--share", str(args.share)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {step} | {row['s']:.1f} s | {row['cpu']:.1f} s | "
            f"{row['GiB']:.1f} GiB | {row['note']} |"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
