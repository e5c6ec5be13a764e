"""Documentation of parameters shared by extractors."""

TEXTS = {
    "framing": """\
sr : float, default=22050
    Sampling rate of the analysis, in Hz. Files are resampled to it; waveforms must have
    it.
n_fft : int, default=1024
    Samples in a frame, also the length of its Fourier transform. Powers of two
    are fastest.
hop_length : int, default=512
    Samples from one frame to the next.
""",
    "band edges": """\
fmin : float, default=0.0
    Lower edge of the first band, in Hz.
fmax : float, default=None
    Upper edge of the last band, in Hz; at most ``sr / 2``; ``None`` means ``sr / 2``.
""",
    "dtype": """\
dtype : {"float32", "float16"}, default="float32"
    Type of the frames. Half precision halves the memory; frames are computed in single
    precision.
""",
    "reading": """\
reader : {"auto", "soundfile", "av"} or callable, default="auto"
    The decoder of files. "auto" is libsndfile (WAV, FLAC, OGG, OPUS, MP3, AIFF and
    more), and for formats that it does not read (M4A, AAC, WMA, video files) PyAV, if
    it is installed: ``pip install skcoldstart[av]``. "soundfile" and
    "av" use one of them for all files. A callable takes an item's path and
    returns ``(samples, sr)``: floats of shape (n_samples,) or (n_samples,
    n_channels) with full scale at 1.0, and their rate in Hz. It can accept paths of any
    kind. If it raises an exception, the item cannot be used.

    .. versionadded:: 0.2
max_duration : float, default=None
    Seconds to keep from the start of each item; ``None`` keeps all.
on_error : {"raise", "warn", "ignore"}, default="raise"
    What to do with an item whose content cannot be used: a file that cannot be
    decoded, no samples, NaN. "raise" raises `AudioReadError`. "warn" and "ignore" keep
    its row as an item of zero frames and record it in `errors_`. They also accept
    ``None``, NaN and ``pd.NA`` as items without audio.
salvage : bool, default=False
    What to do with a file whose decoding fails in the middle, such as a truncated FLAC
    file. If True, the sound before the damage is used, and a warning reports its
    length. If False, the file cannot be used. A file that ends early without an error
    of the decoder is always used, with the same warning.
lazy : bool, default=False
    If True, `transform` reads nothing. It returns a sequence that computes an item on
    each access, and `n_jobs` items at once when they are accessed in order.
store : str or PathLike, default=None
    Folder that keeps the frames on disk. `transform` computes only frames that are not
    in the folder, and returns a sequence that reads from it, so `lazy` has no effect.
    Several runs can share it at the same time, and a run continues after a killed one.
    A file is computed again if its name or content changes, and all files if a
    parameter of the frames changes. Damaged frames are detected.
n_jobs : int, default=None
    Number of items processed at once; ``None`` means 1 unless in a
    ``joblib.parallel_config`` context, -1 means all processors. The frames are
    the same bits for any number and any backend.
verbose : int, default=0
    1 shows a progress bar.

Attributes
----------
errors_ : list of (index, path, reason)
    Named tuples of the items without frames in the last `transform`; empty if there
    were no errors, and with ``lazy=True``. ``path`` is ``None`` for waveforms.

Raises
------
AudioReadError
    By `transform`, if an item cannot be used and ``on_error="raise"``. It is a
    ValueError with the attributes ``path``, ``reason`` and ``index``.
ImportError
    By `transform`, if ``reader="av"`` and PyAV is not installed.
""",
}
