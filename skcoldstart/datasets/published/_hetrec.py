"""Load HetRec 2011: artists of Last.fm, their listeners, tags and friendships."""

import os
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path, check_regular_file
from skcoldstart.datasets._files import is_whole_number, named_damage, read_lines
from skcoldstart.datasets._pairs import indicator, positions

TABLES = {
    "artists": ("id", "name"),
    "tags": ("tagID", "tagValue"),
    "user_artists": ("userID", "artistID", "weight"),
    "user_taggedartists": ("userID", "artistID", "tagID"),
    "user_friends": ("userID", "friendID"),
}
EXPECTED = ", ".join(f"{name}.dat" for name in TABLES)
ENCODINGS = {"artists": "utf-8", "tags": "latin-1"}  # of the tables of names


@documented()
def load_hetrec(path: str | os.PathLike[str]) -> Bunch:
    r"""Load HetRec 2011 Last.fm: play counts of artists, their tags, users' friends.

    Parameters
    ----------
    path : str or PathLike
        The archive ``hetrec2011-lastfm-2k.zip`` or a folder of its ``.dat`` files.

    <bunch>

        plays : csr_array of shape (n_artists, n_users)
            Play counts; artists are the items.
        item_ids, user_ids : ndarray of shape (n_artists,) and (n_users,)
            Numbers of the data set, sorted.
        X : csr_array of shape (n_artists, n_tags)
            Number of users who gave a tag to an artist.
        artist_names, tags : ndarray of shape (n_artists,) and (n_tags,), dtype object
            Names of the rows and columns of `X`.
        tag_assignments : ndarray of shape (n_assignments, 3)
            Row of the artist, column of the user, column of the tag.
        friends : csr_array of shape (n_users, n_users)
            1 where two users are friends.
        n_dropped : int
            Assignments of tags with an unknown artist or user.
        <summary>

    Raises
    ------
    ValueError
        If a file or column is missing, or a line is invalid; the error names file and
        line.
    <unopened>

    See Also
    --------
    load_lastfm_tags : Tags of tracks.

    Notes
    -----
    **The tags leak.** A user who tags an artist also plays it. To evaluate
    recommendations for some users, count only the tags of the other users,
    ``X = sp.csr_array((ones, (a[:, 0], a[:, 2])))`` from rows ``a`` of
    `tag_assignments` whose user is not one of them.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] I. Cantador, P. Brusilovsky, T. Kuflik, "Second Workshop on Information
       Heterogeneity and Fusion in Recommender Systems", RecSys 2011.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_hetrec
    >>> tables = {
    ...     "artists": "id\tname\n7\tAda\n8\tBo", "tags": "tagID\ttagValue\n1\tpop",
    ...     "user_artists": "userID\tartistID\tweight\n2\t7\t5\n3\t8\t1",
    ...     "user_taggedartists": "userID\tartistID\ttagID\n2\t8\t1",
    ...     "user_friends": "userID\tfriendID\n2\t3\n3\t2"}
    >>> with TemporaryDirectory() as folder:
    ...     for name, text in tables.items():
    ...         _ = Path(folder, f"{name}.dat").write_text(text)
    ...     lastfm = load_hetrec(folder)
    >>> lastfm.artist_names.tolist(), lastfm.plays.toarray().tolist()
    (['Ada', 'Bo'], [[5.0, 0.0], [0.0, 1.0]])
    """
    with named_damage(path), ExitStack() as stack:
        files = {name: _open(path, name, stack) for name in TABLES}
        artists, tags, counts, tagged, pairs = (
            _read(file, path, name) for name, file in files.items()
        )
    item_ids, tag_ids = np.array(sorted(artists)), np.array(sorted(tags))
    user_ids = np.unique(counts[:, 0])
    items = positions(counts[:, 1], item_ids)
    if np.any(items < 0):
        raise ValueError(
            f"user_artists.dat of {path} has plays of artist "
            f"{counts[items < 0, 1][0]}, which is not in artists.dat."
        )
    shape = (len(item_ids), len(user_ids))
    users = positions(counts[:, 0], user_ids)
    plays = sp.csr_array((counts[:, 2].astype(np.float64), (items, users)), shape)
    plays.eliminate_zeros()
    assignments = np.column_stack([
        positions(tagged[:, 1], item_ids),
        positions(tagged[:, 0], user_ids),
        positions(tagged[:, 2], tag_ids),
    ])
    known = (assignments >= 0).all(axis=1)
    assignments = assignments[known]
    X = sp.csr_array(
        (np.ones(len(assignments), np.float32), assignments[:, [0, 2]].T),
        (len(item_ids), len(tag_ids)),
    )
    friends = np.column_stack([positions(pairs[:, i], user_ids) for i in (0, 1)])
    friends = friends[(friends >= 0).all(axis=1)]
    one, other = np.vstack([friends, friends[:, ::-1]]).T
    network = indicator(one, other, (len(user_ids),) * 2).astype(np.float32)
    return Bunch(
        plays=plays,
        item_ids=item_ids,
        user_ids=user_ids,
        artist_names=np.array([artists[i] for i in item_ids.tolist()], dtype=object),
        X=X,
        tags=np.array([tags[i] for i in tag_ids.tolist()], dtype=object),
        tag_assignments=assignments,
        friends=network,
        n_dropped=int((~known).sum()),
        DESCR=(
            f"{int(plays.sum())} plays of {shape[0]} artists by {shape[1]} users "
            f"({plays.nnz} pairs); {len(assignments)} assignments of {len(tag_ids)} "
            "tags, made by the same users."
        ),
    )


