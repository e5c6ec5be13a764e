"""Documentation of parameters shared by extractors."""

__all__ = ["TEXTS"]

TEXTS = {
    "framing": """\
sr : float, default=22050
    Sampling rate of the analysis, in Hz. Files are resampled to it; waveforms are
    taken to have it.
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
    Upper edge of the last band, in Hz; at most ``sr / 2``, which ``None`` means.
""",
    "dtype": """\
dtype : {"float32", "float16"}, default="float32"
    Type of the frames. Half precision halves memory; frames are computed in
    single precision either way.
""",
    "reading": """\
reader : {"auto", "soundfile", "av"} or callable, default="auto"
    What decodes files. "auto" is libsndfile (WAV, FLAC, OGG, OPUS, MP3, AIFF and
    more), and for formats that it does not read (M4A, AAC, WMA, video files)
    PyAV, where it is installed: ``pip install skcoldstart[av]``. "soundfile" and
    "av" use one of them for all files. A callable takes an item's path and
    returns ``(samples, sr)``: floats of shape (n_samples,) or (n_samples,
    n_channels) with full scale at 1.0, and their rate in Hz. It may take for a
    path what it likes, and whatever it raises makes a bad item.

    .. versionadded:: 0.2
max_duration : float, default=None
    Seconds to keep from the start of each item; ``None`` keeps all.
on_error : {"raise", "warn", "ignore"}, default="raise"
    What to do with an item whose content cannot be used: a file that cannot be
    decoded, no samples, NaN. "raise" raises `AudioReadError`; the others keep its
    row as an item of zero frames and record it in `errors_`. They also take
    ``None``, NaN and ``pd.NA`` for an item without audio.
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
    file whose name or content changes is computed anew, as is everything when a
    parameter of the frames changes. Damage to the folder is noticed.
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
ImportError
    By `transform`, if ``reader="av"`` and PyAV is not installed.
""",
}
