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
    n_rows: int,
    names: np.ndarray,
    n_tags: int | None,
) -> tuple[sp.csr_array, np.ndarray]:
    """Build a table whose columns are the tags that occur.

    Shapes: `rows, tags, values` (n_pairs,), `names` (n_names,) -> `X` (n_rows, n_kept),
    `names` (n_kept,).
    """
    rows, tags = (np.asarray(part, dtype=np.int64) for part in (rows, tags))
    values = np.asarray(values, dtype=np.float32)
    order = np.lexsort((-values, tags, rows))
    rows, tags, values = rows[order], tags[order], values[order]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (np.diff(rows) != 0) | (np.diff(tags) != 0)
    first &= values > 0
    rows, tags, values = rows[first], tags[first], values[first]
    bearers = np.bincount(tags, minlength=len(names))
    alphabet = np.argsort(names.astype(str), kind="stable")
    kept = alphabet[bearers[alphabet] > 0]
    if n_tags is not None:
        kept = kept[np.argsort(-bearers[kept], kind="stable")][:n_tags]
    column = np.full(len(names), -1, dtype=np.int64)
    column[kept] = np.arange(len(kept))
    wanted = column[tags] >= 0
    X = sp.csr_array(
        (values[wanted], (rows[wanted], column[tags[wanted]])), (n_rows, len(kept))
    )
    return X, names[kept].astype(object)


def take_named(
    X: sp.csr_array, names: np.ndarray, wanted: Iterable[str] | None, what: str
) -> tuple[sp.csr_array, np.ndarray, str]:
    """Return a row for each wanted name, empty for unknown ones, and count the known.

    Shapes: `X` (n_names, n_columns), `names` (n_names,) -> (n_wanted, n_columns),
    (n_wanted,).
    """
    if wanted is None:
        return X, names, ""
    given = np.array(texts_of(wanted, what), dtype=str)
    chosen = positions(given, names)
    described = f"; {np.sum(chosen >= 0)} of {len(chosen)} rows are known {what}"
    return take_rows(X, chosen), given, described


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
    names = np.array(list(artist_code))
    order = np.argsort(names)
    rank = np.argsort(order)
    terms = np.array(list(term_code), dtype=object)
    X, terms = tag_table(rank[rows], columns, weights, len(names), terms, n_terms)
    X, artist_ids, known = take_named(X, names[order], artists, "artists")
    return Bunch(
        X=X,
        artist_ids=artist_ids,
        terms=terms,
        DESCR=f"{len(names)} artists, {len(terms)} terms ({X.nnz} pairs){known}.",
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