def _open(path: str | os.PathLike[str], name: str, stack: ExitStack) -> IO[bytes]:
    """Open a table of the folder or archive."""
    place = check_path(path)
    if place.is_dir():
        file = place / f"{name}.dat"
        if not file.exists():
            raise ValueError(f"{path} has no {name}.dat; expected {EXPECTED}.")
        return stack.enter_context(open(check_regular_file(file), "rb"))
    if not zipfile.is_zipfile(check_regular_file(place)):
        raise ValueError(f"{path} is neither a folder nor a whole zip archive.")
    archive = stack.enter_context(zipfile.ZipFile(place))
    members = [n for n in archive.namelist() if Path(n).name == f"{name}.dat"]
    if len(members) != 1:
        raise ValueError(
            f"{path} has {len(members)} files {name}.dat; expected {EXPECTED}."
        )
    return stack.enter_context(archive.open(members[0]))


def _read(file: IO[bytes], path: str | os.PathLike[str], name: str) -> Any:
    """Return names by number, or the numbers of a table as (n_rows, n_columns)."""
    wanted, n_numbers = TABLES[name], len(TABLES[name]) - (name in ENCODINGS)
    source = f"{name}.dat of {path}"
    lines = read_lines(file, source, encoding=ENCODINGS.get(name, "utf-8"))
    _, first = next(lines, (1, ""))
    header = tuple(first.split("\t"))
    if header[: len(wanted)] != wanted:
        raise ValueError(
            f"{source}, line 1 is {first[:160]!r}; expected column names that begin "
            f"with {', '.join(wanted)}, separated by tabs."
        )
    names: dict[int, str] = {}
    rows = []
    for number, line in lines:
        where, fields = f"{source}, line {number}", line.split("\t")
        if len(fields) != len(header):
            raise ValueError(
                f"{where} has {len(fields)} fields; expected {len(header)}."
            )
        for column, text in zip(wanted[:n_numbers], fields, strict=False):
            if not is_whole_number(text):
                raise ValueError(
                    f"{where}: {column} is {text!r}; expected a whole number >= 0."
                )
        key, *_ = row = [int(text) for text in fields[:n_numbers]]
        rows.append(row)
        if name in ENCODINGS and names.setdefault(key, fields[1]) != fields[1]:
            raise ValueError(f"{where}: {key} is {names[key]!r} already.")
    if not rows:
        raise ValueError(f"{source} has no rows.")
    return names or np.array(rows, dtype=np.int64)
