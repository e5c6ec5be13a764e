"""Convert a path or waveform to mono at the given sampling rates."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skcoldstart._utils.missing import unmasked
from skcoldstart.audio._callables import fingerprint
from skcoldstart.audio._decoded import SCRATCH, Decoded, Request
from skcoldstart.audio._items import (
    AudioReadError,
    check_waveform,
    describe_bad_sample,
    is_missing,
    is_path,
)

# Files that start with these bytes are sometimes or never read by libsndfile.
_SIGNATURES = (
    (4, b"ftyp", "an MPEG-4 file (m4a, mp4, mov)"),
    (4, b"moov", "a QuickTime file"),
    (4, b"mdat", "a QuickTime file"),
    (4, b"wide", "a QuickTime file"),
    (0, b"\xff\xf1", "an AAC stream"),
    (0, b"\xff\xf9", "an AAC stream"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "an ASF file (wma, wmv)"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska file (mkv, mka, webm)"),
    (28, b"OpusHead", "an Opus file"),
    (28, b"Speex   ", "a Speex file"),
    (8, b"AVI ", "an AVI file"),
    (0, b"FLV\1", "a Flash video"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"\x0b\x77", "an AC-3 stream"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"TTA1", "a True Audio file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"DSD ", "a DSD file"),
    (0, b".RMF", "a RealMedia file"),
    (0, b"\0\0\1\xba", "an MPEG video"),
    (0, b"G@\0", "an MPEG transport stream"),
)


class Clip(NamedTuple):
    """An item as mono sound."""

    waveforms: dict[float, np.ndarray]  # float32 (n_samples,), by sampling rate
    notice: str | None  # why the file seems truncated, if it does
    decoder: str | None  # the decoder, if it is not libsndfile


@dataclass(frozen=True)
class Reading:
    """The reading options shared by all extractors; picklable."""

    reader: str | Callable[[Any], tuple[Any, float]] = "auto"
    max_duration: float | None = None
    salvage: bool = False
    folder: str = ""  # base of relative paths, also in workers

    def description(self) -> str:
        """Describe all that determines the samples of a file, except its content."""
        from skcoldstart.audio import _pyav

        text = f"max_duration={self.max_duration}, salvage={self.salvage}"
        if self.reader == "av":
            return f"{text}, {_pyav.version()}"
        return f"{text}, {fingerprint(self.reader)}" if callable(self.reader) else text

    def absolute(self, path: Any) -> str | bytes:
        """Return the absolute path of an item, independent of the current folder."""
        name = os.path.expanduser(os.fspath(path))
        if not name or self.folder == here():
            return name
        if isinstance(name, bytes):
            return os.path.join(os.fsencode(self.folder), name)
        return os.path.join(self.folder, name)

    def clip(self, index: int, item: Any, rates: Sequence[float]) -> Clip:
        """Return entry `index` of X at some sampling rates."""
        if is_path(item):
            return self._read(item, rates)
        if is_missing(item):
            raise AudioReadError(None, f"it is {item!r}; expected a path or waveform")
        waveform = check_waveform(index, item)
        if len(set(rates)) > 1:
            raise ValueError(
                f"Item {index} of X is a waveform, which has one sampling rate, but "
                f"the extractors have sr={sorted(set(rates))}. Pass paths, or "
                "extractors of one sr."
            )
        rate = rates[0]
        if self.max_duration is not None:
            waveform = waveform[: int(self.max_duration * rate)]
        if len(waveform) == 0:
            raise AudioReadError(None, "it holds no samples")
        with np.errstate(over="ignore"):
            # One type of array, so that kernels are compiled once.
            single = np.require(waveform, np.float32, ["C", "A", "W"])
        _check_finite(single, waveform)
        return Clip({rate: single}, None, None)

    def _read(self, path: Any, rates: Sequence[float]) -> Clip:
        """Decode a file, average its channels and resample it.

        The samples equal those of ``librosa.load(path, sr=sr)`` bit for bit.
        """
        request = Request(tuple(rates), self.max_duration, self.salvage)
        try:
            decoded, decoder = self._decode(path, request)
            if len(decoded.samples) == 0:
                raise AudioReadError(None, "it holds no samples")
            # Samples that are not finite are reported below.
            with np.errstate(over="ignore", invalid="ignore"):
                mono = _mix_down(decoded.samples, decoded.rate in rates)
                waveforms = {sr: _resample(mono, decoded.rate, sr) for sr in rates}
        except MemoryError as error:
            reason = "there is not enough memory for the samples it declares"
            raise AudioReadError(None, reason) from error
        for waveform in waveforms.values():
            _check_finite(waveform, decoded.samples)
        return Clip(waveforms, decoded.notice, decoder)

    def _decode(self, path: Any, request: Request) -> tuple[Decoded, str | None]:
        """Return the samples of a file, and the decoder if it is not libsndfile."""
        from skcoldstart.audio import _libsndfile, _pyav

        if callable(self.reader):
            return _call(self.reader, path, request), None
        name = self.absolute(path)
        _check_readable(name)
        if self.reader == "av":
            return _pyav.decode(name, request), _pyav.version()
        try:
            return _libsndfile.decode(name, request), None
        except AudioReadError as error:
            kind = _foreign_kind(name)
            if kind is None:
                raise
            reason = f"it is {kind} that libsndfile cannot read"
            if error.reason != _libsndfile.UNKNOWN_FORMAT:
                reason += f" ({error.reason})"
            if self.reader == "soundfile":
                reason += "; reader='auto' reads it, with `pip install skcoldstart[av]`"
            elif not _pyav.version():
                reason += "; PyAV does: `pip install skcoldstart[av]`"
            else:
                return _pyav.decode(name, request), _pyav.version()
            raise AudioReadError(None, reason) from error


def here() -> str:
    """Return the current folder, or "" if it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _check_readable(path: str | bytes) -> None:
    """Reject FIFOs (opening one blocks), directories, and unreadable files."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
            raise AudioReadError(None, f"it is {kind}; expected an audio file")
        with open(path, "rb") as file:
            if not file.read(1):
                raise AudioReadError(None, "the file is empty")
    except AudioReadError:
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AudioReadError(None, f"{reason} (errno {error.errno})") from error
    except ValueError as error:  # a null byte in the name
        raise AudioReadError(None, f"the name is not a path: {error}") from error


def _foreign_kind(path: str | bytes) -> str | None:
    """Name the format of a file by its first bytes if libsndfile may not read it."""
    with open(path, "rb") as file:
        start = file.read(64)
        if start[:3] == b"ID3" and len(start) >= 10:
            size = 0
            for byte in start[6:10]:
                size = size << 7 | byte & 0x7F
            file.seek(10 + size)
            start = file.read(64)
    for offset, magic, kind in _SIGNATURES:
        if start[offset : offset + len(magic)] == magic:
            return kind
    return None


def _call(reader: Callable[[Any], Any], path: Any, request: Request) -> Decoded:
    """Read an item with the user's function."""
    _check_blocks_nobody(path)
    try:
        samples, rate = reader(path)
        rate = float(rate)
        samples = unmasked(samples, "its array")
    except Exception as error:
        text = f"{type(error).__name__}: {error}" if str(error) else repr(error)
        raise AudioReadError(None, f"the reader failed ({text})") from error
    if samples.ndim == 1:
        samples = samples[:, np.newaxis]
    if samples.ndim != 2 or samples.dtype.kind != "f":
        raise AudioReadError(
            None,
            f"the reader returned an array of shape {samples.shape} and dtype "
            f"{samples.dtype}; expected floats of shape (n_samples,) or (n_samples, "
            "n_channels), with full scale at 1.0",
        )
    n_samples, n_channels = samples.shape
    n_wanted = request.n_to_decode(rate, n_channels, n_samples)
    with np.errstate(over="ignore"):
        single = np.array(samples[:n_wanted], np.float32, order="C")
    return Decoded(single, rate, None)


def _check_blocks_nobody(path: Any) -> None:
    """Reject pipes and devices; items that are not files, such as addresses, pass."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise AudioReadError(None, "it is not a regular file; expected an audio file")


def _check_finite(waveform: np.ndarray, samples: np.ndarray) -> None:
    from skcoldstart._kernels.waveform import all_finite

    if not all_finite(waveform):
        raise AudioReadError(None, describe_bad_sample(samples))


def _mix_down(samples: np.ndarray, is_final: bool) -> np.ndarray:
    """Average channels; all branches round exactly like librosa's mean.

    The result is valid until the next clip, unless it is final.
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
        waveform = SCRATCH.array("waveform", shape, "float32")
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
