"""Load Yambda: listens of Yandex Music, and embeddings of its tracks."""

import os
from collections.abc import Iterable, Iterator
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path, check_regular_file
from skcoldstart._utils.sk import Interval, StrOptions, validated
from skcoldstart.datasets._blocks import (
    GROUP_BY_GROUP,
    ROWS,
    parquet,
    require_columns,
    whole_numbers,
)
from skcoldstart.datasets._events import fixed_ids, plays_from_events
from skcoldstart.datasets._pairs import indicator, positions

EMBEDDING_ROWS = 1 << 14


@documented()
@validated(
    folder=[str, os.PathLike],
    size=[StrOptions({"50m", "500m", "5b"})],
    event=[StrOptions({"listens", "likes", "dislikes", "unlikes", "undislikes"})],
    min_ratio=[Interval(Real, 0, None, closed="left"), None],
)
def load_yambda(
    folder: str | os.PathLike[str],
    *,
    size: str = "50m",
    event: str = "listens",
    min_ratio: float | None = 50,
    items: Iterable[int] | None = None,
) -> Bunch:
    """Load listens of tracks from the files of Yambda.

    Parameters
    ----------
    folder : str or PathLike
        The folder of the data set, with ``flat/{size}/{event}.parquet`` and, if it
        exists, ``artist_item_mapping.parquet``.
    size : {"50m", "500m", "5b"}, default="50m"
        Size of the data set.
    event : {"listens", "likes", "dislikes", "unlikes", "undislikes"}, default="listens"
        Kind of events.
    min_ratio : float, default=50
        Keep listens with a larger played ratio, in **per cent** of the track: 50 is
        half of it. ``None`` keeps all. Other kinds of events have no ratio.
    items : iterable of int, default=None
        The tracks to keep, one row each, in this order. ``None`` keeps those with
        events, sorted.

    <bunch>

        plays : csr_array of shape (n_items, n_users)
            Number of events, float64.
        item_ids, user_ids : ndarray of shape (n_items,) and (n_users,)
            Numbers of the data set.
        first_play : ndarray of shape (n_items,)
            Time of the first event, in seconds since an undisclosed origin; NaN if
            there is none.
        artists : csr_array of shape (n_items, n_artists), or None
            1 where an artist made a track; some tracks have several.
        artist_ids : ndarray of shape (n_artists,), or None
            Numbers of the columns of `artists`.
        groups : ndarray of shape (n_items,), or None
            For each track, the one of its artists with the most tracks, or a unique
            negative number if no artist is known.
        n_events, n_dropped : int and dict
            Number of events in the file, and of dropped events by reason.
        <summary>

    Raises
    ------
    ValueError
        If a file is damaged or lacks a column, no event is left, or `min_ratio` is a
        share of 1.
    <pyarrow>
    <unopened>

    See Also
    --------
    load_yambda_embeddings : Content of the tracks.
    plays_from_events : Loads any log of events.

    Notes
    -----
    The memory depends on the number of pairs of item and user. The loader was written
    from the public description of the format and tested on files written in it.

    .. versionadded:: 0.2

    References
    ----------
    .. [1] A. Ploshkin et al., "Yambda-5B: A Large-Scale Multi-modal Dataset for Ranking
       And Retrieval", RecSys 2025.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from skcoldstart.datasets import load_yambda
    >>> table = pa.table({
    ...     "uid": [1, 1, 2], "item_id": [7, 8, 7], "timestamp": [0, 5, 5],
    ...     "is_organic": [1, 1, 0], "played_ratio_pct": [100, 20, 51],
    ...     "track_length_seconds": [180, 200, 180]})
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "flat", "50m").mkdir(parents=True)
    ...     pq.write_table(table, Path(folder, "flat", "50m", "listens.parquet"))
    ...     taste = load_yambda(folder)
    >>> taste.item_ids, taste.plays.toarray()
    (array([7]), array([[1., 1.]]))
    """
    if min_ratio is not None and 0 < min_ratio <= 1:
        raise ValueError(
            f"min_ratio={min_ratio} is in per cent of a track; for this fraction pass "
            f"min_ratio={100 * min_ratio:g}."
        )
    place = check_path(folder, "folder")
    path = check_regular_file(place / "flat" / size / f"{event}.parquet")
    ratio = min_ratio if event == "listens" else None
    taste = plays_from_events(
        _listens(path, ratio),
        user="uid",
        item="item_id",
        timestamp="timestamp",
        items=items,
    )
    with parquet(path) as pq:
        n_events = pq.read_metadata(path).num_rows
    taste.n_dropped["below_min_ratio"] = n_events - taste.n_events
    taste.n_events = n_events
    taste.update(_artists(place / "artist_item_mapping.parquet", taste.item_ids))
    taste.DESCR = f"Yambda {size}, {event}: {taste.DESCR}"
    return taste


