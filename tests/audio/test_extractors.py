"""What holds for both extractors, whatever they compute."""

import pathlib
import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from skcoldstart import MelSpectrogram, MFCCExtractor, RaggedArray
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.audio import AudioReadError
from tests.audio.conftest import assert_same_frames


@pytest.fixture(params=[MelSpectrogram, MFCCExtractor])
def extractor(request):
    return request.param()


@pytest.fixture
def clips(music):
    return [music(n) for n in (9_000, 5_000, 400, 12_345)]


@pytest.fixture
def paths(clips, write_audio):
    names = ["a.wav", "b.flac", "c.wav", "d.ogg"]
    return [write_audio(n, c) for n, c in zip(names, clips, strict=True)]


@pytest.fixture
def paths_with_bad_ones(paths, tmp_path):
    (tmp_path / "text.mp3").write_text("words " * 100)
    return [paths[0], tmp_path / "gone.wav", paths[1], tmp_path / "text.mp3"]


def test_containers_of_waveforms_do_not_matter(extractor, clips, music):
    expected = extractor.transform(clips)
    assert [len(x) for x in expected] == [18, 10, 1, 25]
    for same in (
        RaggedArray.from_sequence(clips),
        [clip.tolist() for clip in clips],
        [np.repeat(clip, 2)[::2] for clip in clips],
    ):
        assert_same_frames(extractor.transform(same), expected)
    table = np.stack([music(3_000) for _ in range(3)])
    expected = extractor.transform(list(table))
    for same in (table, table.astype(object), np.asfortranarray(table)):
        assert_same_frames(extractor.transform(same), expected)


def test_containers_of_paths_do_not_matter(extractor, paths):
    names = [str(p) for p in paths]
    expected = extractor.transform(paths)
    for same in (
        names,
        tuple(paths),
        np.array(names),
        np.array(names, dtype=object),
        [name.encode() for name in names],
        pd.Series(names, index=[3, 1, 2, 0]),
        *(table({"path": names}) for table in (pd.DataFrame, pl.DataFrame, pa.table)),
    ):
        assert_same_frames(extractor.transform(same), expected)


def test_files_and_their_waveforms_give_the_same_frames(extractor, music, write_audio):
    samples = np.round(music(9_000) * 32768) / np.float32(32768)
    path = write_audio("clip.wav", samples)
    assert_same_frames(extractor.transform([path]), extractor.transform([samples]))


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_same_bits_for_any_number_of_workers(extractor, backend, paths, clips):
    items = [*paths, *clips]
    expected = extractor.transform(items)
    with joblib.parallel_config(backend=backend):
        assert_same_frames(extractor.set_params(n_jobs=2).transform(items), expected)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_first_bad_item_is_raised_with_its_file_and_the_reason(
    extractor, n_jobs, paths_with_bad_ones
):
    message = r"item 1 \('.*gone.wav'\): No such file"
    with pytest.raises(AudioReadError, match=message) as caught:
        extractor.set_params(n_jobs=n_jobs).transform(paths_with_bad_ones)
    assert caught.value.path == paths_with_bad_ones[1]
    assert caught.value.index == 1


@pytest.mark.parametrize("on_error", ["warn", "ignore"])
def test_bad_files_keep_their_rows_without_frames(
    extractor, on_error, paths_with_bad_ones
):
    extractor.set_params(on_error=on_error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = extractor.transform(paths_with_bad_ones)
    assert len(caught) == (on_error == "warn")
    for warning in caught:
        assert warning.filename == __file__
        assert "2 of 4 items could not be used" in str(warning.message)
        assert "gone.wav" in str(warning.message)
    assert_array_equal(frames.lengths > 0, [True, False, True, False])
    assert [(e.index, e.path) for e in extractor.errors_] == [
        (i, paths_with_bad_ones[i]) for i in (1, 3)
    ]
    assert "No such file" in extractor.errors_[0].reason
    assert "not a known audio format" in extractor.errors_[1].reason
    good = extractor.transform([paths_with_bad_ones[i] for i in (0, 2)])
    assert extractor.errors_ == []
    assert_same_frames(frames[[0, 2]], good)


def test_nothing_but_bad_items_still_has_features(extractor):
    frames = extractor.set_params(on_error="ignore").transform(["none", "nil"])
    n_features = 39 if isinstance(extractor, MFCCExtractor) else 128
    assert frames.values.shape == (0, n_features)
    assert_array_equal(frames.lengths, [0, 0])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (np.array([0.0, 0.5, np.nan, np.inf]), "sample 2 is NaN"),
        (np.array([0.0, -np.inf, np.nan]), "sample 1 is -inf"),
        (np.zeros(0), "no samples"),
        ([], "no samples"),
        (np.full(2_000, 1e20), "overflow"),
        (np.array([1e300, 0.0]), "overflow"),
    ],
)
def test_waveforms_of_bad_content_follow_on_error(extractor, bad, reason, music):
    items = [music(2_000), bad]
    with pytest.raises(AudioReadError, match=rf"item 1: .*{reason}"):
        extractor.transform(items)
    extractor.set_params(on_error="ignore")
    assert_array_equal(extractor.transform(items).lengths, [4, 0])
    [(index, path, told)] = extractor.errors_
    assert (index, path) == (1, None)
    assert reason in told


