"""Find the best of millions of items for a user with an index."""

from collections.abc import Callable, Sequence
from importlib import import_module
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skcoldstart._scores.recommendations import masked_lists
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import COUNT, Interval, StrOptions, validated
from skcoldstart._utils.threads import n_kernel_threads
from skcoldstart.serving._longest_first import LongestFirst

_BLOCK_QUERIES = 1024
# Finds n candidates of each query, with `width` candidates in the search: float32
# (n_queries, k), n, width -> int64 (n_queries, n).
Search = Callable[[np.ndarray, int, int], np.ndarray]


class VectorIndex:
    """An index that finds the vectors with the largest inner products quickly.

    Returned by `build_index`.

    .. versionadded:: 0.2

    Parameters
    ----------
    vectors : float32 ndarray of shape (n_vectors, k)
        The vectors.
    search : callable, default=None
        ``search(queries, n, width)`` returns n candidates of each query, -1 if there
        are fewer; ``None`` means an exact search.
    search_width : int, default=128
        Candidates kept while the graph is searched.
    n_jobs : int, default=None
        Number of threads of the exact search; ``None`` means all.

    Attributes
    ----------
    vectors : float32 ndarray of shape (n_vectors, k)
        The vectors.
    search_width : int
        Set it to a larger value for a better recall, or to a smaller one for speed.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        search: Search | None = None,
        search_width: int = 128,
        n_jobs: int | None = None,
    ) -> None:
        self.vectors = vectors
        self._largest = float(np.abs(vectors).max())
        self.search_width = search_width
        self._search = search
        self._sorted = LongestFirst(vectors) if search is None else None
        self._n_jobs = n_jobs

    def query(
        self, vectors: Any, n: int = 10, *, exclude: Any = None
    ) -> tuple[np.ma.MaskedArray, np.ma.MaskedArray]:
        """Return the rows with the largest inner products with each query.

        Parameters
        ----------
        vectors : array-like of shape (n_queries, k)
            Queries, such as factors of users.
        n : int, default=10
            Number of rows per query.
        exclude : sequence of n_queries sequences of int, or {array-like, sparse} of \
                shape (n_queries, n_vectors), default=None
            Rows to exclude for each query.

        Returns
        -------
        rows : masked array of int of shape (n_queries, n)
            Rows of the index, best first, masked where there are fewer. The exact
            search returns rows with equal scores in ascending order.
        scores : masked array of float32 of shape (n_queries, n)
            Their inner products, exact for the rows that were found.

        Raises
        ------
        ValueError
            If queries have another number of components or are not finite, `n` is below
            1, or `exclude` is invalid.
        """
        queries = _as_vectors(vectors)
        if queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"Queries have {queries.shape[1]} components but the index has "
                f"{self.vectors.shape[1]}; expected the same number."
            )
        largest = queries.shape[1] * self._largest * float(np.abs(queries).max())
        if largest > float(np.finfo(np.float32).max):
            raise ValueError(
                f"Inner products of vectors up to {self._largest:g} with these queries "
                "may be beyond float32; divide the vectors, or the queries, by a "
                "constant."
            )
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"n={n!r}; expected an integer of at least 1.")
        hidden = _excluded(exclude, len(queries), len(self.vectors))
        if self._sorted is not None:
            return masked_lists(
                *self._sorted.query(queries, int(n), hidden, self._n_jobs)
            )
        assert self._search is not None
        n_hidden = 0 if hidden is None else int(np.diff(hidden.indptr).max(initial=0))
        n_found = min(int(n) + n_hidden, len(self.vectors))
        rows = np.full((len(queries), max(int(n), n_found)), -1)
        width = max(self.search_width, n_found)
        rows[:, :n_found] = self._search(queries, n_found, width)
        gone = rows < 0
        if hidden is not None:
            first = np.arange(len(queries))[:, np.newaxis] * len(self.vectors)
            pairs = hidden.tocoo()
            gone |= np.isin(first + rows, first[pairs.row, 0] + pairs.col)
        scores = np.empty(rows.shape, np.float32)
        for start in range(0, len(rows), _BLOCK_QUERIES):
            block = slice(start, start + _BLOCK_QUERIES)
            found = self.vectors[np.where(gone[block], 0, rows[block])]
            scores[block] = np.einsum("qnk,qk->qn", found, queries[block])
        rows, scores = np.where(gone, -1, rows), np.where(gone, -np.inf, scores)
        order = np.lexsort((rows, -scores))[:, : int(n)]
        return masked_lists(
            *(np.take_along_axis(a, order, axis=1) for a in (rows, scores))
        )


@validated(
    vectors=["array-like", "sparse matrix"],
    backend=[StrOptions({"usearch", "voyager", "faiss", "exact"})],
    connectivity=[Interval(Integral, 2, None, closed="left")],
    build_width=COUNT,
    search_width=COUNT,
    n_jobs=[Integral, None],
)
def build_index(
    vectors: Any,
    backend: str = "exact",
    *,
    connectivity: int = 16,
    build_width: int = 128,
    search_width: int = 128,
    n_jobs: int | None = None,
) -> VectorIndex:
    """Build an index of vectors by inner product: items for users, or users for items.

    .. versionadded:: 0.2

    Parameters
    ----------
    vectors : array-like of shape (n_vectors, k)
        Vectors to find, such as factors of items.
    backend : {"exact", "usearch", "voyager", "faiss"}, default="exact"
        "exact" finds the best rows of all. The others are libraries of graphs, which
        may miss some of them; ``pip install skcoldstart[serve]`` installs usearch.
    connectivity : int, default=16
        Neighbours of a vector in the graph: more improve the recall and need memory.
    build_width : int, default=128
        Candidates kept while the graph is built: more improve the recall and take time.
    search_width : int, default=128
        Candidates kept while the graph is searched: more improve the recall and take
        time per query.
    n_jobs : int, default=None
        Number of threads; ``None`` means all.

    Returns
    -------
    VectorIndex
        ``query(vectors, n, exclude=None)`` returns rows and scores.

    Raises
    ------
    ImportError
        If the library is not installed.
    TypeError
        If vectors are sparse.
    ValueError
        If vectors are not finite, or a parameter is out of range.

    See Also
    --------
    load_export : Factors of items and users from a folder.
    skcoldstart.recommend : Exact lists of a model.

    Notes
    -----
    "exact" is also the fastest backend for factors of recommenders: its recall is 1 at
    a higher rate than that of graphs at .95, and it is built in seconds
    (``benchmarks/README.md``). It sorts vectors by length. The search of a query ends
    where ``|q| |v|`` is below the worst score in its list. Most of the vectors before
    are excluded by their first coordinates on principal axes, because the lengths of
    the other coordinates bound what these add. Bounds allow for rounding, and the
    remaining scores are computed in double precision. If all vectors have similar
    lengths and no principal axes, the cost is about that of a matrix product. The index
    takes a little more than three times the memory of the vectors.

    The libraries use a graph of near neighbours (HNSW). A graph built with the inner
    product itself (usearch, faiss) has a much better recall than one built with
    distances of vectors that an additional component makes equally long (voyager).
    Graphs built by several threads differ between runs. Scores of the found rows are
    exact.

    References
    ----------
    C. Teflioudi, R. Gemulla, O. Mykytiuk, "LEMP: Fast Retrieval of Large Entries in a
    Matrix Product", SIGMOD 2015, and H. Li, T. N. Chan, M. L. Yiu, N. Mamoulis,
    "FEXIPRO: Fast and Exact Inner Product Retrieval in Recommender Systems", SIGMOD
    2017, for bounds by lengths and by principal axes. Y. A. Malkov, D. A. Yashunin,
    "Efficient and robust approximate nearest neighbor search using Hierarchical
    Navigable Small World graphs", IEEE TPAMI 42, 2020, and S. Morozov, A. Babenko,
    "Non-metric similarity graphs for maximum inner product search", NeurIPS 2018, for
    graphs.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import build_index
    >>> index = build_index([[1.0, 0.0], [0.0, 2.0]])
    >>> rows, scores = index.query([[1.0, 1.0]], n=2)
    >>> rows.tolist(), scores.tolist()
    ([[1, 0]], [[2.0, 1.0]])
    """
    vectors = _as_vectors(vectors)
    if backend == "exact":
        return VectorIndex(vectors, search_width=search_width, n_jobs=n_jobs)
    build = {"usearch": _usearch, "voyager": _voyager, "faiss": _faiss}[backend]
    search = build(vectors, connectivity, build_width, n_kernel_threads(n_jobs))
    return VectorIndex(vectors, search, search_width)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = {"usearch.index": "skcoldstart[serve]", "faiss": "faiss-cpu"}
        raise ImportError(
            f"This requires {name.split('.')[0]}, which is not installed: pip install "
            f"{package.get(name, name)}, or use backend='exact'."
        ) from error


def _usearch(
    vectors: np.ndarray, connectivity: int, build: int, n_threads: int
) -> Search:
    index = _library("usearch.index").Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="f32",
        connectivity=connectivity,
        expansion_add=build,
    )
    index.add(np.arange(len(vectors)), vectors, threads=n_threads)

    def search(queries: np.ndarray, n: int, width: int) -> np.ndarray:
        index.expansion_search = width
        found = index.search(queries, n, threads=n_threads)
        keys = np.reshape(found.keys, (len(queries), n)).astype(np.int64)
        counts = np.reshape(getattr(found, "counts", n), (-1, 1))
        return np.where(np.arange(n) < counts, keys, -1)

    return search


def _voyager(
    vectors: np.ndarray, connectivity: int, build: int, n_threads: int
) -> Search:
    voyager = _library("voyager")
    index = voyager.Index(
        voyager.Space.InnerProduct,
        num_dimensions=vectors.shape[1],
        M=connectivity,
        ef_construction=build,
    )
    index.add_items(vectors, num_threads=n_threads)

    def search(queries: np.ndarray, n: int, width: int) -> np.ndarray:
        keys, _ = index.query(queries, n, num_threads=n_threads, query_ef=width)
        return keys.astype(np.int64)

    return search


def _faiss(
    vectors: np.ndarray, connectivity: int, build: int, n_threads: int
) -> Search:
    faiss = _library("faiss")
    index = faiss.IndexHNSWFlat(
        vectors.shape[1], connectivity, faiss.METRIC_INNER_PRODUCT
    )
    index.hnsw.efConstruction = build
    before = faiss.omp_get_max_threads()

    def with_threads(call: Callable[[], Any]) -> Any:
        faiss.omp_set_num_threads(n_threads)
        try:
            return call()
        finally:
            faiss.omp_set_num_threads(before)

    with_threads(lambda: index.add(vectors))

    def search(queries: np.ndarray, n: int, width: int) -> np.ndarray:
        index.hnsw.efSearch = width
        return with_threads(lambda: index.search(queries, n))[1]

    return search


def _as_vectors(vectors: Any) -> np.ndarray:
    refuse_masked(vectors, "vectors")
    if sp.issparse(vectors):
        raise TypeError(
            "vectors are sparse, like factors of neighbours; expected dense ones. "
            "export(model, folder, X) writes dense factors that approximate the scores "
            "of any recommender, and load_export reads them."
        )
    return check_array(vectors, dtype=np.float32, order="C", input_name="vectors")


def _excluded(exclude: Any, n_queries: int, n_vectors: int) -> sp.csr_array | None:
    """Return rows to leave out as a table of shape (n_queries, n_vectors)."""
    if exclude is None:
        return None
    if getattr(exclude, "ndim", 2) == 1:  # a Series or array of lists
        exclude = list(exclude)
    if isinstance(exclude, Sequence) and len(exclude) == n_queries:
        lists = [_rows_of(rows) for rows in exclude]
        if not any(len(rows) == n_vectors and set(rows) <= {0, 1} for rows in lists):
            rows = np.concatenate([*lists, np.empty(0, np.int64)])
            outside = rows[(rows < 0) | (rows >= n_vectors)]
            if len(outside):
                raise ValueError(
                    f"exclude holds row {outside[0]} but the index has {n_vectors} "
                    "rows."
                )
            place = np.repeat(np.arange(n_queries), list(map(len, lists)))
            table = sp.csr_array(
                (np.ones(len(rows)), (place, rows)), (n_queries, n_vectors)
            )
            table.sum_duplicates()
            return table
    refuse_masked(exclude, "exclude")
    # A copy, because the table is sorted and its zeros are removed.
    table = sp.csr_array(
        check_array(exclude, accept_sparse="csr", input_name="exclude"), copy=True
    )
    if table.shape != (n_queries, n_vectors):
        raise ValueError(
            f"exclude has shape {table.shape}; expected (n_queries, n_vectors) = "
            f"{(n_queries, n_vectors)}, or a sequence of rows for each query."
        )
    table.eliminate_zeros()
    table.sort_indices()
    return table


def _rows_of(excluded: Any) -> np.ndarray:
    """Return rows to exclude from the answer to one query, (n,)."""
    rows = np.asarray(excluded).ravel()
    if rows.size and not (rows.dtype.kind in "iubf" and (rows == np.rint(rows)).all()):
        raise TypeError(
            f"exclude holds {excluded!r:.80}; expected rows of the index, which are "
            "integers."
        )
    return rows.astype(np.int64)
