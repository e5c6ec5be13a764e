"""Tables of tags of items, and terms of artists of the Million Song Dataset."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import COUNT, validated
from skcoldstart.datasets._blocks import require_columns
from skcoldstart.datasets._files import begins_with, texts_of
from skcoldstart.datasets._pairs import positions, take_rows
from skcoldstart.datasets._tables import count_of, read_records
from skcoldstart.datasets.published._sqlite import SQLITE, open_database


def tag_table(
    rows: Any,
    tags: Any,
    values: Any,
    row_names: np.ndarray,
    tag_names: np.ndarray,
    n_tags: int | None,
    wanted: Iterable[str] | None,
    what: str,
) -> tuple[sp.csr_array, np.ndarray, np.ndarray, str]:
    """Build a table whose columns are the tags that occur.

    Rows are the wanted names, empty if they are unknown, or all names, sorted. Also
    return the names of rows and columns, and how many wanted names are known, as text.

    Shapes: `rows, tags, values` (n_pairs,), `row_names` (n_names,), `tag_names`
    (n_tags,) -> `X` (n_rows, n_kept), names of its rows and columns.
    """
    rows, tags = (np.asarray(part, dtype=np.int64) for part in (rows, tags))
    values = np.asarray(values, dtype=np.float32)
    order = np.lexsort((-values, tags, rows))
    rows, tags, values = rows[order], tags[order], values[order]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (np.diff(rows) != 0) | (np.diff(tags) != 0)
    first &= values > 0
    rows, tags, values = rows[first], tags[first], values[first]
    bearers = np.bincount(tags, minlength=len(tag_names))
    alphabet = np.argsort(tag_names.astype(str), kind="stable")
    kept = alphabet[bearers[alphabet] > 0]
    if n_tags is not None:
        kept = kept[np.argsort(-bearers[kept], kind="stable")][:n_tags]
    column = np.full(len(tag_names), -1, dtype=np.int64)
    column[kept] = np.arange(len(kept))
    there = column[tags] >= 0
    X = sp.csr_array(
        (values[there], (rows[there], column[tags[there]])),
        (len(row_names), len(kept)),
    )
    names, known = np.sort(row_names), ""
    if wanted is not None:
        names = np.array(texts_of(wanted, what), dtype=str)
    chosen = positions(names, row_names)
    if wanted is not None:
        known = f"; {np.sum(chosen >= 0)} of {len(chosen)} rows are known {what}"
    return take_rows(X, chosen), names, tag_names[kept].astype(object), known


@documented()
@validated(path=[str, os.PathLike], n_terms=[*COUNT, None])
def load_artist_terms(
    path: str | os.PathLike[str],
    *,
    artists: Iterable[str] | None = None,
    n_terms: int | None = None,
) -> Bunch:
    r"""Load the terms of artists as a table with one row per item.

    Parameters
    ----------
    path : str or PathLike
        A UTF-8 table whose first line names the columns ``artist_id`` and ``term``, and
        optionally ``weight`` (tabs, commas or semicolons; plain or compressed); or the
        SQLite database ``artist_term.db``.
    artists : iterable of str, default=None
        Artist of each item, such as ``load_msd_songs(...).artist_ids``: row i has the
        terms of ``artists[i]``, if any. ``None`` returns one row per artist.
    n_terms : int, default=None
        Number of terms to keep: those of the most artists. ``None`` keeps all.

    <bunch>

        X : csr_array of shape (n_rows, n_terms)
            1 where an artist bears a term, or its weight; float32.
        artist_ids : ndarray of shape (n_rows,)
            Artist of each row; sorted if `artists` is not given.
        terms : ndarray of shape (n_terms,), dtype object
            Names of the columns, sorted; with `n_terms` by decreasing number of
            artists.
        <summary>

    Raises
    ------
    ValueError
        If a column or table is missing, a row is invalid (the error names file and
        line), or the file is empty or damaged.
    <unopened>

    See Also
    --------
    load_lastfm_tags : Tags of tracks.

    Notes
    -----
    Songs of one artist have equal rows: hold out artists instead of songs
    (``GroupKFold``).

    .. versionadded:: 0.1

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_artist_terms
    >>> with TemporaryDirectory() as folder:
    ...     table = Path(folder, "artist_terms.tsv")
    ...     _ = table.write_text("artist_id\tterm\nAR1\trock\nAR2\tjazz\nAR1\tpop\n")
    ...     known = load_artist_terms(table, artists=["AR2", "AR1", "AR2"])
    >>> known.terms.tolist()
    ['jazz', 'pop', 'rock']
    >>> known.X.toarray()
    array([[1., 0., 0.],
           [0., 1., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    pairs = _from_sqlite(path) if begins_with(path, SQLITE) else _from_table(path)
    artist_code: dict[str, int] = {}
    term_code: dict[str, int] = {}
    rows, columns, weights = [], [], []
    for artist, term, weight in pairs:
        rows.append(artist_code.setdefault(artist, len(artist_code)))
        columns.append(term_code.setdefault(term, len(term_code)))
        weights.append(weight)
    if not rows:
        raise ValueError(f"{path} has no terms.")
    names = np.array(list(artist_code)), np.array(list(term_code), dtype=object)
    X, artist_ids, terms, known = tag_table(
        rows, columns, weights, *names, n_terms, artists, "artists"
    )
    return Bunch(
        X=X,
        artist_ids=artist_ids,
        terms=terms,
        DESCR=f"{len(artist_code)} artists, {len(terms)} terms ({X.nnz} pairs){known}.",
    )


def _from_table(path: str | os.PathLike[str]) -> Iterator[tuple[str, str, float]]:
    records = read_records(path, "artist_id, term")
    _, header = next(records)
    require_columns(path, header, "artist_id", "term")
    artist, term = header.index("artist_id"), header.index("term")
    weight = header.index("weight") if "weight" in header else None
    for line, row in records:
        if not row[artist] or not row[term]:
            raise ValueError(f"{path}, line {line}: artist_id or term is empty.")
        strength = "1" if weight is None else row[weight]
        yield row[artist], row[term], count_of(strength, path, line, "weight")


def _from_sqlite(path: str | os.PathLike[str]) -> Iterator[tuple[str, str, float]]:
    with open_database(path) as database:
        database.require("artist_term", "artist_id", "term")
        rows = database.rows("SELECT artist_id, term FROM artist_term ORDER BY rowid")
        for number, (artist, term) in enumerate(rows, 1):
            if not artist or not term:
                raise ValueError(
                    f"{path}, row {number} of artist_term: artist_id or term is empty."
                )
            yield str(artist), str(term), 1.0