@pytest.mark.parametrize("on_error", ["raise", "ignore"])
@pytest.mark.parametrize(
    ("item", "message"),
    [
        (np.zeros((2, 500)), r"Item 1 of X has shape \(2, 500\).*Average its channels"),
        (np.zeros(500, np.int16), "Item 1 of X has dtype int16.*samples / 32768"),
        (np.zeros(500, bool), "Item 1 of X has dtype bool"),
        (np.zeros(500, complex), "Item 1 of X is a ndarray of dtype complex128"),
        ({}, "Item 1 of X is a dict of dtype object"),
        (0.5, r"Item 1 of X has shape \(\)"),
    ],
)
def test_items_of_wrong_type_or_shape_are_refused_always(
    on_error, item, message, music
):
    with pytest.raises(ValueError, match=message):
        MelSpectrogram(on_error=on_error).transform([music(2_000), item])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pathlib.Path("a.wav"), TypeError, "single path"),
        (iter(["a.wav"]), TypeError, "without a length"),
        (np.zeros(500), ValueError, r"Pass \[X\] for one waveform"),
        (np.zeros((2, 500), np.int16), ValueError, "dtype int16"),
        (np.zeros((2, 3, 500)), ValueError, r"shape \(3, 500\)"),
        (pd.DataFrame({"path": ["a.wav"], "n": [1]}), ValueError, "one column"),
        (RaggedArray(np.zeros((4, 2)), [0, 4]), ValueError, "Average its channels"),
    ],
)
def test_what_only_looks_like_items_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        MFCCExtractor().transform(X)


def test_features_that_overflow_half_precision_are_an_error():
    loud = np.random.default_rng(0).normal(scale=1e6, size=5_000)
    options = {"dtype": "float16", "on_error": "ignore"}
    power = MelSpectrogram(compression=None, **options)
    assert power.transform([loud]).lengths[0] == 0
    assert "use dtype='float32'" in power.errors_[0].reason
    assert MFCCExtractor(**options).transform([loud]).lengths[0] == 10


def test_truncated_files_are_used_with_one_warning(extractor, paths):
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match="1 of 4 items may be truncated: item 0") as w:
        frames = extractor.transform(paths)
    assert len(w) == 1
    assert frames.lengths.all()
    assert extractor.errors_ == []


def test_lazy_items_are_computed_when_read(extractor, paths_with_bad_ones):
    expected = extractor.transform(paths_with_bad_ones[::2])
    lazy = extractor.set_params(lazy=True).transform(paths_with_bad_ones)
    assert isinstance(lazy, LazySequence)
    assert len(lazy) == 4
    for sequence in (lazy, pickle.loads(pickle.dumps(lazy))):
        assert_array_equal(sequence[0], expected[0])
        assert_array_equal(sequence[[2, 0]][0], expected[1])
        with pytest.raises(AudioReadError, match="item 1 "):
            sequence[1]


def test_lazy_items_follow_on_error(extractor, paths_with_bad_ones):
    extractor.set_params(lazy=True, on_error="warn")
    with pytest.warns(UserWarning, match="item 1 .* It has no frames"):
        assert len(extractor.transform(paths_with_bad_ones)[1]) == 0
    extractor.set_params(on_error="ignore")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = list(extractor.transform(paths_with_bad_ones))
    assert [len(item) > 0 for item in frames] == [True, False, True, False]


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_lazy_items_read_in_turn_are_computed_at_once(backend, paths_with_bad_ones):
    paths = paths_with_bad_ones * 5
    expected = MFCCExtractor(on_error="ignore").transform(paths)
    lazy = MFCCExtractor(lazy=True, on_error="warn", n_jobs=2)
    with joblib.parallel_config(backend=backend):
        with pytest.warns(UserWarning, match="It has no frames") as caught:
            frames = list(lazy.transform(paths)[::-1])
        assert len(caught) == 10
        assert {w.filename for w in caught} == {__file__}
        assert_same_frames(frames[::-1], expected)
        lazy.set_params(on_error="raise")
        read = iter(lazy.transform(paths))
        assert_array_equal(next(read), expected[0])
        with pytest.raises(AudioReadError, match="item 1 "):
            next(read)


def test_lazy_items_are_computed_little_ahead(music, n_computed):
    frames = MFCCExtractor(lazy=True, n_jobs=2).transform([music(900)] * 50)
    next(iter(frames))
    assert n_computed() == 8
    assert_array_equal(frames[9], frames[0])
    assert n_computed() == 2


