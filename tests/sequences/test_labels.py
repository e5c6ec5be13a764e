"""Labels of items go with their frames, and names of features with their columns."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skcoldstart import (
    BagOfWords,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    RaggedArray,
    VectorQuantizer,
)

MEL = {"n_mels": 8, "sr": 8000}


@pytest.fixture
def songs(rng):
    """Make a frame that was filtered, with waveforms in a column."""
    clips = [rng.uniform(-0.5, 0.5, 2_000 + 100 * i) for i in range(12)]
    frame = pd.DataFrame(
        {"sound": clips, "genre": list("abcabcabcabc"), "year": range(12)},
        index=[f"song {i}" for i in range(12)],
    )
    return frame[frame["year"] % 3 > 0]


def bag():
    return make_pipeline(VectorQuantizer(3, random_state=0), BagOfWords())


@pytest.mark.parametrize("kept", ["memory", "lazy", "store"])
@pytest.mark.parametrize(
    ("last", "names"),
    [
        (bag(), ["bagofwords0", "bagofwords1", "bagofwords2"]),
        (FramePooling(("mean",)), [f"mean_mel{i}" for i in range(8)]),
    ],
)
def test_a_column_of_sound_keeps_labels_and_names(last, names, kept, songs, tmp_path):
    option = {"lazy": {"lazy": True}, "store": {"store": tmp_path}}.get(kept, {})
    transformer = ColumnTransformer([
        ("sound", make_pipeline(MelSpectrogram(**MEL, **option), last), "sound"),
        ("genre", OneHotEncoder(sparse_output=False), ["genre"]),
        ("rest", "passthrough", ["year"]),
    ]).set_output(transform="pandas")
    table = transformer.fit_transform(songs)
    assert_array_equal(table.index, songs.index)
    expected = [f"sound__{name}" for name in names]
    assert table.columns[: len(names)].tolist() == expected
    assert_array_equal(transformer.get_feature_names_out(), table.columns)
    assert not table.isna().any().any()
    plain = transformer.set_output(transform="default").transform(songs)
    assert_array_equal(table, plain)
    sound = transformer.named_transformers_["sound"]
    one_column = ColumnTransformer([("sound", sound, ["sound"])])
    assert_array_equal(
        one_column.fit_transform(songs[["sound"]]), plain[:, : len(names)]
    )


def test_labels_follow_every_selection(songs):
    for frames in (
        MelSpectrogram(**MEL).transform(songs["sound"]),
        MelSpectrogram(**MEL, lazy=True).transform(songs["sound"]),
    ):
        assert_array_equal(frames.index, songs.index)
        mask = np.arange(8) % 2 == 0
        for key in (slice(2, 5), slice(None, None, -2), [3, 0], mask):
            assert_array_equal(frames[key].index, songs.index[key])
        assert_array_equal(pickle.loads(pickle.dumps(frames)).index, songs.index)
        quantizer = VectorQuantizer(3, random_state=0)
        codes = quantizer.fit_transform(frames[[4, 1]])
        for part in (codes, codes.astype(np.uint8), quantizer.inverse_transform(codes)):
            assert_array_equal(part.index, songs.index[[4, 1]])
    assert MelSpectrogram(**MEL).transform(list(songs["sound"])).index is None


def test_names_pass_through_pipelines_and_unions_of_frames(rng):
    frames = RaggedArray.from_sequence(list(rng.normal(size=(9, 30, 4))))
    union = FeatureUnion([("a", bag()), ("b", bag())]).fit(frames)
    names = [f"{part}__bagofwords{i}" for part in "ab" for i in range(3)]
    assert union.get_feature_names_out().tolist() == names


def test_features_of_frames_have_names(songs):
    mfcc = MFCCExtractor(n_mfcc=2, n_deltas=2).get_feature_names_out()
    assert mfcc.tolist() == [
        f"{order}mfcc{k}" for order in ("", "delta_", "delta2_") for k in range(2)
    ]
    assert len(MFCCExtractor().get_feature_names_out()) == 39
    pooled = make_pipeline(MFCCExtractor(**MEL, n_mfcc=2), FramePooling(("std",)))
    names = pooled.fit(list(songs["sound"])).get_feature_names_out()
    assert names[3] == "std_delta_mfcc1"
    assert MelSpectrogram(n_mels=2).get_feature_names_out().tolist() == ["mel0", "mel1"]
