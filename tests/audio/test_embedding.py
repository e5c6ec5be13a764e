"""AudioEmbedding: exact to the network it reads, and to any model it is given."""

import hashlib
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper
from sklearn.base import clone

from skcoldstart import AudioEmbedding, CNNFactorRegressor, MelSpectrogram
from skcoldstart.audio import (
    MusicNNArchitecture,
    _listening,
    _musicnn,
)
from skcoldstart.audio._torch.musicnn import MusicNN
from tests.references.musicnn import (
    musicnn_layers,
    random_weights,
    write_checkpoint,
)

SR = 16000
FROZEN = Path(__file__).parents[1] / "references" / "musicnn_tensorflow.json"
needs_weights = pytest.mark.skipif(
    not os.environ.get("SKCOLDSTART_MUSICNN"),
    reason="SKCOLDSTART_MUSICNN does not name the wheel with musicnn's weights",
)


def rms(windows):
    return np.sqrt((windows**2).mean(axis=1, keepdims=True))


def mean_and_peak(windows):
    return np.column_stack([windows.mean(axis=1), np.abs(windows).max(axis=1)])


def reference_clips():
    """Return the clips whose vectors TensorFlow computed, see the frozen file."""
    t = np.arange(4 * SR + 123) / SR
    tone = 0.3 * np.sin(2 * np.pi * 220 * t) * (1 + 0.5 * np.sin(2 * np.pi * 3 * t))
    chirp = 0.1 * np.sin(2 * np.pi * 880 * t * (1 + 0.05 * t))
    n = np.arange(7 * SR)
    noise = np.random.default_rng(0).normal(size=len(n)) * 0.1
    beats = noise * (n % 4000 < 800) + 0.2 * np.sin(2 * np.pi * 55 * n / SR)
    return [(tone + chirp).astype(np.float32), beats.astype(np.float32)]


@pytest.fixture(scope="module")
def weights():
    return random_weights(3)


@pytest.fixture
def wheel(tmp_path, weights, monkeypatch):
    """Write a wheel as musicnn's, with random weights whose sums are the right ones."""
    index, data = write_checkpoint(
        weights | {"dense/kernel/Adam": np.zeros((2, 3), np.float32)}
    )
    path = tmp_path / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in ((".index", index), (".data-00000-of-00001", data)):
            archive.writestr(f"musicnn/MSD_musicnn/{name}", content)
    sums = tuple(hashlib.sha256(content).hexdigest() for content in (index, data))
    monkeypatch.setitem(_musicnn._SUMS, "MSD", sums)
    _clear_caches()
    yield path
    _clear_caches()


def _clear_caches():
    _musicnn.load_musicnn.cache_clear()
    _listening._musicnn.cache_clear()


def test_weights_are_read_as_they_were_written_and_no_others(wheel, weights):
    read = _musicnn.load_musicnn(str(wheel), "MSD")
    assert read.keys() == weights.keys()
    for name, value in weights.items():
        assert_array_equal(read[name], value)


@pytest.mark.parametrize("layer", ["penultimate", "pool", "max_pool", "tags"])
def test_layers_of_musicnn_equal_a_loop_in_numpy(wheel, weights, layer, music):
    clip = music(SR, SR)
    embedding = AudioEmbedding(weights=wheel, layer=layer, pooling=None, window=0.4)
    vectors = embedding.fit_transform([clip])[0]
    mel = MelSpectrogram(sr=SR, n_fft=512, hop_length=256, n_mels=96)
    log_mel = np.asarray(mel.fit_transform([clip])[0], np.float64) / np.log(10)
    n = (int(0.4 * SR) - 256) // 256 + 1
    expected = [
        musicnn_layers(weights, log_mel[start : start + n])[layer]
        for start in range(0, len(log_mel) - n + 1, n)
    ]
    assert_allclose(vectors, expected, rtol=1e-4, atol=1e-4)


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("training_set", ["MSD", "MTT"])
def test_layers_of_the_trained_network_equal_a_loop_in_numpy(training_set, music):
    trained = _musicnn.load_musicnn(os.environ["SKCOLDSTART_MUSICNN"], training_set)
    mel = MelSpectrogram(sr=SR, n_fft=512, hop_length=256, n_mels=96)
    window = np.asarray(mel.fit_transform([music(SR, SR)])[0]) / np.log(10)
    with torch.no_grad():
        layers = MusicNN(trained).double()(torch.tensor(window[None]).double())
    for name, expected in musicnn_layers(trained, window).items():
        assert_allclose(layers[name][0], expected, rtol=1e-9, atol=1e-9, err_msg=name)


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("training_set", ["MSD", "MTT"])
@pytest.mark.parametrize("layer", ["penultimate", "tags"])
def test_vectors_are_those_of_tensorflow(training_set, layer):
    frozen = json.loads(FROZEN.read_text("utf-8"))["vectors"]
    model = {"MSD": "musicnn", "MTT": "musicnn-mtt"}[training_set]
    embedding = AudioEmbedding(
        model,
        weights=os.environ["SKCOLDSTART_MUSICNN"],
        layer=layer,
        pooling=None,
        precision="float32",
        device="cpu",
    )
    for i, vectors in enumerate(embedding.fit_transform(reference_clips())):
        assert_allclose(vectors, frozen[f"{training_set}/{i}"][layer], atol=1e-5)


