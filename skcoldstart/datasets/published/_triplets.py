"""Parse files of user, song and count to a sparse matrix.

This parser needs less memory than ``pyarrow.csv``: 35 bytes per line, including names,
instead of 83, and 1 / 1.1 of its time (5 million lines,
``benchmarks/bench_loaders.py``), without checks that name a bad line.
"""

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._utils.progress import progress_bar
from skcoldstart.datasets._files import open_bytes
from skcoldstart.datasets._name_table import NameTable

CHUNK_BYTES = 1 << 22
HEAD_BYTES = 1 << 12
CHUNK_PAIRS = 1 << 18
EXPECTED = (
    "a user, a tab, a song, a tab and a whole number of plays >= 1, such as "
    r"'b80344d0\tSOAKIMP12A8C130995\t1'"
)


class Triplets:
    """Pairs of a file, by the numbers of their names.

    Shapes: `users, songs` (n_names,).
    """

    def __init__(self) -> None:
        self._chunks: list[tuple[np.ndarray, ...]] = []
        self._users, self._songs = NameTable(), NameTable()
        self.n_pairs = 0

    def read(
        self, file: IO[bytes], path: str | os.PathLike[str], verbose: int | bool
    ) -> None:
        """Read a file to its end."""
        from skcoldstart._kernels import triplets as kernel

        out, n_out, n_lines = _room(), 0, 0
        with progress_bar(
            description="Read plays", verbose=verbose, unit=" lines"
        ) as bar:
            for buffer, position, stop in _lines_of(file):
                while position < stop:
                    status, position, n_out, n_more = kernel.read_triplets(
                        buffer,
                        position,
                        stop,
                        self._users.arrays,
                        self._users.count,
                        self._songs.arrays,
                        self._songs.count,
                        out,
                        n_out,
                    )
                    n_lines += n_more
                    bar.update(n_more)
                    if status == kernel.OUT_OF_ROOM:
                        self._chunks.append(out)
                        self.n_pairs += n_out
                        out, n_out = _room(), 0
                    elif status == kernel.GROW_USERS:
                        self._users.grow()
                    elif status == kernel.GROW_SONGS:
                        self._songs.grow()
                    elif position < stop:
                        raise ValueError(
                            f"{path}, line {n_lines + 1}: "
                            + _fault(bytes(buffer[position:stop]))
                            + f"; expected {EXPECTED}."
                        )
        self._chunks.append(tuple(part[:n_out].copy() for part in out))
        self.n_pairs += n_out
        self.users, self.songs = self._users.to_bytes(), self._songs.to_bytes()
        del self._users, self._songs

    def users_of(self, is_wanted: np.ndarray) -> np.ndarray:
        """Return which users have a pair with a wanted song.

        Shapes: `is_wanted` (n_songs,) -> (n_users,).
        """
        found = np.zeros(len(self.users), dtype=bool)
        for users, songs, _ in self._chunks:
            found[users[is_wanted[songs]]] = True
        return found

    def to_csr(
        self, rank_of_user: np.ndarray, rank_of_song: np.ndarray
    ) -> tuple[sp.csr_array, int]:
        """Convert the pairs to a matrix and release them.

        Shapes: `rank_of_user, rank_of_song` (n_names,) -> `plays` (n_songs, n_users).
        """
        from skcoldstart._kernels.pairs import count_pairs, scatter_pairs

        ranks = (rank_of_user, rank_of_song)
        n_users, n_songs = (int(rank.max(initial=-1)) + 1 for rank in ranks)
        lengths = np.zeros(n_users, np.int64)
        for users, songs, _ in self._chunks:
            count_pairs(users, songs, *ranks, lengths)
        indptr = np.r_[0, np.cumsum(lengths)]
        n_entries = int(indptr[-1])
        kind = np.int32 if n_entries < 2**31 else np.int64
        indices = np.empty(n_entries, kind)
        data = np.empty(n_entries, np.float32)
        cursors = indptr[:-1].copy()
        while self._chunks:  # each is freed once it is copied
            scatter_pairs(*self._chunks.pop(), *ranks, cursors, indices, data)
        by_user = sp.csc_array((data, indices, indptr.astype(kind)), (n_songs, n_users))
        # The transposition sorts users within songs.
        plays = by_user.tocsr()
        plays.sum_duplicates()
        return plays, n_entries - plays.nnz


