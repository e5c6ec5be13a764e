"""What the checksums of a frame store cost: the first pass over it against the next.

    python benchmarks/bench_store.py

Pages of a store are checked when a process reads them for the first time. Each round
reads all items twice: with new times of change, so that every page is checked again,
and without. The kernel's copies of the files are dropped before each pass ("disk") or
kept ("memory"). Passes alternate; what counts is the median of the ratios of rounds.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from skcoldstart import MelSpectrogram

SR = 22050


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--items", type=int, default=600, help="clips of 29 s")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--folder", type=Path, help="where the store is made")
    return parser.parse_args()


def make(folder, n_items):
    """Write a store of clips of noise; return its frames and its files of frames."""
    rng = np.random.default_rng(0)
    extractor = MelSpectrogram(dtype="float16", store=folder / "store")
    clips = [rng.uniform(-0.5, 0.5, 29 * SR).astype(np.float32) for _ in range(8)]
    names = []
    for i in range(n_items):
        clip = clips[i % len(clips)].copy()
        clip[i] = 0.25
        names.append(clip)
    frames = extractor.fit_transform(names)
    return frames, sorted((folder / "store").rglob("*.npy"))


def forget(files):
    """Have the kernel drop its copies of the files."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)  # times of change too, or it writes while we read
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read(passes, frames, files, *, anew, cold):
    """Time one pass over all items or windows."""
    if anew:
        for file in files:
            os.utime(file)
    if cold:
        forget(files)
    start = time.perf_counter()
    passes(frames)
    return time.perf_counter() - start


def items(frames):
    """Read every item, one after the other."""
    for i in range(len(frames)):
        frames[i]


def windows(frames):
    """Read the windows of an epoch: one an item, in batches of 128."""
    rng = np.random.default_rng(1)
    order = rng.permutation(len(frames))
    for first in range(0, len(frames), 128):
        batch = order[first : first + 128]
        starts = rng.integers(0, frames.lengths[batch] - 129)
        frames.windows(batch, starts, 129)


def main():
    """Print a row for each kind of pass."""
    args = parse_arguments()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        frames, files = make(Path(folder), args.items)
        n_bytes = sum(file.stat().st_size for file in files)
        print(f"{len(frames)} items, {n_bytes / 1e6:.0f} MB in {len(files)} shards")
        print("\n| pass | from | GB/s unchecked | checked: time, quartiles |")
        print("|---|---|---|---|")
        for passes in (items, windows):
            for cold in (True, False):
                read(passes, frames, files, anew=True, cold=cold)
                plain, ratios = [], []
                for _ in range(args.rounds):
                    checked = read(passes, frames, files, anew=True, cold=cold)
                    plain.append(read(passes, frames, files, anew=False, cold=cold))
                    ratios.append(checked / plain[-1])
                low, mid, high = np.percentile(ratios, [25, 50, 75])
                part = 1.0 if passes is items else 129 / frames.lengths.mean()
                rate = part * n_bytes / np.median(plain) / 1e9
                place = "disk" if cold else "memory"
                print(
                    f"| {passes.__name__} | {place} | {rate:.2f} | "
                    f"{mid:.3f} [{low:.3f}, {high:.3f}] |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
