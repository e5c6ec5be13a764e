"""Read one audio file as mono, or say exactly why it cannot be read."""

import math
import os
import re
import stat
import threading
from typing import Any, NamedTuple

import numpy as np

__all__ = ["AudioReadError", "Clip", "describe_bad_sample", "read_clip"]

# Outside these bounds a header is damaged or forged: a rate of 1 Hz keeps the
# resampler busy for minutes, a claimed length of years exhausts the memory.
_MIN_RATE, _MAX_RATE = 4_000, 768_000
_MAX_CHANNELS = 8
_MAX_SAMPLES = 1 << 30

# Samples of longer clips than these bytes get memory of their own.
_SCRATCH_BYTES = 1 << 24

# MP3 lengths are estimates where the encoder wrote none; two MPEG frames of slack.
_LENGTH_SLACK = 2 * 1152

# Up to so many samples before damage are given up with it: an MPEG frame, 26 ms.
_SALVAGE_BLOCK = 1152

_CHUNK_LENGTH = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.M)
_OGG_HOLE = "libogg reports a hole"

# The last page of an Ogg stream says that it is the last. No page is longer.
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
_OGG_END_OF_STREAM = 4


class AudioReadError(ValueError):
    """An item of audio that cannot become frames.

    Parameters
    ----------
    path : str, bytes, PathLike or None
        The file, or ``None`` for a waveform handed over in memory.
    reason : str
        Why it cannot be used.
    index : int, default=None
        Position of the item in X.

    Attributes
    ----------
    path : str, bytes, PathLike or None
        The file, or ``None`` for a waveform handed over in memory.
    reason : str
        Why it cannot be used.
    index : int or None
        Position of the item in X, where known.

    See Also
    --------
    skcoldstart.MFCCExtractor : Raises it, or records it with ``on_error="warn"``.

    Notes
    -----
    .. versionadded:: 0.1

    Examples
    --------
    >>> from skcoldstart.audio import AudioReadError
    >>> error = AudioReadError("song.mp3", "the file is empty", 4)
    >>> error.path, error.reason, error.index
    ('song.mp3', 'the file is empty', 4)
    >>> print(error)
    Cannot use item 4 ('song.mp3'): the file is empty.
    """

    def __init__(self, path: Any, reason: str, index: int | None = None) -> None:
        # All arguments reach Exception, so that the error survives pickling.
        super().__init__(path, reason, index)
        self.path = path
        self.reason = reason
        self.index = index

    def __str__(self) -> str:
        item = "the waveform" if self.index is None else f"item {self.index}"
        if self.path is not None:
            name = repr(str(os.fsdecode(self.path)))
            item = name if self.index is None else f"{item} ({name})"
        return f"Cannot use {item}: {self.reason}."


class Clip(NamedTuple):
    """A decoded clip."""

    waveform: np.ndarray  # mono float32 of shape (n_samples,), at the rate asked for
    notice: str | None  # what makes the file look truncated, if anything does


def read_clip(
    path: str | bytes | os.PathLike[Any],
    sr: float,
    max_duration: float | None = None,
    salvage: bool = False,
) -> Clip:
    """Decode a file, average its channels and resample it.

    The samples equal those of ``librosa.load(path, sr=sr)`` bit for bit. They depend
    on reading the file in one go: a seek, or reading in blocks, changes the last bits
    of some MP3 files.
    """
    from skcoldstart._kernels.waveform import all_finite

    _check_readable(path)
    try:
        samples, rate, notice = _decode(path, sr, max_duration, salvage)
        # Samples that are not finite are found and named below.
        with np.errstate(over="ignore", invalid="ignore"):
            waveform = _resample(_mix_down(samples, rate == sr), rate, sr)
    except MemoryError as error:
        reason = "there is not enough memory for the samples it declares"
        raise AudioReadError(path, reason) from error
    if not all_finite(waveform):
        raise AudioReadError(path, describe_bad_sample(samples))
    return Clip(waveform, notice)


