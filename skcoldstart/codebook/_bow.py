"""Bags of words: how often each codeword occurs in an item."""

from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from skcoldstart._sequences.checks import check_item_sequence, label_rows
from skcoldstart._utils.sk import Interval, StrOptions, _fit_context
from skcoldstart.codebook._sampling import read_codes

# One megabyte, which stays in the cache of a core.
_COUNTERS_AT_ONCE = 1 << 17
_ITEMS_AT_ONCE = 512
_REMEDY = "Set n_codewords to that of the VectorQuantizer."


class BagOfWords(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Count the codewords of each item.

    Parameters
    ----------
    n_codewords : int or None, default=None
        Number of codewords, >= 1: the columns of the result. ``None`` means the largest
        code in `fit` plus one. Pass the quantizer's number, so that higher codes of new
        items are also counted.
    weighting : {"count", "frequency", "sqrt", "tfidf"}, default="count"
        Value of a codeword that occurs :math:`n` times in an item: :math:`n`; its
        share of the item's frames; :math:`\sqrt{n}`; or :math:`n` times the inverse
        document frequency from `fit`, with each row scaled to unit length.
    sparse_output : bool, default=False
        ``True`` returns CSR. Most codewords are absent from most items: above some
        20,000 items of 4,000 codewords CSR saves gigabytes.

    Attributes
    ----------
    n_codewords_ : int
        Number of codewords counted.
    idf_ : ndarray of shape (`n_codewords_`,)
        Inverse document frequencies; only with ``weighting="tfidf"``.

    Raises
    ------
    ValueError
        If a code is negative or not below the number of codewords, or codes are not
        integers.

    See Also
    --------
    VectorQuantizer : Turns frames into codes.
    sklearn.feature_extraction.text.TfidfTransformer : The same weighting for tables.

    Notes
    -----
    There is no ``n_features_in_``: items have no common length.

    With :math:`m` items in `fit`, :math:`m_k` of them holding codeword :math:`k`,

    .. math:: \mathrm{idf}_k = \ln\frac{1 + m}{1 + m_k} + 1,

    as in scikit-learn's ``TfidfTransformer`` with its defaults.

    *Cost*: a few microseconds per item (tens of microseconds in CSR), and one megabyte
    of counters in addition to the result.

    .. versionadded:: 0.1

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import BagOfWords
    >>> codes = [np.array([0, 2, 2]), np.array([], dtype=int), np.array([1])]
    >>> BagOfWords(n_codewords=4).fit_transform(codes)
    array([[1., 0., 2., 0.],
           [0., 0., 0., 0.],
           [0., 1., 0., 0.]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "n_codewords": [Interval(Integral, 1, None, closed="left"), None],
        "weighting": [StrOptions({"count", "frequency", "sqrt", "tfidf"})],
        "sparse_output": ["boolean"],
    }

    def __init__(
        self,
        n_codewords: int | None = None,
        *,
        weighting: str = "count",
        sparse_output: bool = False,
    ) -> None:
        self.n_codewords = n_codewords
        self.weighting = weighting
        self.sparse_output = sparse_output

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "BagOfWords":
        """Learn the number of codewords and, for tf-idf, their document frequencies.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 1-D arrays, or ndarray
            Codes of n_items, integers >= 0; item i is (n_frames_i,). A 2-D array means
            items of equal length, one row each.
        y : None
            Ignored.

        Returns
        -------
        BagOfWords
            The fitted transformer.
        """
        X = check_item_sequence(X)
        n_codewords = self.n_codewords
        if n_codewords is None:
            n_codewords = 1 + max(
                int(block.values.max(initial=-1)) for _, block in read_codes(X)
            )
            if n_codewords < 1:
                raise ValueError(
                    f"None of the {len(X)} items of X has a code >= 0, so the number "
                    "of codewords is unknown. Pass n_codewords."
                )
        if self.weighting == "tfidf":
            n_items_with = sum(
                np.count_nonzero(counts, axis=0)
                for _, counts in _count_blocks(X, n_codewords)
            )
            self.idf_ = np.log((1 + len(X)) / (1 + n_items_with)) + 1
        else:
            for _ in read_codes(X, n_codewords, remedy=_REMEDY):
                pass
            if hasattr(self, "idf_"):
                del self.idf_
        self.n_codewords_ = n_codewords
        return self

    def transform(self, X: Any) -> np.ndarray | sp.csr_array:
        """Count the codewords of each item and weight the counts.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 1-D arrays, or ndarray
            Codes of n_items, as in `fit`.

        Returns
        -------
        {ndarray, csr_array} of shape (n_items, `n_codewords_`), float32
            Weighted counts; an item without frames is a row of zeros.
        """
        check_is_fitted(self)
        X = check_item_sequence(X)
        blocks = (
            (start, self._weigh(counts))
            for start, counts in _count_blocks(X, self.n_codewords_)
        )
        if self.sparse_output:
            return _to_csr((block for _, block in blocks), self.n_codewords_)
        bags = np.empty((len(X), self.n_codewords_), np.float32)
        for start, block in blocks:
            bags[start : start + len(block)] = block
        return label_rows(bags, X, self)

    def _weigh(self, counts: np.ndarray) -> np.ndarray:
        """Return float32 weights of a block of counts."""
        if self.weighting == "sqrt":
            return np.sqrt(counts).astype(np.float32)
        if self.weighting == "frequency":
            n_frames = counts.sum(axis=1, keepdims=True)
            return (counts / np.maximum(n_frames, 1)).astype(np.float32)
        if self.weighting == "tfidf":
            weights = counts * self.idf_
            lengths = np.sqrt(np.einsum("ij,ij->i", weights, weights))[:, None]
            return (weights / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        return counts.astype(np.float32)

    @property
    def _n_features_out(self) -> int:
        return self.n_codewords_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _count_blocks(X: Any, n_codewords: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield counts of (n_block_items, n_codewords) and the block's first item."""
    items_at_once = min(_ITEMS_AT_ONCE, max(1, _COUNTERS_AT_ONCE // n_codewords))
    for start, block in read_codes(
        X, n_codewords, remedy=_REMEDY, items_at_once=items_at_once
    ):
        n_items = len(block)
        first_counter = np.repeat(np.arange(n_items) * n_codewords, block.lengths)
        counts = np.bincount(
            first_counter + block.values, minlength=n_items * n_codewords
        )
        yield start, counts.reshape(n_items, n_codewords)


def _to_csr(blocks: Iterable[np.ndarray], n_codewords: int) -> sp.csr_array:
    """Join blocks of rows as CSR."""
    indices, weights = [], []
    n_stored = [np.zeros(1, np.int64)]
    for block in blocks:
        positions = np.flatnonzero(block)
        indices.append((positions % n_codewords).astype(np.int32))
        weights.append(block.ravel()[positions])
        n_stored.append(np.bincount(positions // n_codewords, minlength=len(block)))
    indptr = np.cumsum(np.concatenate(n_stored))
    # csr_array keeps 64-bit indices, which many estimators refuse.
    if indptr[-1] <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    return sp.csr_array(
        (np.concatenate(weights), np.concatenate(indices), indptr),
        shape=(len(indptr) - 1, n_codewords),
    )
