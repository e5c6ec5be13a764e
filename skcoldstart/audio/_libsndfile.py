"""Decode a file with libsndfile, with exact reasons for errors."""

import os
import re
from typing import Any

import numpy as np

from skcoldstart.audio._decoded import SCRATCH, Decoded, Request
from skcoldstart.audio._items import AudioReadError

UNKNOWN_FORMAT = "its content is not a known audio format"

# MP3 lengths are estimates if the encoder wrote none; allow two MPEG frames.
_LENGTH_SLACK = 2 * 1152

# At most this many samples before damage are lost with it: an MPEG frame, 26 ms.
_SALVAGE_BLOCK = 1152

_CHUNK_LENGTH = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.M)
_OGG_HOLE = "libogg reports a hole"

# The last page of an Ogg stream is marked as the last. No page is longer.
_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
_OGG_END_OF_STREAM = 4


def decode(path: Any, request: Request) -> Decoded:
    """Decode a file in one go.

    A seek, or reading in blocks, changes the last bits of some MP3 files.
    """
    import soundfile

    # As bytes, names that are not valid Unicode need no encoding by soundfile.
    name = os.fsencode(path) if os.name == "posix" else os.fsdecode(path)
    try:
        with soundfile.SoundFile(name) as file:
            rate, n_channels = file.samplerate, file.channels
            n_wanted = request.n_to_decode(rate, n_channels, file.frames)
            # Reading integers is faster, and gives the same mono samples.
            is_lossless = file.format in {"WAV", "WAVEX", "FLAC"}
            is_pcm16 = is_lossless and file.subtype == "PCM_16" and n_channels <= 2
            dtype = "int16" if is_pcm16 else "float32"
            shape = (n_wanted, n_channels)
            if dtype == "float32" and n_channels == 1 and rate in request.rates:
                samples = np.empty(shape, dtype)
            else:
                samples = SCRATCH.array("samples", shape, dtype)
            try:
                samples = file.read(out=samples)
            except soundfile.SoundFileError as error:
                if not request.salvage:
                    raise
                samples = _read_to_damage(name, n_wanted)
                if len(samples) == 0:
                    raise
                progress = f"after {len(samples)} of {n_wanted} samples"
                return Decoded(samples, rate, f"{_reason(error)} {progress}")
            return Decoded(samples, rate, _notice(name, file, len(samples), n_wanted))
    except (soundfile.SoundFileError, TypeError) as error:
        raise AudioReadError(None, _reason(error)) from error


def _read_to_damage(name: bytes | str, n_samples: int) -> np.ndarray:
    """Read block by block until the decoder gives up; (n_read, n_channels), float32.

    Unlike a read in one go, this shows how far the decoder got.
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


def _reason(error: Exception) -> str:
    """Return the reason of a libsndfile error, corrected if it is wrong."""
    text = getattr(error, "error_string", str(error)).strip().rstrip(".")
    if "does not exist" in text or "not recognised" in text:
        return UNKNOWN_FORMAT
    if isinstance(error, TypeError):  # soundfile takes the suffix .raw as headerless
        return f"headerless audio cannot be read ({text})"
    return f"decoding failed ({text})"


def _notice(name: bytes | str, file: Any, n_read: int, n_wanted: int) -> str | None:
    """Return why a decoded file seems truncated, or None."""
    if n_read < n_wanted - _LENGTH_SLACK:
        return f"{n_read} of {n_wanted} declared samples could be decoded"
    log = file.extra_info
    found = _CHUNK_LENGTH.search(log)
    if found and int(found[1]) > int(found[2]):
        return f"it declares {found[1]} bytes of samples but has {found[2]}"
    if _OGG_HOLE in log:
        return "a part of its stream is damaged"
    if file.format == "OGG" and not _ogg_has_end(name):
        return "its stream has no end"
    return None


def _ogg_has_end(name: bytes | str) -> bool:
    """Return whether the last complete page of an Ogg file ends its stream.

    The decoder's log also reports a missing end, but not inside a page.
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
