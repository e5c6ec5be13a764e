"""Load libraries of articles: citeulike-a and citeulike-t."""

import math
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.paths import check_path, check_regular_file
from skcoldstart.datasets._files import is_whole_number, lines_of, open_npz
from skcoldstart.datasets._pairs import indicator


@documented()
def load_citeulike(path: str | os.PathLike[str]) -> Bunch:
    r"""Load users' libraries of articles, with the words or features of the articles.

    Parameters
    ----------
    path : str or PathLike
        A folder with ``users.dat`` (line u: how many articles user u keeps, then their
        numbers from 0; an empty line is a user without articles) or
        ``users_x_items.npz`` (a SciPy matrix), and, if they exist: ``items.dat`` (the
        same for articles), ``mult.dat`` (line i: how many different words article i
        has, then ``word:count``) or ``items_x_words.npz``; ``vocabulary.dat`` or
        ``vocab.dat``; ``feat-vae.mat`` (features of the text); ``cold_split`` with
        ``train.csv``, ``test.csv`` and ``test_item_ids.csv``, whose numbers begin at 1.

    <bunch>

        plays : csr_array of shape (n_items, n_users)
            1 where a user keeps an article, float64.
        X : ndarray of shape (n_items, n_features), or None
            Features of ``feat-vae.mat``, float64.
        words : csr_array of shape (n_items, n_words), or None
            Counts of words, float64.
        vocabulary : ndarray of shape (n_words,), dtype object, or None
            Names of the columns of `words`.
        train_idx, test_idx : ndarray of shape (n_train,) and (n_test,), or None
            Articles of the official cold split: no training pair has a test article.
        folds : list of (ndarray, ndarray), or None
            The split in the form of ``cv=`` of a search or cross-validation.
        <summary>

    Raises
    ------
    ValueError
        If there is no table of users, a line is invalid (the error names file and
        line), or files contradict each other.
    <unopened>

    Notes
    -----
    Tags are not loaded: the users who keep the articles typed them, so they reveal
    held-out pairs.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] H. Wang, B. Chen, W.-J. Li, "Collaborative topic regression with social
       regularization for tag recommendation", IJCAI 2013.
    .. [2] M. Volkovs, G. Yu, T. Poutanen, "DropoutNet: addressing cold start in
       recommender systems", NIPS 2017.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skcoldstart.datasets import load_citeulike
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "users.dat").write_text("2 0 2\n1 2\n")
    ...     _ = Path(folder, "mult.dat").write_text("1 0:3\n0\n2 0:1 1:1\n")
    ...     articles = load_citeulike(folder)
    >>> articles.plays.toarray()
    array([[1., 0.],
           [0., 0.],
           [1., 1.]])
    >>> articles.words.toarray()
    array([[3., 0.],
           [0., 0.],
           [1., 1.]])
    """
    folder = check_path(path)
    if not folder.is_dir():
        raise ValueError(f"{path} is not a folder; expected that of the data set.")
    vocabulary = _vocabulary(folder)
    words = _words(folder, 0 if vocabulary is None else len(vocabulary))
    features = _features(folder)
    content = words if features is None else features
    plays = _plays(folder, None if content is None else content.shape[0])
    for part, name in ((words, "words"), (features, "features")):
        if part is not None and part.shape[0] != plays.shape[0]:
            raise ValueError(
                f"{path} has {name} of {part.shape[0]} items and users of "
                f"{plays.shape[0]}; expected the same number."
            )
    if words is not None and vocabulary is not None:
        if len(vocabulary) != words.shape[1]:
            raise ValueError(
                f"The vocabulary of {path} has {len(vocabulary)} words and the "
                f"articles {words.shape[1]}; expected as many."
            )
    train, test = _cold_split(folder, plays)
    return Bunch(
        plays=plays,
        X=features,
        words=words,
        vocabulary=vocabulary,
        train_idx=train,
        test_idx=test,
        folds=None if train is None else [(train, test)],
        DESCR=(
            f"{plays.shape[0]} articles in the libraries of {plays.shape[1]} users "
            f"({plays.nnz} pairs)"
            + ("" if words is None else f"; {words.shape[1]} words")
            + ("" if features is None else f"; {features.shape[1]} features")
            + ("" if test is None else f"; {len(test)} articles of a cold split")
            + "."
        ),
    )


def _plays(folder: Path, n_items: int | None) -> sp.csr_array:
    matrix, users, items = (
        folder / name for name in ("users_x_items.npz", "users.dat", "items.dat")
    )
    if matrix.exists():
        plays = sp.csr_array(_matrix(matrix).T, dtype=np.float64)
    elif users.exists():
        of_users = _lists(users)
        of_items = _lists(items) if items.exists() else None
        if of_items is not None:
            n_items = len(of_items)
        plays = sp.csr_array(_table(of_users, n_items, users).T)
        if (
            of_items is not None
            and (_table(of_items, len(of_users), items) != plays).nnz
        ):
            raise ValueError(
                f"users.dat and items.dat of {folder} hold different pairs; expected "
                "the same."
            )
    else:
        raise ValueError(
            f"{folder} has neither {matrix.name} nor users.dat; expected the folder of "
            "citeulike-a or citeulike-t."
        )
    plays.sum_duplicates()
    if plays.nnz == 0 or not np.all(plays.data >= 0):
        raise ValueError(f"{folder} has no pairs, or negative ones, or NaN.")
    plays.eliminate_zeros()
    plays.data[:] = 1.0
    return plays


def _matrix(path: Path) -> Any:
    check_regular_file(path)
    try:
        with open_npz(path) as arrays:
            kind = arrays["format"].item()
        if kind not in (b"csr", b"csc", b"coo", "csr", "csc", "coo"):
            raise ValueError(f"its format is {kind}, expected csr, csc or coo")
        return sp.load_npz(path)
    except (ValueError, OSError, KeyError, MemoryError) as error:
        raise ValueError(f"{path} is not a sparse matrix of SciPy: {error}") from error


