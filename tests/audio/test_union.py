"""One pass over the files for several extractors, each with its own frames."""

import pickle

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from skcoldstart import (
    AudioEmbedding,
    AudioUnion,
    BagOfWords,
    FramePooling,
    LibrosaFeatures,
    MelSpectrogram,
    MFCCExtractor,
    VectorQuantizer,
)
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.audio import AudioReadError
from tests.audio.conftest import assert_same_frames, count_calls

PARTS = {
    "mfcc": MFCCExtractor(n_mfcc=5),
    "mel": MelSpectrogram(n_mels=12, dtype="float16"),
    "rms": LibrosaFeatures(("rms", "zero_crossing_rate")),
}


def union_of(parts=PARTS, **options):
    return AudioUnion([(name, clone(part)) for name, part in parts.items()], **options)


@pytest.fixture
def paths(music, write_audio):
    return [
        write_audio(name, np.stack([music(n), music(n)], axis=1), 44_100)
        for name, n in [("a.wav", 30_000), ("b.flac", 9_000), ("c.ogg", 20_000)]
    ]


@pytest.fixture
def n_decoded(monkeypatch):
    """Count the files that are decoded."""
    return count_calls(monkeypatch, soundfile.SoundFile, "read")


def options_of(how, folder):
    return {"memory": {}, "store": {"store": folder}, "lazy": {"lazy": True}}[how]


