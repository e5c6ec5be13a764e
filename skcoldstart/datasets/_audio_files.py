"""Audio files in a folder, and the songs they are."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from skcoldstart.datasets._files import check_path
from skcoldstart.datasets._names import AUDIO_SUFFIXES, NameIndex, some
from skcoldstart.datasets._tables import one_spelling

__all__ = ["AudioFolder", "file_names"]


class AudioFolder:
    """The audio files under a folder, found by name."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # Absolute: the paths are read later, perhaps from elsewhere.
        self.folder = check_path(folder, "audio").absolute()
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
                    known = Path(name).suffix.lower() in AUDIO_SUFFIXES
                    (self.files if known else others).append(path)
        self.files.sort()
        if not self.files:
            raise ValueError(
                f"{folder} has no audio files ({', '.join(sorted(AUDIO_SUFFIXES))}); "
                f"{len(others)} other files are there"
                + (f", such as {some(sorted(others))}." if others else ".")
            )
        self._index = NameIndex(map(file_names, self.files))

    def match(self, songs: Sequence[str]) -> list[int | None]:
        """Return the position in `files` of each song, None where there is none.

        A file whose name differs a little is taken where no song goes by its own name.
        """
        found = [self._one(song, self._by_name(song)) for song in songs]
        taken = {file for file in found if file is not None}
        for i, song in enumerate(songs):
            if found[i] is None:
                likely = self._index.loose(song, taken) or self._moved(song, taken)
                found[i] = self._one(song, likely)
        return found

    def name(self, position: int) -> str:
        """Return the shortest name by which `match` gives this file alone."""
        relative, bare, _, stem = file_names(self.files[position])
        for short in (stem, bare):
            if self._index.is_name_of(short, position):
                return short
        return relative

    def path(self, position: int) -> str:
        """Return the path of a file, the folder included."""
        return str(self.folder / self.files[position])

    def _by_name(self, song: str) -> list[int]:
        """Return the files of a song's id, which may hold the folder as well."""
        found = self._index.exact(song)
        if not found:
            parts = _posix_parts(song)
            for n_outside in range(len(parts)):
                outside, inside = parts[:n_outside], "/".join(parts[n_outside:])
                if self._is_folder(outside, song):
                    found = found or self._index.exact(inside)
        return found

    def _moved(self, song: str, taken: set[int]) -> list[int]:
        """Return the files whose whole path ends an absolute path from elsewhere."""
        parts = _posix_parts(song)
        if not _is_absolute(parts):
            return []
        ends = ("/".join(parts[n:]) for n in range(1, len(parts)))
        return [
            file
            for end in ends
            for file in self._index.exact(end)
            if file not in taken and end in file_names(self.files[file])[:2]
        ]

    def _is_folder(self, outside: list[str], song: str) -> bool:
        """Whether what precedes a name in an id is this folder, or the end of it."""
        if not outside:
            return not _is_absolute(_posix_parts(song))
        own = [list(path.parts) for path in (self.folder, self.folder.resolve())]
        if outside[0] == "/":
            return outside in own
        return any(outside == parts[-len(outside) :] for parts in own)

    def _one(self, song: str, matches: list[int]) -> int | None:
        if len(matches) > 1:
            raise ValueError(
                f"Song {song!r} may be any of {len(matches)} files under "
                f"{self.folder}: {some([self.files[i] for i in matches])}. Use "
                "paths relative to the folder as song ids, or remove the others."
            )
        return matches[0] if matches else None


def file_names(file: str) -> tuple[str, str, str, str]:
    """Return the names by which a file can be meant."""
    path = PurePosixPath(one_spelling(file))
    return str(path), str(path.with_suffix("")), path.name, path.stem


def _posix_parts(name: str) -> list[str]:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return [part for part in parts if part not in (".", "..")]


def _is_absolute(parts: list[str]) -> bool:
    return bool(parts) and (parts[0] == "/" or parts[0].endswith(":"))
