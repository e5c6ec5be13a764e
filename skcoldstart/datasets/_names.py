"""Find objects by any of their names, also by slightly different names."""

import html
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import unquote

# The second line needs PyAV; the third is video, whose sound is read.
AUDIO_SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp2 .mp3 .oga .ogg .opus .snd .w64 .wav "
    ".aac .ac3 .amr .ape .dsf .dts .eac3 .m4a .m4b .mka .mpc .tak .tta .wma .wv "
    ".avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .webm .wmv".split()
)


class NameIndex:
    """Positions of objects by their names; names of an earlier level come first."""

    def __init__(self, names: Iterable[tuple[str, ...]]) -> None:
        self._names = list(names)
        self._levels = _positions(self._names)
        self._loose: list[dict[str, list[int]]] | None = None

    def exact(self, name: str) -> list[int]:
        """Return the positions of all objects with a name, on its first level."""
        return next((level[name] for level in self._levels if name in level), [])

    def loose(self, name: str, taken: Collection[int] = ()) -> list[int]:
        """Return the positions of unmatched objects with slightly different names."""
        if self._loose is None:
            self._loose = _positions([
                tuple(map(loose_name, names)) for names in self._names
            ])
        key = loose_name(name)
        for level in self._loose:
            if free := [i for i in level.get(key, []) if key and i not in taken]:
                return free
        return []

    def find(self, name: str) -> list[int]:
        """Return the positions of objects by a name, or by a slightly different one."""
        return self.exact(name) or self.loose(name)

    def is_name_of(self, name: str, position: int) -> bool:
        """Return whether a name, on any level, belongs to one object only."""
        bearers = {i for level in self._levels for i in level.get(name, [])}
        return bearers == {position}


def loose_name(name: str) -> str:
    """Remove the parts of a name that often differ between tables and files.

    These are case, spaces, quotation marks, characters without width, leading zeros,
    ``./`` and ``../``, the kind of separators, the suffix of audio files, ``.0`` of
    whole numbers, and what stands for a character in an address or in HTML.
    """
    text = unicodedata.normalize("NFKC", html.unescape(unquote(name))).casefold()
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = re.sub(r"\s*[/\\]+\s*", "/", text).strip().strip("/")
    text = "" if text in ("", ".") else posixpath.normpath(text)
    stem, dot, suffix = text.rpartition(".")
    if stem and f"{dot}{suffix}" in AUDIO_SUFFIXES:
        text = stem
    text = re.sub("[\"'\u2018\u2019\u201c\u201d]", "", text)
    text = re.sub(r"[\s_-]+", " ", text)
    text = re.sub(r" ?/ ?", "/", text).strip()
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"^(\d+)\.0+$", r"\1", text))


def near_miss(names: Sequence[str], known: Iterable[str], n: int = 3) -> str:
    """Describe names that match known ones except for case, spaces or similar."""
    exact = set(known)
    like = {loose_name(name): name for name in exact}
    by_last_part = {key.rpartition("/")[2]: name for key, name in like.items()}
    pairs = []
    for name in names:
        key = loose_name(name)
        other = like.get(key) or by_last_part.get(key.rpartition("/")[2])
        if key and name not in exact and other is not None:
            pairs.append(f"{name!r} is like {other!r}")
    if not pairs:
        return ""
    listed = ", ".join(pairs[:n]) + (", ..." if len(pairs) > n else "")
    return (
        f" {len(pairs)} differ only by case, spaces, zeros, a folder or a suffix: "
        f"{listed}; use one spelling."
    )


def some(names: Sequence[str], n: int = 3) -> str:
    """Quote the first few names."""
    return ", ".join(map(repr, names[:n])) + (", ..." if len(names) > n else "")


def _positions(names: list[tuple[str, ...]]) -> list[dict[str, list[int]]]:
    """Return the positions of each name, level by level."""
    levels: list[dict[str, list[int]]] = []
    for of_level in zip(*names, strict=True):
        levels.append(defaultdict(list))
        for position, name in enumerate(of_level):
            levels[-1][name].append(position)
    return [dict(level) for level in levels]