def read_triplets(path: str | os.PathLike[str], *, verbose: int | bool = 0) -> Triplets:
    """Read a file of triplets in chunks, the next one while the last is parsed."""
    triplets = Triplets()
    with open_bytes(path) as file:
        triplets.read(file, path, verbose)
    if triplets.n_pairs == 0:
        raise ValueError(f"{path} is empty; expected lines of {EXPECTED}.")
    return triplets


def _room() -> tuple[np.ndarray, ...]:
    return tuple(np.empty(CHUNK_PAIRS, np.int32) for _ in range(3))


def _lines_of(file: IO[bytes]) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield padded buffers and where their lines start and stop.

    Bytes are read after a head with the unfinished line of the last chunk.
    """
    from skcoldstart._kernels.names import PADDING

    buffers = itertools.cycle([
        bytearray(HEAD_BYTES + CHUNK_BYTES + PADDING) for _ in range(2)
    ])

    def fill() -> tuple[bytearray, int]:
        buffer = next(buffers)
        room = memoryview(buffer)[HEAD_BYTES : HEAD_BYTES + CHUNK_BYTES]
        return buffer, HEAD_BYTES + file.readinto(room)  # type: ignore[attr-defined]

    rest = b""
    with ThreadPoolExecutor(1) as pool:
        buffer, end = fill()
        start = HEAD_BYTES
        if buffer.startswith(b"\xef\xbb\xbf", start):
            start += 3
        while end > HEAD_BYTES:
            coming = pool.submit(fill)
            stop = 1 + buffer.rfind(b"\n", start, end)
            if stop:
                start -= len(rest)
                buffer[start : start + len(rest)] = rest
                yield np.frombuffer(buffer, np.uint8), start, stop
                rest = bytes(buffer[stop:end])
            else:
                rest += buffer[start:end]
            if len(rest) > HEAD_BYTES:  # longer than any allowed line
                break
            buffer, end = coming.result()
            start = HEAD_BYTES
    if rest:
        last = np.frombuffer(rest + b"\n" + bytes(PADDING), np.uint8).copy()
        yield last, 0, len(rest) + 1


def _fault(text: bytes) -> str:
    """Describe the error in the first line of a text, which is not a triplet."""
    from skcoldstart._kernels.triplets import LONGEST_NAME

    line = text[: 3 * LONGEST_NAME].split(b"\n")[0].removesuffix(b"\r")
    shown = line.decode("utf-8", "backslashreplace")
    fields = shown.split("\t")
    if any(ord(letter) < 32 for letter in shown.replace("\t", "")):
        return f"{shown[:80]!r} has control characters; it is not UTF-8 text"
    if max(map(len, fields)) > LONGEST_NAME:
        return f"a name has more than {LONGEST_NAME} bytes"
    if len(fields) != 3:
        return f"{shown[:160]!r} has {len(fields)} fields"
    if not fields[0] or not fields[1]:
        return f"{'song' if fields[0] else 'user'} is empty in {shown[:160]!r}"
    return f"plays is {fields[2][:80]!r}"


def decode(names: np.ndarray, path: Any) -> np.ndarray:
    """Decode bytes, and name those that are not UTF-8.

    Shapes: `names` (n_names,) -> (n_names,).
    """
    try:
        return names.astype(str)  # fast if all of it is ASCII
    except UnicodeDecodeError:
        pass
    try:
        return np.char.decode(names, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason}): {error.object!r}."
        ) from error