def describe_bad_sample(samples: np.ndarray) -> str:
    """Name the first sample that is not finite, or the peak where all are."""
    bad = ~np.isfinite(samples.reshape(len(samples), -1)).all(axis=1)
    if bad.any():
        first = int(np.argmax(bad))
        value = samples[first].flat
        odd = next(float(v) for v in value if not np.isfinite(v))
        name = "NaN" if np.isnan(odd) else f"{odd}"
        return f"sample {first} is {name}; all samples must be finite"
    peak = float(np.abs(samples).max())
    return (
        f"samples as large as {peak:.2g} overflow single precision; full scale is 1.0"
    )


def _check_readable(path: Any) -> None:
    """Refuse FIFOs (opening one blocks), directories, and what cannot be opened."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise AudioReadError(path, f"it is {kind}; expected an audio file")
        with open(path, "rb") as file:
            empty = not file.read(1)
    except AudioReadError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AudioReadError(path, f"{reason} (errno {error.errno})") from error
    except ValueError as error:  # a null byte in the name
        raise AudioReadError(path, f"the name is not a path: {error}") from error
    if empty:
        raise AudioReadError(path, "the file is empty")


class _Scratch(threading.local):
    """Memory of a thread for the samples of clip after clip.

    Memory of megabytes that is given back after every clip comes back as pages to be
    cleared, which takes a third of the time of a WAV file.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return an array that is good until the same name is asked for again."""
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        if n_bytes > _SCRATCH_BYTES:
            return np.empty(shape, dtype)
        block = self._blocks.get(name)
        if block is None or len(block) < n_bytes:
            block = self._blocks[name] = np.empty(n_bytes, np.uint8)
        return block[:n_bytes].view(dtype).reshape(shape)


_SCRATCH = _Scratch()


def _decode(
    path: Any, sr: float, max_duration: float | None, salvage: bool
) -> tuple[np.ndarray, int, str | None]:
    """Return samples (n_samples, n_channels), float32 or int16, rate and notice.

    They are good until the next clip, unless they are the waveform at `sr` already.
    """
    import soundfile

    # Bytes spare soundfile from encoding names that are not valid Unicode.
    name = os.fsencode(path) if os.name == "posix" else os.fsdecode(path)
    try:
        with soundfile.SoundFile(name) as file:
            n_expected = file.frames
            if max_duration is not None:
                n_expected = min(n_expected, int(max_duration * file.samplerate))
            _check_header(path, file, n_expected)
            dtype = "int16" if _is_pcm16(file) else "float32"
            shape = (n_expected, file.channels)
            if dtype == "float32" and shape[1] == 1 and file.samplerate == sr:
                samples = np.empty(shape, dtype)
            else:
                samples = _SCRATCH.array("samples", shape, dtype)
            try:
                samples = file.read(out=samples)
            except soundfile.SoundFileError as error:
                if not salvage:
                    raise
                samples = _read_to_damage(name, n_expected)
                if len(samples) == 0:
                    raise
                progress = f"after {len(samples)} of {n_expected} samples"
                return samples, file.samplerate, f"{_decoder_reason(error)} {progress}"
            if len(samples) == 0:
                raise AudioReadError(path, "it holds no samples")
            notice = _truncation_notice(name, file, len(samples), n_expected)
            return samples, file.samplerate, notice
    except AudioReadError:
        raise
    except (soundfile.SoundFileError, TypeError) as error:
        raise AudioReadError(path, _decoder_reason(error)) from error


def _read_to_damage(name: bytes | str, n_samples: int) -> np.ndarray:
    """Read block by block until the decoder gives up; (n_read, n_channels), float32.

    Other than a read in one go, this tells how far the decoder came.
    """
    import soundfile

    with soundfile.SoundFile(name) as file:
        blocks = [np.empty((0, file.channels), np.float32)]
        try:
            while n_samples > 0 and (len(blocks) == 1 or len(blocks[-1])):
                n_block = min(_SALVAGE_BLOCK, n_samples)
                blocks.append(file.read(n_block, dtype="float32", always_2d=True))
                n_samples -= n_block
        except soundfile.SoundFileError:
            pass
    return np.concatenate(blocks)


def _decoder_reason(error: Exception) -> str:
    """Say in our words what libsndfile says, and correct what it says wrongly."""
    text = getattr(error, "error_string", str(error)).strip().rstrip(".")
    if "does not exist" in text or "not recognised" in text:
        return "its content is not a known audio format"
    if isinstance(error, TypeError):  # soundfile takes the suffix .raw as headerless
        return f"headerless audio cannot be read ({text})"
    return f"decoding failed ({text})"


def _check_header(path: Any, file: Any, n_expected: int) -> None:
    """Refuse headers that no song has, before anything is allocated for them."""
    if not _MIN_RATE <= file.samplerate <= _MAX_RATE:
        raise AudioReadError(
            path,
            f"its sampling rate is {file.samplerate} Hz; expected {_MIN_RATE} to "
            f"{_MAX_RATE} Hz",
        )
    if not 1 <= file.channels <= _MAX_CHANNELS:
        raise AudioReadError(
            path, f"it has {file.channels} channels; expected 1 to {_MAX_CHANNELS}"
        )
    if n_expected * file.channels > _MAX_SAMPLES:
        hours = n_expected / file.samplerate / 3600
        raise AudioReadError(
            path,
            f"it declares {n_expected} samples in {file.channels} channels "
            f"({hours:.3g} hours), more than the limit of {_MAX_SAMPLES} in all; set "
            "max_duration to read its beginning",
        )


def _truncation_notice(
    name: bytes | str, file: Any, n_read: int, n_expected: int
) -> str | None:
    """Return what makes a file look cut short, although it could be decoded."""
    if n_read < n_expected - _LENGTH_SLACK:
        return f"{n_read} of {n_expected} declared samples could be decoded"
    log = file.extra_info
    found = _CHUNK_LENGTH.search(log)
    if found and int(found[1]) > int(found[2]):
        return f"it declares {found[1]} bytes of samples and holds {found[2]}"
    if _OGG_HOLE in log:
        return "a part of its stream is damaged"
    if file.format == "OGG" and not _ogg_has_end(name):
        return "its stream has no end"
    return None


def _ogg_has_end(name: bytes | str) -> bool:
    """Tell whether the last whole page of an Ogg file ends its stream.

    The decoder's log names a missing end too, but not where it lies inside a page.
    """
    with open(name, "rb") as file:
        n_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(0, n_bytes - 2 * _OGG_PAGE_BYTES))
        tail = file.read()
    start = tail.rfind(b"OggS")
    while start >= 0:
        header = tail[start : start + 27]
        lacing = (
            tail[start + 27 : start + 27 + header[-1]] if len(header) == 27 else b""
        )
        if lacing and start + 27 + len(lacing) + sum(lacing) <= len(tail):
            return bool(header[5] & _OGG_END_OF_STREAM)
        start = tail.rfind(b"OggS", 0, start)
    return False


def _is_pcm16(file: Any) -> bool:
    """Tell whether integers are faster to read and average to the same samples."""
    is_lossless = file.format in {"WAV", "WAVEX", "FLAC"}
    return is_lossless and file.subtype == "PCM_16" and file.channels <= 2


def _mix_down(samples: np.ndarray, is_final: bool) -> np.ndarray:
    """Average channels; each way rounds exactly as librosa's mean does.

    The result is good until the next clip, unless it is final.
    """
    from skcoldstart._kernels.waveform import average_channels, average_pairs

    n_channels = samples.shape[1]
    if n_channels == 1 and samples.dtype == np.float32:
        return samples[:, 0]
    if n_channels > 2:
        return samples.mean(axis=1)
    average = average_channels if samples.dtype == np.int16 else average_pairs
    shape = (len(samples),)
    if is_final:
        waveform = np.empty(shape, np.float32)
    else:
        waveform = _SCRATCH.array("waveform", shape, "float32")
    average(samples, waveform)
    return waveform


def _resample(waveform: np.ndarray, rate: float, sr: float) -> np.ndarray:
    """Resample to ``ceil(n_samples * sr / rate)`` samples."""
    if rate == sr:
        return waveform
    import soxr

    n_samples = int(np.ceil(len(waveform) * (float(sr) / rate)))
    resampled = soxr.resample(waveform, rate, sr, quality="HQ")
    # soxr rounds to the nearest length; a missing last sample can cost a frame.
    if len(resampled) < n_samples:
        return np.pad(resampled, (0, n_samples - len(resampled)))
    return resampled[:n_samples]
