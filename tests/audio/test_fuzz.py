"""Damaged files of every format end in frames or in a reason, and in nothing else."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.audio import fuzz_extractors
from tests.audio.fuzz_extractors import KINDS, N_BATCH, write_clips

ROOT = pathlib.Path(__file__).parents[2]
EXTRACTORS, STORE = "tests.audio.fuzz_extractors", "tests.audio.fuzz_store"

# Each mutant of the quick run takes about 2 ms; what is slow is to start.
N_QUICK = 60
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


def check(report, messages, n_mutants):
    assert report["wrong"] == []
    # The MP3 decoder writes about damage to standard error itself; we do not.
    assert "RuntimeWarning" not in messages
    for kind in KINDS:
        outcomes = report["outcomes"][kind]
        assert sum(outcomes.values()) == n_mutants
        # Both ends of the policy were reached, so the mutants are worth their time.
        assert 0.02 * n_mutants < outcomes["frames"] < n_mutants
    assert report["peak_mb"] < 1_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
def test_damaged_files_end_in_frames_or_in_a_reason(tmp_path, global_random_seed):
    first = global_random_seed * 100_000
    report, messages = fuzz(EXTRACTORS, tmp_path, N_QUICK, first, 1_200)
    check(report, messages, N_QUICK)


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
    if LONG_RUN in os.environ:
        print(json.dumps(report, indent=1))


@pytest.mark.slow
@pytest.mark.skipif(
    LONG_RUN not in os.environ, reason=f"{LONG_RUN} asks for a long run"
)
def test_many_damaged_files_end_in_frames_or_in_a_reason(tmp_path):
    n_mutants = int(os.environ[LONG_RUN]) // len(KINDS)
    report, messages = fuzz(EXTRACTORS, tmp_path, n_mutants, 0, 1_200 + n_mutants)
    check(report, messages, n_mutants)
    print(json.dumps(report, indent=1))


def test_mutants_are_the_same_on_every_run(tmp_path):
    clips = write_clips(tmp_path)
    for kind in KINDS:
        content, change = fuzz_extractors.mutant(kind, N_BATCH, clips)
        assert fuzz_extractors.mutant(kind, N_BATCH, clips) == (content, change)
        assert content != clips[kind] or change


@pytest.mark.parametrize("kind", fuzz_extractors.REPAIRS)
def test_repaired_checksums_are_the_encoders(kind, tmp_path):
    whole = write_clips(tmp_path)[kind]
    repair = fuzz_extractors.REPAIRS[kind]
    assert repair(whole) == whole
    if kind == "flac":
        damaged = whole[:-2] + b"\0\0"  # the checksum of the last frame
    else:
        damaged = whole[:22] + bytes(4) + whole[26:]  # that of the first page
    assert damaged != whole
    assert repair(damaged) == whole