def test_lazy_checks_types_at_once():
    with pytest.raises(ValueError, match="Item 0 of X has dtype int16"):
        MFCCExtractor(lazy=True).transform([np.zeros(9, np.int16)])


def test_memory_is_the_result_and_one_item(extractor, music):
    clip = music(40_000)
    clips = [clip] * 200
    extractor.transform(clips[:2])
    tracemalloc.start()
    frames = extractor.transform(clips)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.15 * frames.nbytes + 20 * clip.nbytes


class Impatient(list):
    """Items whose user presses Ctrl-C at the third one."""

    def __getitem__(self, key):
        if key == 2:
            raise KeyboardInterrupt
        return super().__getitem__(key)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupted_extractor_works_again(extractor, n_jobs, clips):
    extractor.set_params(n_jobs=n_jobs)
    with pytest.raises(KeyboardInterrupt):
        extractor.transform(Impatient(clips))
    assert not hasattr(extractor, "errors_")
    assert_same_frames(extractor.transform(clips), clone(extractor).transform(clips))


def test_progress_is_shown_only_on_request(clips, capsys):
    MFCCExtractor().transform(clips)
    assert capsys.readouterr().err == ""
    MFCCExtractor(verbose=1).transform(clips)
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fmin": 5000.0, "fmax": 400.0}, "fmin < fmax"),
        ({"fmax": 12_000.0}, r"sr / 2 = 11025"),
        ({"fmin": 11_025.0}, "fmin < fmax"),
    ],
)
def test_bands_outside_the_spectrum_are_refused(extractor, parameters, message, clips):
    extractor.set_params(**parameters)
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match=message):
            method(clips)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("sr", 0), ("n_fft", 1), ("n_fft", 512.0), ("hop_length", 0), ("n_mels", 0)],
        *[("fmin", -1.0), ("max_duration", 0.0), ("dtype", "float64")],
        *[("on_error", "drop"), ("lazy", "yes")],
    ],
)
def test_invalid_parameters_are_refused_by_fit_and_transform(name, value, clips):
    extractor = MFCCExtractor(**{name: value})
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(InvalidParameterError, match=name):
            method(clips)


def test_mfcc_parameters_are_checked_against_each_other(clips):
    with pytest.raises(ValueError, match="n_mfcc <= n_mels"):
        MFCCExtractor(n_mfcc=41, n_mels=40).fit(clips)
    with pytest.raises(ValueError, match="delta_width=8 has no middle frame"):
        MFCCExtractor(delta_width=8).fit(clips)


def test_empty_mel_bands_are_told_once_at_fit(extractor, clips):
    narrow = clone(extractor).set_params(n_fft=256)
    with pytest.warns(UserWarning, match="20 of 128 mel bands hold no") as caught:
        narrow.fit(clips)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        narrow.transform(clips)
        extractor.fit(clips)


@pytest.mark.parametrize("how", ["memory", "store", "lazy"])
def test_rows_without_audio_stay_without_frames(how, paths, folder):
    names = [str(path) for path in paths]
    expected = MFCCExtractor().transform(names)
    options = {"store": {"store": folder}, "lazy": {"lazy": True}}.get(how, {})
    extractor = MFCCExtractor(on_error="ignore", **options)
    gaps = [names[0], None, names[1], None, names[2], None, names[3], None]
    kinds = [names[0], None, names[1], float("nan"), names[2], pd.NA, names[3], pd.NaT]
    for table in (kinds, np.array(kinds, object), pd.Series(gaps), pd.array(gaps)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frames = list(extractor.transform(table))
        assert_same_frames(frames[::2], expected)
        assert [len(item) for item in frames[1::2]] == [0] * 4
        if how != "lazy":
            assert [e.index for e in extractor.errors_] == [1, 3, 5, 7]
            assert "expected a path or" in extractor.errors_[0].reason


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float64("nan"), pd.NA])
def test_a_row_without_audio_is_named_where_errors_are_raised(nothing, music):
    with pytest.raises(ValueError, match=r"Item 1 of X is .*on_error='warn'"):
        MFCCExtractor().transform([music(900), nothing])
    with pytest.warns(UserWarning, match="1 of 2 items could not be used"):
        MFCCExtractor(on_error="warn").transform([music(900), nothing])


def test_pairs_of_samples_and_rate_are_told_from_waveforms(music):
    clip, extractor = music(900), MFCCExtractor(on_error="ignore")
    for pair in ((clip, 22050), [clip, 22050.0], (22050, clip), (clip.tolist(), 8000)):
        with pytest.raises(ValueError, match=r"Item 1 of X is a pair .*\[0\]"):
            extractor.transform([clip, pair])
    assert_array_equal(extractor.transform([[0.5, 0.25]]).lengths, [1])
