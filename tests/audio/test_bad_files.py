"""Whatever a file holds: a named error, or a row without frames, and nothing else."""

import contextlib
import os
import socket
import sys
import warnings

import numpy as np
import pytest
import soundfile

from skcoldstart import MelSpectrogram, MFCCExtractor
from skcoldstart.audio import AudioReadError
from tests.audio.conftest import ReadClip as read_clip

pytestmark = pytest.mark.usefixtures("no_hang")


@pytest.fixture
def noise(rng):
    return lambda *shape: rng.uniform(-0.5, 0.5, shape).astype(np.float32)


@pytest.fixture
def make(tmp_path, noise):
    """Make a file from samples or bytes; return its path."""

    def write(name, content, sr=22050, **options):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            if path.suffix == ".opus":
                options = {"format": "OGG", "subtype": "OPUS"}
            soundfile.write(path, content, sr, **options)
        return path

    return write


def rewrite(path, start, field):
    content = bytearray(path.read_bytes())
    content[start : start + len(field)] = field
    path.write_bytes(content)
    return path


def zero_a_part(path):
    rewrite(path, path.stat().st_size // 2, bytes(path.stat().st_size // 10))


def wav_with(field, width, value):
    """Return a maker of a WAV file with another value in its fmt chunk."""
    start = {"channels": 22, "rate": 24, "block": 32, "bits": 34}[field]

    def build(make, noise, folder):
        path = make("clip.wav", noise(9_000))
        return rewrite(path, start, value.to_bytes(width, "little"))

    return build


def wav_of(value, n_channels=1):
    """Return a maker of a WAV file of floats with one odd sample."""

    def build(make, noise, folder):
        samples = noise(9_000, n_channels)
        samples[1_000] = value
        return make("clip.wav", samples, subtype="FLOAT")

    return build


def content_of(name, content):
    return lambda make, noise, folder: make(name, content)


def link(target):
    def build(make, noise, folder):
        path = folder / "link.wav"
        path.symlink_to(folder / target)
        return path

    return build


def fifo(make, noise, folder):
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


def unix_socket(make, noise, folder):
    # The address of a socket is short; the path of a test's folder may not be.
    here = os.getcwd()
    os.chdir(folder)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind("s.wav")
    os.chdir(here)
    return folder / "s.wav"


def damaged(name):
    """Return a maker of a file whose middle tenth is zeroed."""

    def build(make, noise, folder):
        path = make(name, noise(96_000, 2), 48_000)
        zero_a_part(path)
        return path

    return build


def truncated(name, share=0.5):
    def build(make, noise, folder):
        path = make(name, noise(60_000, 2), 48_000)
        os.truncate(path, int(share * path.stat().st_size))
        return path

    return build


def flac_of_years(make, noise, folder):
    path = make("clip.flac", noise(9_000))
    return rewrite(path, 22, b"\xff\xff\xff\xff")


BAD = {
    "missing": (lambda make, noise, folder: folder / "none.wav", "No such file"),
    "directory": (lambda make, noise, folder: folder, "it is a directory"),
    "dangling link": (link("gone.wav"), "No such file"),
    "link loop": (link("link.wav"), "symbolic links"),
    "file as folder": (
        lambda make, noise, folder: make("clip.wav", noise(9_000)) / "b.wav",
        "Not a directory",
    ),
    "long name": (lambda make, noise, folder: folder / ("n" * 300), "name too long"),
    "null in name": (lambda make, noise, folder: "a\0b.wav", "not a path"),
    "surrogate in name": (lambda make, noise, folder: "\ud800.wav", "not a path"),
    "FIFO": (fifo, "not a regular file"),
    "socket": (unix_socket, "not a regular file"),
    "device": (lambda make, noise, folder: "/dev/zero", "not a regular file"),
    "empty": (content_of("clip.mp3", b""), "the file is empty"),
    "one byte": (content_of("clip.wav", b"R"), "not a known audio format"),
    "words": (content_of("clip.mp3", b"not a sound " * 90), "not a known audio"),
    "zeros": (content_of("clip.flac", bytes(9_000)), "not a known audio format"),
    "web page": (content_of("clip.mp3", b"<!DOCTYPE html><p>404"), "not a known audio"),
    "headerless": (content_of("clip.raw", bytes(range(250))), "headerless"),
    "picture": (content_of("clip.ogg", b"\x89PNG\r\n\x1a\n" * 99), "not a known audio"),
    "ID3 tag alone": (content_of("clip.mp3", b"ID3\4" + bytes(500)), ""),
    "header alone": (truncated("clip.wav", 44 / 240_044), "it holds no samples"),
    "no samples": (
        lambda make, noise, folder: make("clip.wav", np.zeros(0)),
        "it holds no samples",
    ),
    "rate 0": (wav_with("rate", 4, 0), ""),
    "low rate": (wav_with("rate", 4, 3_999), "sampling rate is 3999 Hz"),
    "high rate": (wav_with("rate", 4, 768_001), "sampling rate is 768001 Hz"),
    "0 channels": (wav_with("channels", 2, 0), ""),
    "9 channels": (
        lambda make, noise, folder: make("clip.wav", noise(100, 9)),
        "9 channels",
    ),
    "65,535 channels": (wav_with("channels", 2, 65_535), ""),
    "0 bits": (wav_with("bits", 2, 0), ""),
    "NaN": (wav_of(np.nan), "sample 1000 is NaN"),
    "infinite": (wav_of(-np.inf, 2), "sample 1000 is -inf"),
    "1e20": (wav_of(1e20), "samples as large as 1e+20 overflow"),
    "sum of channels": (wav_of(3e38, 2), "samples as large as 3e+38 overflow"),
    "sum of six channels": (wav_of(3e38, 6), "samples as large as 3e+38 overflow"),
    "years declared": (flac_of_years, "more than the limit"),
    "truncated flac": (truncated("clip.flac"), "decoding failed"),
    "damaged flac": (damaged("clip.flac"), "decoding failed"),
    "truncated header of ogg": (truncated("clip.ogg", 0.02), "decoding failed"),
}


@pytest.mark.parametrize(("build", "reason"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named_with_its_reason_or_keeps_its_row(
    build, reason, make, noise, tmp_path, capfd
):
    path = build(make, noise, tmp_path)
    items = [make("good.wav", noise(9_000)), path]
    with pytest.raises(AudioReadError) as caught:
        MFCCExtractor().transform(items)
    assert (caught.value.path, caught.value.index) == (path, 1)
    assert reason in caught.value.reason
    assert caught.value.reason
    # A file that printed nothing but its error can be found by it.
    assert repr(os.fsdecode(path)) in str(caught.value)
    extractor = MelSpectrogram(on_error="warn")
    with pytest.warns(UserWarning, match="1 of 2 items could not be used") as warned:
        frames = extractor.transform(items)
    assert len(warned) == 1
    assert frames.lengths.tolist() == [18, 0]
    assert extractor.errors_ == [(1, path, caught.value.reason)]
    assert capfd.readouterr().out == ""


def test_bad_files_together_leave_every_row_in_place(make, noise, tmp_path, capfd):
    paths = []
    for i, (build, _) in enumerate(BAD.values()):
        folder = tmp_path / str(i)
        folder.mkdir()
        bad = build(
            lambda name, *a, f=folder, **o: make(f / name, *a, **o), noise, folder
        )
        paths += [bad, make(folder / "good.wav", noise(5_000))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ignoring = MFCCExtractor(on_error="ignore", n_jobs=2)
        frames = ignoring.transform(paths)
    assert frames.lengths.tolist() == [0, 10] * len(BAD)
    assert [e.index for e in ignoring.errors_] == list(range(0, 2 * len(BAD), 2))
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "name",
    [
        *("new\nline.wav", "-n .wav", "song.mp3", "no suffix", "é" * 120, "日本.wav"),
        "caf\udce9.wav",  # not Unicode
    ],
)
def test_odd_names_are_only_names(name, noise, tmp_path):
    samples = noise(9_000)
    path = os.fsencode(tmp_path / name)
    with open(path, "wb") as file:
        soundfile.write(file, samples, 22050, format="WAV", subtype="FLOAT")
    frames = MelSpectrogram().transform([path, os.fsdecode(path), samples])
    np.testing.assert_array_equal(frames[0], frames[2])
    np.testing.assert_array_equal(frames[1], frames[2])


@pytest.mark.parametrize("name", [b"caf\xe9.wav", os.fsdecode(b"caf\xe9.wav")])
def test_names_that_are_no_text_reach_errors_as_they_are(name):
    extractor = MFCCExtractor(on_error="warn")
    with pytest.warns(UserWarning, match=r"item 0 \('caf.*wav'\): No such file") as w:
        extractor.transform([name])
    str(w[0].message).encode()  # can be printed
    assert extractor.errors_[0].path == name


@pytest.mark.parametrize(
    "name", ["clip.wav", "clip.aiff", "clip.mp3", "clip.ogg", "clip.opus"]
)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.97])
def test_a_truncated_file_is_never_used_silently(name, share, make, noise):
    path = make(name, noise(250_000), 48_000)
    whole = MFCCExtractor().transform([path])
    os.truncate(path, int(share * path.stat().st_size))
    ignoring = MFCCExtractor(on_error="ignore")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = ignoring.transform([path])
    assert 0 < len(frames.values) < len(whole.values)
    assert ignoring.errors_ == []
    assert [w.category for w in caught] == [UserWarning]
    assert "may be truncated: item 0" in str(caught[0].message)


@pytest.mark.parametrize("name", ["clip.ogg", "clip.opus"])
def test_an_ogg_stream_cut_inside_its_last_page_is_noticed(name, make, noise):
    path = make(name, noise(72_000, 2), 24_000)
    assert read_clip(path, 22050).notice is None
    n_bytes = path.stat().st_size
    with open(path, "ab") as file:
        file.write(b"TAG" + bytes(125))
    assert read_clip(path, 22050).notice is None
    os.truncate(path, n_bytes - 1)
    assert read_clip(path, 22050).notice == "its stream has no end"


@pytest.mark.parametrize("name", ["clip.ogg", "clip.opus"])
def test_damage_in_the_middle_of_an_ogg_stream_is_a_warning(
    name, make, noise, tmp_path
):
    path = damaged(name)(make, noise, tmp_path)
    with pytest.warns(UserWarning, match="is damaged|could be decoded"):
        assert len(MFCCExtractor().transform([path])[0])


def cut_short(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("clip.flac", cut_short),
        ("clip.flac", zero_a_part),
        ("clip.mp3", zero_a_part),
    ],
)
def test_salvage_keeps_the_sound_before_damage(name, damage, make, noise, capfd):
    path = make(name, noise(96_000, 2), 48_000)
    whole = read_clip(path, 48_000).waveform
    damage(path)
    with pytest.raises(AudioReadError, match="decoding failed"):
        read_clip(path, 48_000)
    clip = read_clip(path, 48_000, salvage=True)
    assert 0.4 < len(clip.waveform) / len(whole) < 0.6
    # The last frame before the damage may lack what the next would have added.
    n_sound = len(clip.waveform) - 2 * 1152
    np.testing.assert_allclose(
        clip.waveform[:n_sound], whole[:n_sound], rtol=0, atol=2e-7
    )
    assert f"after {len(clip.waveform)} of 96000 samples" in clip.notice
    assert len(read_clip(path, 48_000, 0.5, salvage=True).waveform) == 24_000
    assert capfd.readouterr().out == ""


