"""Mel-frequency cepstral coefficients."""

import os
from numbers import Integral
from typing import Any

import numpy as np

from skcoldstart._utils.sk import Interval, Options
from skcoldstart.audio._extractor import Reader
from skcoldstart.audio._mel_extractor import MelExtractor
from skcoldstart.audio._spectrum import MFCCFrames


class MFCCExtractor(MelExtractor, auto_wrap_output_keys=None):
    """Convert audio files or waveforms to MFCC frames with deltas.

    Every item becomes a sequence of frames: `n_mfcc` coefficients, then their first
    and second differences in time, with the numbers of ``librosa.feature.mfcc`` and
    ``librosa.feature.delta``. The defaults are the 39 features of the paper [1]_.

    Parameters
    ----------
    <framing>
    n_mfcc : int, default=13
        Number of coefficients, including the first (loudness); at most `n_mels`.
    n_mels : int, default=128
        Number of mel bands of the spectrogram.
    n_deltas : {0, 1, 2}, default=2
        Number of orders of differences after the coefficients.
    delta_width : int, default=9
        Number of frames that a difference is fitted to; odd, at least 3.
    <band edges>
    <dtype>
    <reading>

    See Also
    --------
    MelSpectrogram : The spectrogram itself, with notes on framing, files and memory.
    VectorQuantizer : Maps frames to codewords.

    Notes
    -----
    The coefficients are the first `n_mfcc` of an orthonormal cosine transform of the
    mel spectrogram in decibels, which is cut off 80 dB below the maximum of the clip.
    The coefficients of a shortened clip therefore differ from the first coefficients of
    the clip. They agree with librosa's to 2e-3.

    Deltas are derivatives of Savitzky and Golay [2]_: of the line (first) and of the
    parabola (second) that fit `delta_width` frames best. In the half window at each end
    of the clip, the nearest complete fit is used. A clip of fewer than `delta_width`
    frames, which librosa rejects, is extended with its first and last frame.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 4.1.
    .. [2] A. Savitzky, M. J. E. Golay, "Smoothing and differentiation of data by
       simplified least squares procedures", Analytical Chemistry 36(8), 1964.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import MFCCExtractor
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 22050)
    >>> frames = MFCCExtractor().fit_transform([noise, noise[:10000]])
    >>> frames
    RaggedArray(2 items, 64 rows x 39, float32)
    """

    _parameter_constraints: dict = {
        **MelExtractor._parameter_constraints,
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_deltas": [Options(Integral, {0, 1, 2})],
        "delta_width": [Interval(Integral, 3, None, closed="left")],
    }

    def __init__(
        self,
        *,
        sr: float = 22050,
        n_fft: int = 1024,
        hop_length: int = 512,
        n_mfcc: int = 13,
        n_mels: int = 128,
        n_deltas: int = 2,
        delta_width: int = 9,
        fmin: float = 0.0,
        fmax: float | None = None,
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
        self.sr = sr
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mfcc = n_mfcc
        self.n_mels = n_mels
        self.n_deltas = n_deltas
        self.delta_width = delta_width
        self.fmin = fmin
        self.fmax = fmax
        self.dtype = dtype
        self.reader = reader
        self.max_duration = max_duration
        self.on_error = on_error
        self.salvage = salvage
        self.lazy = lazy
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _frame_function(self) -> MFCCFrames:
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc={self.n_mfcc} coefficients cannot come from n_mels="
                f"{self.n_mels} bands; expected n_mfcc <= n_mels."
            )
        if self.delta_width % 2 == 0:
            raise ValueError(
                f"delta_width={self.delta_width} has no middle frame; expected an odd "
                "number."
            )
        return MFCCFrames(
            self._mel_bands(),
            int(self.n_mfcc),
            int(self.n_deltas),
            int(self.delta_width),
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name for each feature of a frame.

        Parameters
        ----------
        input_features : Ignored
            Present for API consistency.

        Returns
        -------
        ndarray of str
            "mfcc0", "mfcc1", ..., "delta_mfcc0", ..., "delta2_mfcc0", ...
        """
        orders = ("", "delta_", "delta2_")[: 1 + self.n_deltas]
        return np.array(
            [f"{order}mfcc{k}" for order in orders for k in range(self.n_mfcc)],
            dtype=object,
        )
