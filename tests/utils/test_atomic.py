"""Files that are either whole or absent."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from skcoldstart._utils.atomic import atomic_write


def test_a_finished_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path, "w") as file:
        file.write("né")
        assert path.read_text() == "old"
    assert path.read_text("utf-8") == "né"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, SystemExit])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_file_has_the_permissions_of_any_new_file(tmp_path):
    with atomic_write(tmp_path / "a") as file:
        file.write(b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_writer_never_leaves_a_half_written_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"0" * 1000)
    code = textwrap.dedent(
        f"""
        from skcoldstart._utils.atomic import atomic_write
        print("ready", flush=True)
        while True:
            with atomic_write({str(path)!r}) as file:
                for _ in range(100):
                    file.write(b"1" * 10)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    for _ in range(50):
        assert path.stat().st_size == 1000
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert set(path.read_bytes()) <= {ord("0")} or set(path.read_bytes()) == {ord("1")}
    assert path.stat().st_size == 1000