@pytest.mark.parametrize("how", ["memory", "store", "lazy"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_part_is_that_of_its_extractor_from_one_decode(
    how, n_jobs, paths, folder, n_decoded
):
    union = union_of(n_jobs=n_jobs, **options_of(how, folder))
    frames = union.fit_transform(paths)
    joined = list(frames)
    assert n_decoded() == 3
    assert frames.keys() == list(PARTS) == [name for name, _ in frames.items()]
    expected = {name: part.transform(paths) for name, part in PARTS.items()}
    for name in PARTS:
        assert_same_frames(frames[name], expected[name])
    for i, item in enumerate(joined):
        assert_array_equal(item, np.hstack([expected[name][i] for name in PARTS]))
        assert_array_equal(frames[i], item)
    assert union.errors_ == []
    names = union.get_feature_names_out()
    assert len(names) == joined[0].shape[1]
    assert names[[0, 15]].tolist() == ["mfcc__mfcc0", "mel__mel0"]


def test_a_union_is_a_sequence_of_items_that_can_be_split(paths):
    frames = union_of().transform(paths)
    assert isinstance(frames, LazySequence)
    assert len(frames) == 3
    assert dict(frames).keys() == PARTS.keys()
    for key in (slice(1, None), [2, 0], np.array([True, False, True])):
        chosen = frames[key]
        assert_same_frames(chosen, [frames[int(i)] for i in np.arange(3)[key]])
        assert_same_frames(chosen["mel"], frames["mel"][key])
    for train, test in KFold(3).split(frames):
        assert (len(frames[train]), len(frames[test])) == (2, 1)
    again = pickle.loads(pickle.dumps(frames))
    assert_array_equal(again[1], frames[1])
    with pytest.raises(KeyError, match="'chroma' is not one of"):
        frames["chroma"]


def test_one_codebook_of_several_kinds(paths):
    quantizer = VectorQuantizer(4, random_state=0)
    pipeline = make_pipeline(union_of(), quantizer, BagOfWords(4))
    counts = pipeline.fit_transform(paths)
    lengths = MFCCExtractor().transform(paths).lengths
    assert_array_equal(counts.sum(axis=1), lengths)
    assert quantizer.n_features_in_ == 15 + 12 + 2
    pooled = make_pipeline(union_of(), FramePooling(("mean",))).fit(paths)
    assert pooled.get_feature_names_out()[-1] == "mean_rms__zero_crossing_rate0"


def test_rates_that_differ_share_the_decoding(paths, music, n_decoded):
    parts = {"slow": MelSpectrogram(sr=16_000), "fast": MelSpectrogram()}
    frames = union_of(parts).transform(paths)
    assert n_decoded() == 3
    for name, part in parts.items():
        assert_same_frames(frames[name], part.transform(paths))
    with pytest.raises(ValueError, match="Item 0 has different numbers of frames"):
        frames[0]
    clips = [music(9_000), music(5_000)]  # have one rate
    with pytest.raises(ValueError, match=r"extractors have sr=\[16000.0, 22050.0\]"):
        union_of(parts, on_error="ignore").transform([paths[0], *clips])
    assert_same_frames(
        union_of().transform(clips)["mfcc"], PARTS["mfcc"].transform(clips)
    )


@pytest.mark.parametrize("how", ["memory", "store", "lazy"])
def test_an_item_that_one_extractor_cannot_use_has_no_frames_in_any(
    how, paths, folder, music
):
    def choosy(y, sr):
        if len(y) < 6_000:
            raise RuntimeError("too short")
        return np.zeros((1, 1 + len(y) // 512))

    parts = {"mel": MelSpectrogram(), "own": LibrosaFeatures(choosy)}
    options = options_of(how, folder)
    items = [paths[0], "gone.wav", paths[1], None]
    MelSpectrogram(store=folder).transform([paths[1]])  # one part is there already
    union = union_of(parts, on_error="ignore", **options)
    frames = union.transform(items)
    assert [len(item) > 0 for item in frames] == [True, False, False, False]
    if how != "lazy":
        assert [e.index for e in union.errors_] == [1, 2, 3]
        assert [len(x) > 0 for x in frames["mel"]] == [True, False, False, False]
    with pytest.raises(AudioReadError, match=r"item 1 .*No such file"):
        list(union_of(parts, **options).transform(items[:3]))


def test_stores_are_shared_with_extractors_alone(paths, folder, n_decoded, n_computed):
    MFCCExtractor(n_mfcc=5, store=folder).transform(paths[:2])
    MelSpectrogram(n_mels=12, dtype="float16", store=folder).transform(paths)
    assert (n_decoded(), n_computed()) == (5, 5)
    union = union_of(store=folder)
    union.transform(paths[:2])
    assert n_decoded() == 2
    union.transform(paths)
    assert n_decoded() == 1
    union.transform(paths)
    for part in PARTS.values():
        stored = clone(part).set_params(store=folder).transform(paths)
        assert_same_frames(stored, part.transform(paths))
    assert n_decoded() == 9  # by the extractors without a store


def test_extractors_may_have_stores_of_their_own(paths, tmp_path, n_decoded):
    parts = {
        name: clone(part).set_params(store=tmp_path / name)
        for name, part in PARTS.items()
    }
    union_of(parts).transform(paths)
    assert n_decoded() == 3
    frames = union_of(parts | {"mel": PARTS["mel"]}, store=tmp_path / "mel")
    frames.transform(paths)
    assert n_decoded() == 0
    with pytest.raises(ValueError, match=r"\['mfcc', 'rms'\] have a store and"):
        union_of(parts | {"mel": PARTS["mel"]}).transform(paths)


def loudness(windows):
    return np.sqrt((windows**2).mean(axis=1, keepdims=True))


def test_rows_stand_beside_frames_and_frames_beside_rows(paths):
    parts = {
        "mel": MelSpectrogram(n_mels=12),
        "loud": AudioEmbedding(loudness, sr=22_050, window=0.2),
    }
    frames = union_of(parts).transform(paths)
    assert_same_frames(frames["mel"], parts["mel"].transform(paths))
    assert_array_equal(frames["loud"], parts["loud"].transform(paths))
    assert_array_equal(frames[[2, 0]]["loud"], frames["loud"][[2, 0]])
    with pytest.raises(ValueError, match=r"\['loud'\] have a row for each item"):
        frames[0]
    rows_alone = {
        "loud": parts["loud"],
        "rms": LibrosaFeatures("rms", pooling=("mean", "std")),
    }
    union = union_of(rows_alone).set_output(transform="pandas")
    table = union.fit_transform(paths)
    expected = [part.transform(paths) for part in rows_alone.values()]
    assert_array_equal(table, np.hstack(expected))
    assert table.columns.tolist() == [
        *("loud__mean_embedding0", "loud__max_embedding0"),
        *("rms__mean_rms0", "rms__std_rms0"),
    ]


def test_parameters_of_extractors_can_be_set():
    union = union_of()
    union.set_params(mel__n_mels=5, mfcc=MFCCExtractor(n_mfcc=3), n_jobs=2)
    assert union.get_params()["mel__n_mels"] == 5
    assert clone(union).extractors[0][1].n_mfcc == 3
    assert union.get_params(deep=False).keys() >= {"extractors", "reader", "store"}


@pytest.mark.parametrize(
    ("extractors", "error", "message"),
    [
        ([], ValueError, "extractors is empty"),
        ([MelSpectrogram()], TypeError, r"expected a list of pairs \(name, extractor"),
        ([("a", MelSpectrogram()), ("a", MFCCExtractor())], ValueError, "not unique"),
        ([("a__b", MelSpectrogram())], ValueError, "__"),
        ([(1, MelSpectrogram())], TypeError, r"expected a list of pairs \(name"),
        ([("a", FramePooling())], TypeError, "'a' is a FramePooling"),
        ([("a", MelSpectrogram(hop_length=0.5))], ValueError, "hop_length"),
        ([("a", MelSpectrogram(max_duration=3.0))], ValueError, "has max_duration=3.0"),
        ([("a", MelSpectrogram(reader="av"))], ValueError, "has reader='av'"),
        ([("a", MelSpectrogram(on_error="warn"))], ValueError, "has on_error='warn'"),
        ([("a", MelSpectrogram(lazy=True))], ValueError, "has lazy=True"),
        ([("a", MelSpectrogram(fmin=9.0, fmax=3.0))], ValueError, "fmin < fmax"),
    ],
)
def test_extractors_that_contradict_the_union_are_refused(
    extractors, error, message, music
):
    for method in ("fit", "transform"):
        with pytest.raises(error, match=message):
            getattr(AudioUnion(extractors), method)([music(900)])


def test_options_of_reading_hold_for_all(paths, tmp_path):
    same = AudioUnion([("mel", MelSpectrogram(max_duration=0.3))], max_duration=0.3)
    expected = MelSpectrogram(max_duration=0.3).transform(paths)
    assert_same_frames(same.transform(paths)["mel"], expected)
    own = union_of(reader=lambda path: (np.ones(9_000), 22_050)).transform(["song"])
    assert_array_equal(own["mfcc"].lengths, [18])
    with pytest.warns(UserWarning, match="1 of 1 items could not be used"):
        union_of(on_error="warn").transform([tmp_path / "gone.wav"])
