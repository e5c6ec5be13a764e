"""Damaged files of every format end in frames or in a reason, and in nothing else."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.audio.fuzz_extractors import KINDS, REPAIRS, write_clips

ROOT = pathlib.Path(__file__).parents[2]
EXTRACTORS, STORE = "tests.audio.fuzz_extractors", "tests.audio.fuzz_store"

# The number of mutants of a long run. A mutant takes about 2 ms; to start is slow.
LONG_RUN = "SKCOLDSTART_FUZZ_MUTANTS"


def fuzz(module, folder, n_mutants, first_seed, timeout_s):
    """Read `n_mutants` of what a script damages, in a process with its own limits."""
    command = [sys.executable, "-m", module, folder, "--mutants", str(n_mutants)]
    try:
        run = subprocess.run(
            [*command, "--first-seed", str(first_seed)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            cwd=ROOT,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"a hang, or too slow, at {(folder / 'batch.txt').read_text()}")
    if run.returncode:
        last = folder / "batch.txt"
        where = last.read_text() if last.exists() else "the start"
        pytest.fail(f"exit {run.returncode} at {where}:\n{run.stderr}")
    return json.loads(run.stdout), run.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
def test_damaged_files_end_in_frames_or_in_a_reason(tmp_path, global_random_seed):
    n_mutants = int(os.environ.get(LONG_RUN, 60 * len(KINDS))) // len(KINDS)
    first = global_random_seed * 100_000
    report, messages = fuzz(EXTRACTORS, tmp_path, n_mutants, first, 1_200 + n_mutants)
    assert report["wrong"] == []
    # The MP3 decoder writes about damage to standard error itself; we do not.
    assert "RuntimeWarning" not in messages
    for kind in KINDS:
        outcomes = report["outcomes"][kind]
        assert sum(outcomes.values()) == n_mutants
        # Both ends of the policy were reached, so the mutants are worth their time.
        assert 0.02 * n_mutants < outcomes["frames"] < n_mutants
    assert report["peak_mb"] < 1_000
    print(json.dumps(report, indent=1))  # shown by pytest -s


@pytest.mark.slow
def test_damaged_stores_end_in_the_right_frames_or_in_an_error(
    tmp_path, global_random_seed
):
    n_mutants = int(os.environ.get(LONG_RUN, 150))
    first = global_random_seed * 100_000
    report, _ = fuzz(STORE, tmp_path, n_mutants, first, 1_200 + n_mutants)
    assert report["wrong"] == []
    assert sum(report["outcomes"].values()) == n_mutants
    assert report["outcomes"]["an error, then right"] > 0
    print(json.dumps(report, indent=1))


@pytest.mark.parametrize("kind", REPAIRS)
def test_repaired_checksums_are_the_encoders(kind, tmp_path):
    whole = write_clips(tmp_path)[kind]
    repair = REPAIRS[kind]
    assert repair(whole) == whole
    if kind == "flac":
        damaged = whole[:-2] + b"\0\0"  # the checksum of the last frame
    else:
        damaged = whole[:22] + bytes(4) + whole[26:]  # that of the first page
    assert damaged != whole
    assert repair(damaged) == whole
