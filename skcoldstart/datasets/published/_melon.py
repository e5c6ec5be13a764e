"""Load Melon Playlist: playlists as users, and mel spectrograms of songs."""

import io
import json
import operator
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._sequences.ragged import LazySequence
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path, check_regular_file
from skcoldstart._utils.sk import validated
from skcoldstart.datasets._events import fixed_ids
from skcoldstart.datasets._files import WRONG_JSON, check_npy, named_damage
from skcoldstart.datasets._pairs import indicator, positions

N_BANDS = 48
PLAYLISTS = ("train", "val", "test")


@documented()
@validated(folder=[str, os.PathLike], frames=["boolean"])
def load_melon(
    folder: str | os.PathLike[str],
    *,
    splits: Iterable[str] = ("train",),
    items: Iterable[int] | None = None,
    frames: bool = True,
) -> Bunch:
    """Load the songs of playlists, and the mel spectrograms of the songs.

    Parameters
    ----------
    folder : str or PathLike
        The folder of the data set, with ``song_meta.json``, the playlists
        ``train.json``, ``val.json`` and ``test.json``, and, if they exist,
        ``arena_mel_0.tar`` to ``arena_mel_39.tar``.
    splits : iterable of {"train", "val", "test"}, default=("train",)
        Playlists to load. Those of ``val`` and ``test`` are incomplete.
    items : iterable of int, default=None
        The songs to keep, one row each, in this order. ``None`` keeps those with
        playlists, sorted.
    frames : bool, default=True
        Whether to find the spectrograms.

    <bunch>

        plays : csr_array of shape (n_items, n_playlists)
            1 where a playlist has a song, float64.
        item_ids, user_ids : ndarray of shape (n_items,) and (n_playlists,)
            Numbers of songs and of playlists. Playlists take the place of users.
        titles : ndarray of shape (n_items,), dtype object
            Names of songs.
        artists : list of n_items lists of int
            Artists of each song; some songs have several.
        groups : ndarray of shape (n_items,)
            The first artist of each song, or a unique negative number.
        genres : list of n_items lists of str
            Codes of genres.
        release_dates : ndarray of shape (n_items,), datetime64[D]
            Day of issue, the first of the year or month if the day is unknown; NaT if
            there is none.
        frames : LazySequence of n_items, or None
            Mel spectrograms; item i is (n_frames_i, 48), float32, frame-major, read
            from its archive on access. A song without a spectrogram has zero frames.
        is_known : ndarray of shape (n_items,), bool, or None
            Whether a song has a spectrogram.
        <summary>

    Raises
    ------
    ValueError
        If a file is damaged or invalid (the error names the file), or no playlist has
        one of the songs.
    <unopened>

    See Also
    --------
    load_music4all : Clips of 30 s and their listeners.

    Notes
    -----
    The archives are not unpacked, and memory does not grow with the number of
    spectrograms. The loader was written from the public description of the format and
    tested on files written in it.

    .. versionadded:: 0.2

    References
    ----------
    .. [1] A. Ferraro et al., "Melon Playlist Dataset: a public dataset for audio-based
       playlist generation and music tagging", ICASSP 2021.

    Examples
    --------
    >>> import json
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_melon
    >>> songs = [{"id": 0, "song_name": "One", "issue_date": "20140512",
    ...           "artist_id_basket": [3], "song_gn_gnr_basket": ["GN0900"]}]
    >>> playlists = [{"id": 9, "songs": [0], "tags": [], "like_cnt": 1,
    ...               "updt_date": "2014-05-20 00:00:00.000"}]
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "song_meta.json").write_text(json.dumps(songs))
    ...     _ = Path(folder, "train.json").write_text(json.dumps(playlists))
    ...     melon = load_melon(folder)
    >>> melon.plays.toarray(), melon.release_dates[0]
    (array([[1.]]), np.datetime64('2014-05-12'))
    """
    place = check_path(folder, "folder")
    wanted = list(splits)
    if not wanted or set(wanted) - set(PLAYLISTS):
        raise ValueError(
            f"splits is {splits!r}; expected some of {', '.join(PLAYLISTS)}."
        )
    playlists = [
        playlist
        for split in wanted
        for playlist in _entries(place / f"{split}.json", _playlist)
    ]
    numbers, songs = zip(*playlists, strict=True)
    song, user_ids = np.concatenate(songs), np.array(numbers)
    user = np.repeat(np.arange(len(songs)), [len(of_list) for of_list in songs])
    fixed = fixed_ids(items, "items")
    item_ids = np.unique(song) if fixed is None else np.array(fixed, np.int64)
    row = positions(song, item_ids)
    known = row >= 0
    if not known.any():
        raise ValueError(
            f"No playlist of {place} has one of the {len(item_ids)} songs."
        )
    plays = indicator(row[known], user[known], (len(item_ids), len(user_ids)))
    has_songs = np.flatnonzero(np.bincount(plays.indices, minlength=len(user_ids)))
    plays = sp.csr_array(plays[:, has_songs])
    return Bunch(
        plays=plays,
        item_ids=item_ids,
        user_ids=user_ids[has_songs],
        **_songs(place / "song_meta.json", item_ids),
        **_spectrograms(place, item_ids, frames),
        DESCR=(
            f"{len(item_ids)} songs in {len(has_songs)} playlists ({plays.nnz} pairs)."
        ),
    )


