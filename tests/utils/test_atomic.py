"""Files that are either complete or absent."""

import os
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from skcoldstart._utils.paths import atomic_write


def test_a_finished_file_replaces_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path, "w") as file:
        file.write("né")
        assert path.read_text() == "old"
    assert path.read_text("utf-8") == "né"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with atomic_write("~/a.txt", "w") as file:
        file.write("new")
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
        from skcoldstart._utils.paths import atomic_write
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
    assert path.read_bytes() in (b"0" * 1000, b"1" * 1000)
    with atomic_write(path) as file:  # what the killed writer left is swept
        file.write(b"2")
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX locks")
def test_only_what_nobody_writes_any_more_is_swept(tmp_path):
    path = tmp_path / "a"
    kept = [
        ".a.settings",
        ".a.0123abcd",
        ".b.0123abcd.partial",
        ".a.b.0123abcd.partial",
    ]
    for name in (*kept, ".a.0123abcd.partial"):
        (tmp_path / name).write_bytes(b"x")
    with atomic_write(path) as first, atomic_write(path) as second:
        first.write(b"1")
        second.write(b"2")
    assert path.read_bytes() == b"1"
    assert sorted(os.listdir(tmp_path)) == sorted(["a", *kept])


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_links_stay_links_and_the_target_keeps_its_mode(tmp_path):
    target, link = tmp_path / "m.1", tmp_path / "latest"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to("m.1")
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX devices")
def test_what_is_no_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match=name), atomic_write(tmp_path / name) as file:
            file.write(b"x")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


def test_names_of_any_length_and_bytes_can_be_written(tmp_path):
    path = tmp_path / ("å" * 120)
    with atomic_write(path, "w") as file:
        file.write("caf\udce9")
    assert path.read_text("utf-8") == r"caf\udce9"
