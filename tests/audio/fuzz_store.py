"""Read stores whose files were damaged, and report what became of the frames.

Run as a script, in a process of its own: what it looks for would end the process.
"""

import argparse
import collections
import json
import os
import pathlib
import sys
import time

import numpy as np

from skcoldstart import MelSpectrogram
from skcoldstart.audio import _store
from tests.audio.fuzz_extractors import MUTATIONS


def rewrite_a_number(content, rng, others):
    """Change digits of an index: counts, sizes, times, sums."""
    places = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
    damaged = bytearray(content)
    for place in rng.choice(places, min(len(places), rng.integers(1, 4))):
        damaged[place] = ord("0") + int(rng.integers(10))
    return bytes(damaged)


def swap_rows(content, rng, others):
    """Exchange parts of two items in an index, which stays valid JSON."""
    try:
        rows = json.loads(content)
        first, second = rng.choice(len(rows), 2, replace=False)
        part = int(rng.integers(3))
        rows[first][part], rows[second][part] = rows[second][part], rows[first][part]
    except (ValueError, TypeError, IndexError):
        return content
    return json.dumps(rows).encode()


def swap_pages(content, rng, others):
    """Exchange two pages of a shard."""
    pages = [content[i : i + 4096] for i in range(0, len(content), 4096)]
    if len(pages) > 1:
        first, second = rng.choice(len(pages), 2, replace=False)
        pages[first], pages[second] = pages[second], pages[first]
    return b"".join(pages)


CHANGES = {
    ".json": [*MUTATIONS, rewrite_a_number, rewrite_a_number, swap_rows],
    ".npy": [*MUTATIONS, swap_pages],
}


def damage(files, rng):
    """Return other contents of one or two files, and what was done to them."""
    changed, names = {}, []
    for name in rng.choice(sorted(files), rng.integers(1, 3), replace=False):
        changes = CHANGES[pathlib.Path(name).suffix]
        change = changes[rng.integers(len(changes))]
        changed[name] = change(files[name], rng, list(files.values()))
        names.append(f"{change.__name__} of {pathlib.Path(name).suffix}")
    return changed, " and ".join(sorted(names))


def same(frames, expected):
    return len(frames) == len(expected) and all(
        item.dtype == other.dtype and np.array_equal(item, other)
        for item, other in zip(frames, expected, strict=True)
    )


def read(extractor, clips, expected):
    """Return what became of the frames: the right ones, an error, or other frames."""
    try:
        frames = extractor.transform(clips)
        starts = [len(item) // 2 for item in expected]
        windows = frames.windows(range(len(clips)), starts, 5)
        items = list(frames)
    except OSError as error:
        return "an error" if "damaged frames" in str(error) else f"wrong: {error}"
    right = np.array([
        np.pad(item[start : start + 5], ((0, max(0, start + 5 - len(item))), (0, 0)))
        for item, start in zip(expected, starts, strict=True)
    ])
    return (
        "right" if same(items, expected) and np.array_equal(windows, right) else "wrong"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--mutants", type=int, required=True)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    _store._SHARD_BYTES = 20_000
    rng = np.random.default_rng(0)
    clips = [rng.uniform(-0.5, 0.5, n) for n in (9_000, 12_000, 700, 30_000, 20_000)]
    store = options.folder / "store"
    extractor = MelSpectrogram(n_mels=32, store=store)
    expected = list(MelSpectrogram(n_mels=32).transform(clips))
    assert read(extractor, clips, expected) == "right"
    [analysis] = store.iterdir()
    files = {
        path.name: path.read_bytes()
        for path in analysis.iterdir()
        if path.suffix in CHANGES
    }
    outcomes, wrong, slowest_s = collections.Counter(), [], 0.0
    for seed in range(options.first_seed, options.first_seed + options.mutants):
        rng = np.random.default_rng([7, seed])
        changed, what = damage(files, rng)
        (options.folder / "batch.txt").write_text(f"seed {seed}: {what}")
        for path in analysis.iterdir():
            if path.suffix in CHANGES:
                path.unlink()
        # Half of the damage happens without a trace in the times of the files.
        for name in sorted(files, key=lambda name: name.endswith(".json")):
            (analysis / name).write_bytes({**files, **changed}[name])
        if rng.random() < 0.5:
            for name in changed:
                os.utime(analysis / name)
        started = time.perf_counter()
        first = second = read(extractor, clips, expected)
        for _ in range(len(files)):  # one error for each damaged shard, at most
            if second == "an error":
                second = read(extractor, clips, expected)
        slowest_s = max(slowest_s, time.perf_counter() - started)
        outcomes[f"{first}, then {second}"] += 1
        if second != "right":
            wrong.append(f"seed {seed} ({what}): {first}, then {second}")
    report = {"outcomes": outcomes, "wrong": wrong, "slowest_s": slowest_s}
    json.dump(report, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
