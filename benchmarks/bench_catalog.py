"""A synthetic music world at the sizes of the paper's first experiment: time, memory.

    python benchmarks/bench_catalog.py [--clips 48] [--rounds 3] [--plays]

Plays clips of 29 s (22,050 Hz) in memory and to 16-bit files, with one and two threads,
in turns, beside the extraction of their MFCC, which any use of them costs at least. A
second call on the same folder finds them done. ``--plays`` draws the listeners of 9,330
songs and 20,000 users, without audio.
"""

import argparse
import os
import platform
import resource
import tempfile
import time

import numpy as np

import skcoldstart
from skcoldstart import MFCCExtractor
from skcoldstart.datasets import make_music_catalog

SECONDS = 29


def timed(function):
    """Return seconds, processor seconds and what came of it."""
    start, start_cpu = time.perf_counter(), time.process_time()
    found = function()
    return time.perf_counter() - start, time.process_time() - start_cpu, found


def peak_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def play_clips(n_clips, n_rounds):
    """Time clips in memory, on disk, found again, and their MFCC."""
    size = {"n_songs": n_clips, "n_artists": max(8, n_clips // 4), "n_users": 10}
    size |= {"duration_s": SECONDS, "random_state": 0}
    extractor = MFCCExtractor(n_jobs=1)
    warm = make_music_catalog(**size | {"n_songs": 8, "n_artists": 8})
    extractor.fit_transform(warm.waveforms)
    found = {}
    for _ in range(n_rounds):
        waveforms = None
        for n_jobs in (1, 2):
            *spent, catalog = timed(
                lambda n=n_jobs: make_music_catalog(**size, n_jobs=n)
            )
            found.setdefault(f"in memory, {n_jobs} thread(s)", []).append(spent)
            waveforms = catalog.waveforms
        for n_jobs in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                for name in ("to files", "found again"):
                    *spent, _ = timed(
                        lambda n=n_jobs, at=folder: make_music_catalog(
                            at, **size, n_jobs=n
                        )
                    )
                    found.setdefault(f"{name}, {n_jobs} thread(s)", []).append(spent)
        *spent, _ = timed(lambda x=waveforms: extractor.fit_transform(x))
        found.setdefault("their MFCC, 1 thread", []).append(spent)
    base = np.median(found["their MFCC, 1 thread"], axis=0)[0]
    print(f"{'':24}{'clips/s':>10}{'CPU ms a clip':>15}{'of the MFCC':>13}")
    for name, spent in found.items():
        seconds, cpu = np.median(spent, axis=0)
        print(
            f"{name:24}{n_clips / seconds:10.1f}{1000 * cpu / n_clips:15.1f}"
            f"{seconds / base:13.2f}"
        )


def draw_listeners():
    """Time the plays of the paper's subset."""
    before = peak_bytes()
    seconds, cpu, world = timed(
        lambda: make_music_catalog(
            n_songs=9330,
            n_artists=2000,
            n_genres=16,
            n_users=20_000,
            n_songs_per_user=50,
            duration_s=SECONDS,
            lazy=True,
            random_state=0,
        )
    )
    print(world.DESCR)
    print(
        f"{seconds:.1f} s ({cpu:.1f} s of processor), peak memory "
        f"{(peak_bytes() - before) / 1e6:.0f} MB above the start"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plays", action="store_true")
    options = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs; skcoldstart "
        f"{skcoldstart.__version__}, numpy {np.__version__}"
    )
    if options.plays:
        draw_listeners()
    else:
        play_clips(options.clips, options.rounds)


if __name__ == "__main__":
    main()