def _listens(path: Path, min_ratio: float | None) -> Iterator[Any]:
    """Yield tables of events, without listens below the ratio."""
    columns = ["uid", "item_id", "timestamp"]
    with parquet(path) as pq:
        import pyarrow as pa
        import pyarrow.compute as pc

        with pq.ParquetFile(path, **GROUP_BY_GROUP) as file:
            wanted = columns + ["played_ratio_pct"] * (min_ratio is not None)
            require_columns(path, file.schema_arrow.names, *wanted)
            if min_ratio is not None:
                ratio = file.schema_arrow.field("played_ratio_pct")
                _require_numbers(path, ratio, ratio.type)
            n_kept = 0
            for batch in file.iter_batches(ROWS, columns=wanted):
                table = pa.Table.from_batches([batch])
                if min_ratio is not None:
                    enough = pc.greater(table.column("played_ratio_pct"), min_ratio)
                    table = table.filter(enough)
                n_kept += table.num_rows
                yield table.select(columns)
            if min_ratio is not None and not n_kept:
                raise ValueError(
                    f"None of the {file.metadata.num_rows} events of {path} has a "
                    f"played ratio above {min_ratio} %."
                )


def _artists(path: Path, item_ids: np.ndarray) -> dict[str, Any]:
    """Return the artists of tracks, and one artist for each track."""
    if not path.exists():
        return dict.fromkeys(("artists", "artist_ids", "groups"))
    names = ("item_id", "artist_id")
    with parquet(check_regular_file(path)) as pq:
        table = pq.read_table(path)
    require_columns(path, table.column_names, *names)
    items, artists = (whole_numbers(table, name, path) for name in names)
    rows = positions(items, item_ids)
    known = rows >= 0
    artist_ids, columns = np.unique(artists[known], return_inverse=True)
    made = indicator(rows[known], columns, (len(item_ids), len(artist_ids)))
    n_tracks = np.bincount(made.indices, minlength=len(artist_ids))
    groups = -1 - np.arange(len(item_ids))
    row = np.repeat(np.arange(len(item_ids)), np.diff(made.indptr))
    # The last entry of a row is the artist with the most tracks.
    order = np.lexsort((-made.indices, n_tracks[made.indices], row))
    groups[row[order]] = artist_ids[made.indices[order]]
    return {"artists": made, "artist_ids": artist_ids, "groups": groups}


def _require_numbers(path: Path, field: Any, kind: Any) -> None:
    import pyarrow as pa

    if kind is None or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise ValueError(
            f"{path}: {field.name} has the type {field.type}; expected numbers."
        )


