"""Audio files in a folder, and the songs they are."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from skcoldstart.datasets._tables import one_spelling

__all__ = ["AudioFolder", "file_names", "some"]

SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .snd .w64 .wav".split()
)


class AudioFolder:
    """The audio files under a folder, found by name."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(
                f"{folder} is not a folder; expected the folder of the audio files."
            )
        self.files: list[str] = []
        others: list[str] = []
        for place, _, names in os.walk(self.folder):
            for name in names:
                path = Path(place, name).relative_to(self.folder).as_posix()
                if not name.startswith("."):
                    known = Path(name).suffix.lower() in SUFFIXES
                    (self.files if known else others).append(path)
        self.files.sort()
        if not self.files:
            raise ValueError(
                f"{folder} has no audio files ({', '.join(sorted(SUFFIXES))}); "
                f"{len(others)} other files are there"
                + (f", such as {some(sorted(others))}." if others else ".")
            )
        self._levels: list[dict[str, list[int]]] = [defaultdict(list) for _ in range(4)]
        for i, file in enumerate(self.files):
            for level, name in zip(self._levels, file_names(file), strict=True):
                level[name].append(i)

    def find(self, song: str) -> int | None:
        """Return the position in `files` of a song, or None if it is not there."""
        for level in self._levels:
            matches = level.get(song, [])
            if len(matches) > 1:
                raise ValueError(
                    f"Song {song!r} may be any of {len(matches)} files under "
                    f"{self.folder}: {some([self.files[i] for i in matches])}. Use "
                    "paths relative to the folder as song ids, or remove the others."
                )
            if matches:
                return matches[0]
        return None

    def name(self, position: int) -> str:
        """Return the shortest name by which `find` gives this file alone."""
        relative, bare, _, stem = file_names(self.files[position])
        for name in (stem, bare):
            matches = {i for level in self._levels for i in level.get(name, [])}
            if matches == {position}:
                return name
        return relative

    def path(self, position: int) -> str:
        """Return the path of a file, the folder included."""
        return str(self.folder / self.files[position])


def some(names: Sequence[str], n: int = 3) -> str:
    """Quote the first few names."""
    return ", ".join(map(repr, names[:n])) + (", ..." if len(names) > n else "")


def file_names(file: str) -> tuple[str, str, str, str]:
    """Return the names by which a file can be meant."""
    path = PurePosixPath(one_spelling(file))
    return str(path), str(path.with_suffix("")), path.name, path.stem
