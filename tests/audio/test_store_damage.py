"""Stores and files that were changed, cut or damaged: never old or false frames."""

import errno
import json
import os
import pickle
import shutil
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcoldstart import MelSpectrogram
from skcoldstart._kernels.checksum import BLOCK_BYTES, block_sums, first_changed
from skcoldstart.audio import AudioReadError, _store
from tests.audio.conftest import assert_same_frames

MEL = {"n_mels": 32}


@pytest.fixture
def paths(music, write_audio):
    return [write_audio(f"{n}.wav", music(n)) for n in (30_000, 700, 60_000, 5_000)]


@pytest.fixture
def extractor(folder):
    return MelSpectrogram(store=folder, **MEL)


@pytest.fixture
def expected(paths):
    return MelSpectrogram(**MEL).transform(paths)


def rewrite(path, start, content):
    """Change bytes of a file, and nothing that the file system tells of it."""
    status = path.stat()
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_sums_are_products_of_halves_and_see_a_change_of_any_half_word(rng):
    content = rng.integers(0, 256, 3 * BLOCK_BYTES + 999, dtype=np.uint8)
    from skcoldstart._kernels.checksum import _KEYS

    padded = np.zeros((4, BLOCK_BYTES), np.uint8)
    padded.ravel()[: len(content)] = content
    words = padded.view(np.uint64) ^ _KEYS
    low, high = words & np.uint64(2**32 - 1), words >> np.uint64(32)
    sums = block_sums(content)
    assert_array_equal(sums, (low * high + words).sum(axis=1))
    assert len(set(_KEYS.tolist())) == len(_KEYS)
    assert len(block_sums(content[:0])) == 0
    assert first_changed(padded.ravel(), sums) == -1
    # The hardest case: the other half and its key cancel each other.
    for mask in (2**32 - 1, 2**64 - 2**32):
        block = rng.integers(0, 2**64, 512, dtype=np.uint64)
        block[7] = _KEYS[7] ^ (block[7] & np.uint64(mask))
        expected = block_sums(block.view(np.uint8))
        for bit in range(64):
            changed = block.copy()
            changed[7] ^= np.uint64(2**bit)
            assert first_changed(changed.view(np.uint8), expected) == 0