def test_vectors_have_names():
    tags = AudioEmbedding(layer="tags", pooling=("mean",)).get_feature_names_out()
    assert tags[0] == "mean_rock" and len(set(tags)) == 50
    pool = AudioEmbedding(layer="pool", pooling=None).get_feature_names_out()
    assert pool[[0, -1]].tolist() == ["pool0", "pool1505"]
    names = AudioEmbedding(mean_and_peak, sr=SR, pooling=("max",))
    assert names.get_feature_names_out().tolist() == [
        "max_embedding0",
        "max_embedding1",
    ]


def test_wrong_weights_are_named_with_the_remedy(wheel, tmp_path, music, monkeypatch):
    clips = [music(SR, SR)]
    remedy = ".*pip download --no-deps musicnn==0.1.0"
    for path, match in (
        (tmp_path / "none.whl", "does not exist"),
        (tmp_path, "has no musicnn weights"),
    ):
        with pytest.raises(FileNotFoundError, match=match + remedy):
            AudioEmbedding(weights=path).fit_transform(clips)
    no_wheel = tmp_path / "text.whl"
    no_wheel.write_text("hello")
    with pytest.raises(ValueError, match="not a wheel, or it is damaged"):
        AudioEmbedding(weights=no_wheel).fit_transform(clips)
    monkeypatch.setitem(_musicnn._SUMS, "MSD", ("0" * 64, "0" * 64))
    _clear_caches()
    with pytest.raises(ValueError, match="its SHA-256 differs"):
        AudioEmbedding(weights=wheel).fit_transform(clips)


def test_unpacked_wheel_gives_the_same_vectors(wheel, tmp_path, music):
    clips = [music(4 * SR, SR)]
    packed = AudioEmbedding(weights=wheel).fit_transform(clips)
    folder = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(folder)
    for place in (folder, folder / "musicnn", folder / "musicnn" / "MSD_musicnn"):
        vectors = AudioEmbedding(weights=str(place)).fit_transform(clips)
        assert_array_equal(vectors, packed)


