"""What decodes files: libsndfile, PyAV for what it does not read, or the user."""

import os
import sys
import warnings

import av
import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import MFCCExtractor
from skcoldstart.audio import AudioReadError, _decoded
from tests.audio.conftest import ReadClip as read_clip
from tests.audio.conftest import reason_of

FOREIGN = {  # format: codec, and the error of a sample where it is lossless
    "m4a": ("aac", None),
    "aac": ("aac", None),
    "wma": ("wmav2", None),
    "webm": ("libopus", None),
    "avi": ("libmp3lame", None),
    "mp4": ("alac", 2**-15),
    "mov": ("alac", 2**-15),
    "wv": ("wavpack", 2**-7),  # of 8 bits
    "flv": ("aac", None),
    "ac3": ("ac3", None),
}
NATIVE = {
    "wav": {"subtype": "PCM_16"},
    "wav 24": {"subtype": "PCM_24"},
    "wav float": {"subtype": "FLOAT"},
    "flac": {},
    "aiff": {},
    "ogg": {},
    "mp3": {},
}


@pytest.fixture
def sound(rng):
    """Make stereo sound, (n_samples, 2), that codecs keep."""

    def make(n_samples, sr=48_000):
        t = np.arange(n_samples) / sr
        chirp = np.sin(2 * np.pi * (200 * t + 900 * t**2))
        noise = np.exp(-6 * (t % 0.25)) * rng.standard_normal(n_samples)
        left = 0.3 * chirp + 0.03 * noise
        return np.stack([left, 0.5 * left], axis=1).astype(np.float32)

    return make


@pytest.mark.parametrize("suffix", FOREIGN)
def test_files_that_libsndfile_does_not_know_are_read(suffix, sound, encode):
    codec, tolerance = FOREIGN[suffix]
    samples = sound(96_000)
    path = encode(f"clip.{suffix}", samples, 48_000, codec)
    clip = read_clip(path, 48_000)
    assert clip.decoder.startswith("PyAV")
    assert clip.notice is None
    mono = samples.mean(axis=1)
    if tolerance is not None:
        assert_allclose(clip.waveform, mono, atol=tolerance)
        return
    # Codecs may begin late and end late, by a packet or two.
    assert abs(len(clip.waveform) - len(mono)) < 4_096
    spectra = [np.fft.rfft(x, 1 << 18) for x in (clip.waveform, mono)]
    match = np.fft.irfft(spectra[0] * spectra[1].conj())
    assert match.max() > 0.9 * np.linalg.norm(mono) * np.linalg.norm(clip.waveform)


@pytest.mark.parametrize("kind", NATIVE)
def test_files_of_libsndfile_give_the_same_bits_by_any_decoder(
    kind, sound, write_audio, monkeypatch
):
    path = write_audio(f"clip.{kind.split()[0]}", sound(30_000), 44100, **NATIVE[kind])
    clips = [read_clip(path, 22050, reader=reader) for reader in ("auto", "soundfile")]
    if kind not in ("ogg", "mp3"):  # lossless
        decoded = read_clip(path, 22050, reader="av").waveform
        assert_array_equal(decoded, clips[0].waveform)
    monkeypatch.setitem(sys.modules, "av", None)
    for clip in (*clips, read_clip(path, 22050)):
        assert_array_equal(clip.waveform, clips[0].waveform)
        assert clip.decoder is None


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s32le", "pcm_f64le", "flac", "mp2"])
def test_samples_of_every_type_have_full_scale_one(codec, sound, encode):
    samples = sound(48_000)
    suffix = {"flac": "flac", "mp2": "mp2"}.get(codec, "wav")
    path = encode(f"clip.{suffix}", samples, 48_000, codec)
    waveform = read_clip(path, 48_000, reader="av").waveform
    tolerance = {"pcm_u8": 2**-6, "mp2": 0.2}.get(codec, 2**-14)
    n = min(len(waveform), len(samples))
    assert abs(len(samples) - n) < 1_200
    if codec == "mp2":
        assert_allclose(waveform.std(), samples.mean(axis=1).std(), rtol=0.05)
    else:
        assert_allclose(waveform[:n], samples.mean(axis=1)[:n], atol=tolerance)


