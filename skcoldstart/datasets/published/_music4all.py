"""Load Music4All and Music4All-Onion: clips of 30 s and their listeners."""

import os
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._blocks import require_columns
from skcoldstart.datasets._catalog import load_catalog
from skcoldstart.datasets._events import plays_from_events
from skcoldstart.datasets._frames import read_frame
from skcoldstart.datasets._pairs import positions

EVENTS = "userid_trackid_timestamp.tsv"
INFORMATION = "id_information.csv"


@documented()
def load_music4all(
    folder: str | os.PathLike[str],
    *,
    since: Any = None,
    until: Any = None,
    min_item_plays: float = 1,
    min_user_plays: float = 1,
) -> Bunch:
    r"""Load listens of clips, with the paths of the clips.

    Parameters
    ----------
    folder : str or PathLike
        The folder of the data set, with ``userid_trackid_timestamp.tsv`` (plain or
        compressed) and, if they exist, ``id_information.csv`` and ``audio`` with
        ``{track_id}.mp3``.
    since, until : datetime-like or str, default=None
        Keep events with ``since <= timestamp < until``.
    min_item_plays, min_user_plays : float, default=1
        Drop the events of tracks, and of users, with fewer plays.

    Returns
    -------
    Bunch
        With the attributes of `load_catalog` (``paths``, ``plays``, ``item_ids``,
        ``user_ids``, ``groups``, ``is_new``, ``metadata``), and:

        groups : ndarray of shape (n_items,), or None
            Name of the artist.
        metadata : dataframe with n_items rows, or None
            ``id_information.csv`` in item order; the id is ``track_id`` and the name of
            the song is ``title``.
        first_play : ndarray of shape (n_items,)
            Time of the first event of each track, NaT if there is none.
        n_events, n_dropped : int and dict
            Number of events in the file, and of dropped events by reason.

    Raises
    ------
    ValueError
        If a file is damaged, a column is missing (the error names the file), or no
        event is left.
    <pyarrow>
    <unopened>

    Warns
    -----
    UserWarning
        If tracks have no audio file, no artist or no metadata.

    See Also
    --------
    load_catalog : Loads your own files.
    plays_from_events : Loads any log of events.

    Notes
    -----
    A row of events is one listen. Both tables are tab-separated, whatever their suffix.
    The loader was written from the public description of the format and tested on files
    written in it.

    .. versionadded:: 0.2

    References
    ----------
    .. [1] I. A. Pegoraro Santana et al., "Music4All: A New Music Database and Its
       Applications", IWSSIP 2020.
    .. [2] M. Moscati et al., "Music4All-Onion", CIKM 2022.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_music4all
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "userid_trackid_timestamp.tsv").write_text(
    ...         "user_id\ttrack_id\ttimestamp\n"
    ...         "u1\tAb\t2019-12-27 16:05\nu1\tAb\t2019-12-28 09:00\n"
    ...         "u2\tXy\t2020-01-01 12:30\n")
    ...     taste = load_music4all(folder)
    >>> taste.item_ids, taste.plays.toarray()
    (array(['Ab', 'Xy'], dtype='<U2'), array([[2., 0.],
           [0., 1.]]))
    """
    place = check_path(folder, "folder")
    events = next(
        (p for p in sorted(place.glob(f"{EVENTS}*")) if p.is_file()), place / EVENTS
    )
    taste = plays_from_events(
        events,
        user="user_id",
        item="track_id",
        timestamp="timestamp",
        since=since,
        until=until,
        min_item_plays=min_item_plays,
        min_user_plays=min_user_plays,
    )
    options: dict[str, Any] = {}
    if (place / "audio").is_dir():
        options["audio"] = place / "audio"
    if (place / INFORMATION).exists():
        # Here "song" is the name of a song, and "id" its id.
        known = read_frame(place / INFORMATION, INFORMATION)
        require_columns(place / INFORMATION, known.columns, "id", "artist")
        names = {"id": "track_id"} | (
            {"song": "title"} if "song" in known.columns else {}
        )
        options["metadata"] = known.rename(names).to_native()
        artists = known.select("id", "artist").drop_nulls()
        options["groups"] = dict(
            zip(artists["id"].to_list(), artists["artist"].to_list(), strict=True)
        )
    catalog = load_catalog(taste, **options)
    row = positions(catalog.item_ids, taste.item_ids)
    nothing = np.datetime64("NaT")
    catalog.first_play = np.where(row >= 0, taste.first_play[row], nothing)
    catalog.n_events, catalog.n_dropped = taste.n_events, taste.n_dropped
    return catalog
