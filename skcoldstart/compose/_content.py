"""Transformers of content: rows of unit length, and kernel features."""

from numbers import Real
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, check_non_negative

from skcoldstart._recommender import TEXTS
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import COUNT, Interval, StrOptions, _fit_context
from skcoldstart.compose._base import checked_content

MOST_ITEMS = 1000  # used to compare scalings
TEMPERATURE = 0.1  # of the neighbours in this comparison


@documented(TEXTS)
class ContentScaler(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Scale a table of content to rows of unit length, for any kind of columns.

    The best scaling of the columns depends on the table: embeddings are best unchanged,
    columns of different units need a standard deviation of 1, and counts of words need
    weights.

    .. versionadded:: 0.2

    Parameters
    ----------
    n_components : int, default=None
        Maximum number of columns to which a sparse table is reduced by a truncated
        singular value decomposition; ``None`` keeps it sparse.
    scaling : {"auto", "none", "standard", "constant", "tfidf"}, default="auto"
        "none" leaves columns unchanged. "standard" gives them mean 0 and standard
        deviation 1. "constant" also adds a column of ones, so the lengths of rows are
        kept. "tfidf" takes logarithms of counts and increases the weights of rare
        columns. "auto" chooses by the plays, see Notes.
    random_state : int, RandomState instance or None, default=None
        Selects the items used to compare scalings, and seeds the decomposition.

    Attributes
    ----------
    scaling_ : str
        The selected scaling.
    scores_ : dict of str to float
        Score of each scaling, if several were compared.
    <features of fit>

    See Also
    --------
    skcoldstart.make_recommender : Uses this transformer in all of its parts.
    sklearn.preprocessing.Normalizer : Only scales rows to unit length.

    Notes
    -----
    A sparse table is not shifted: "auto" is "tfidf" if it has only integers >= 0, and
    otherwise "none". For a dense table, "auto" compares the scalings on at most 1,000
    played items. Each item is compared with the others by the softmax of their cosines
    / 0.1; the scaling with the largest mean cosine between the listeners of an item and
    the weighted listeners of the others is selected. Without `y`, "auto" is "none".

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.compose import ContentScaler
    >>> ContentScaler().fit_transform([[3.0, 4.0], [0.0, 2.0]])
    array([[0.6, 0.8],
           [0. , 1. ]])
    """

    _parameter_constraints: dict = {
        "n_components": [*COUNT, None],
        "scaling": [StrOptions({"auto", "none", "standard", "constant", "tfidf"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        scaling: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.scaling = scaling
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "ContentScaler":
        """Choose a scaling and fit it.

        Parameters
        ----------
        <table>
        y : {array-like, sparse} of shape (n_items, n_users), default=None
            Play counts, >= 0, by which "auto" chooses; or factors of items, inside the
            regressor of a `ColdStartRecommender`.

        Returns
        -------
        self
            The fitted scaler.

        Raises
        ------
        ValueError
            If `X` or `y` is malformed, or `scaling` is "standard" or "constant" for a
            sparse table.
        """
        check_same_items(X, y)
        table = checked_content(self, X)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        self.scaling_ = self._chosen(table, y, np.random.default_rng(seed))
        self._scaler = _fitted_scaler(self.scaling_, table)
        self._svd = None
        width = self.n_components
        scaled = _scaled(self.scaling_, self._scaler, table)
        self._n_features_out = scaled.shape[1]
        if sp.issparse(scaled) and width is not None and width < scaled.shape[1]:
            svd = TruncatedSVD(width, random_state=seed).set_output(transform="default")
            self._svd = svd.fit(scaled)
            self._n_features_out = len(svd.components_)
        return self

    def transform(self, X: Any) -> Any:
        """Scale items.

        Parameters
        ----------
        <table>

        Returns
        -------
        ndarray or csr_array of shape (n_items, n_components)
            Rows of length 1, or of zeros; sparse if `X` is and `n_components` is None.
        """
        check_is_fitted(self)
        table = checked_content(self, X, reset=False)
        scaled = _scaled(self.scaling_, self._scaler, table)
        if self._svd is not None:
            scaled = self._svd.transform(scaled)
        elif sp.issparse(scaled) and (
            self.n_components is not None or not sp.issparse(table)
        ):
            scaled = scaled.toarray()
        return normalize(scaled)

    def _chosen(self, table: Any, y: Any, rng: np.random.Generator) -> str:
        """Return the scaling to use."""
        self.__dict__.pop("scores_", None)
        if sp.issparse(table):
            if self.scaling in ("standard", "constant"):
                raise ValueError(
                    f"scaling={self.scaling!r} shifts columns, which makes a sparse "
                    "table dense; use scaling='tfidf' or 'none', or pass X.toarray()."
                )
            counts = "tfidf" if _are_counts(table.data) else "none"
            return counts if self.scaling == "auto" else self.scaling
        if self.scaling != "auto":
            return self.scaling
        targets = None if y is None else _unit_targets(y, n_items=len(table))
        if targets is None:
            return "none"
        played = np.flatnonzero(np.diff(targets.indptr))
        if len(played) < 3:
            return "none"
        if len(played) > MOST_ITEMS:
            played = np.sort(rng.choice(played, MOST_ITEMS, replace=False))
        shared = (targets[played] @ targets[played].T).toarray()
        ways = ["none", "standard", "constant"]
        if _are_counts(table):
            ways.append("tfidf")
        self.scores_ = {}
        for way in ways:
            scaled = _scaled(way, _fitted_scaler(way, table), table[played])
            scaled = scaled.toarray() if sp.issparse(scaled) else scaled
            self.scores_[way] = _agreement(normalize(scaled), shared)
        return max(self.scores_, key=self.scores_.__getitem__)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


@documented(TEXTS)
class KernelFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Features whose products approximate a kernel.

    A ridge on these features is a kernel ridge that scales to many items.

    .. versionadded:: 0.2

    Parameters
    ----------
    n_components : int, default=1000
        Maximum number of items to which others are compared. If there are fewer items,
        all are used and the kernel is exact.
    kernel : {"rbf", "laplacian", "poly", "cosine", "linear"}, default="rbf"
        The kernel.
    gamma : float, default=1.0
        Its width, for all kernels except "cosine" and "linear". For the RBF kernel on
        rows of unit length, search over 0.25 to 2.
    random_state : int, RandomState instance or None, default=None
        Selects the items to which others are compared.

    Attributes
    ----------
    components_ : {ndarray, csr_array} of shape (n_components, n_features)
        Items to which others are compared.
    normalization_ : ndarray of shape (n_components, n_components)
        Matrix that maps kernel values to features.
    <features of fit>

    See Also
    --------
    sklearn.kernel_approximation.Nystroem : The same, with a warning where there are
        fewer items than components.

    Notes
    -----
    With K the kernel of the components and k the kernel of an item and the components,
    the features of the item are :math:`k K^{-1/2}`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.compose import KernelFeatures
    >>> F = KernelFeatures(random_state=0).fit_transform(np.array([[0.0], [1.0]]))
    >>> (F @ F.T).round(2)
    array([[1.  , 0.37],
           [0.37, 1.  ]])
    """

    _parameter_constraints: dict = {
        "n_components": COUNT,
        "kernel": [StrOptions({"rbf", "laplacian", "poly", "cosine", "linear"})],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 1000,
        *,
        kernel: str = "rbf",
        gamma: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "KernelFeatures":
        """Choose items and compute their kernel.

        Parameters
        ----------
        <table>
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted features.
        """
        table = checked_content(self, X)
        chosen = np.arange(table.shape[0])
        if len(chosen) > self.n_components:
            rng = check_random_state(self.random_state)
            chosen = np.sort(rng.permutation(len(chosen))[: self.n_components])
        self.components_ = table[chosen]
        values, vectors = scipy.linalg.eigh(self._kernel(self.components_))
        # Directions of zero length are rounding noise.
        known = values > 1e-10 * values[-1]
        roots = np.where(known, 1 / np.sqrt(np.where(known, values, 1.0)), 0.0)
        self.normalization_ = (vectors * roots) @ vectors.T
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of items.

        Parameters
        ----------
        <table>

        Returns
        -------
        ndarray of shape (n_items, n_components)
            Features.
        """
        check_is_fitted(self)
        return self._kernel(checked_content(self, X, reset=False)) @ self.normalization_

    def _kernel(self, table: Any) -> np.ndarray:
        return pairwise_kernels(
            table,
            self.components_,
            metric=self.kernel,
            filter_params=True,
            gamma=self.gamma,
        )

    @property
    def _n_features_out(self) -> int:
        return len(self.normalization_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.kernel != "laplacian"
        tags.transformer_tags.preserves_dtype = []
        return tags


def _unit_targets(y: Any, *, n_items: int) -> sp.csr_array | None:
    """Return plays or factors of items as rows of unit length."""
    refuse_masked(y, "y")
    y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None)
    if y.ndim != 2 or y.shape[1] < 2:
        return None
    values = y.data if sp.issparse(y) else y
    if _are_counts(values):
        y = check_play_counts(y, n_items=n_items)
        y.data[:] = 1
    return normalize(sp.csr_array(y, dtype=np.float64))


def _are_counts(values: np.ndarray) -> bool:
    return values.size > 0 and bool(((values >= 0) & (values == np.rint(values))).all())


def _fitted_scaler(scaling: str, table: Any) -> Any:
    if scaling == "tfidf":
        return TfidfTransformer(sublinear_tf=True, norm=None).fit(table)
    if scaling in ("standard", "constant"):
        return StandardScaler().set_output(transform="default").fit(table)
    return None


def _scaled(scaling: str, scaler: Any, table: Any) -> Any:
    """Return the table with its columns scaled."""
    if scaler is None:
        return table
    if scaling == "tfidf":
        check_non_negative(table, "ContentScaler(scaling='tfidf')")
    scaled = scaler.transform(table)
    if scaling == "constant":
        # The length of a row with one standard deviation in each column.
        ones = np.full((len(scaled), 1), np.sqrt(scaled.shape[1]), scaled.dtype)
        return np.hstack([scaled, ones])
    return sp.csr_array(scaled) if sp.issparse(scaled) else scaled


def _agreement(unit: np.ndarray, shared: np.ndarray) -> float:
    """Return the mean similarity of the listeners of items and of their neighbours.

    Shapes: `unit` (n_items, n_features), `shared` (n_items, n_items), products of
    listeners of unit length.
    """
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    weights = softmax(cosines / TEMPERATURE, axis=1)
    products = (weights * shared).sum(axis=1)
    lengths = np.sqrt(((weights @ shared) * weights).sum(axis=1))
    return float(np.mean(products / np.where(lengths > 0, lengths, 1.0)))