@documented()
@validated(folder=[str, os.PathLike], normalized=["boolean"])
def load_yambda_embeddings(
    folder: str | os.PathLike[str],
    *,
    items: Iterable[int] | None = None,
    normalized: bool = False,
) -> Bunch:
    """Load embeddings of tracks of Yambda, one row per item.

    Parameters
    ----------
    folder : str or PathLike
        The folder of the data set, with ``embeddings.parquet``.
    items : iterable of int, default=None
        Track of each item, such as ``load_yambda(...).item_ids``. ``None`` returns all
        tracks of the file in its order.
    normalized : bool, default=False
        Whether to use the embeddings of unit length.

    <bunch>

        X : ndarray of shape (n_items, n_features)
            Embeddings, float32; zeros if a track has none.
        item_ids : ndarray of shape (n_items,)
            Track of each row.
        is_known : ndarray of shape (n_items,), bool
            Whether the track has an embedding.
        <summary>

    Raises
    ------
    ValueError
        If the file is damaged, its embeddings differ in length or are not finite, or
        none of `items` has one.
    <pyarrow>
    <unopened>

    See Also
    --------
    load_yambda : Listens of the tracks.

    Notes
    -----
    The file of 13.8 GB is read by row group: the memory is ``4 * n_items * n_features``
    bytes and one block. About 18 % of the tracks have no embedding.

    .. versionadded:: 0.2

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from skcoldstart.datasets import load_yambda_embeddings
    >>> table = pa.table({"item_id": [7, 8], "embed": [[1.0, 2.0], [3.0, 4.0]]})
    >>> with TemporaryDirectory() as folder:
    ...     pq.write_table(table, Path(folder, "embeddings.parquet"))
    ...     content = load_yambda_embeddings(folder, items=[8, 9])
    >>> content.X
    array([[3., 4.],
           [0., 0.]], dtype=float32)
    >>> content.is_known
    array([ True, False])
    """
    path = check_regular_file(check_path(folder, "folder") / "embeddings.parquet")
    wanted = None if items is None else np.asarray(fixed_ids(items, "items"))
    column = "normalized_embed" if normalized else "embed"
    X, is_known, filled = None, None, 0
    with parquet(path) as pq, pq.ParquetFile(path, **GROUP_BY_GROUP) as file:
        if wanted is None:
            n_rows = file.metadata.num_rows
            ids = np.empty(n_rows, np.int64)
        else:
            n_rows, ids = len(wanted), wanted
        for found, vectors in _embeddings(file, column, path):
            if X is None or is_known is None:
                X = np.zeros((n_rows, vectors.shape[1]), np.float32)
                is_known = np.zeros(n_rows, dtype=bool)
            if vectors.shape[1] != X.shape[1]:
                raise ValueError(
                    f"{path} has embeddings of {X.shape[1]} and of {vectors.shape[1]} "
                    "numbers; expected one length."
                )
            if wanted is None:
                places = np.arange(filled, filled + len(found))
                ids[places] = found
            else:
                places = positions(found, wanted)
                places, vectors = places[places >= 0], vectors[places >= 0]
            X[places] = vectors
            is_known[places] = True
            filled += len(places)
    if X is None or is_known is None or not filled:
        raise ValueError(
            f"{path} has no embedding of the {n_rows} items; expected their numbers, "
            "such as load_yambda(...).item_ids."
        )
    if wanted is None:
        X, ids, is_known = X[:filled], ids[:filled], is_known[:filled]
    return Bunch(
        X=X,
        item_ids=ids,
        is_known=is_known,
        DESCR=f"{int(is_known.sum())} of {len(ids)} items with {X.shape[1]} features.",
    )


def _embeddings(
    file: Any, column: str, path: Path
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield numbers of tracks and their existing embeddings.

    Shapes: -> (n_rows,), (n_rows, n_features).
    """
    require_columns(path, file.schema_arrow.names, "item_id", column)
    embeddings = file.schema_arrow.field(column)
    is_list = "list" in str(embeddings.type)  # of any of three types
    _require_numbers(path, embeddings, embeddings.type.value_type if is_list else None)
    for batch in file.iter_batches(EMBEDDING_ROWS, columns=["item_id", column]):
        batch = batch.filter(batch.column(column).is_valid())
        lists = batch.column(column)
        if not len(lists):
            continue
        lengths = np.unique(lists.value_lengths().to_numpy(zero_copy_only=False))
        if len(lengths) > 1 or lengths[0] == 0:
            raise ValueError(
                f"{path} has embeddings of {', '.join(map(str, lengths))} numbers; "
                "expected one length."
            )
        values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"{path} has embeddings that are not finite.")
        yield whole_numbers(batch, "item_id", path), values.reshape(len(lists), -1)
