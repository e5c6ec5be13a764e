"""MelSpectrogram and MFCCExtractor."""

import os
from numbers import Integral, Real
from typing import Any

import numpy as np

from skcoldstart._utils.sk import Interval, Options, StrOptions
from skcoldstart._utils.warning import warn
from skcoldstart.audio._extractor import AudioExtractor, Reader
from skcoldstart.audio._spectrum import MelBands, MelFrames, MFCCFrames


class MelExtractor(AudioExtractor):
    """Base of extractors of mel bands and of features computed from them."""

    _parameter_constraints: dict = {
        **AudioExtractor._parameter_constraints,
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
    }

    n_fft: int
    hop_length: int
    n_mels: int
    fmin: float
    fmax: float | None

    def _check(self, X: Any) -> None:
        super()._check(X)
        # Bands that are too narrow to contain a frequency bin.
        empty = np.flatnonzero(~self._mel_bands().weights().any(axis=1))
        if len(empty):
            warn(
                f"{len(empty)} of {self.n_mels} mel bands hold no frequency bin (band "
                f"{empty[0]} is the first) and will be constant. Decrease n_mels, "
                f"increase fmin or use a longer n_fft."
            )

    def _mel_bands(self) -> MelBands:
        nyquist = self.sr / 2
        fmax = nyquist if self.fmax is None else self.fmax
        if not self.fmin < fmax <= nyquist:
            raise ValueError(
                f"fmin={self.fmin:g} and fmax={fmax:g} Hz do not fit a sampling rate "
                f"of {self.sr:g} Hz; expected fmin < fmax <= sr / 2 = {nyquist:g}."
            )
        return MelBands(
            float(self.sr),
            int(self.n_fft),
            int(self.hop_length),
            int(self.n_mels),
            float(self.fmin),
            float(fmax),
        )


class MelSpectrogram(MelExtractor):
    """Convert audio files or waveforms to mel spectrogram frames.

    Every item becomes a sequence of frames: power in `n_mels` bands, `hop_length`
    samples apart, with the numbers of ``librosa.feature.melspectrogram``.

    Parameters
    ----------
    <framing>
    n_mels : int, default=128
        Mel bands, the features of a frame.
    <band edges>
    compression : {"log", "db"} or None, default="log"
        Compression of mel power S: "log" is ``log1p(log_scale * S)``, "db" is ``10 *
        log10(max(S, 1e-10))`` cut off 80 dB below the maximum of the clip, and ``None``
        returns the power.
    log_scale : float, default=10000.0
        Factor inside the logarithm of ``compression="log"``.
    <dtype>
    <reading>

    See Also
    --------
    MFCCExtractor : Cepstral coefficients of the same spectrogram.
    VectorQuantizer : Maps frames to codewords.

    Notes
    -----
    Frame t is centred on sample ``t * hop_length``; samples outside the clip are 0, so
    L samples give ``1 + L // hop_length`` frames (``1 + (L - 1) // hop_length`` for odd
    `n_fft`). Its power spectrum under a periodic Hann window is summed with triangular
    weights that are evenly spaced on Slaney's mel scale and have unit area. All
    computations are in single precision: decibels agree with librosa's to 2e-3.

    With ``compression="db"`` every frame depends on the loudest moment of its clip, so
    the frames of a shortened clip differ from the first frames of the clip.

    Files give exactly the samples of ``librosa.load(path, sr=sr)``. A file whose rate
    is below `sr` has empty upper bands.

    Memory is the result, the decoded samples of one item per worker and, with several
    workers, the frames of 40 items per worker. With `store` the result stays on disk,
    and up to 64 MB of frames are buffered, which a killed run loses.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 4.
    .. [2] M. Slaney, "Auditory Toolbox", Technical Report 1998-010, Interval
       Research, 1998.
    .. [3] B. McFee et al., "librosa: audio and music signal analysis in Python",
       SciPy 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import MelSpectrogram
    >>> second = np.arange(22050) / 22050
    >>> tone = np.sin(2 * np.pi * 440 * second)
    >>> frames = MelSpectrogram(n_mels=40).fit_transform([tone, tone[:5000]])
    >>> frames
    RaggedArray(2 items, 54 rows x 40, float32)
    >>> int(frames[0].mean(axis=0).argmax())
    4
    """

    _parameter_constraints: dict = {
        **MelExtractor._parameter_constraints,
        "compression": [StrOptions({"log", "db"}), None],
        "log_scale": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        sr: float = 22050,
        n_fft: int = 1024,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        compression: str | None = "log",
        log_scale: float = 10000.0,
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
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.compression = compression
        self.log_scale = log_scale
        self.dtype = dtype
        self.reader = reader
        self.max_duration = max_duration
        self.on_error = on_error
        self.salvage = salvage
        self.lazy = lazy
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _frame_function(self) -> MelFrames:
        return MelFrames(self._mel_bands(), self.compression, float(self.log_scale))

    def _frame_names(self) -> list[str]:
        return [f"mel{band}" for band in range(self.n_mels)]

    def band_frequencies(self) -> np.ndarray:
        """Return the frequency of the maximum of each band.

        Returns
        -------
        ndarray of shape (n_mels,)
            Peaks of the triangular bands, in Hz.
        """
        return self._mel_bands().edges()[1:-1]


class MFCCExtractor(MelExtractor):
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

    def _frame_names(self) -> list[str]:
        orders = ("", "delta_", "delta2_")[: 1 + self.n_deltas]
        return [f"{order}mfcc{k}" for order in orders for k in range(self.n_mfcc)]
