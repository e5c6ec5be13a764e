"""Match audio files of a folder or table with songs."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from skcoldstart._utils.paths import check_path
from skcoldstart._utils.warning import warn
from skcoldstart.datasets._files import files_under
from skcoldstart.datasets._frames import rows_of
from skcoldstart.datasets._names import AUDIO_SUFFIXES, NameIndex, some
from skcoldstart.datasets._tables import one_spelling


class NamedFiles:
    """Files with names.

    `files` are their names in messages, `paths` are absolute, `where` describes their
    place.
    """

    files: list[str]
    paths: list[str]
    where: str

    def __init__(self, names: Iterable[tuple[str, ...]]) -> None:
        self._index = NameIndex(names)

    def match(self, songs: Sequence[str]) -> list[int | None]:
        """Return the position in `files` of each song, None if it has no file.

        A file with a slightly different name is used if no song has exactly its name.
        """
        found = [self._one(song, self._by_name(song)) for song in songs]
        taken = {file for file in found if file is not None}
        for i, song in enumerate(songs):
            if found[i] is None:
                likely = self._index.loose(song, taken) or self._moved(song, taken)
                found[i] = self._one(song, likely)
        return found

    def name(self, position: int) -> Any:
        """Return the id of a file whose song nobody has played."""
        raise NotImplementedError

    def _by_name(self, song: str) -> list[int]:
        return self._index.exact(song)

    def _moved(self, song: str, taken: set[int]) -> list[int]:
        return []

    def _one(self, song: str, matches: list[int]) -> int | None:
        if len(matches) > 1:
            raise ValueError(
                f"Song {song!r} matches {len(matches)} files {self.where}: "
                f"{some([self.files[i] for i in matches])}. Use paths relative to the "
                "folder as song ids, or remove the others."
            )
        return matches[0] if matches else None


class FileTable(NamedFiles):
    """Files listed in a table, one for each song."""

    def __init__(self, table: Any, name: str, folder: Path) -> None:
        paths: dict[Any, str] = {}
        for where, (file, song) in rows_of(table, ("file", "song"), name):
            path = str(folder / check_path(file, f"the path in {name}, {where},"))
            if paths.setdefault(song, path) != path:
                raise ValueError(
                    f"{name}, {where}: song {song!r} has the file {path!r} but "
                    f"{paths[song]!r} before; expected one file."
                )
        there = {song: path for song, path in paths.items() if os.path.isfile(path)}
        absent = [path for song, path in paths.items() if song not in there]
        if not there:
            raise ValueError(
                f"None of the {len(paths)} files of {name} exists: {some(absent)}. "
                f"Relative paths begin in {str(folder)!r}; pass another folder as "
                "audio=."
            )
        if absent:
            warn(
                f"{len(absent)} of {len(paths)} files of {name} do not exist, and "
                f"their songs are left out: {some(absent)}."
            )
        self._songs, self.paths = list(there), list(there.values())
        self.files, self.where = [str(song) for song in there], f"in {name}"
        super().__init__((file,) for file in self.files)

    def name(self, position: int) -> Any:
        return self._songs[position]


class AudioFolder(NamedFiles):
    """The audio files under a folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        # Absolute: the paths are read later, perhaps from another folder.
        self.folder = check_path(folder, "audio").absolute()
        self.where = f"under {folder}"
        if not self.folder.is_dir():
            raise ValueError(
                f"{folder} is not a folder; expected the folder of the audio files."
            )
        self.files: list[str] = []
        others: list[str] = []
        for path in map(Path, files_under(self.folder)):
            known = path.suffix.lower() in AUDIO_SUFFIXES
            name = path.relative_to(self.folder).as_posix()
            (self.files if known else others).append(name)
        if not self.files:
            raise ValueError(
                f"{folder} has no audio files (.wav, .mp3, .flac, .m4a and others); "
                f"it has {len(others)} other files"
                + (f", such as {some(others)}." if others else ".")
            )
        self.paths = [str(self.folder / file) for file in self.files]
        super().__init__(map(file_names, self.files))

    def name(self, position: int) -> str:
        """Return the shortest name for which `match` returns only this file."""
        relative, bare, _, stem = file_names(self.files[position])
        for short in (stem, bare):
            if self._index.is_name_of(short, position):
                return short
        return relative

    def _by_name(self, song: str) -> list[int]:
        """Return the files of a song's id, which may include the folder."""
        found = self._index.exact(song)
        parts = _posix_parts(song)
        for n_outside in range(len(parts)):
            if not found and self._is_folder(parts[:n_outside], song):
                found = self._index.exact("/".join(parts[n_outside:]))
        return found

    def _moved(self, song: str, taken: set[int]) -> list[int]:
        """Return the files whose whole path is the end of a given absolute path."""
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
        """Return whether the folder in an id is this folder or the end of its path."""
        if not outside:
            return not _is_absolute(_posix_parts(song))
        own = [list(path.parts) for path in (self.folder, self.folder.resolve())]
        if outside[0] == "/":
            return outside in own
        return any(outside == parts[-len(outside) :] for parts in own)


def file_names(file: str) -> tuple[str, str, str, str]:
    """Return the names that refer to a file."""
    path = PurePosixPath(one_spelling(file))
    return str(path), str(path.with_suffix("")), path.name, path.stem


def _posix_parts(name: str) -> list[str]:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return [part for part in parts if part not in (".", "..")]


def _is_absolute(parts: list[str]) -> bool:
    return bool(parts) and (parts[0] == "/" or parts[0].endswith(":"))