def test_windows_of_a_callable_are_consecutive_and_whole(music):
    clip = music(SR + 700, SR)
    frames = AudioEmbedding(rms, sr=SR, window=0.25, pooling=None).fit_transform([clip])
    expected = rms(clip[:SR].reshape(4, SR // 4))
    assert_allclose(frames[0], expected, rtol=1e-6)
    overlapping = AudioEmbedding(rms, sr=SR, window=0.5, hop=0.25, pooling=None)
    assert len(overlapping.fit_transform([clip])[0]) == 3
    short = AudioEmbedding(rms, sr=SR, window=2, pooling=None).fit_transform([clip])
    assert_allclose(short[0], rms(np.pad(clip, (0, SR - 700))[None]), rtol=1e-6)


def test_torch_module_is_run_as_it_would_be_alone(music):
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(800, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 2)
    )
    net(torch.randn(9, 800))
    clip = music(SR, SR)
    windows = torch.tensor(clip.reshape(-1, 800))
    state = {name: value.clone() for name, value in net.state_dict().items()}
    options = {"sr": SR, "window": 0.05, "pooling": None, "device": "cpu"}
    got = AudioEmbedding(net, batch_size=7, **options).fit_transform([clip])[0]
    inner = AudioEmbedding(net, layer="1", **options).fit_transform([clip])[0]
    assert net.training  # the caller's module is not touched
    assert all(
        torch.equal(value, state[name]) for name, value in net.state_dict().items()
    )
    net.eval()
    with torch.no_grad():
        assert_allclose(got, net(windows), rtol=1e-5, atol=1e-6)
        assert_allclose(inner, net[:2](windows), rtol=1e-5, atol=1e-6)


def test_onnx_file_is_run_by_its_first_input(tmp_path, music):
    matrix = np.random.default_rng(0).normal(size=(800, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["windows", "matrix"], ["product"]),
            helper.make_node("Relu", ["product"], ["vectors"]),
        ],
        "net",
        [helper.make_tensor_value_info("windows", TensorProto.FLOAT, ["n", 800])],
        [
            helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info("product", TensorProto.FLOAT, ["n", 3]),
        ],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    clip = music(SR, SR)
    product = clip.reshape(-1, 800) @ matrix
    options = {"sr": SR, "window": 0.05, "pooling": None}
    got = AudioEmbedding(path, **options).fit_transform([clip])[0]
    assert_allclose(got, np.maximum(product, 0), rtol=1e-4, atol=1e-5)
    named = AudioEmbedding(str(path), layer="product", **options)
    assert_allclose(named.fit_transform([clip])[0], product, rtol=1e-4, atol=1e-5)
    stored = clone(named).set_params(store=tmp_path / "store").fit_transform([clip])
    assert_allclose(stored[0], product, rtol=1e-4, atol=1e-5)


def test_vectors_do_not_depend_on_workers_or_batches(wheel, music):
    clips = [music(n * SR, SR) for n in (1, 2, 3, 4)]
    one = AudioEmbedding(weights=wheel, window=0.5, batch_size=1).fit_transform(clips)
    for options in ({"n_jobs": 2}, {"batch_size": 5}, {"lazy": True}):
        embedding = AudioEmbedding(weights=wheel, window=0.5, **options)
        assert_allclose(embedding.fit_transform(clips), one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"model": "musicn"},
            r"sr is None; pass .* only for \['musicnn', 'musicnn-mtt",
        ),
        ({"sr": 22050}, "sr=22050, but musicnn"),
        ({"layer": "cnn9"}, "musicnn has the layers"),
        ({"model": rms, "sr": SR, "pooling": ("mode",)}, "statistics holds 'mode'"),
        ({"model": rms, "sr": SR, "store": "x"}, "cannot distinguish the vectors"),
    ],
)
def test_contradictions_are_named(options, match, music):
    with pytest.raises(ValueError, match=match):
        AudioEmbedding(**options).fit_transform([music(SR, SR)])


def test_model_must_return_a_vector_a_window(music):
    embedding = AudioEmbedding(lambda windows: windows.mean(), sr=SR)
    with pytest.raises(TypeError, match="expected one vector per window"):
        embedding.fit_transform([music(SR, SR)])


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_an_item_whose_vectors_are_no_numbers_is_named():
    clips = [np.full(SR, 0.1, np.float32), np.zeros(SR, np.float32)]
    clips[1][1:] = 0.1
    embedding = AudioEmbedding(lambda w: 1 / w[:, :1] if w.any() else w[:, :1], sr=SR)
    embedding.set_params(window=0.5)
    with pytest.raises(ValueError, match="item 1: the model returned NaN or infinity"):
        embedding.fit_transform(clips)
    embedding.set_params(on_error="warn")
    with pytest.warns(UserWarning, match="item 1: the model returned NaN"):
        assert not embedding.fit_transform(clips)[1].any()


def test_shapes_and_devices_that_do_not_fit_a_model_are_named(music):
    embedding = AudioEmbedding(torch.nn.Linear(5, 2), sr=SR, window=1)
    with pytest.raises(RuntimeError) as caught:
        embedding.fit_transform([music(SR, SR)])
    assert f"windows of shape ({SR},); their length is" in caught.value.__notes__[0]
    for device in ("x", "meta"):
        with pytest.raises(ValueError, match=f"device='{device}' but torch"):
            embedding.set_params(device=device).fit_transform([music(SR, SR)])


