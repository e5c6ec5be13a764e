"""Load the text lists of the Million Song Dataset."""

import os
import re

import numpy as np
from sklearn.utils import Bunch

from skcoldstart.datasets._files import open_bytes, read_lines

MISMATCH = re.compile(r"ERROR: <(SO[A-Z0-9]+) (TR[A-Z0-9]+)> ")


def load_unique_tracks(path: str | os.PathLike[str]) -> Bunch:
    """Load the list of tracks of the Million Song Dataset, ``unique_tracks.txt``.

    Parameters
    ----------
    path : str or PathLike
        Lines of track id, song id, artist and title with ``<SEP>`` between them, in
        UTF-8; plain or compressed.

    Returns
    -------
    Bunch
        With the attributes, in the order of the file:

        item_ids : ndarray of shape (n_tracks,)
            Song ids. Some songs have several tracks.
        track_ids : ndarray of shape (n_tracks,)
            Track ids.
        artist_names, titles : ndarray of shape (n_tracks,), dtype object
            Text; a title may be empty.
        DESCR : str
            Summary in words.

    Raises
    ------
    ValueError
        If a line does not have four fields or has an empty id, or the file is empty or
        damaged; the error names file and line.
    OSError
        If the file cannot be opened.

    See Also
    --------
    load_msd_songs : All metadata of songs.

    Notes
    -----
    Lines end only at newlines: titles contain other characters at which
    ``str.splitlines`` would split.

    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_unique_tracks
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "unique_tracks.txt")
    ...     _ = path.write_text("TR1<SEP>SO1<SEP>Somebody<SEP>A Song")
    ...     tracks = load_unique_tracks(path)
    >>> tracks.item_ids[0], tracks.titles[0]
    (np.str_('SO1'), 'A Song')
    """
    columns: list[list[str]] = [[], [], [], []]
    with open_bytes(path) as file:
        for number, line in read_lines(file, path):
            fields = line.split("<SEP>", 3)
            if len(fields) != 4 or not fields[0] or not fields[1]:
                raise ValueError(
                    f"{path}, line {number}: {line[:160]!r} has {len(fields)} fields"
                    + (" and an empty id" if len(fields) == 4 else "")
                    + "; expected 'track id<SEP>song id<SEP>artist<SEP>title'."
                )
            for column, field in zip(columns, fields, strict=True):
                column.append(field)
    if not columns[0]:
        raise ValueError(f"{path} is empty; expected a line for each track.")
    tracks, songs, artists, titles = columns
    item_ids = np.array(songs)
    return Bunch(
        item_ids=item_ids,
        track_ids=np.array(tracks),
        artist_names=np.array(artists, dtype=object),
        titles=np.array(titles, dtype=object),
        DESCR=f"{len(tracks)} tracks of {len(np.unique(item_ids))} songs.",
    )


def load_sid_mismatches(path: str | os.PathLike[str]) -> Bunch:
    """Load the list of songs whose plays may belong to another recording.

    Parameters
    ----------
    path : str or PathLike
        ``sid_mismatches.txt``: lines such as ``ERROR: <SO... TR...> Artist - Title !=
        Other Artist - Other Title``, in UTF-8; plain or compressed.

    Returns
    -------
    Bunch
        With the attributes:

        item_ids : ndarray of shape (n_songs,)
            Songs to leave out, sorted, without duplicates.
        song_ids, track_ids : ndarray of shape (n_pairs,)
            Pairs of song and track that do not match, in the order of the file, without
            duplicates.
        DESCR : str
            Summary in words.

    Raises
    ------
    ValueError
        If a line does not have that form, or the file is empty or damaged; the error
        names file and line.
    OSError
        If the file cannot be opened.

    See Also
    --------
    load_taste_profile : Accepts this list as ``mismatches``.

    Notes
    -----
    The official list has 19,094 lines, some of them twice: 18,972 pairs.

    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_sid_mismatches
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "sid_mismatches.txt")
    ...     _ = path.write_text("ERROR: <SO1 TR1> A  -  B  !=  C  -  D")
    ...     mismatches = load_sid_mismatches(path)
    >>> mismatches.item_ids.tolist()
    ['SO1']
    """
    pairs: dict[tuple[str, str], None] = {}
    with open_bytes(path) as file:
        for number, line in read_lines(file, path):
            match = MISMATCH.match(line)
            if match is None:
                raise ValueError(
                    f"{path}, line {number}: {line[:160]!r}; expected "
                    "'ERROR: <song id track id> ...' such as "
                    "'ERROR: <SOUMNSI12AB0182807 TRMMGKQ128F9325E10> ...'."
                )
            pairs[match.group(1), match.group(2)] = None
    if not pairs:
        raise ValueError(f"{path} is empty; expected a line for each mismatch.")
    songs, tracks = map(np.array, zip(*pairs, strict=True))
    item_ids = np.unique(songs)
    return Bunch(
        item_ids=item_ids,
        song_ids=songs,
        track_ids=tracks,
        DESCR=f"{len(item_ids)} songs in {len(pairs)} pairs that do not match.",
    )
