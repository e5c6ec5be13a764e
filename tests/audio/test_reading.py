"""The samples of librosa.load, and the reasons of files that cannot be read."""

import os
import pickle
import struct

import librosa
import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from skcoldstart.audio import AudioReadError, _decoded
from tests.audio.conftest import ReadClip as read_clip
from tests.audio.conftest import reason_of

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


def file_name(kind):
    return f"clip.{kind.split()[0]}"


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
    path = write_audio(file_name(kind), samples, rate, **FORMATS[kind])
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
    waveform = read_clip(path, 22050).waveform
    assert len(waveform) == 22_528
    assert_array_equal(waveform, librosa.load(path)[0])


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_max_duration_reads_the_samples_that_librosa_reads(kind, stereo, write_audio):
    path = write_audio(f"clip.{kind}", stereo(60_000, 44100), 44100)
    clip = read_clip(path, 22050, max_duration=0.4321)
    expected, _ = librosa.load(path, duration=0.4321)
    assert clip.notice is None
    assert_array_equal(clip.waveform, expected)


def test_names_of_any_bytes_can_be_read(tmp_path, music):
    for name in [b"caf\xe9.wav", "日本\n語.wav".encode(), b"-dash .wav", b"no suffix"]:
        path = os.path.join(os.fsencode(tmp_path), name)
        with open(path, "wb") as file:
            soundfile.write(file, music(5_000), 22050, format="WAV")
        for same in (path, os.fsdecode(path)):
            assert len(read_clip(same, 22050).waveform) == 5_000


def test_content_counts_and_not_the_suffix(music, write_audio, tmp_path):
    path = write_audio("clip.wav", music(5_000))
    disguised = path.rename(tmp_path / "clip.mp3")
    assert len(read_clip(disguised, 22050).waveform) == 5_000


def test_missing_file_directory_and_broken_links(tmp_path):
    assert "No such file" in reason_of(tmp_path / "none.wav")
    assert "is a directory" in reason_of(tmp_path)
    broken, loop = tmp_path / "broken.wav", tmp_path / "loop.wav"
    broken.symlink_to(tmp_path / "gone.wav")
    loop.symlink_to(loop)
    assert "No such file" in reason_of(broken)
    assert "symbolic links" in reason_of(loop)
    assert "not a path" in reason_of("nul\0l.wav")


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg", "txt"])
def test_content_that_is_not_audio(suffix, tmp_path, rng):
    path = tmp_path / f"clip.{suffix}"
    path.touch()
    assert reason_of(path) == "the file is empty"
    for content in (b"just some words " * 50, rng.bytes(5_000), bytes(5_000)):
        path.write_bytes(content)
        assert reason_of(path) == "its content is not a known audio format"


def test_headerless_audio(tmp_path, rng):
    path = tmp_path / "clip.raw"
    path.write_bytes(rng.bytes(1_000))
    assert "headerless" in reason_of(path)


def test_header_without_samples(music, write_audio):
    path = write_audio("clip.wav", music(5_000))
    path.write_bytes(path.read_bytes()[:44])
    assert reason_of(path) == "it holds no samples"
    assert reason_of(write_audio("none.wav", np.zeros(0))) == "it holds no samples"


@pytest.mark.parametrize("rate", [1, 3_999, 768_001, 2_000_000_000])
def test_rates_that_no_song_has(rate, music, write_audio):
    path = write_audio("clip.wav", music(5_000), rate)
    assert f"sampling rate is {rate} Hz" in reason_of(path)


def test_more_than_eight_channels(write_audio):
    path = write_audio("clip.wav", np.zeros((100, 9)))
    assert "9 channels" in reason_of(path)


def test_claims_of_zero_channels_or_bits(music, write_audio):
    for offset in (22, 34):
        path = write_audio("clip.wav", music(5_000))
        content = bytearray(path.read_bytes())
        content[offset : offset + 2] = bytes(2)
        path.write_bytes(content)
        assert reason_of(path)


def test_a_flac_that_claims_hours_is_refused_before_memory_is_taken(music, write_audio):
    path = write_audio("clip.flac", music(30_000))
    content = bytearray(path.read_bytes())
    # STREAMINFO ends its 8 bytes of rate, channels and bits with 36 bits of length.
    content[21:26] = bytes([content[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])
    path.write_bytes(content)
    assert "68719476735 samples" in reason_of(path)
    assert len(read_clip(path, 22050, max_duration=0.5).waveform) == 11_025


@pytest.mark.parametrize(
    ("value", "name"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "-inf")]
)
def test_samples_that_are_not_finite_are_named(value, name, stereo, write_audio):
    samples = stereo(5_000, 44100)
    samples[[1234, 4000], 1] = value
    path = write_audio("clip.wav", samples, 44100, subtype="FLOAT")
    assert reason_of(path).startswith(f"sample 1234 is {name}")


def test_truncated_flac_is_an_error(stereo, write_audio):
    path = write_audio("clip.flac", stereo(88_200, 44100), 44100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "decoding failed" in reason_of(path)


def test_streamed_wav_of_unknown_length_is_read_whole(music, write_audio):
    path = write_audio("clip.wav", music(5_000))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    clip = read_clip(path, 22050)
    assert len(clip.waveform) == 5_000
    assert "bytes of samples" in clip.notice


def test_a_trailing_tag_is_no_truncation(music, write_audio):
    path = write_audio("clip.wav", music(5_000))
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert read_clip(path, 22050).notice is None


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_mutated_files_are_read_or_refused_but_never_break(
    kind, stereo, write_audio, rng
):
    path = write_audio(f"clip.{kind}", stereo(4_000, 22050), 22050)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    n_refused = 0
    for _ in range(60):
        damaged = whole.copy()
        where = rng.integers(0, min(len(whole), 200), size=rng.integers(1, 6))
        damaged[where] = rng.integers(0, 256, size=len(where))
        path.write_bytes(damaged.tobytes())
        try:
            clip = read_clip(path, 22050)
        except AudioReadError as error:
            assert error.reason
            n_refused += 1
        else:
            assert np.isfinite(clip.waveform).all()
            assert len(clip.waveform)
    assert n_refused


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


def test_clips_longer_than_the_scratch_are_read_alike(write_audio, rng, monkeypatch):
    path = write_audio("long.wav", rng.uniform(-0.5, 0.5, (9_000, 2)), 44_100)
    expected = read_clip(path, 22_050).waveform
    monkeypatch.setattr(_decoded, "_SCRATCH_BYTES", 1_000)
    assert_array_equal(read_clip(path, 22_050).waveform, expected)
