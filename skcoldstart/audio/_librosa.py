"""LibrosaFeatures: any feature of librosa, and any function of one's own."""

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from numbers import Integral
from typing import Any

from skcoldstart._utils.sk import Interval, StrOptions
from skcoldstart.audio._callables import fingerprint
from skcoldstart.audio._extractor import Reader
from skcoldstart.audio._librosa_frames import (
    STEPS,
    LibrosaFrames,
    feature_name,
    librosa_feature,
)
from skcoldstart.audio._pooled import PooledExtractor


class LibrosaFeatures(PooledExtractor):
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

    The time is that of librosa: a few tenths of a second for the chroma of a 29-second
    clip. It holds Python's global lock for a part of it, so processes
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
        **PooledExtractor._parameter_constraints,
        "features": [str, callable, "array-like"],
        "params": [dict, None],
        "preprocess": [StrOptions(set(STEPS)), callable, "array-like", None],
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
        common = {
            **{"sr": float(self.sr), "hop_length": int(self.hop_length)},
            **{"n_fft": int(self.n_fft), "frame_length": int(self.n_fft)},
        }
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