DAMAGES = {
    "one bit": lambda content: content ^ np.eye(1, len(content), 77, dtype=np.uint8)[0],
    "zeros": lambda content: content * 0,
    "signs": lambda content: content ^ np.uint8(0x80),
    "swapped halves": lambda content: np.roll(content, len(content) // 2),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_in_a_page_is_an_error_once_and_healed_then(
    damage, extractor, expected, folder, paths, n_computed
):
    extractor.transform(paths)
    [shard] = folder.rglob("*.npy")
    start = 3 * BLOCK_BYTES
    page = np.frombuffer(shard.read_bytes(), np.uint8)[start : start + BLOCK_BYTES]
    rewrite(shard, start, DAMAGES[damage](page).tobytes())
    frames = extractor.transform(paths)
    n_computed()
    with pytest.raises(OSError, match=r"page 2 has changed.*transform again"):
        list(frames)
    assert_same_frames(extractor.transform(paths), expected)
    assert n_computed() == len(paths)


def test_windows_are_checked_and_only_they(extractor, folder, paths):
    frames = extractor.transform(paths)
    [shard] = folder.rglob("*.npy")
    rewrite(shard, 3 * BLOCK_BYTES + 5, b"?")
    frames.windows([0], [0], 8)
    frames.windows([2], [50], 8)
    with pytest.raises(OSError, match="page 2 has changed"):
        frames.windows([2], [3], 4)  # rows 64 to 67 of the shard, of 128 bytes each


def test_shards_changed_after_their_index_are_computed_anew(
    extractor, expected, folder, paths, n_computed
):
    extractor.transform(paths)
    [shard], [index] = folder.rglob("*.npy"), folder.rglob("*.json")
    with open(shard, "r+b") as file:
        file.seek(shard.stat().st_size // 2)
        file.write(bytes(shard.stat().st_size // 2))
    # The clock of the file system may not have ticked since.
    os.utime(shard, ns=(0, index.stat().st_mtime_ns + 10**9))
    n_computed()
    assert_same_frames(extractor.transform(paths), expected)
    assert n_computed() == len(paths)


def test_a_shard_that_was_only_touched_is_read(extractor, folder, paths, n_computed):
    frames = extractor.transform(paths)
    [shard] = folder.rglob("*.npy")
    [index] = folder.rglob("*.json")
    os.utime(shard)
    n_computed()
    for _ in range(2):
        assert_same_frames(extractor.transform(paths), frames)
        assert shard.stat().st_mtime_ns <= index.stat().st_mtime_ns
    assert n_computed() == 0


@pytest.mark.parametrize("where", ["item", "windows", "pickle", "without preadv"])
def test_a_shard_cut_while_it_is_read_is_an_error(
    where, extractor, folder, paths, monkeypatch
):
    if where == "without preadv":
        monkeypatch.delattr(os, "preadv", raising=False)
    frames = extractor.transform(paths)
    if where == "pickle":
        frames = pickle.loads(pickle.dumps(frames))
    assert frames[0].any()
    [shard] = folder.rglob("*.npy")
    os.truncate(shard, 300)
    with pytest.raises(OSError, match="has 300 bytes, expected") as caught:
        if where == "windows":
            frames.windows([2], [0], 4)
        else:
            frames[2]
    assert shard.name in str(caught.value)


def test_a_removed_store_is_an_error_that_names_it(extractor, folder, paths):
    frames = extractor.transform(paths)
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match=r"\.npy"):
        frames[0]


def test_a_pipe_or_device_among_the_files_is_a_bad_file(folder, tmp_path, no_hang):
    os.mkfifo(tmp_path / "a.wav")
    extractor = MelSpectrogram(store=folder, on_error="ignore")
    items = [tmp_path / "a.wav", "/dev/zero", np.ones(3000, "f4")]
    frames = extractor.fit_transform(items)
    assert [len(item) > 0 for item in frames] == [False, False, True]
    assert ["regular" in error.reason for error in extractor.errors_] == [True, True]


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize(
    "damage", ["truncate", "empty", "garbage", "remove", "folder", "FIFO"]
)
def test_damaged_files_are_computed_anew(
    suffix, damage, extractor, expected, folder, paths, n_computed, monkeypatch, no_hang
):
    monkeypatch.setattr(_store, "_SHARD_BYTES", 10_000)
    extractor.transform(paths)
    victim = sorted(folder.rglob(f"*{suffix}"))[0]
    content = victim.read_bytes()
    victim.unlink()
    if damage == "folder":
        victim.mkdir()
    elif damage == "FIFO":
        os.mkfifo(victim)
    elif damage != "remove":
        half = content[: len(content) // 2]
        victim.write_bytes({"truncate": half, "empty": b""}.get(damage, b"x" * 99))
    n_computed()
    assert_same_frames(extractor.transform(paths), expected)
    assert 1 <= n_computed() < len(paths)


def swap(part):
    def change(rows):
        rows[0][part], rows[1][part] = rows[1][part], rows[0][part]
        return rows

    return change


INDICES = {
    "swapped counts": swap(1),
    "swapped names": swap(0),
    "float counts": lambda rows: [[k, float(n), x] for k, n, x in rows],
    "negative": lambda rows: [[k, -n, x] for k, n, x in rows],
    "huge": lambda rows: [[k, 10**40, x] for k, n, x in rows],
    "lists as names": lambda rows: [[[k], n, x] for k, n, x in rows],
    "numbers as names": lambda rows: [[7, n, x] for k, n, x in rows],
    "one row less": lambda rows: rows[1:],
    "no digest": lambda rows: rows[:-1],
    "number as digest": lambda rows: [*rows[:-1], ["", 0, 5]],
    "short rows": lambda rows: [row[:2] for row in rows],
    "a number": lambda rows: 5,
    "nothing": lambda rows: [],
    "null": lambda rows: None,
}


@pytest.mark.parametrize("change", INDICES)
def test_a_changed_index_is_not_believed(
    change, extractor, expected, folder, paths, n_computed
):
    extractor.transform(paths)
    [index] = folder.rglob("*.json")
    index.write_text(json.dumps(INDICES[change](json.loads(index.read_text()))))
    n_computed()
    assert_same_frames(extractor.transform(paths), expected)
    assert n_computed() == len(paths)
    index.write_text("[" * 100_000)
    assert_same_frames(extractor.transform(paths), expected)


def write_in_place(path, content):
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # until the file system's clock ticks
        path.write_bytes(content)


def write_and_rename(path, content):
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


def middle_byte(content):
    half = len(content) // 2
    return content[:half] + bytes([content[half] ^ 64]) + content[half + 1 :]


@pytest.mark.parametrize("write", [write_in_place, write_and_rename])
@pytest.mark.parametrize(
    "change", [middle_byte, lambda content: content[:44] + content[:43:-1]]
)
def test_files_of_the_same_size_and_time_are_computed_anew(
    write, change, extractor, paths, n_computed
):
    extractor.transform(paths)
    n_computed()
    status = paths[2].stat()
    write(paths[2], change(paths[2].read_bytes()))
    os.utime(paths[2], ns=(status.st_atime_ns, status.st_mtime_ns))
    frames = extractor.transform(paths)
    assert n_computed() == 1
    assert_same_frames(frames, MelSpectrogram(**MEL).transform(paths))


def test_files_that_change_to_and_fro_are_computed_once(extractor, paths, n_computed):
    versions = [paths[0].read_bytes(), middle_byte(paths[0].read_bytes())]
    for version in versions:
        write_in_place(paths[0], version)
        extractor.transform(paths)
    n_computed()
    for version in (*versions, *versions):
        write_in_place(paths[0], version)
        frames = extractor.transform(paths)
        assert_array_equal(frames[0], MelSpectrogram(**MEL).transform(paths[:1])[0])
    assert n_computed() == 4  # by the extractor without a store


@pytest.mark.parametrize("how", ["touch", "mode", "copy", "moved there and back"])
def test_files_of_the_same_content_are_not_computed_again(
    how, extractor, expected, paths, n_computed, tmp_path
):
    extractor.transform(paths)
    n_computed()
    if how == "touch":
        os.utime(paths[0])
    elif how == "mode":
        paths[0].chmod(0o600)
    else:
        copy = shutil.copy(paths[0], tmp_path / "copy")
        os.replace(copy, paths[0])
    assert_same_frames(extractor.transform(paths), expected)
    assert n_computed() == 0


def test_a_file_that_changes_while_it_is_read_is_a_bad_file(folder, paths):
    def reader(path):
        os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 10**9))
        return np.ones(9_000), 22_050

    extractor = MelSpectrogram(store=folder, reader=reader)
    with pytest.raises(AudioReadError, match="it changed while it was read"):
        extractor.transform(paths)
    extractor.set_params(on_error="ignore")
    assert extractor.transform(paths).lengths.tolist() == [0] * len(paths)
    assert len(extractor.errors_) == len(paths)


def test_readers_have_places_of_their_own(expected, folder, paths, n_computed):
    def reader_of(value):
        return lambda path: (np.full(9_000, value), 22_050)

    def stored(reader):
        return MelSpectrogram(store=folder, reader=reader, **MEL).transform(paths)

    first = stored(reader_of(0.1))[0]
    assert not np.array_equal(stored(reader_of(0.2))[0], first)
    n_computed()
    assert_array_equal(stored(reader_of(0.1))[0], first)
    assert n_computed() == 0
    for reader in ("auto", "soundfile"):
        assert_same_frames(stored(reader), expected)
    assert n_computed() == len(paths)


def test_what_is_no_file_is_stored_by_its_name(folder, n_computed):
    def reader(name):
        return np.full(9_000, float(name[-1]) / 10), 22_050

    extractor = MelSpectrogram(store=folder, reader=reader, **MEL)
    names = ["db://1", "db://2"]
    expected = MelSpectrogram(reader=reader, **MEL).transform(names)
    for _ in range(2):
        assert_same_frames(extractor.transform(names), expected)
    assert n_computed() == 4


def test_frames_of_pyav_count_for_its_version(
    extractor, paths, encode, music, n_computed, monkeypatch
):
    foreign = encode("a.m4a", music(48_000)[:, None], 48_000, "aac")
    expected = extractor.transform([paths[0], foreign])
    n_computed()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)  # kept, where it is not installed
        assert_same_frames(extractor.transform([paths[0], foreign]), expected)
    assert n_computed() == 0
    monkeypatch.setattr("av.__version__", "another")
    assert_same_frames(extractor.transform([paths[0], foreign]), expected)
    assert n_computed() == 1


def test_a_read_only_store_is_read_with_what_is_left_in_it(
    extractor, expected, folder, paths, monkeypatch
):
    extractor.transform(paths)
    [analysis] = folder.iterdir()
    for name in (".left.npy.x", "left.npy"):
        (analysis / name).write_bytes(b"half")
        os.utime(analysis / name, (1, 1))
    [shard] = set(analysis.glob("*.npy")) - {analysis / "left.npy"}
    os.utime(shard)

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("unlink", "utime"):
        monkeypatch.setattr(os, name, refuse)
    assert_same_frames(extractor.transform(paths), expected)


def test_a_relative_store_and_a_home_keep_their_place(
    paths, expected, tmp_path, monkeypatch, n_computed
):
    here, home, elsewhere = (tmp_path / name for name in ("here", "home", "elsewhere"))
    for place in (here, home, elsewhere):
        place.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    stored = MelSpectrogram(store="rel", **MEL).transform(paths)
    at_home = MelSpectrogram(store="~/frames", **MEL).transform(paths)
    names = [os.path.relpath(path) for path in paths]
    lazy = MelSpectrogram(lazy=True, **MEL).transform(names)
    shutil.copy(paths[0], home / "song.wav")
    assert_same_frames(MelSpectrogram(**MEL).transform(["~/song.wav"]), expected[:1])
    monkeypatch.chdir(elsewhere)
    for frames in (stored, at_home, lazy):
        assert_same_frames(frames, expected)
    assert (home / "frames").is_dir()
    assert not (here / "~").exists()
    n_computed()
    MelSpectrogram(store=here / "rel", **MEL).transform(paths)
    assert n_computed() == 0
