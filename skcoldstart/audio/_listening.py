"""Map windows of sound to vectors with a pretrained model."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from skcoldstart._utils.paths import check_regular_file
from skcoldstart.audio._items import AudioReadError
from skcoldstart.audio._musicnn import LAYERS, load_musicnn
from skcoldstart.audio._spectrum import MelBands

MUSICNN_SR = 16000
_MUSICNN_BANDS = MelBands(float(MUSICNN_SR), 512, 256, 96, 0.0, MUSICNN_SR / 2)
_LOG_SCALE = 10_000.0


def musicnn_frames(seconds: float) -> int:
    """Return the number of frames of a window, as counted by the network's authors."""
    n_samples, n_fft, hop = int(seconds * MUSICNN_SR), 512, 256
    return (n_samples - n_fft // 2) // hop + 1


@dataclass(frozen=True)
class MusicNNVectors:
    """Log-mel windows through musicnn; holds no weights, so it is cheap to send."""

    training_set: str
    layer: str
    window: int  # frames
    hop: int
    precision: str
    weights: str | None = field(repr=False)
    device: str = field(repr=False)
    batch_size: int = field(repr=False)

    @property
    def n_features(self) -> int:
        return LAYERS[self.layer]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return a vector for each window, (n_windows, n_features)."""
        from skcoldstart.audio._torch.musicnn import forward

        mel = _MUSICNN_BANDS.frames(waveform, "log", _LOG_SCALE)
        mel *= np.float32(1 / np.log(10))
        network = _musicnn(self.weights, self.training_set, self.device)
        return _in_batches(
            lambda windows: forward(network, windows, self.device, self.precision)[
                self.layer
            ],
            _windows(mel, self.window, self.hop),
            self.batch_size,
        )


@dataclass(frozen=True)
class SampleVectors:
    """Windows of samples through a model of the user."""

    model: Callable[[np.ndarray], Any]
    window: int  # samples
    hop: int
    batch_size: int = field(repr=False)

    @property
    def n_features(self) -> int:
        return self(np.zeros(self.window, np.float32)).shape[1]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return a vector for each window, (n_windows, n_features)."""
        windows = _windows(waveform, self.window, self.hop)
        return _in_batches(self.model, windows, self.batch_size)


@dataclass(frozen=True)
class ONNXModel:
    """A network in an ONNX file; its repr identifies it in a store."""

    digest: str
    output: str | None
    path: str = field(repr=False)

    def __call__(self, windows: np.ndarray) -> Any:
        """Return the output of the network for its first input."""
        session = _onnx_session(self.path, self.digest)
        outputs = None if self.output is None else [self.output]
        return session.run(outputs, {session.get_inputs()[0].name: windows})[0]


def file_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, which identifies the network of stored vectors."""
    with check_regular_file(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _windows(values: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Return complete windows of rows; shorter input is padded with zeros."""
    if len(values) < length:
        padding = [(0, length - len(values))] + [(0, 0)] * (values.ndim - 1)
        values = np.pad(values, padding)
    views = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)[::hop]
    return views if values.ndim == 1 else views.swapaxes(1, 2)


def _in_batches(
    function: Callable[[np.ndarray], Any], windows: np.ndarray, batch_size: int
) -> np.ndarray:
    """Apply a function to blocks of windows, and check its results."""
    parts = []
    for start in range(0, len(windows), batch_size):
        batch = windows[start : start + batch_size].copy()
        try:
            vectors = np.asarray(function(batch), dtype=np.float32)
        except Exception as error:
            error.add_note(
                f"The model was given {len(batch)} windows of shape {batch.shape[1:]}; "
                "their length is window * sr."
            )
            raise
        if vectors.ndim != 2 or len(vectors) != len(batch):
            raise TypeError(
                f"model returned an array of shape {vectors.shape} for {len(batch)} "
                f"windows of shape {batch.shape[1:]}; expected one vector per window, "
                f"shape ({len(batch)}, n_features)."
            )
        if not np.isfinite(vectors).all():
            raise AudioReadError(
                None,
                "the model returned NaN or infinity for samples as large as "
                f"{np.abs(batch).max():.2g}",
            )
        parts.append(vectors)
    return np.concatenate(parts)


@lru_cache(maxsize=2)
def _musicnn(weights: str | None, training_set: str, device: str) -> Any:
    from skcoldstart.audio._torch.musicnn import MusicNN

    return MusicNN(load_musicnn(weights, training_set)).to(device)


@lru_cache(maxsize=2)
def _onnx_session(path: str, digest: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "A network in an ONNX file needs onnxruntime: pip install skcoldstart[onnx]"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        path, options, providers=onnxruntime.get_available_providers()
    )
