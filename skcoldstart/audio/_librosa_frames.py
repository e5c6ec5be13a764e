"""Frames of librosa's features, at the positions of the other extractors' frames."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from skcoldstart._utils.threads import one_blas_thread
from skcoldstart.audio._callables import fingerprint
from skcoldstart.audio._errors import AudioReadError

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
        """Features of a frame."""
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


def _harmonic(y: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.effects.harmonic(y)


def _percussive(y: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.effects.percussive(y)


def _trim(y: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.effects.trim(y)[0]


STEPS: dict[str, Step] = {
    "harmonic": _harmonic,
    "percussive": _percussive,
    "trim": _trim,
}