def _entries(path: Path, read: Callable[[Any], Any]) -> list[Any]:
    """Read the objects of a list one by one."""
    text = check_regular_file(path).read_bytes()
    found, where = [], str(path)
    try:
        for number, entry in enumerate(json.loads(text), 1):
            where = f"{path}, object {number}"
            found.append(read(entry))
    except WRONG_JSON as error:
        raise ValueError(
            f"{where}: {type(error).__name__}: {error}; expected a list of objects "
            "with numbers as ids."
        ) from error
    if not found:
        raise ValueError(f"{path} is an empty list.")
    return found


def _playlist(entry: Any) -> tuple[int, np.ndarray]:
    """Return the number of a playlist, and its songs."""
    songs = np.array([*map(operator.index, entry["songs"])], np.int64)
    return operator.index(entry["id"]), songs


def _songs(path: Path, item_ids: np.ndarray) -> dict[str, Any]:
    """Return the metadata of songs, in the order of items."""
    row_of = {item: row for row, item in enumerate(item_ids.tolist())}
    titles = np.full(len(row_of), "", object)
    artists: list[list[int]] = [[] for _ in row_of]
    genres: list[list[str]] = [[] for _ in row_of]
    dates = np.full(len(row_of), "NaT", "M8[D]")

    def read(song: Any) -> None:
        row = row_of.get(operator.index(song["id"]))
        if row is not None:
            titles[row] = song.get("song_name") or ""
            artists[row] = [*map(operator.index, song.get("artist_id_basket") or [])]
            genres[row] = list(song.get("song_gn_gnr_basket") or [])
            dates[row] = _day(song.get("issue_date"))

    _entries(path, read)
    return {
        "titles": titles,
        "artists": artists,
        "groups": np.array([
            of_song[0] if of_song else -1 - row for row, of_song in enumerate(artists)
        ]),
        "genres": genres,
        "release_dates": dates,
    }


def _day(text: Any) -> str:
    """Return a day of ISO 8601; unknown months and days are written 00."""
    digits = str(text or "")
    is_number = digits.isascii() and digits.isdigit()
    if len(digits) != 8 or not is_number or digits[:4] == "0000":
        return "NaT"
    year, month, day = digits[:4], digits[4:6], digits[6:]
    if not 1 <= int(month) <= 12:
        month, day = "01", "01"
    try:
        return str(np.datetime64(f"{year}-{month}-{day}", "D"))
    except ValueError:
        return f"{year}-{month}-01"


def _spectrograms(folder: Path, item_ids: np.ndarray, wanted: bool) -> dict[str, Any]:
    """Find the positions of the spectrograms of items in the archives."""
    archives = sorted(folder.glob("arena_mel_*.tar"))
    if not (wanted and archives):
        return {"frames": None, "is_known": None}
    row = {item: i for i, item in enumerate(item_ids.tolist())}
    places: list[tuple[str, int, int]] = [("", 0, 0)] * len(row)
    for path in archives:
        with (
            named_damage(path),
            tarfile.open(check_regular_file(path), "r:") as archive,
        ):
            for member in archive:
                stem, suffix = os.path.splitext(os.path.basename(member.name))
                is_number = stem.isascii() and stem.isdigit()
                if member.isreg() and suffix == ".npy" and is_number:
                    if (item := row.get(int(stem))) is not None:
                        start, size = member.offset_data, member.size
                        places[item] = str(path.absolute()), start, size
    return {
        "frames": LazySequence(_read_spectrogram, places),
        "is_known": np.array([bool(path) for path, _, _ in places]),
    }


def _read_spectrogram(place: tuple[str, int, int]) -> np.ndarray:
    """Read one spectrogram of an archive, (n_frames, 48)."""
    path, start, size = place
    if not path:
        return np.empty((0, N_BANDS), np.float32)
    with open(path, "rb") as file:
        file.seek(start)
        member = io.BytesIO(file.read(size))
    what = f"The spectrogram at byte {start} of {path}"
    try:
        check_npy(member, size, what)
        member.seek(0)
        bands = np.lib.format.read_array(member, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{what} cannot be read: {error}") from error
    if bands.ndim != 2 or bands.shape[0] != N_BANDS or bands.dtype.kind not in "fiu":
        raise ValueError(
            f"{what} has shape {bands.shape} and dtype {bands.dtype}; expected numbers "
            f"of shape ({N_BANDS}, n_frames)."
        )
    return np.ascontiguousarray(bands.T, dtype=np.float32)
