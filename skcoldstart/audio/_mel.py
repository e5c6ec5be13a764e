"""Mel spectrograms."""

import os
from numbers import Real
from typing import Any

from skcoldstart._utils.sk import Interval, StrOptions
from skcoldstart.audio._extractor import AudioExtractor
from skcoldstart.audio._spectrum import MelFrames

__all__ = ["MelSpectrogram"]


class MelSpectrogram(AudioExtractor, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Turn audio files or waveforms into mel spectrogram frames.

    Every item becomes a sequence of frames: power in `n_mels` bands, `hop_length`
    samples apart, with the numbers of ``librosa.feature.melspectrogram``.

    Parameters
    ----------
    sr : float, default=22050
        Sampling rate of the analysis, in Hz. Files are resampled to it; waveforms are
        taken to have it.
    n_fft : int, default=1024
        Samples in a frame, also the length of its Fourier transform. Powers of two
        are fastest.
    hop_length : int, default=512
        Samples from one frame to the next.
    n_mels : int, default=128
        Mel bands, the features of a frame.
    fmin : float, default=0.0
        Lower edge of the first band, in Hz.
    fmax : float, default=None
        Upper edge of the last band, in Hz; at most ``sr / 2``, which ``None`` means.
    compression : {"log", "db"} or None, default="log"
        What is done to mel power S: "log" is ``log1p(log_scale * S)``, "db" is
        ``10 * log10(max(S, 1e-10))`` cut off 80 dB below the maximum of the clip, and
        ``None`` leaves power as it is.
    log_scale : float, default=10000.0
        Factor inside the logarithm of ``compression="log"``.
    dtype : {"float32", "float16"}, default="float32"
        Type of the frames. Half precision halves memory; frames are computed in
        single precision either way.
    max_duration : float, default=None
        Seconds to keep from the start of each item; ``None`` keeps all.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What to do with an item whose content cannot be used: a file that cannot be
        decoded, no samples, NaN. "raise" raises `AudioReadError`; the others keep its
        row as an item of zero frames and record it in `errors_`.
    salvage : bool, default=False
        What to do with a file in whose middle decoding fails, as in a FLAC file cut
        short. If True, the sound before the damage is used and a warning tells how
        much that is; if False, the file cannot be used. Files that decode without an
        error but end early are used either way, with the same warning.
    lazy : bool, default=False
        If True, `transform` reads nothing: it returns a sequence that computes an
        item whenever it is read, and `n_jobs` of them at once where they are read in
        turn.
    store : str or PathLike, default=None
        Folder that keeps the frames on disk. `transform` computes what the folder
        lacks and returns a sequence that reads from it, so `lazy` makes no difference.
        Runs share it, also at the same time, and go on where a killed one stopped. A
        file that changes in name, size or time is computed anew, as is everything
        when a parameter of the frames changes.
    n_jobs : int, default=None
        Items worked on at once; ``None`` means 1 unless in a
        ``joblib.parallel_config`` context, -1 means all processors. The frames are
        the same bits for any number and any backend.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    errors_ : list of (index, path, reason)
        Named tuples of the items that the last `transform` gave no frames; empty if
        all went well, and with ``lazy=True``. ``path`` is ``None`` for waveforms.

    Raises
    ------
    AudioReadError
        By `transform`, if an item cannot be used and ``on_error="raise"``. It is a
        ValueError with the attributes ``path``, ``reason`` and ``index``.

    See Also
    --------
    MFCCExtractor : Cepstral coefficients of the same spectrogram.
    VectorQuantizer : Turns frames into codewords.

    Notes
    -----
    Frame t is centred on sample ``t * hop_length``; zeros stand outside the clip, so
    that L samples give ``1 + L // hop_length`` frames (``1 + (L - 1) // hop_length``
    for odd `n_fft`). Its power spectrum under a periodic Hann window is summed by
    triangles that are evenly spaced on Slaney's mel scale and have unit area. All of
    it is single precision: decibels agree with librosa's to 2e-3.

    ``compression="db"`` ties every frame to the loudest moment of its clip, so a clip
    cut short has other frames than a cut of the clip's frames; "log" does not.

    Files are decoded by libsndfile (WAV, FLAC, OGG, OPUS, MP3 and more), their
    channels averaged and resampled by soxr, to the very samples of
    ``librosa.load(path, sr=sr)``. A file whose rate is below `sr` has empty upper
    bands. What a truncated file still holds is used, with a warning; a FLAC file cut
    short is bad for its decoder, unless ``salvage=True``.

    Time is linear in the length of the audio. Memory is the result, the decoded
    samples of one item per worker and, with several workers, the frames of 32 items
    per worker. With `store` the result stays on disk and 64 MB of frames wait in
    memory to be written: what a killed run has to compute again.

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
        **AudioExtractor._parameter_constraints,
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
        self.max_duration = max_duration
        self.on_error = on_error
        self.salvage = salvage
        self.lazy = lazy
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _frame_function(self) -> MelFrames:
        return MelFrames(self._mel_bands(), self.compression, float(self.log_scale))
