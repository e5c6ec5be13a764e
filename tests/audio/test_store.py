"""Frames on disk: what is stored, what is computed again, what a crash leaves."""

import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import KFold

from skcoldstart import MelSpectrogram, MFCCExtractor, RaggedArray
from skcoldstart.audio import AudioReadError, _store
from skcoldstart.audio._store import StoredFrames
from tests.audio.conftest import assert_same_frames


@pytest.fixture
def paths(music, write_audio):
    return [
        write_audio(f"{i}.wav", music(n))
        for i, n in enumerate((9_000, 700, 12_345, 5_000, 5_001))
    ]


@pytest.fixture
def extractor(folder):
    return MelSpectrogram(store=folder)


@pytest.fixture
def expected(paths):
    return MelSpectrogram().transform(paths)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("Extractor", [MelSpectrogram, MFCCExtractor])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_stored_frames_are_the_frames(Extractor, dtype, n_jobs, folder, paths):
    expected = Extractor(dtype=dtype).transform(paths)
    extractor = Extractor(dtype=dtype, store=folder, n_jobs=n_jobs)
    assert_same_frames(extractor.transform(paths), expected)
    assert_same_frames(extractor.transform(paths), expected)


def test_nothing_is_computed_twice(extractor, folder, paths, n_computed, monkeypatch):
    first = extractor.fit_transform(paths[:3])
    assert n_computed() == 3
    again = clone(extractor).set_params(store=str(folder), n_jobs=2, verbose=0)
    assert_same_frames(again.transform(paths[:3]), first)
    assert n_computed() == 0
    frames = again.transform(paths[::-1])
    assert n_computed() == 2
    assert_same_frames(frames[[4, 3, 2]], first)
    assert_same_frames(again.transform([paths[0], paths[0]]), first[[0, 0]])
    monkeypatch.chdir(paths[0].parent)
    again.transform([paths[0].name, os.fsencode(paths[1]), str(paths[2])])
    assert n_computed() == 0


CHANGES = [
    *[{"sr": 16000}, {"n_fft": 512}, {"hop_length": 256}, {"n_mels": 64}],
    *[{"fmin": 50.0}, {"fmax": 8000.0}, {"compression": "db"}, {"log_scale": 1.0}],
    *[{"dtype": "float16"}, {"max_duration": 0.2}],
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_parameter_of_the_frames_has_its_own_place(
    change, extractor, folder, paths
):
    extractor.transform(paths)
    frames = MelSpectrogram(store=folder, **change).transform(paths)
    assert_same_frames(frames, MelSpectrogram(**change).transform(paths))
    assert len(list(folder.iterdir())) == 2


def test_other_parameters_share_the_place(extractor, folder, paths, n_computed):
    extractor.transform(paths)
    n_computed()
    same = {"sr": 22050.0, "fmax": 11025, "on_error": "warn", "lazy": True}
    MelSpectrogram(store=folder, **same).transform(paths)
    assert n_computed() == 0


def test_waveforms_are_known_by_their_samples(folder, music, n_computed):
    clips = [music(3_000), music(5_000), music(3_000)]
    extractor = MFCCExtractor(store=folder)
    frames = extractor.transform(clips)
    assert_same_frames(frames, MFCCExtractor().transform(clips))
    n_computed()
    assert_same_frames(extractor.transform([c.copy() for c in clips]), frames)
    table = np.stack([clips[0], clips[2]])
    assert_same_frames(extractor.transform(table), frames[[0, 2]])
    assert n_computed() == 0


def test_indexing_works_as_on_a_ragged_array(extractor, expected, paths):
    frames, ragged = extractor.transform(paths), expected
    assert isinstance(frames, StoredFrames)
    assert frames.shape == ragged.shape
    assert frames.dtype == ragged.dtype
    mask = np.array([True, False, True, True, False])
    for key in (slice(1, 4), slice(None, None, -1), [3, 0, 0], mask, np.array([-1])):
        assert isinstance(frames[key], StoredFrames)
        assert_same_frames(frames[key], ragged[key])
        assert_same_frames(pickle.loads(pickle.dumps(frames[key])), ragged[key])
    for train, test in KFold(3).split(frames):
        assert_same_frames(frames[train], ragged[train])
        assert_same_frames(frames[test], ragged[test])
    assert_array_equal(frames[-1], ragged[-1])
    assert_array_equal(RaggedArray.from_sequence(frames).values, ragged.values)
    assert repr(frames) == "StoredFrames(5 items, 65 rows x 128, float32)"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_windows_are_those_of_the_frames_in_memory(dtype, folder, paths, monkeypatch):
    monkeypatch.setattr(_store, "_SHARD_BYTES", 10_000)
    frames = MelSpectrogram(store=folder, dtype=dtype).transform(paths)
    assert len(list(folder.rglob("*.npy"))) > 1
    ragged = MelSpectrogram(dtype=dtype).transform(paths)
    rng = np.random.default_rng(0)
    items = rng.integers(-5, 5, 100)
    starts = rng.integers(0, ragged.lengths[items] + 1)
    for n_rows in (1, 7, 30):
        expected = ragged.windows(items, starts, n_rows)
        windows = frames.windows(items, starts, n_rows)
        assert windows.dtype == expected.dtype
        assert_array_equal(windows, expected)
        wide = np.empty(expected.shape, np.float64)
        assert_array_equal(frames.windows(items, starts, n_rows, out=wide), expected)
    part = frames[[3, 1]]
    assert_array_equal(part.windows([1], [0], 2)[0], ragged[1][:2])
    copy = pickle.loads(pickle.dumps(part))
    assert_array_equal(copy.windows([1], [0], 2)[0], ragged[1][:2])
    monkeypatch.delattr(os, "preadv", raising=False)
    assert_array_equal(part.windows([1], [0], 2)[0], ragged[1][:2])


def test_items_without_frames_have_windows_of_zeros(folder, paths):
    extractor = MelSpectrogram(store=folder, on_error="ignore")
    frames = extractor.transform([paths[0], "gone.wav"])
    assert not frames.windows([1, 1], [0, 0], 4).any()
    with pytest.raises(IndexError, match="starts at row 1 of item 1, which has 0"):
        frames.windows([1], [1], 4)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="counts reads of Linux")
