"""LibrosaFeatures: any feature of librosa, and any function of one's own."""

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from numbers import Integral
from typing import Any

import numpy as np

from skcoldstart._utils.sk import Interval, StrOptions
from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.audio._callables import fingerprint
from skcoldstart.audio._extractor import AudioExtractor, Reader
from skcoldstart.audio._items import AudioReadError

Step = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Feature:
    """A function of a waveform with its parameters, identified by its description."""

    name: str
    description: str
    function: Callable[..., Any] = field(repr=False, compare=False)
    options: dict[str, Any] = field(repr=False, compare=False)
    is_of_librosa: bool

    def frames(self, y: np.ndarray, sr: float, n_frames: int) -> np.ndarray:
        """Return the feature of a waveform, (n_values, n_frames)."""
        try:
            if self.is_of_librosa:
                values = self.function(y=y, **self.options)
            else:
                values = self.function(y, sr, **self.options)
        except Exception as error:
            text = str(error) or type(error).__name__
            raise AudioReadError(None, f"{self.name} failed ({text})") from error
        values = np.atleast_2d(values)
        if values.shape[-1] == 1 < n_frames:  # one number for the whole clip
            values = np.repeat(values, n_frames, axis=-1)
        if (
            values.ndim != 2
            or values.shape[1] < n_frames
            or values.dtype.kind not in "fiu"
        ):
            raise AudioReadError(
                None,
                f"{self.name} returned {values.dtype} of shape {values.shape}, not "
                f"real numbers of shape (n_values, {n_frames}), with one column per "
                f"frame",
            )
        return values[:, :n_frames]


@dataclass(frozen=True)
class LibrosaFrames:
    """Compute features of a waveform and concatenate them, frame-major."""

    features: tuple[Feature, ...]
    steps: tuple[Step, ...] = field(repr=False, compare=False)
    described_steps: tuple[str, ...]
    sr: float
    hop_length: int
    version: str

    @property
    def n_features(self) -> int:
        return sum(self.counts())

    def counts(self) -> tuple[int, ...]:
        """Return the number of values of each feature, found with a second of noise."""
        return _counts(self)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return float32 frames of shape (n_frames, n_features)."""
        # Results must not depend on the number of BLAS threads.
        with one_blas_thread():
            frames = np.vstack(self.parts(waveform)).T
        frames = np.ascontiguousarray(frames, np.float32)
        bad = ~np.isfinite(frames).all(axis=0)
        if bad.any():
            names = np.repeat([f.name for f in self.features], self.counts())
            raise AudioReadError(None, f"{names[np.argmax(bad)]} is NaN or infinite")
        return frames

    def parts(self, waveform: np.ndarray) -> list[np.ndarray]:
        """Return each feature of a waveform, (n_values, n_frames)."""
        for step in self.steps:
            waveform = step(waveform)
        if len(waveform) == 0:
            raise AudioReadError(None, "preprocessing leaves no samples")
        n_frames = 1 + len(waveform) // self.hop_length
        return [
            feature.frames(waveform, self.sr, n_frames) for feature in self.features
        ]


@cache
def _counts(compute: LibrosaFrames) -> tuple[int, ...]:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, int(compute.sr))
    try:
        return tuple(len(part) for part in compute.parts(noise.astype(np.float32)))
    except AudioReadError as error:
        raise ValueError(
            f"Features cannot be computed from a second of noise: {error.reason}."
        ) from error


def librosa_feature(
    feature: str | Callable[..., Any], common: dict[str, Any], params: dict[str, Any]
) -> Feature:
    """Look up a feature; `common` parameters are set if its function has them."""
    if callable(feature):
        description = f"{fingerprint(feature)} {_described(params)}"
        return Feature(feature_name(feature), description, feature, params, False)
    import librosa

    function: Any = getattr(librosa.feature, feature, None)
    known = inspect.signature(function).parameters if callable(function) else {}
    if "y" not in known:
        raise ValueError(
            f"features holds {feature!r}; expected functions of librosa.feature that "
            "take a waveform, such as 'chroma_cqt', 'rms' or 'tempogram'."
        )
    options = {name: value for name, value in common.items() if name in known}
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        options["hop_length"] = common["hop_length"]
    options |= params
    return Feature(feature, f"{feature} {_described(options)}", function, options, True)


def feature_name(feature: str | Callable[..., Any]) -> str:
    """Return the name of a feature, as used in `params`."""
    if isinstance(feature, str):
        return feature
    return getattr(feature, "__name__", type(feature).__name__)


def _described(options: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value!r}"
        if isinstance(value, (str, int, float, type(None)))
        else f"{name}={fingerprint(value)}"
        for name, value in options.items()
    )


def _effect(name: str, y: np.ndarray) -> np.ndarray:
    import librosa

    changed = getattr(librosa.effects, name)(y)
    return changed[0] if name == "trim" else changed


STEPS: dict[str, Step] = {
    name: partial(_effect, name) for name in ("harmonic", "percussive", "trim")
}


class LibrosaFeatures(AudioExtractor):
    """Turn audio files or waveforms into frames of librosa's features.

    Harmony, rhythm and loudness, where `MFCCExtractor` and `MelSpectrogram` describe
    timbre: any function of ``librosa.feature`` by name, and any function of your own.
    Frames have the same positions as those of the other extractors, so they can be
    joined. Needs librosa: ``pip install skcoldstart[librosa]``.

    Parameters
    ----------
    features : str, callable or sequence of these, default=("chroma_cqt", \
"spectral_contrast", "tonnetz", "tempogram", "rms", "zero_crossing_rate")
        Names of functions in ``librosa.feature``, or functions that are called with
        ``y=`` samples and ``sr=`` and return (n_values, n_frames).
    params : dict, default=None
        Parameters of features, by name: ``{"chroma_cqt": {"n_chroma": 24}}``. The name
        of your own function is its ``__name__``.
    preprocess : {"harmonic", "percussive", "trim"}, callable or sequence of these, \
