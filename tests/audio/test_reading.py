"""The samples of librosa.load."""

import pickle

import librosa
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcoldstart.audio import AudioReadError
from tests.audio.conftest import ReadClip as read_clip

FORMATS = {
    "wav": {},
    "wav 24-bit": {"subtype": "PCM_24"},
    "wav float": {"subtype": "FLOAT"},
    "wav mu-law": {"subtype": "ULAW"},
    "flac": {},
    "ogg": {},
    "mp3": {},
    "aiff": {},
}


@pytest.fixture
def stereo(music):
    def make(n_samples, sr, n_channels=2):
        clip = music(n_samples, sr)
        gains = np.linspace(1.0, -0.7, n_channels, dtype=np.float32)
        return clip[:, None] * gains + clip[::-1, None] * gains[::-1]

    return make


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rate", [22050, 44100])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_waveform_is_librosas_bit_for_bit(kind, rate, n_channels, stereo, write_audio):
    samples = stereo(rate + 4321, rate, n_channels)
    path = write_audio(f"clip.{kind.split()[0]}", samples, rate, **FORMATS[kind])
    clip = read_clip(path, 22050)
    expected, _ = librosa.load(path, sr=22050)
    assert clip.waveform.dtype == np.float32
    assert clip.notice is None
    assert_array_equal(clip.waveform, expected)


@pytest.mark.parametrize("sr", [8000, 22050, 48000])
@pytest.mark.parametrize("rate", [8000, 11025, 16000, 32000, 48000, 96000])
def test_resampled_waveform_is_librosas_bit_for_bit(rate, sr, stereo, write_audio):
    path = write_audio("clip.wav", stereo(rate // 2 + 17, rate), rate)
    assert_array_equal(read_clip(path, sr).waveform, librosa.load(path, sr=sr)[0])


@pytest.mark.parametrize("n_channels", [3, 6, 8])
def test_mean_of_many_channels_is_librosas_bit_for_bit(n_channels, stereo, write_audio):
    path = write_audio("clip.wav", stereo(20_000, 44100, n_channels), 44100)
    assert_array_equal(read_clip(path, 22050).waveform, librosa.load(path)[0])


def test_resampled_length_is_rounded_up(write_audio, music):
    path = write_audio("clip.wav", music(49_039, 48000), 48000)
    assert_array_equal(read_clip(path, 22050).waveform, librosa.load(path)[0])


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_max_duration_reads_the_samples_that_librosa_reads(kind, stereo, write_audio):
    path = write_audio(f"clip.{kind}", stereo(60_000, 44100), 44100)
    clip = read_clip(path, 22050, max_duration=0.4321)
    expected, _ = librosa.load(path, duration=0.4321)
    assert clip.notice is None
    assert_array_equal(clip.waveform, expected)


def test_a_trailing_tag_is_no_truncation(music, write_audio):
    path = write_audio("clip.wav", music(5_000))
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert read_clip(path, 22050).notice is None


def test_audio_read_error_is_a_value_error_that_survives_pickling():
    error = AudioReadError("clip.wav", "the file is empty", 3)
    same = pickle.loads(pickle.dumps(error))
    assert isinstance(same, ValueError)
    assert (same.path, same.reason, same.index) == ("clip.wav", "the file is empty", 3)
    assert str(same) == "Cannot use item 3 ('clip.wav'): the file is empty."


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_a_clip_is_not_changed_by_the_clips_after_it(
    rate, subtype, n_channels, rng, write_audio
):
    paths = [
        write_audio(
            f"{n}.wav", rng.uniform(-0.5, 0.5, (n, n_channels)), rate, subtype=subtype
        )
        for n in (5_000, 9_000, 4_000)
    ]
    clips = [read_clip(path, 22_050).waveform for path in paths]
    for path, clip in zip(paths, clips, strict=True):
        expected, _ = librosa.load(path, sr=22_050)
        assert_array_equal(clip, expected)


def test_a_clip_of_more_bytes_than_are_kept_is_librosas_bit_for_bit(write_audio, rng):
    samples = rng.integers(-(2**14), 2**14, (4_200_000, 2), dtype=np.int16)
    path = write_audio("long.wav", samples, 44_100)
    assert_array_equal(read_clip(path, 22_050).waveform, librosa.load(path)[0])
