"""Decode a file with PyAV, which reads formats that libsndfile does not."""

import io
import os
from typing import Any

import numpy as np

from skcoldstart.audio._decoded import Decoded, Request
from skcoldstart.audio._items import AudioReadError

# Formats that contain sound. FFmpeg supports others that refer to other files or
# addresses, which an untrusted file must not open.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,loas,m4v,"
    "matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,rm,tak,tta,w64,wav,webm,wv,xwma"
)

_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}

# Lengths of containers are rounded, and end with complete packets of up to 0.2 s.
_LENGTH_SLACK_S = 0.25


def version() -> str:
    """Return the versions of PyAV and of FFmpeg's decoders; "" if not installed."""
    try:
        import av
    except ImportError:
        return ""
    return f"PyAV {av.__version__}, libavcodec {av.library_versions['libavcodec']}"


def decode(path: Any, request: Request) -> Decoded:
    """Decode the first audio stream of a file."""
    import av

    stream = _Stream(request)
    # A file object, so that FFmpeg gets no name that could be an address.
    with _File(path) as file:
        n_missing = _n_missing_of_riff(file)
        try:
            options = {"format_whitelist": _FORMATS}
            with av.open(file, options=options, metadata_errors="replace") as container:
                notice = stream.decode(container)
            if notice is None and n_missing > 0:
                notice = f"it declares {n_missing} bytes more than it has"
        except AudioReadError:
            raise
        except (av.FFmpegError, ValueError) as error:
            reason = f"decoding failed ({getattr(error, 'strerror', None) or error})"
            if not (stream.n_samples and request.salvage):
                raise AudioReadError(None, reason) from error
            notice = f"{reason} after {stream.n_samples} samples"
    return Decoded(np.concatenate(stream.blocks), stream.rate, notice)


class _File(io.FileIO):
    """A file whose seeks before its beginning fail in the way FFmpeg expects.

    PyAV keeps exceptions of a file for a later call, which may use another file.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek in the file; return the position, or -1 if it is invalid."""
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            return -1


class _Stream:
    """The samples of an audio stream, as far as they are decoded."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.blocks = [np.empty((0, 0), np.float32)]
        self.n_samples = self.rate = self._n_channels = 0

    def decode(self, container: Any) -> str | None:
        """Decode the first audio stream; return why it seems truncated, or None."""
        if not container.streams.audio:
            raise AudioReadError(None, "it contains no sound")
        stream = container.streams.audio[0]
        for frame in container.decode(stream):
            rate, n_channels = frame.sample_rate, frame.layout.nb_channels
            n_wanted = self._request.n_to_decode(
                rate, n_channels, self.n_samples + frame.samples
            )
            if not self.rate:
                self.rate, self._n_channels, self.blocks = rate, n_channels, []
            elif (rate, n_channels) != (self.rate, self._n_channels):
                raise AudioReadError(
                    None,
                    f"{self._n_channels} channels at {self.rate} Hz become "
                    f"{n_channels} at {rate} Hz",
                )
            block = _samples(frame)[: n_wanted - self.n_samples]
            self.blocks.append(block)
            self.n_samples = n_wanted
            if len(block) < frame.samples:
                return None
        declared = (container.duration or 0) / 1e6
        if stream.duration is not None:
            declared = float(stream.duration * stream.time_base)
        if self.n_samples < self.rate * (declared - _LENGTH_SLACK_S):
            return (
                f"{self.n_samples / self.rate:.2f} of {declared:.2f} declared seconds "
                "could be decoded"
            )
        return None


def _n_missing_of_riff(file: Any) -> int:
    """Return the number of bytes that an AVI or WAV file lacks."""
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    if start[:4] != b"RIFF" or start[4:] == b"\xff\xff\xff\xff":
        return 0
    return 8 + int.from_bytes(start[4:], "little") - n_bytes


def _samples(frame: Any) -> np.ndarray:
    """Return the samples of a frame, float32 of shape (n_samples, n_channels)."""
    values = frame.to_ndarray()
    if frame.format.is_planar:
        samples = values.T
    else:
        samples = values.reshape(-1, frame.layout.nb_channels)
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    scale = _FULL_SCALE[frame.format.name.removesuffix("p")]
    if samples.dtype.kind == "u":
        samples = samples.astype(np.int16) - 128
    return samples.astype(np.float32) * np.float32(1.0 / scale)
