"""FramePooling: one row per item."""

import itertools
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._sequences.checks import check_frames, label_rows
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.sk import _check_feature_names_in, _fit_context

# Functions of numpy.
_STATISTICS = ("mean", "std", "min", "max", "median")


class FramePooling(TransformerMixin, BaseEstimator):
    """Describe each item by statistics of its frames.

    An alternative to a codebook: one row per item, from any frames.

    Parameters
    ----------
    statistics : tuple of str, default=("mean", "std", "max", "quantiles")
        Statistics of each feature over the frames of an item: "mean", "std", "min",
        "max", "median" and "quantiles", in the order of the columns.
    quantiles : tuple of float, default=(0.1, 0.5, 0.9)
        Quantiles between 0 and 1, used for "quantiles".
    delta : bool, default=False
        If True, add the statistics of differences between consecutive frames.

    Attributes
    ----------
    n_features_in_ : int
        Features of a frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if `X` was a data frame.

    See Also
    --------
    BagOfWords : Counts codewords instead.
    AudioEmbedding : Vectors of a pretrained network, pooled.

    Notes
    -----
    An item of zero frames has a row of zeros, as in `BagOfWords`. For an item of one
    frame, "std" and all statistics of differences are 0. Statistics are computed in
    double precision, and frames are read one item at a time, so lazy or stored frames
    need not fit into memory.

    .. versionadded:: 0.2

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import FramePooling
    >>> frames = [np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([[5.0, 6.0]])]
    >>> pooling = FramePooling(("mean", "max"))
    >>> pooling.fit_transform(frames)
    array([[2., 2., 3., 4.],
           [5., 6., 5., 6.]])
    >>> pooling.get_feature_names_out(["bass", "treble"])
    array(['mean_bass', 'mean_treble', 'max_bass', 'max_treble'], dtype=object)
    """

    _parameter_constraints: dict = {
        "statistics": ["array-like"],
        "quantiles": ["array-like"],
        "delta": ["boolean"],
    }

    def __init__(
        self,
        statistics: Iterable[str] = ("mean", "std", "max", "quantiles"),
        *,
        quantiles: Iterable[float] = (0.1, 0.5, 0.9),
        delta: bool = False,
    ) -> None:
        self.statistics = statistics
        self.quantiles = quantiles
        self.delta = delta

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and count the features.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames of n_items; item i is (n_frames_i, n_features). A 2-D array means
            items of one frame each, a 3-D array items of equal length.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self
            The transformer itself.

        Raises
        ------
        ValueError
            If a statistic is unknown, there are no statistics, or quantiles are not in
            [0, 1].
        """
        self._column_groups()
        self._check_frames(X, reset=True)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Pool the frames of each item.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames, as in `fit`.

        Returns
        -------
        ndarray of shape (n_items, n_features_out)
            One row per item; float64 if the frames are, otherwise float32.
        """
        check_is_fitted(self)
        frames, example = self._check_frames(X, reset=False)
        wide = example.dtype == np.float64
        rows = np.zeros(
            (len(frames), self._n_features_out), np.float64 if wide else np.float32
        )
        for position, (row, item) in enumerate(zip(rows, frames, strict=True)):
            if isinstance(frames, LazySequence):
                check_frames(
                    [item], n_features=self.n_features_in_, positions=[position]
                )
            with np.errstate(over="ignore", invalid="ignore"):
                for order, part in enumerate(np.split(row, 1 + self.delta)):
                    values = np.diff(np.asarray(item, np.float64), n=order, axis=0)
                    if len(values):
                        part[:] = self._pool(values)
            if not np.isfinite(row).all():
                raise ValueError(
                    f"Statistics of item {position} of X are beyond {rows.dtype}: its "
                    f"largest value is {np.abs(item).max():g}. Scale frames down."
                )
        return label_rows(rows, X, self)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name for each column: the statistic and the feature.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of a frame; ``None`` means those of a data frame in
            `fit`, or "x0", "x1", ...

        Returns
        -------
        ndarray of str
            Names such as "mean_x0" and "delta_std_mfcc3".
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        prefixes = ["", "delta_"] if self.delta else [""]
        columns = itertools.product(prefixes, self._column_groups(), names)
        return np.array([f"{p}{group}_{name}" for p, group, name in columns], object)

    def _check_frames(
        self, X: Any, *, reset: bool
    ) -> tuple[RaggedArray | LazySequence, np.ndarray]:
        """Return valid frames, and a sample that shows their features and type."""
        frames = check_frames(X)
        example = frames.values if isinstance(frames, RaggedArray) else frames[0]
        table = X if hasattr(X, "columns") else example
        validate_data(self, table, skip_check_array=True, reset=reset)
        return frames, example

    def _column_groups(self) -> list[str]:
        """Return the names of statistics, one for each group of columns."""
        groups: list[str] = []
        for name in self.statistics:
            if name == "quantiles":
                quantiles = [float(q) for q in self.quantiles]
                if not quantiles or not all(0 <= q <= 1 for q in quantiles):
                    raise ValueError(
                        f"quantiles={self.quantiles!r}; expected numbers from 0 to 1."
                    )
                groups += [f"quantile{q:g}" for q in quantiles]
            elif name in _STATISTICS:
                groups.append(name)
            else:
                raise ValueError(
                    f"statistics holds {name!r}; expected some of "
                    f"{[*_STATISTICS, 'quantiles']}."
                )
        if not groups:
            raise ValueError("statistics is empty; pass at least one, such as 'mean'.")
        return groups

    def _pool(self, frames: np.ndarray) -> np.ndarray:
        """Return all statistics of frames, (n_groups * n_features,)."""
        return np.concatenate([
            np.quantile(frames, list(self.quantiles), axis=0).ravel()
            if name == "quantiles"
            else getattr(np, name)(frames, axis=0)
            for name in self.statistics
        ])

    @property
    def _n_features_out(self) -> int:
        n_groups = len(self._column_groups())
        return (1 + self.delta) * n_groups * self.n_features_in_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = [np.float64, np.float32]
        return tags
