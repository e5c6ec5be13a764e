"""A folder as people have it: one song in every format, through every extractor."""

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from skcoldstart import (
    AudioEmbedding,
    AudioUnion,
    LibrosaFeatures,
    MelSpectrogram,
    MFCCExtractor,
)
from tests.audio.conftest import encode_file

SR = 48_000
CODECS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "ogg": None,  # by libsndfile: PyAV writes no Vorbis
    "m4a": "aac",
    "opus": "libopus",
    "wma": "wmav2",
}
NATIVE = ["wav", "flac", "mp3", "ogg"]
FOREIGN = ["m4a", "wma"]  # opus is read by libsndfile, or by PyAV, as it happens


def loudness(windows):
    return np.sqrt((windows**2).mean(axis=1, keepdims=True))


class ReadWav:
    """Reads the WAV file of the same song; what it is given need not be sound."""

    def __call__(self, path):
        return soundfile.read(path.with_name("song.wav"), dtype="float32")


EXTRACTORS = {
    "mfcc": MFCCExtractor(),
    "mel": MelSpectrogram(),
    "librosa": LibrosaFeatures(("rms", "zero_crossing_rate")),
    "embedding": AudioEmbedding(loudness, sr=22050, window=0.5, pooling=None),
    "union": AudioUnion([("mfcc", MFCCExtractor()), ("mel", MelSpectrogram())]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write three seconds of stereo sound in each format, most of them with PyAV."""
    pytest.importorskip("av")
    rng = np.random.default_rng(0)
    t = np.arange(3 * SR) / SR
    chirp = 0.3 * np.sin(2 * np.pi * (200 * t + 400 * t**2))
    beats = 0.1 * rng.standard_normal(len(t)) * np.exp(-8 * (t % 0.5))
    samples = np.stack([chirp + beats, chirp - 0.5 * beats], axis=1)
    folder = tmp_path_factory.mktemp("mixed")
    for suffix, codec in CODECS.items():
        path = folder / f"song.{suffix}"
        if codec is None:
            soundfile.write(path, samples, SR)
        else:
            encode_file(path, samples, SR, codec)
    return folder


@pytest.fixture(params=EXTRACTORS)
def extractor(request):
    if request.param == "librosa":
        pytest.importorskip("librosa", reason="needs librosa")
    return EXTRACTORS[request.param]


def transform(extractor, folder, suffixes, **options):
    paths = [folder / f"song.{suffix}" for suffix in suffixes]
    chosen = type(extractor)(**extractor.get_params(deep=False)).set_params(**options)
    return [np.asarray(item) for item in chosen.transform(paths)], chosen


@pytest.mark.parametrize("reader", ["auto", "av"])
def test_every_format_sounds_like_the_wav(extractor, reader, folder):
    items, chosen = transform(extractor, folder, CODECS, reader=reader)
    assert chosen.errors_ == []
    first = items[0].mean(axis=0)
    for suffix, item in zip(CODECS, items, strict=True):
        # Codecs begin and end late, and leave out what is quiet.
        assert abs(len(item) - len(items[0])) <= 5, suffix
        distance = np.linalg.norm(item.mean(axis=0) - first)
        assert distance < 0.35 * np.linalg.norm(first), suffix


def test_formats_of_libsndfile_give_the_same_bits_by_each_reader(extractor, folder):
    auto, _ = transform(extractor, folder, NATIVE)
    alone, _ = transform(extractor, folder, NATIVE, reader="soundfile")
    for item, other in zip(auto, alone, strict=True):
        assert_array_equal(item, other)


def test_formats_that_libsndfile_does_not_read_name_the_extra(extractor, folder):
    suffixes = ["wav", *FOREIGN, "flac"]
    items, chosen = transform(
        extractor, folder, suffixes, reader="soundfile", on_error="ignore"
    )
    assert [error.index for error in chosen.errors_] == [1, 2]
    for error in chosen.errors_:
        assert "pip install skcoldstart[av]" in error.reason
    assert [len(item) > 0 for item in items] == [True, False, False, True]


def test_a_function_reads_every_name(extractor, folder):
    items, chosen = transform(extractor, folder, CODECS, reader=ReadWav())
    assert chosen.errors_ == []
    for item in items:
        assert_array_equal(item, items[0])