def test_windows_are_read_without_their_neighbours(extractor, folder, music):
    # Not in the memory file system, where nothing is ever read from a disk.
    clips = [music(300_000)[i:] for i in range(8)]
    frames = extractor.transform(clips)
    for shard in folder.rglob("*.npy"):
        descriptor = os.open(shard, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    rng = np.random.default_rng(0)
    items, starts = rng.integers(0, 8, 20), rng.integers(0, 550, 20)
    before = n_bytes_read()
    windows = frames.windows(items, starts, 16)
    n_read = n_bytes_read() - before
    if n_read == 0:
        pytest.skip("this file system reads from no disk")
    # A window lies on at most three pages.
    assert n_read <= windows.nbytes + 20 * 2 * 4096


def n_bytes_read():
    with open("/proc/self/io") as file:
        counts = dict(line.split(": ") for line in file)
    return int(counts["read_bytes"])


def test_bad_items_are_not_stored_and_tried_again(
    extractor, paths, music, write_audio, n_computed
):
    paths[1].write_bytes(b"")
    extractor.set_params(on_error="ignore")
    gone = paths[0].parent / "gone.wav"
    frames = extractor.transform([*paths, gone, np.array([np.nan]), paths[1]])
    assert_array_equal(frames.lengths > 0, [1, 0, 1, 1, 1, 0, 0, 0])
    assert frames[1].shape == (0, 128)
    assert [e.index for e in extractor.errors_] == [1, 5, 6, 7]
    assert n_computed() == 8
    write_audio("1.wav", music(700))
    frames = extractor.transform(paths)
    assert n_computed() == 1
    assert extractor.errors_ == []
    assert_same_frames(frames, MelSpectrogram().transform(paths))


@pytest.mark.parametrize("stop", [AudioReadError, KeyboardInterrupt])
def test_what_was_done_before_a_stop_is_kept(
    stop, extractor, expected, paths, n_computed
):
    class Stopping(list):
        def __getitem__(self, key):
            if key == 3 and stopping and n_reads.append(key) is None:
                if stop is AudioReadError:
                    return np.zeros(0)
                if len(n_reads) > 1:
                    raise KeyboardInterrupt
            return super().__getitem__(key)

    stopping, n_reads = True, []
    items = Stopping(paths)
    with pytest.raises(stop):
        extractor.transform(items)
    n_computed()
    stopping = False
    assert_same_frames(extractor.transform(items), expected)
    assert n_computed() == 2


def test_truncation_is_told_again_when_the_frames_are_stored(extractor, paths):
    os.truncate(paths[0], paths[0].stat().st_size // 2)
    for _ in range(2):
        with pytest.warns(UserWarning, match="may be truncated: item 0") as caught:
            extractor.transform(paths)
        assert caught[0].filename == __file__


def test_leftovers_are_swept_when_they_are_old(extractor, folder, paths):
    extractor.transform(paths)
    [analysis] = folder.iterdir()
    kept = sorted(analysis.iterdir())
    left = [analysis / ".a.npy.x1", analysis / "b.npy"]
    for path in left:
        path.write_bytes(b"half")
    extractor.transform(paths)
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (0, 0))
    extractor.transform(paths)
    assert sorted(analysis.iterdir()) == kept


def test_two_writers_at_once_store_the_same_frames(
    extractor, expected, paths, monkeypatch
):
    monkeypatch.setattr(_store, "_SHARD_BYTES", 10_000)
    with ThreadPoolExecutor(2) as writers:
        orders = [paths, paths[::-1]]
        frames = list(writers.map(lambda X: clone(extractor).transform(X), orders))
    assert_same_frames(frames[0], expected)
    assert_same_frames(frames[1], expected[::-1])
    assert_same_frames(extractor.transform(paths), expected)


def test_memory_is_one_shard_whatever_the_number_of_items(
    extractor, music, monkeypatch
):
    monkeypatch.setattr(_store, "_SHARD_BYTES", 100_000)
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 100_000, 300)
    source = music(120_000)
    clips = [source[start : start + 20_000] for start in starts]
    extractor.transform(clips[:2])
    tracemalloc.start()
    frames = extractor.transform(clips)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    n_bytes = frames.lengths.sum() * 128 * 4
    assert n_bytes > 5_000_000
    assert peak < 1_500_000
