"""Vector quantization of frames: k-means codewords, exact nearest codes."""

from collections.abc import Iterator
from numbers import Integral, Real
from operator import itemgetter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._sequences.checks import check_frames, labels_of, read_frames
from skcoldstart._sequences.ragged import ItemCollector, RaggedArray
from skcoldstart._utils.sk import Interval, _fit_context
from skcoldstart._utils.warning import warn
from skcoldstart.codebook import _lloyd
from skcoldstart.codebook._sampling import read_codes, sample_frames
from skcoldstart.codebook._search import CodewordIndex

# Squared error of a codeword in float32, relative to the variance of the frames.
_LARGEST_ROUNDING = 1e-6


class VectorQuantizer(
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    r"""Replace each frame by the index of its nearest codeword.

    The codewords are the k-means centres of a sample of frames. An item of
    ``n_frames_i`` frames becomes ``n_frames_i`` codes, which `BagOfWords` counts.

    Parameters
    ----------
    n_codewords : int, default=4000
        Number of codewords, >= 1.
    max_frames : int or None, default=500_000
        Size of the training sample, drawn uniformly from all frames; ``None`` uses
        them all. More than about 50 per codeword hardly improve the codebook.
    n_init : int, default=1
        Number of runs from different first codewords; the run with the lowest
        inertia is kept.
    max_iter : int, default=25
        Largest number of passes over the sampled frames.
    tol : float, default=1e-4
        Stop when the squared distances that the codewords moved in one pass sum to
        at most ``tol`` times the mean variance of the features.
    batch_size : int or None, default=None
        Frames per update of the codewords (mini-batch k-means); ``None`` updates them
        once per pass (Lloyd's algorithm). Mini-batches give better codewords after the
        first pass and worse ones after many passes.
    random_state : int, RandomState instance or None, default=None
        Selects the sample and the first codewords. An int gives the same codebook in
        every call, for any `n_jobs`.
    n_jobs : int or None, default=None
        Number of threads of the search; ``None`` means all.
    verbose : int, default=0
        1 or more shows a progress bar in `fit`.

    Attributes
    ----------
    codebook_ : ndarray of shape (n_codewords, n_features)
        The codewords, in float32, or in float64 if the frames are too close together
        and too far from 0 for float32.
    inertia_ : float
        Sum of squared distances of the sampled frames to their codewords, in float64.
        After `partial_fit`, the sum for its frames and the codewords before the call.
    n_iter_ : int
        Passes over the sampled frames; set by `fit`.
    n_features_in_ : int
        Number of features per frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `fit` received a data frame.

    Raises
    ------
    ValueError
        If there are fewer frames than codewords, or frames are not finite or differ
        in their number of features.

    See Also
    --------
    MFCCExtractor : Turns audio into frames.
    BagOfWords : Counts the codes of each item.
    sklearn.cluster.KMeans : The same algorithm on a table.

    Notes
    -----
    *Codes are exact*: the code of a frame is the lowest index among the codewords at
    the smallest float64 distance. It depends only on the frame and the codebook. Items
    without frames are not used in `fit` and have no codes.

    *Fit* minimizes :math:`\sum_t \min_k \lVert x_t - c_k \rVert^2` over the sample,
    which is the same for items in memory, stored and lazy items. For stored items, only
    the sample is read. Lazy items are computed to find their numbers of frames; of more
    than 20,000 a random 20,000 are, or as many as it takes to see `max_frames` frames.

    The first codewords are distinct frames drawn at random; with Lloyd's algorithm up
    to six steps on a ninth and on a third of the sample precede the passes of
    `max_iter`, unless these parts have fewer than ten frames per codeword. A codeword
    without frames is moved to the frame farthest from its own codeword, as in
    scikit-learn.

    *Cost*: one pass searches every frame once. If the variance of frames lies in few
    directions, as for MFCC, most codewords are skipped by means of a tree of boxes;
    scaling each feature to unit variance loses this advantage. Other frames are
    compared with all codewords by matrix products.

    *Memory*: the sample (78 MB for 500,000 frames of 39 float32 features; twice that
    while it is drawn), 32 items of a lazy or stored sequence, and a few MB per thread.
    `transform` adds the codes, 4 bytes per frame.

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen. "Deep content-based music
       recommendation". NIPS 2013, section 4.1: 4,000 codewords by k-means.
    .. [2] S. P. Lloyd. "Least squares quantization in PCM". IEEE Transactions on
       Information Theory, 1982.
    .. [3] D. Sculley. "Web-scale k-means clustering". WWW 2010: mini-batches.

    .. versionadded:: 0.1

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import VectorQuantizer
    >>> frames = [np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[9.0, 10.0]])]
    >>> quantizer = VectorQuantizer(n_codewords=2, random_state=0).fit(frames)
    >>> codes = quantizer.transform(frames)
    >>> codes.lengths
    array([2, 1])
    >>> quantizer.inverse_transform(codes)[1]
    array([[9. , 9.5]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "n_codewords": [Interval(Integral, 1, None, closed="left")],
        "max_frames": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_codewords: int = 4000,
        *,
        max_frames: int | None = 500_000,
        n_init: int = 1,
        max_iter: int = 25,
        tol: float = 1e-4,
        batch_size: int | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_codewords = n_codewords
        self.max_frames = max_frames
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "VectorQuantizer":
        """Learn the codewords.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames of n_items; item i is (n_frames_i, n_features). A 2-D array means
            items of one frame each, a 3-D array items of equal length.
        y : None
            Ignored.

        Returns
        -------
        VectorQuantizer
            The fitted quantizer.
        """
        random_state = check_random_state(self.random_state)
        frames = sample_frames(check_frames(X), self.max_frames, random_state)
        self._check_enough(frames)
        self._check_features(X, frames, reset=True)
        tol = self.tol * _mean_variance(frames)
        runs = [self._learn(frames, tol, random_state) for _ in range(self.n_init)]
        self.inertia_, self.n_iter_, index, counts = min(runs, key=itemgetter(0))
        self._keep(index, counts)
        n_distinct = len(np.unique(self.codebook_, axis=0))
        if n_distinct < self.n_codewords:
            warn(
                f"Only {n_distinct} of n_codewords={self.n_codewords} codewords are "
                "distinct, because there are too few distinct frames; the other "
                "codewords are unused copies. Decrease n_codewords.",
                ConvergenceWarning,
            )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> "VectorQuantizer":
        """Update the codewords with new frames: one step of mini-batch k-means.

        Each codeword becomes the mean of all frames it was ever nearest to. The first
        call selects distinct frames of `X` as codewords. After `fit`, learning
        continues from its codebook, and the weight of a codeword is the number of its
        frames in the sample.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames as in `fit`. All of them are used and must fit into memory.
        y : None
            Ignored.

        Returns
        -------
        VectorQuantizer
            The quantizer itself.
        """
        random_state = check_random_state(self.random_state)
        frames = sample_frames(check_frames(X), None, random_state)
        first = not hasattr(self, "codebook_")
        if first:
            self._check_enough(frames)
        elif not len(frames):
            return self
        self._check_features(X, frames, reset=first)
        if first:
            codebook = _lloyd.distinct_frames(frames, self.n_codewords, random_state)
            counts = np.zeros(self.n_codewords)
        else:
            codebook = self.codebook_.astype(np.float64)
            counts = self._counts.copy()
        codebook, self.inertia_ = _lloyd.mini_batch_step(
            frames, codebook, counts, n_jobs=self.n_jobs
        )
        self._keep(_kept_index(codebook, frames), counts)
        return self

    def transform(self, X: Any) -> RaggedArray:
        """Return the index of the nearest codeword of each frame.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames, as in `fit`.

        Returns
        -------
        RaggedArray of n_items
            Item i is (n_frames_i,) int32, in [0, n_codewords); ties go to the lowest
            index.
        """
        check_is_fitted(self)
        codes = ItemCollector((), np.dtype(np.int32))
        for block, labels, _ in self._nearest(X):
            codes.extend(labels, block.lengths.tolist())
        return codes.finish(labels_of(X))

    def inverse_transform(self, X: Any) -> RaggedArray:
        """Replace each code by its codeword.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 1-D int arrays, or ndarray
            Codes of n_items, as `transform` returns them. A 2-D array means items of
            equal length, one row each.

        Returns
        -------
        RaggedArray of n_items
            Item i is (n_frames_i, n_features), of the type of `codebook_`.

        Raises
        ------
        ValueError
            If a code is negative or not below ``n_codewords``.
        """
        check_is_fitted(self)
        remedy = "Pass codes returned by this quantizer."
        blocks = [b for _, b in read_codes(X, len(self.codebook_), remedy=remedy)]
        codes = np.concatenate([block.values for block in blocks])
        lengths = np.concatenate([[0], *(block.lengths for block in blocks)])
        frames = RaggedArray(self.codebook_[codes], np.cumsum(lengths))
        frames.index = labels_of(X)
        return frames

    def score(self, X: Any, y: Any = None) -> float:
        """Return the negative inertia of frames, like scikit-learn's KMeans.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames, as in `fit`.
        y : None
            Ignored.

        Returns
        -------
        float
            Minus the sum of squared distances of all frames to their codewords.
        """
        check_is_fitted(self)
        return -sum(float(distances.sum()) for _, _, distances in self._nearest(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the name of the code of a frame.

        Parameters
        ----------
        input_features : Ignored
            Present for API consistency.

        Returns
        -------
        ndarray of str
            "vectorquantizer0".
        """
        return np.array(["vectorquantizer0"], dtype=object)

    def set_output(self, *, transform: Any = None) -> "VectorQuantizer":
        """Do nothing: codes are not a table, so they remain a `RaggedArray`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Ignored; accepted so that a Pipeline can configure all its steps.

        Returns
        -------
        VectorQuantizer
            The quantizer itself.
        """
        return self

    def _check_features(self, X: Any, frames: np.ndarray, *, reset: bool) -> None:
        """Store or compare the number of features, and names if X is a table."""
        table = X if hasattr(X, "columns") else frames
        validate_data(self, table, skip_check_array=True, reset=reset)

    def _check_enough(self, frames: np.ndarray) -> None:
        if len(frames) < self.n_codewords:
            raise ValueError(
                f"Got n_samples={len(frames)} frames to learn "
                f"n_codewords={self.n_codewords} codewords from; at least one frame "
                f"per codeword is required (max_frames={self.max_frames}). Decrease "
                f"n_codewords or pass more frames."
            )

    def _learn(
        self, frames: np.ndarray, tol: float, random_state: np.random.RandomState
    ) -> tuple[float, int, CodewordIndex, np.ndarray]:
        """Run k-means once; return inertia, passes, the index and codeword counts."""
        options: dict[str, Any] = {"max_iter": self.max_iter, "n_jobs": self.n_jobs}
        options["tol"] = tol
        codebook = _lloyd.distinct_frames(frames, self.n_codewords, random_state)
        if self.batch_size is None:
            codebook = _lloyd.nested_start(frames, codebook, **options)
            codebook, n_iter = _lloyd.lloyd(
                frames, codebook, verbose=self.verbose, **options
            )
        else:
            options |= {"batch_size": self.batch_size, "verbose": self.verbose}
            codebook, n_iter = _lloyd.mini_batches(frames, codebook, **options)
        index = _kept_index(codebook, frames)
        labels, distances = index.nearest(frames, n_jobs=self.n_jobs)
        counts = np.bincount(labels, minlength=self.n_codewords)
        return float(distances.sum()), n_iter, index, counts

    def _nearest(self, X: Any) -> Iterator[tuple[RaggedArray, np.ndarray, np.ndarray]]:
        """Yield blocks of frames with their codes and squared distances."""
        frames = check_frames(X)
        if isinstance(frames, RaggedArray):
            self._check_features(X, frames.values, reset=False)
        for block in read_frames(frames, self.n_features_in_):
            index = getattr(self, "_index", None)
            # codebook_ may have been replaced.
            if index is None or not np.array_equal(index.codebook, self.codebook_):
                index = CodewordIndex(self.codebook_, block.values)
                if len(block.values):
                    self._index = index
            yield block, *index.nearest(block.values, n_jobs=self.n_jobs)

    def _keep(self, index: CodewordIndex, counts: np.ndarray) -> None:
        """Store a codebook, its index and the numbers of frames of the codewords."""
        single = index.codebook.astype(np.float32)
        self.codebook_ = single if (single == index.codebook).all() else index.codebook
        self._counts = counts.astype(np.float64)
        self._index = index

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("_index", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _kept_index(codebook: np.ndarray, frames: np.ndarray) -> CodewordIndex:
    """Index the codewords as stored in codebook_."""
    with np.errstate(over="ignore"):
        rounded = codebook.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise ValueError(
            "Codewords exceed the range of float32 (3.4e38). Scale the frames down."
        )
    # Far from 0, float32 is coarse: different codewords would become equal.
    moved = ((rounded - codebook) ** 2).sum(axis=1).max()
    if moved > _LARGEST_ROUNDING * _mean_variance(frames) * frames.shape[1]:
        return CodewordIndex(codebook, frames)
    return CodewordIndex(rounded, frames)


def _mean_variance(frames: np.ndarray) -> float:
    """Return the variance of the features, averaged, without a float64 copy."""
    mean = frames.mean(axis=0, dtype=np.float64)
    total = 0.0
    for start in range(0, len(frames), 4096):
        total += float(((frames[start : start + 4096] - mean) ** 2).sum())
    return total / frames.size