default=None
        Processing before the analysis: the harmonic or percussive part, the sound
        without silence at its start and end, or a function from samples to samples.
    pooling : tuple of str, default=None
        Statistics over frames for one row per item, as in `FramePooling`; ``None``
        returns the frames.
    sr : float, default=22050
        Sampling rate of the analysis, in Hz. Files are resampled to it; waveforms must
        have it.
    n_fft : int, default=2048
        Samples in a frame, for functions with ``n_fft`` or ``frame_length``.
    hop_length : int, default=512
        Samples from one frame to the next.
    <dtype>
    <reading>

    See Also
    --------
    AudioUnion : Reads each file once for several extractors.
    MFCCExtractor : Timbre, several times faster than through librosa.
    FramePooling : Pools any frames in the same way.

    Notes
    -----
    The values are those of librosa's functions with their defaults, ``sr``,
    ``hop_length`` and ``n_fft``, in single precision. L samples have ``1 + L //
    hop_length`` frames; further frames that a function returns are cut off, and a
    single number for the whole clip ("tempo") is repeated.

    The default features are 12 + 7 + 6 + 384 + 1 + 1 = 411 numbers per frame, 384 of
    them from the tempogram.

    librosa holds Python's global lock for a part of the time, so processes
    (``joblib.parallel_config("loky", n_jobs=-1)``) use a machine better than threads.

    With `store`, your own functions are identified by name and code, but not by the
    functions they call; use another folder after a change in those.

    .. versionadded:: 0.2

    References
    ----------
    .. [1] B. McFee et al., "librosa: audio and music signal analysis in Python",
       SciPy 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import LibrosaFeatures
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)
    >>> frames = LibrosaFeatures(("chroma_stft", "rms")).fit_transform([tone])
    >>> frames[0].shape
    (44, 13)
    >>> int(frames[0].mean(axis=0).argmax())  # C, C sharp, ..., A
    9
    """

    _parameter_constraints: dict = {
        **AudioExtractor._parameter_constraints,
        "features": [str, callable, "array-like"],
        "params": [dict, None],
        "preprocess": [StrOptions(set(STEPS)), callable, "array-like", None],
        "pooling": ["array-like", None],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        features: Any = (
            "chroma_cqt",
            "spectral_contrast",
            "tonnetz",
            "tempogram",
            "rms",
            "zero_crossing_rate",
        ),
        *,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        preprocess: Any = None,
        pooling: Iterable[str] | None = None,
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
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
        self.features = features
        self.params = params
        self.preprocess = preprocess
        self.pooling = pooling
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
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
        compute = self._frame_function()
        return [
            f"{feature.name}{i}"
            for feature, count in zip(compute.features, compute.counts(), strict=True)
            for i in range(count)
        ]

    def _frame_function(self) -> LibrosaFrames:
        if find_spec("librosa") is None:
            raise ImportError(
                "LibrosaFeatures needs librosa, which is not installed. Install it "
                "with `pip install skcoldstart[librosa]`."
            )
        params = dict(self.params or {})
        n_fft, hop_length = int(self.n_fft), int(self.hop_length)
        common = {"sr": float(self.sr), "hop_length": hop_length, "n_fft": n_fft}
        common["frame_length"] = n_fft
        features = tuple(
            librosa_feature(f, common, dict(params.pop(feature_name(f), {})))
            for f in _some(self.features)
        )
        if not features:
            raise ValueError("features is empty; pass at least one, such as 'rms'.")
        if params:
            raise ValueError(
                f"params has {sorted(params)}, which are not among the features "
                f"{[feature.name for feature in features]}."
            )
        steps = [] if self.preprocess is None else _some(self.preprocess)
        for step in steps:
            if not callable(step) and step not in STEPS:
                raise ValueError(
                    f"preprocess holds {step!r}; expected {[*STEPS]} or a function."
                )
        compute = LibrosaFrames(
            features,
            tuple(step if callable(step) else STEPS[step] for step in steps),
            tuple(fingerprint(step) if callable(step) else step for step in steps),
            float(self.sr),
            int(self.hop_length),
            f"librosa {version('librosa')}",
        )
        compute.counts()
        return compute


def _some(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or callable(value) else list(value)
