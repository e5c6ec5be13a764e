"""Stores whose writers are killed, meet each other or run out of disk."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings

import pytest

from skcoldstart import MelSpectrogram
from tests.audio.conftest import assert_same_frames

pytestmark = pytest.mark.slow


SCRIPT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from skcoldstart import MelSpectrogram
    from skcoldstart.audio import _store

    _store._SHARD_BYTES = 20_000
    {before}
    folder, audio = map(Path, sys.argv[1:])
    paths = sorted(audio.glob("*.wav"))
    print("started", flush=True)
    MelSpectrogram(store=folder).transform(paths)
    print("done", flush=True)
""")


def start(folder, audio, before=""):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(before=before), folder, audio],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def audio(music, write_audio):
    for i in range(300):
        path = write_audio(f"{i:03}.wav", music(5_000 + 13 * i))
    return path.parent


def stored_items(folder):
    """Return the keys in whole shards, in the order in which they were written."""
    indices = sorted(folder.rglob("*.json"), key=lambda p: p.stat().st_mtime_ns)
    rows = [row for index in indices for row in json.loads(index.read_text())]
    return [key for key, *_ in rows if key]


# A writer renames each file when it is whole: the frames of a shard, then its index.
KILL = """
    import os, signal
    rename, n_renamed = os.replace, 0
    def replace(*args, **options):
        global n_renamed
        if n_renamed == {n_files}:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*args, **options)
        n_renamed += 1
    os.replace = replace
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_writers_killed_at_any_file_lose_nothing_and_leave_nothing_half_read(
    folder, audio, n_computed
):
    paths = sorted(audio.glob("*.wav"))
    expected = MelSpectrogram().transform(paths)
    n_stored = 0
    for n_files in (0, 1, 2, 3, 10, 41, 8, 17):
        process = start(folder, audio, textwrap.dedent(KILL.format(n_files=n_files)))
        output, _ = process.communicate()
        assert output == "started\n"
        assert process.returncode == -signal.SIGKILL
        keys = stored_items(folder)
        assert len(set(keys)) == len(keys) >= n_stored
        # Each index that was renamed has an item or more; the analysis has a file.
        assert len(keys) - n_stored >= (n_files - (n_stored == 0)) // 2
        n_stored = len(keys)
        n_computed()
        part = MelSpectrogram(store=folder).transform(paths[:40])
        assert n_computed() <= 40
        assert_same_frames(part, expected[:40])
        n_stored = len(stored_items(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = MelSpectrogram(store=folder).transform(paths)
    assert_same_frames(frames, expected)
    assert len(set(stored_items(folder))) == 300


def test_two_processes_write_one_store(folder, audio, n_computed):
    writers = [start(folder, audio), start(folder, audio)]
    for writer in writers:
        output, errors = writer.communicate()
        assert output == "started\ndone\n", errors
    paths = sorted(audio.glob("*.wav"))
    frames = MelSpectrogram(store=folder).transform(paths)
    assert n_computed() == 0
    assert_same_frames(frames, MelSpectrogram().transform(paths))
    # What both have computed is kept twice, and read once.
    assert 300 <= len(stored_items(folder)) <= 600


def test_a_full_disk_is_an_error_that_leaves_a_good_store(
    folder, music, write_audio, n_computed
):
    pytest.importorskip("resource", reason="limits the size of files")
    for i in range(4):
        path = write_audio(f"{i}.wav", music(5_000 if i < 2 else 40_000))
    before = textwrap.dedent("""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        _store._SHARD_BYTES = 5_000
    """)
    process = start(folder, path.parent, before)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "OSError" in errors
    names = [p.name for p in folder.rglob("*") if p.is_file()]
    assert not [name for name in names if name.startswith(".")]

    paths = sorted(path.parent.glob("*.wav"))
    frames = MelSpectrogram(store=folder).transform(paths)
    assert n_computed() == 2
    assert_same_frames(frames, MelSpectrogram().transform(paths))


def test_a_file_system_that_cannot_reserve_room_is_written_to(
    folder, music, monkeypatch
):
    def refuse(descriptor, offset, length):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    clips = [music(3_000), music(5_000)]
    frames = MelSpectrogram(store=folder).transform(clips)
    assert_same_frames(frames, MelSpectrogram().transform(clips))
