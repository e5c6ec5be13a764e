"""AudioEmbedding: features of a pretrained network."""

import copy
import os
from collections.abc import Iterable
from functools import partial
from numbers import Integral, Real
from typing import Any

from skcoldstart._utils.sk import Interval, StrOptions
from skcoldstart.audio._extraction import FrameFunction
from skcoldstart.audio._extractor import AudioExtractor, Reader
from skcoldstart.audio._listening import (
    MUSICNN_SR,
    MusicNNVectors,
    ONNXModel,
    SampleVectors,
    file_digest,
    musicnn_frames,
)
from skcoldstart.audio._musicnn import LAYERS, TAGS, TRAINING_SETS

_WINDOW_S = 3.0


class AudioEmbedding(AudioExtractor):
    """Describe audio files or waveforms by the output of a pretrained network.

    A network trained on other music maps windows of a few seconds to vectors, and the
    vectors of an item are pooled to one row. Use it for catalogues that are too small
    to train a network.

    Parameters
    ----------
    model : str, PathLike, torch module or callable, default="musicnn"
        The network. "musicnn" and "musicnn-mtt" are the networks of [1]_, trained on
        tags of the Million Song Dataset and of MagnaTagATune. A `torch.nn.Module`, the
        path of an ONNX file (``pip install skcoldstart[onnx]``) and any other callable
        map windows of samples, (n_windows, n_samples) float32, to vectors, (n_windows,
        n_features).
    weights : str or PathLike, default=None
        Path of musicnn's weights: the wheel downloaded by ``pip download --no-deps
        musicnn==0.1.0``, or the folder it was unpacked to. ``None`` uses the installed
        package (``pip install --no-deps``). The package is not imported, and TensorFlow
        is not needed.
    layer : str, default="penultimate"
        Output to use. For musicnn: "penultimate" (200 features), "mean_pool" or
        "max_pool" (753 each), both of them alternating ("pool", 1506), or "tags" (50
        probabilities). For a torch module: the name of a submodule. For an ONNX file:
        the name of an output. For both, "penultimate" is the output of the model.
    pooling : tuple of str, default=("mean", "max")
        Statistics over the windows of an item, as in `FramePooling`; ``None`` returns
        the vectors of the windows as frames.
    window : float, default=None
        Length of a window, in seconds; ``None`` means 3, the length used to train
        musicnn.
    hop : float, default=None
        Time from one window to the next, in seconds; ``None`` means `window`.
    sr : float, default=None
        Sampling rate that the model expects, in Hz. ``None`` is allowed only for
        musicnn, which expects 16000.
    batch_size : int, default=16
        Number of windows in a call of the model.
    device : str, default="auto"
        "auto" is the first GPU, or the CPU if there is none; or any device of torch.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Floating-point type in torch. "auto" is bfloat16 on a GPU that supports it.
    <dtype>
    <reading>

    See Also
    --------
    MelSpectrogram : Input of a network trained on your catalogue.
    FramePooling : Pools any frames in the same way.

    Notes
    -----
    A remainder of an item that is shorter than a window is not used. An item shorter
    than one window is padded with silence (with zeros in the spectrogram for musicnn).

    The input of musicnn is 96 mel bands of sound at 16 kHz, ``log10(1 + 10000 S)``, in
    windows of 187 frames. Its weights are read from the checkpoint of the package,
    which is compared with known sums first. The results are those of the original under
    TensorFlow 2.15 to 1e-5 (tags and penultimate layer, two clips), except for its
    rounding of the spectrogram to half precision, which changes the tags by up to 2e-5.
    "musicnn" has seen songs of the Million Song Dataset: do not evaluate it on these.

    Models that download their weights at run time can be passed as callables or
    modules; load them first.

    With `store`, vectors of windows are kept on disk. This requires a model that can be
    identified: musicnn or an ONNX file.

    .. versionadded:: 0.2

    References
    ----------
    .. [1] J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for
       music audio tagging", ISMIR late-breaking demo, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import AudioEmbedding
    >>> def loudness(windows):
    ...     return np.sqrt((windows**2).mean(axis=1, keepdims=True))
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48000)
    >>> AudioEmbedding(loudness, sr=16000, window=1).fit_transform([noise]).round(2)
    array([[0.29, 0.29]], dtype=float32)
    """

    _parameter_constraints: dict = {
        **AudioExtractor._parameter_constraints,
        "model": [str, os.PathLike, callable],
        "weights": [str, os.PathLike, None],
        "layer": [str],
        "pooling": ["array-like", None],
        "window": [Interval(Real, 0, None, closed="neither"), None],
        "hop": [Interval(Real, 0, None, closed="neither"), None],
        "sr": [Interval(Real, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    }

    def __init__(
        self,
        model: Any = "musicnn",
        *,
        weights: str | os.PathLike[str] | None = None,
        layer: str = "penultimate",
        pooling: Iterable[str] | None = ("mean", "max"),
        window: float | None = None,
        hop: float | None = None,
        sr: float | None = None,
        batch_size: int = 16,
        device: str = "auto",
        precision: str = "auto",
        dtype: Any = "float32",
        reader: Reader = "auto",
        max_duration: float | None = None,
        on_error: str = "raise",
        salvage: bool = False,
        lazy: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.window = window
        self.hop = hop
        self.sr = sr  # type: ignore[assignment]
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.dtype = dtype
        self.reader = reader
        self.max_duration = max_duration
        self.on_error = on_error
        self.salvage = salvage
        self.lazy = lazy
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _frame_names(self) -> list[str]:
        vectors = self._frame_function()
        if isinstance(vectors, MusicNNVectors) and vectors.layer == "tags":
            return list(TAGS[vectors.training_set])
        prefix = self.layer if isinstance(vectors, MusicNNVectors) else "embedding"
        return [f"{prefix}{i}" for i in range(vectors.n_features)]

    def _rate(self) -> float:
        if self._is_musicnn():
            if self.sr not in (None, MUSICNN_SR):
                raise ValueError(
                    f"sr={self.sr:g}, but musicnn was trained on sound at "
                    f"{MUSICNN_SR} Hz. Leave sr out; files are resampled."
                )
            return float(MUSICNN_SR)
        if self.sr is None:
            raise ValueError(
                "sr is None; pass the sampling rate, in Hz, of the sound that the "
                f"model was trained on. It is known only for {[*TRAINING_SETS]}."
            )
        return float(self.sr)

    def _frame_function(self) -> FrameFunction:
        """Check the parameters against each other and return the model's function."""
        sr = self._rate()
        window_s = _WINDOW_S if self.window is None else float(self.window)
        hop_s = window_s if self.hop is None else float(self.hop)
        batch_size = int(self.batch_size)
        if self._is_musicnn():
            if self.layer not in LAYERS:
                raise ValueError(
                    f"layer={self.layer!r}; musicnn has the layers {[*LAYERS]}."
                )
            return MusicNNVectors(
                training_set=TRAINING_SETS[self.model],
                layer=self.layer,
                window=max(musicnn_frames(window_s), 1),
                hop=max(musicnn_frames(hop_s), 1),
                precision=self.precision,
                weights=None if self.weights is None else os.fspath(self.weights),
                device=self._torch_device(),
                batch_size=batch_size,
            )
        named = None if self.layer == "penultimate" else self.layer
        model = self.model
        if isinstance(model, (str, os.PathLike)):
            path = os.path.expanduser(model)
            model = ONNXModel(file_digest(path), named, path)
        elif self.store is not None:
            raise ValueError(
                f"store={str(self.store)!r} cannot distinguish the vectors of this "
                f"{type(model).__name__} from those of another. Use store with "
                "musicnn or an ONNX file, or save the result of transform yourself."
            )
        elif any(c.__module__.startswith("torch.nn") for c in type(model).mro()):
            device = self._torch_device()
            from skcoldstart.audio._torch.musicnn import forward

            module = copy.deepcopy(model).eval().to(device)
            model = partial(
                forward, module, device=device, precision=self.precision, layer=named
            )
        window, hop = (max(round(seconds * sr), 1) for seconds in (window_s, hop_s))
        return SampleVectors(model, window, hop, batch_size)

    def _is_musicnn(self) -> bool:
        return isinstance(self.model, str) and self.model in TRAINING_SETS

    def _torch_device(self) -> str:
        try:
            from skcoldstart.audio._torch.musicnn import choose_device
        except ImportError as error:
            raise ImportError(
                "AudioEmbedding needs torch for this model: pip install "
                "skcoldstart[neural]"
            ) from error
        return choose_device(self.device)
