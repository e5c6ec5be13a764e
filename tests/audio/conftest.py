"""Clips and audio files shared by the audio tests."""

import signal

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from skcoldstart.audio import AudioReadError, _extraction
from skcoldstart.audio._reading import Reading


def encode_file(path, samples, sr, codec, *, pictures=0):
    """Write samples of shape (n_samples, n_channels) with a codec of FFmpeg."""
    import av

    layout = ["mono", "stereo"][samples.shape[1] - 1]
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=sr, layout=layout)
        stream.bit_rate = 192_000
        if pictures:
            video = container.add_stream("mpeg4", rate=10)
            video.width = video.height = 64
            for _ in range(pictures):
                picture = np.zeros((64, 64, 3), np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        convert = av.AudioResampler(stream.format.name, layout, sr)
        planes = np.ascontiguousarray(samples.T, np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = sr
        for part in (frame, None):
            for converted in convert.resample(part):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))


@pytest.fixture
def music(rng):
    """Make a mono float32 waveform with tones, noise, an onset and a fade."""

    def make(n_samples, sr=22050):
        t = np.arange(n_samples) / sr
        chirp = 0.3 * np.sin(2 * np.pi * (200 * t + 900 * t**2))
        chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277.2, 329.6)) * 0.1
        noise = 0.05 * rng.standard_normal(n_samples) * np.exp(-2 * (t % 0.25))
        return ((chirp + chord + noise) * np.exp(-t)).astype(np.float32)

    return make


@pytest.fixture
def write_audio(tmp_path):
    """Write samples of shape (n_samples,) or (n_samples, n_channels) to a file."""

    def write(name, samples, sr=22050, **options):
        path = tmp_path / name
        soundfile.write(path, samples, sr, **options)
        return path

    return write


@pytest.fixture
def encode(tmp_path):
    """Write samples of shape (n_samples, n_channels) with a codec of FFmpeg."""

    def write(name, samples, sr, codec, **options):
        path = tmp_path / name
        encode_file(path, samples, sr, codec, **options)
        return path

    return write


@pytest.fixture
def no_hang():
    """End a test that waits for ever, for a writer of a FIFO for example."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(signum, frame):
        raise TimeoutError("a hang")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(1800)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def count_calls(monkeypatch, owner, name):
    """Return a function that returns the number of calls since it was last called."""
    calls = []
    function = getattr(owner, name)

    def counting(*args, **options):
        calls.append(name)
        return function(*args, **options)

    def count():
        n = len(calls)
        calls.clear()
        return n

    monkeypatch.setattr(owner, name, counting)
    return count


@pytest.fixture
def n_computed(monkeypatch):
    """Count the clips that are computed."""
    return count_calls(monkeypatch, _extraction.ClipExtractor, "__call__")


@pytest.fixture
def folder(tmp_path):
    """Name a store that does not exist yet."""
    return tmp_path / "store"


class ReadClip:
    """The waveform of a file at one rate, and what is odd about the file."""

    def __init__(self, path, sr, max_duration=None, salvage=False, reader="auto"):
        clip = Reading(reader, max_duration, salvage).clip(0, path, [sr])
        self.waveform, self.notice = clip.waveforms[sr], clip.notice
        self.decoder = clip.decoder


def reason_of(path, sr=22050, **options):
    """Return the reason why a file cannot be read."""
    with pytest.raises(AudioReadError) as caught:
        ReadClip(path, sr, **options)
    return caught.value.reason


def assert_same_frames(actual, expected):
    """Compare sequences of frames: lengths, types and bits."""
    lengths = [len(item) for item in expected]
    assert_array_equal(getattr(actual, "lengths", lengths), lengths)
    for item, other in zip(actual, expected, strict=True):
        assert item.dtype == other.dtype
        assert_array_equal(item, other)
