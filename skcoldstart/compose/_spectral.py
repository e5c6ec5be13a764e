"""SpectralEncoder: an embedding of content learned from plays in closed form."""

from numbers import Real
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.preprocessing import normalize
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skcoldstart._recommender import TEXTS
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import COUNT, Interval, _fit_context
from skcoldstart.compose._base import checked_content

BLOCK_USERS = 8192


@documented(TEXTS)
class SpectralEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Learn a linear embedding of content in which the items of a user are close.

    It is a closed form of what `ContrastiveEncoder` learns with a network: it takes
    seconds and needs no torch. After `KernelFeatures` the embedding is nonlinear.

    .. versionadded:: 0.2

    Parameters
    ----------
    n_components : int, default=300
        Maximum length of the vectors.
    alpha : float, default=3.0
        Strength of the ridge. With larger values, directions in which the content
        varies little have less influence.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Directions, the most shared by users first, scaled by the root of their
        eigenvalues.
    eigenvalues_ : ndarray of shape (n_components,)
        How much users share each direction, > 0.
    <features of fit>

    See Also
    --------
    ContrastiveEncoder : A network, which ranks slightly better and takes longer.
    skcoldstart.compose.KernelFeatures : Makes the embedding nonlinear.
    skcoldstart.ContentKNNRecommender : Scores by cosines in this space.

    Notes
    -----
    With :math:`p_{ui}` 1 for played items and :math:`n_u` the number of items of user
    u, the weight of two different items is
    :math:`S_{ij} = \sum_u p_{ui} p_{uj} / (n_u - 1)`. With its row sums
    :math:`d_i`, the table

    .. math:: N_{ij} = \frac{S_{ij}}{\sqrt{d_i d_j}}
        - \frac{\sqrt{d_i d_j}}{\sum_k d_k}

    says how much more often two items are played together than by chance. Its best
    factorization is the optimum of the spectral contrastive loss of [1]_. Here the
    factors are linear in the content F: directions solve

    .. math:: F^T N F w = \mu (F^T F + \alpha I) w ,

    and those with the largest :math:`\mu > 0` are scaled by :math:`\sqrt{\mu}`.

    Vectors have length 1. If no two items share users, vectors are zeros. N is never
    formed: time is O(n_features^3 + n_features^2 (n_items + n_users)), memory
    O(n_features^2) and 8,192 users times `n_features`.

    References
    ----------
    .. [1] J. Z. HaoChen, C. Wei, A. Gaidon, T. Ma, "Provable guarantees for
       self-supervised deep learning with spectral contrastive loss", NeurIPS 2021,
       section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.compose import SpectralEncoder
    >>> X = np.array([[1, 0, 1], [1, 0, -1], [0, 1, 1], [0, 1, -1]])
    >>> y = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    >>> vectors = SpectralEncoder().fit_transform(X, y)
    >>> (vectors @ vectors.T).round(2)
    array([[ 1.,  1., -1., -1.],
           [ 1.,  1., -1., -1.],
           [-1., -1.,  1.,  1.],
           [-1., -1.,  1.,  1.]])
    """

    _parameter_constraints: dict = {
        "n_components": COUNT,
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, n_components: int = 300, *, alpha: float = 3.0) -> None:
        self.n_components = n_components
        self.alpha = alpha

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> "SpectralEncoder":
        """Find the directions of content that users share.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Content.
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts, >= 0; row i is item i of X. Only whether a count is above 0 is
            used.

        Returns
        -------
        self
            The fitted encoder.

        Raises
        ------
        ValueError
            If `X` or `y` is malformed, or they do not match.
        """
        F = checked_content(self, X, accept_sparse=False)
        if y is None:
            raise ValueError(
                "SpectralEncoder requires y to be passed, but the target y is None; "
                "pass play counts of shape (n_items, n_users)."
            )
        check_same_items(X, y)
        plays = check_play_counts(y, n_items=len(F))
        together = _played_together(F, sp.csr_array(plays > 0, dtype=F.dtype))
        gram = F.T @ F
        gram[np.diag_indices_from(gram)] += self.alpha
        n_features = F.shape[1]
        first = max(0, n_features - self.n_components)
        values, vectors = scipy.linalg.eigh(
            together, gram, subset_by_index=[first, n_features - 1]
        )
        kept = np.flatnonzero(values > 100 * np.finfo(F.dtype).eps)[::-1]
        if not len(kept):  # no two items share users
            kept, values = np.array([0]), np.zeros(1, F.dtype)
        self.eigenvalues_ = values[kept]
        self.components_ = (vectors[:, kept] * np.sqrt(self.eigenvalues_)).T
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the unit vectors of items.

        Parameters
        ----------
        X : array-like of shape (n_items, n_features)
            Content.

        Returns
        -------
        ndarray of shape (n_items, n_components)
            Vectors of length 1, or of zeros.
        """
        check_is_fitted(self)
        F = checked_content(self, X, reset=False, accept_sparse=False)
        return normalize(F @ self.components_.T)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Tags:
        """Declare that y has several outputs."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _played_together(F: np.ndarray, plays: sp.csr_array) -> np.ndarray:
    """Return F' N F, (n_features, n_features), for plays of 0 and 1."""
    n_played = plays.sum(axis=0)
    others = np.maximum(n_played - 1, 0)
    weights = np.where(others > 0, 1 / np.maximum(others, 1), 0).astype(F.dtype)
    degrees = plays @ (weights * others)
    roots = np.sqrt(degrees)
    inverse = np.where(degrees > 0, 1 / np.where(degrees > 0, roots, 1), 0)
    pairs = sp.csc_array(
        sp.diags_array(inverse) @ plays @ sp.diags_array(np.sqrt(weights))
    )
    with_itself = pairs.multiply(pairs).sum(axis=1)
    found = -(F * with_itself[:, np.newaxis]).T @ F
    for start in range(0, pairs.shape[1], BLOCK_USERS):
        users = pairs[:, start : start + BLOCK_USERS].T @ F
        found += users.T @ users
    total = degrees.sum()
    if total > 0:
        expected = roots @ F
        found -= np.outer(expected, expected) / total
    return found