def test_salvaged_files_have_frames_and_a_warning(make, noise):
    path, lost = (make(f"{n}.flac", noise(n, 2), 48_000) for n in (96_000, 9_000))
    cut_short(path)
    os.truncate(lost, 100)
    extractor = MelSpectrogram(salvage=True, on_error="ignore")
    with pytest.warns(UserWarning, match="1 of 2 items may be truncated: item 0"):
        frames = extractor.transform([path, lost])
    assert 30 < len(frames[0]) < 55  # of 87
    assert [e.index for e in extractor.errors_] == [1]


def test_damage_of_raw_samples_is_sound(make, noise, tmp_path):
    path = make("clip.wav", noise(9_000))
    # Decibels of a frame depend on the loudest moment, which may be damaged.
    whole = MelSpectrogram().transform([path])
    rewrite(path, 4_044, bytes(4_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = MelSpectrogram().transform([path])
    changed = (frames.values != whole.values).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(3, 9))


def test_a_streamed_wav_is_used_whole(make, noise):
    path = make("clip.wav", samples := noise(9_000), subtype="FLOAT")
    rewrite(path, path.read_bytes().index(b"data") + 4, b"\xff\xff\xff\xff")
    with pytest.warns(UserWarning, match="bytes of samples but has"):
        frames = MelSpectrogram().transform([path])
    np.testing.assert_array_equal(
        frames.values, MelSpectrogram().transform([samples]).values
    )


def test_a_file_too_large_for_memory_is_a_bad_file(make, noise, monkeypatch):
    path = make("clip.wav", noise(9_000), 44_100)

    def exhaust(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("soxr.resample", exhaust)
    with pytest.raises(AudioReadError, match="not enough memory") as caught:
        MelSpectrogram().transform([path])
    assert caught.value.path == path


@contextlib.contextmanager
def somebody_else():
    """Give up the right to read every file, where the tests run with it."""
    if sys.platform == "win32":
        pytest.skip("permissions are another matter on Windows")
    if os.geteuid():
        yield
        return
    try:
        os.seteuid(65534)
    except OSError as error:
        pytest.skip(f"the superuser may read every file, and stays it: {error}")
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_a_bad_file(make, noise, tmp_path, monkeypatch):
    for name, mode in (("open.wav", 0o644), ("closed.wav", 0)):
        make(name, noise(9_000)).chmod(mode)
    # Names relative to here: folders above may be closed to others.
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    extractor = MFCCExtractor(on_error="ignore")
    extractor.transform(["open.wav"])  # imports what others may not read
    with somebody_else():
        frames = extractor.transform(["open.wav", "closed.wav"])
    assert frames.lengths.tolist() == [18, 0]
    assert [e.path for e in extractor.errors_] == ["closed.wav"]
    assert "Permission denied" in extractor.errors_[0].reason