def test_a_foreign_file_without_pyav_names_the_extra(sound, encode, monkeypatch):
    path = encode("clip.m4a", sound(30_000), 48_000, "aac")
    assert "soundfile" not in reason_of(__file__)
    told = reason_of(path, reader="soundfile")
    assert "MPEG-4 file (m4a, mp4, mov) that libsndfile cannot read" in told
    monkeypatch.setitem(sys.modules, "av", None)
    told = reason_of(path)
    assert "MPEG-4 file (m4a, mp4, mov)" in told
    assert "pip install skcoldstart[av]" in told
    with pytest.raises(ImportError, match=r"pip install skcoldstart\[av\]"):
        MFCCExtractor(reader="av").transform([path])


def test_content_that_no_reader_knows_has_the_same_reason_everywhere(
    tmp_path, monkeypatch
):
    path = tmp_path / "song.m4a"
    path.write_bytes(b"some words " * 99)
    expected = "its content is not a known audio format"
    assert reason_of(path) == expected
    assert "decoding failed" in reason_of(path, reader="av")
    monkeypatch.setitem(sys.modules, "av", None)
    assert reason_of(path) == expected


@pytest.mark.parametrize("reader", ["auto", "av"])
def test_lists_of_other_files_are_not_followed(reader, sound, write_audio, tmp_path):
    write_audio("secret.wav", sound(9_000), 22050)
    playlists = {
        "concat": "ffconcat version 1.0\nfile secret.wav\n",
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.wav\n",
        "dash": '<?xml version="1.0"?><MPD><BaseURL>secret.wav</BaseURL></MPD>',
    }
    for name, content in playlists.items():
        path = tmp_path / f"{name}.m4a"
        path.write_text(content)
        assert reason_of(path, reader=reader)


