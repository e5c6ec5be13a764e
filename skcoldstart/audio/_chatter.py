"""Keep a talkative decoder off standard error."""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

__all__ = ["quiet_mpeg_decoder"]

_STDERR = 2

# libmpg123 writes one line for each oddity of an MP3 file straight to the descriptor,
# and libsndfile offers no way to ask it not to.
_MPEG_LINE = re.compile(
    rb"\s*$|\[src/libmpg123/|(?:Note|Warning): (?:Illegal Audio-MPEG|Trying to resync"
    rb"|Skipped \d+ bytes|Hit end of|Junk at|Looks like|Could be|free format|Xing "
    rb"|Big change|Encountered more|Real sample)"
)


class _Diversion:
    """Standard error of the process, diverted to a file while anybody holds it.

    The descriptor is one for all threads: the first holder diverts it, the last puts
    it back and passes on, in order, the lines that are not the decoder's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_holders = 0
        self._original = -1
        self._lines: IO[bytes] | None = None

    def acquire(self) -> None:
        with self._lock:
            if self._n_holders == 0:
                self._divert()
            self._n_holders += 1

    def release(self) -> None:
        with self._lock:
            self._n_holders -= 1
            if self._n_holders == 0 and self._lines is not None:
                self._put_back(self._lines)
                self._lines = None

    def _divert(self) -> None:
        try:
            self._original = os.dup(_STDERR)
        except OSError:  # a daemon may have closed it: nobody hears the decoder
            return
        try:
            self._lines = tempfile.TemporaryFile()
            os.dup2(self._lines.fileno(), _STDERR)
        except OSError:  # no room for a file: talk is better than no frames
            os.close(self._original)
            self._lines = None

    def _put_back(self, lines: IO[bytes]) -> None:
        os.dup2(self._original, _STDERR)
        with lines:
            lines.seek(0)
            for line in lines:
                if not _MPEG_LINE.match(line):
                    os.write(self._original, line)
        os.close(self._original)


_DIVERSION = _Diversion()


@contextlib.contextmanager
def quiet_mpeg_decoder() -> Iterator[None]:
    """Drop what libmpg123 says; what others write meanwhile comes out afterwards.

    Yields
    ------
    None
        While held, by any number of threads, standard error is diverted.
    """
    _DIVERSION.acquire()
    try:
        yield
    finally:
        _DIVERSION.release()
