"""A folder as people have it: one song in every format, through every extractor."""

import numpy as np
import pytest
import soundfile
from sklearn.base import clone

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


def loudness(windows):
    return np.sqrt((windows**2).mean(axis=1, keepdims=True))


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


@pytest.mark.parametrize("reader", ["auto", "av"])
@pytest.mark.parametrize("extractor", EXTRACTORS.values(), ids=EXTRACTORS)
def test_every_format_sounds_like_the_wav(extractor, reader, folder):
    chosen = clone(extractor).set_params(reader=reader)
    items = [*chosen.transform([folder / f"song.{suffix}" for suffix in CODECS])]
    assert chosen.errors_ == []
    first = items[0].mean(axis=0)
    for suffix, item in zip(CODECS, items, strict=True):
        # Codecs begin and end late, and leave out what is quiet.
        assert abs(len(item) - len(items[0])) <= 5, suffix
        distance = np.linalg.norm(item.mean(axis=0) - first)
        assert distance < 0.35 * np.linalg.norm(first), suffix