def test_a_video_is_its_sound_and_one_without_sound_is_a_bad_file(sound, encode):
    samples = sound(48_000)
    heard = encode("heard.mp4", samples, 48_000, "alac", pictures=10)
    assert_allclose(
        read_clip(heard, 48_000).waveform, samples.mean(axis=1), atol=2**-15
    )
    silent = heard.with_name("silent.mp4")
    with av.open(silent, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        picture = np.zeros((64, 64, 3), np.uint8)
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert reason_of(silent) == "it contains no sound"


@pytest.mark.parametrize("suffix", ["mp4", "m4a", "aac", "webm", "wv", "wma"])
def test_max_duration_keeps_the_beginning(suffix, sound, encode):
    path = encode(f"clip.{suffix}", sound(96_000), 48_000, FOREIGN[suffix][0])
    whole = read_clip(path, 48_000).waveform
    clip = read_clip(path, 48_000, max_duration=0.7)
    assert_array_equal(clip.waveform, whole[:33_600])
    assert clip.notice is None


@pytest.mark.parametrize("suffix", ["aac", "webm", "wv", "wma", "avi"])
def test_a_foreign_file_cut_short_is_never_used_silently(suffix, sound, encode):
    path = encode(f"clip.{suffix}", sound(192_000), 48_000, FOREIGN[suffix][0])
    whole = len(read_clip(path, 22050).waveform)
    os.truncate(path, path.stat().st_size // 2)
    try:
        clip = read_clip(path, 22050)
    except AudioReadError:
        clip = read_clip(path, 22050, salvage=True)
    assert 0.2 * whole < len(clip.waveform) < 0.8 * whole
    assert clip.notice or suffix == "aac"  # whose length is nowhere declared


def test_more_samples_than_memory_holds_are_refused_also_after_resampling(
    sound, encode, write_audio, monkeypatch
):
    foreign = encode("clip.m4a", sound(96_000), 48_000, "aac")
    native = write_audio("clip.wav", sound(9_000), 8_000)
    monkeypatch.setattr(_decoded, "_MAX_SAMPLES", 50_000)
    assert "more than the limit of 50000" in reason_of(foreign)
    assert len(read_clip(foreign, 22050, max_duration=0.5).waveform) == 11_025
    assert len(read_clip(native, 22_050).waveform) == 24_807
    assert "are 54000 at 48000 Hz" in reason_of(native, 48_000)
    assert len(read_clip(native, 48_000, max_duration=0.5).waveform) == 24_000


class Reader:
    """Reads with soundfile, as a user's function may; picklable."""

    def __init__(self, mono=False):
        self.mono = mono

    def __call__(self, path):
        samples, sr = soundfile.read(path, dtype="float32")
        return (samples.mean(axis=1) if self.mono else samples), sr


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "reader",
    [Reader(), Reader(mono=True), lambda path: Reader()(path)],
    ids=["class", "mono", "lambda"],
)
def test_a_function_of_the_users_reads_files(reader, n_jobs, sound, write_audio):
    paths = [write_audio(f"{n}.wav", sound(n), 44_100) for n in (30_000, 9_000)]
    expected = MFCCExtractor(max_duration=0.3).transform(paths)
    extractor = MFCCExtractor(reader=reader, max_duration=0.3, n_jobs=n_jobs)
    assert_array_equal(extractor.transform(paths).values, expected.values)


def test_a_function_may_read_what_is_not_a_file(rng):
    songs = {"db://1": rng.uniform(-1, 1, 5_000), "db://2": rng.uniform(-1, 1, 4_000)}
    frames = MFCCExtractor(reader=lambda name: (songs[name], 22_050.0)).transform(
        list(songs)
    )
    expected = MFCCExtractor().transform(list(songs.values()))
    assert_array_equal(frames.values, expected.values)


def broken(path):
    raise RuntimeError("no connection")


@pytest.mark.parametrize(
    ("reader", "reason"),
    [
        (broken, r"the reader failed \(RuntimeError: no connection\)"),
        (lambda path: None, "the reader failed"),
        (lambda path: np.zeros(3), "the reader failed"),
        (lambda path: (np.zeros(300, np.int16), 8000), "dtype int16; expected floats"),
        (lambda path: (np.zeros((2, 2, 9)), 8000), r"shape \(2, 2, 9\)"),
        (lambda path: (np.zeros((2, 9_000)), 22050), "9000 channels"),
        (lambda path: (np.zeros(900), 1), "sampling rate is 1 Hz"),
        (lambda path: (np.zeros(900), np.nan), "sampling rate is nan Hz"),
        (lambda path: (np.zeros(0), 22050), "no samples"),
        (lambda path: (np.full(900, np.nan), 22050), "sample 0 is NaN"),
        (lambda path: (np.full(900, 1e300), 22050), "sample 0 is inf|overflow"),
        (lambda path: (["a", "b"], 22050), "expected floats"),
        (lambda path: (np.ma.array([0.0, 9.0], mask=[0, 1]), 22050), "masked array"),
    ],
)
def test_what_a_function_does_wrong_makes_a_bad_item(reader, reason):
    with pytest.raises(AudioReadError, match=reason) as caught:
        MFCCExtractor(reader=reader).transform(["a.wav"])
    assert caught.value.path == "a.wav"
    ignoring = MFCCExtractor(reader=reader, on_error="ignore")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ignoring.transform(["a.wav"]).lengths.tolist() == [0]
    assert [error.path for error in ignoring.errors_] == ["a.wav"]


def test_a_pipe_is_refused_before_any_reader_waits_for_it(tmp_path, no_hang):
    os.mkfifo(tmp_path / "pipe.m4a")
    for reader in ("auto", "soundfile", Reader()):
        reason = reason_of(tmp_path / "pipe.m4a", reader=reader)
        assert "not a regular file" in reason
    for reader in ("auto", Reader()):
        assert "not a regular file" in reason_of("/dev/zero", reader=reader)