def test_estimator_with_a_module_survives_pickle_and_clone(music):
    net = torch.nn.Linear(SR, 2)
    embedding = AudioEmbedding(net, sr=SR, window=1)
    clips = [music(SR, SR)]
    rows = embedding.fit_transform(clips)
    for twin in (pickle.loads(pickle.dumps(embedding)), clone(embedding)):
        assert_array_equal(twin.fit_transform(clips), rows)


@pytest.mark.parametrize("frozen", [True, "convolutions", False])
def test_fine_tuning_keeps_statistics_and_a_frozen_body(frozen, wheel, weights, music):
    clips = [music(n, SR) for n in range(9000, 17000, 1000)]
    mel = MelSpectrogram(sr=SR, n_fft=512, hop_length=256, n_mels=96)
    frames = mel.fit_transform(clips)
    y = np.random.default_rng(0).normal(size=(len(clips), 2))
    architecture = MusicNNArchitecture(weights=wheel, frozen=frozen)
    before = architecture(96, 2).body.state_dict()
    model = CNNFactorRegressor(
        architecture=architecture,
        **{"window": 20, "standardize": False, "max_epochs": 2, "device": "cpu"},
        validation_fraction=0,
        random_state=0,
    ).fit(frames, y)
    body = model.net_.module_.network.body
    assert not body.training and len(list(body.buffers())) == 33
    learns = set() if frozen is True else dict(body.named_parameters()).keys()
    learns = {name for name in learns if not name.startswith("output")}  # tags
    if frozen == "convolutions":
        last = ("pool_norm", "dense")
        learns = {name for name in learns if name.startswith(last)}
        assert len(learns) == 6
    for name, value in body.state_dict().items():
        stays = name not in learns
        assert torch.equal(value, before[name]) == stays, name
    expected = torch.tensor(weights["batch_normalization_9/moving_variance"])
    assert torch.equal(body.pool_norm.running_var, expected)
    alone = [model.predict(frames[[i]])[0] for i in range(len(clips))]
    assert_allclose(model.predict(frames), alone, rtol=1e-4, atol=1e-5)


def test_last_layers_learn_from_what_the_convolutions_left(wheel, music):
    clips = [music(n, SR) for n in range(20_000, 30_000, 2_000)]
    short = {"weights": wheel, "window": 0.4, "pooling": None}
    pool = AudioEmbedding(layer="pool", **short).fit_transform(clips)
    y = np.random.default_rng(0).normal(size=(len(clips), 2))
    architecture = MusicNNArchitecture(weights=wheel, frozen="convolutions")
    options = {"architecture": architecture, "standardize": False, "device": "cpu"}
    tuned = CNNFactorRegressor(
        **options, window=1, max_epochs=3, validation_fraction=0, random_state=0
    ).fit(pool, y)
    # The same weights behind mel bands give the same predictions.
    whole = architecture(96, 2)
    whole.load_state_dict(tuned.net_.module_.network.state_dict())
    mel = MelSpectrogram(sr=SR, n_fft=512, hop_length=256, n_mels=96)
    frames = mel.fit_transform(clips)
    n = (int(0.4 * SR) - 256) // 256 + 1
    for item, pooled, predicted in zip(frames, pool, tuned.predict(pool), strict=True):
        windows = item[: n * len(pooled)].reshape(-1, n, 96)
        with torch.no_grad():
            outputs = whole.eval()(torch.tensor(windows)).numpy()
        expected = tuned._scale.mean + tuned._scale.scale * outputs.mean(axis=0)
        assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="by the convolutions, which cannot be"):
        MusicNNArchitecture(weights=wheel, frozen=False)(1506, 2)


def test_architecture_names_wrong_frames_and_models(wheel):
    with pytest.raises(ValueError, match="128 features, but musicnn"):
        MusicNNArchitecture(weights=wheel)(128, 4)
    with pytest.raises(ValueError, match="expected one of"):
        MusicNNArchitecture("vgg")
    with pytest.raises(ValueError, match="expected True, False or 'convolutions'"):
        MusicNNArchitecture(frozen="dense")