def _lists(path: Path) -> list[list[int]]:
    """Read lines with a number n followed by n numbers."""
    rows = []
    for number, fields in _rows(path):
        if not all(map(is_whole_number, fields)):
            line = " ".join(fields)
            raise ValueError(
                f"{path}, line {number}: {line[:80]!r}; expected whole numbers."
            )
        size, *members = map(int, fields)
        if size != len(members):
            raise ValueError(
                f"{path}, line {number} begins with {size} and has {len(members)} "
                "more numbers; expected as many."
            )
        rows.append(members)
    if not rows:
        raise ValueError(f"{path} is empty; expected a line for each row.")
    return rows


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of each line; an empty line counts 0."""
    following = 1
    for number, line in lines_of(path):
        # Skipping it would shift the rows below.
        yield from ((empty, ["0"]) for empty in range(following, number))
        yield number, line.split() or ["0"]
        following = number + 1


def _table(lists: list[list[int]], width: int | None, path: Path) -> sp.csr_array:
    """Return a table with 1 for each member of a list, (n_lists, width)."""
    rows = np.repeat(np.arange(len(lists)), [len(members) for members in lists])
    columns = np.array([*chain.from_iterable(lists)], dtype=np.int64)
    most = int(columns.max(initial=-1))
    if width is not None and most >= width:
        raise ValueError(
            f"{path}, line {rows[np.argmax(columns)] + 1} has the number {most}; "
            f"expected less than {width}."
        )
    return indicator(rows, columns, (len(lists), most + 1 if width is None else width))


def _words(folder: Path, n_words: int) -> sp.csr_array | None:
    """Read counts of words, for at least the words of the vocabulary."""
    matrix, path = folder / "items_x_words.npz", folder / "mult.dat"
    if matrix.exists():
        words = sp.csr_array(_matrix(matrix), dtype=np.float64)
        if not np.all((words.data >= 0) & (words.data < np.inf)):
            raise ValueError(f"{matrix} has counts that are negative or not finite.")
        return words
    if not path.exists():
        return None
    indptr, indices, counts = [0], [], []
    for number, (size, *pairs) in _rows(path):
        for pair in pairs:
            word, _, count = pair.partition(":")
            if not (is_whole_number(word) and is_whole_number(count)):
                raise ValueError(
                    f"{path}, line {number}: {pair[:40]!r}; expected word:count."
                )
            indices.append(int(word))
            counts.append(float(count))
        if size != str(len(pairs)):
            raise ValueError(
                f"{path}, line {number} begins with {size[:20]} and has "
                f"{len(pairs)} words; expected as many."
            )
        indptr.append(len(indices))
    shape = (len(indptr) - 1, max(n_words, 1 + max(indices, default=-1)))
    return sp.csr_array((counts, indices, indptr), shape)


def _vocabulary(folder: Path) -> np.ndarray | None:
    for name in ("vocabulary.dat", "vocab.dat"):
        if (folder / name).exists():
            return np.array([word for _, word in lines_of(folder / name)], dtype=object)
    return None


def _features(folder: Path) -> np.ndarray | None:
    path = folder / "feat-vae.mat"
    if not path.exists():
        return None
    import scipy.io

    check_regular_file(path)
    try:
        variables = scipy.io.loadmat(path, variable_names=["feat"])
        features = np.asarray(variables.get("feat", np.nan), dtype=np.float64)
    except Exception as error:  # SciPy raises many kinds for a damaged file
        raise ValueError(f"{path} cannot be read as a MATLAB file: {error}") from error
    if "feat" not in variables:
        raise ValueError(f"{path} has no variable 'feat'.")
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(
            f"feat of {path} has shape {features.shape} or values that are not finite; "
            "expected finite numbers of shape (n_items, n_features)."
        )
    return features


def _cold_split(
    folder: Path, plays: sp.csr_array
) -> tuple[np.ndarray | None, np.ndarray | None]:
    place = folder / "cold_split"
    if not place.is_dir():
        return None, None
    n_items, n_users = plays.shape
    test = _numbers(place / "test_item_ids.csv", (n_items,))[:, 0]
    is_test = np.zeros(n_items, dtype=bool)
    is_test[test] = True
    for name, wanted in (("train.csv", ~is_test), ("test.csv", is_test)):
        pairs = _numbers(place / name, (n_users, n_items, None))
        split = sp.csr_array(
            (np.ones(len(pairs)), (pairs[:, 1], pairs[:, 0])), plays.shape
        )
        expected = sp.diags_array(wanted.astype(float)) @ plays
        if (split != expected).nnz:
            raise ValueError(
                f"{place / name} does not have the users' pairs of the "
                f"{'test' if name == 'test.csv' else 'other'} articles."
            )
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _numbers(path: Path, limits: tuple[int | None, ...]) -> np.ndarray:
    """Read comma-separated numbers from 1, and return them from 0."""
    rows = []
    for number, line in lines_of(path):
        fields = line.split(",")
        good = len(fields) == len(limits) and all(
            is_whole_number(field) and 1 <= int(field) <= (limit or math.inf)
            for field, limit in zip(fields, limits, strict=True)
        )
        if not good:
            ranges = [f"1 to {limit}" if limit else ">= 1" for limit in limits]
            raise ValueError(
                f"{path}, line {number}: {line[:80]!r}; expected {len(limits)} "
                f"numbers, {', '.join(ranges)}."
            )
        rows.append([int(field) - 1 for field in fields])
    return np.array(rows, dtype=np.int64).reshape(-1, len(limits))
