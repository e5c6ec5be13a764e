"""KernelRegressor: a kernel ridge for some ten thousand items."""

from typing import Any, Self

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.utils import gen_batches
from sklearn.utils.validation import validate_data

from skcoldstart._utils.missing import name_missing_content
from skcoldstart._utils.sk import _check_sample_weight, _fit_context

DOUBLE_ITEMS = 4000  # up to which double precision is cheap
BLOCK_ROWS = 1024


class KernelRegressor(KernelRidge):
    """Kernel ridge regression in one matrix, for some ten thousand items.

    Predictions are those of `sklearn.kernel_ridge.KernelRidge`. The kernel matrix is
    decomposed in place, in single precision for more than 4,000 items: 20,000 items
    take 1.6 GB.

    .. versionadded:: 0.2

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the regularization, above 0.
    kernel : str, default="rbf"
        Any metric of `sklearn.metrics.pairwise.pairwise_kernels`, except "precomputed".
    gamma : float, default=None
        Width of the kernel; ``None`` is the default of the kernel. On rows of unit
        length, search over 0.25 to 2 for "rbf".
    degree : float, default=3
        Degree of the kernel "poly".
    coef0 : float, default=1
        Constant of the kernels "poly" and "sigmoid".
    kernel_params : dict, default=None
        Parameters of a kernel that is a callable.
    keep_inverse : bool, default=False
        Whether to keep ``inverse_``. With it, smoothed plays of a
        `ColdStartRecommender` and explanations need no second decomposition.

    Attributes
    ----------
    dual_coef_ : ndarray of shape (n_items,) or (n_items, n_targets)
        Weights of the training items.
    X_fit_ : {ndarray, csr_array} of shape (n_items, n_features)
        Training items.
    inverse_ : ndarray of shape (n_items, n_items)
        Matrix whose product with the targets is ``dual_coef_``: without sample weights,
        the inverse of the kernel matrix with `alpha` added to its diagonal.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if `X` has them.

    See Also
    --------
    KernelFeatures : Approximates a kernel, for more items.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.compose import KernelRegressor
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 0.0])
    >>> KernelRegressor(1.0, gamma=1.0).fit(X, y).predict(X).round(2)
    array([0.1 , 0.46, 0.1 ])
    """

    _parameter_constraints: dict = KernelRidge._parameter_constraints | {
        "keep_inverse": ["boolean"]
    }

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        kernel: Any = "rbf",
        gamma: float | None = None,
        degree: float = 3,
        coef0: float = 1,
        kernel_params: dict[str, Any] | None = None,
        keep_inverse: bool = False,
    ) -> None:
        super().__init__(
            alpha,
            kernel=kernel,
            gamma=gamma,
            degree=degree,
            coef0=coef0,
            kernel_params=kernel_params,
        )
        self.keep_inverse = keep_inverse

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Decompose the kernel matrix of the items.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features)
            Content.
        y : array-like of shape (n_items,) or (n_items, n_targets)
            Targets, dense.
        sample_weight : float or array-like of shape (n_items,), default=None
            Weight of each item, at least 0.

        Returns
        -------
        self
            The fitted regressor.

        Raises
        ------
        ValueError
            If `alpha` is not a number above 0 or too small for the precision, a weight
            is negative, or the kernel or the targets are beyond the precision.
        """
        strengths = np.ravel(self.alpha)
        if len(strengths) != 1 or not strengths[0] > 0 or self.kernel == "precomputed":
            raise ValueError(
                f"alpha={self.alpha!r}, kernel={self.kernel!r}; expected one alpha "
                "above 0 and a kernel of content. For others use "
                "sklearn.kernel_ridge.KernelRidge."
            )
        with name_missing_content(X):
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                multi_output=True,
                y_numeric=True,
            )
        if sp.issparse(y):
            raise TypeError("y is sparse; expected dense targets. Pass y.toarray().")
        n_items = X.shape[0]
        single = X.dtype == np.float32 or n_items > DOUBLE_ITEMS
        dtype = np.float32 if single else np.float64
        # The order of a table in memory decides about the last bit of predictions.
        self.X_fit_ = X.astype(dtype) if sp.issparse(X) else X.astype(dtype, order="C")
        matrix: Any = np.asarray(self._get_kernel(self.X_fit_), dtype=dtype, order="C")
        roots = None
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, X, dtype=dtype, ensure_non_negative=True
            )
            roots = np.sqrt(weight)
            matrix *= roots[:, np.newaxis]
            matrix *= roots
        matrix[np.diag_indices(n_items)] += strengths[0]
        targets: Any = np.reshape(y, (n_items, -1)).astype(dtype)
        if roots is not None:
            targets *= roots[:, np.newaxis]
        # LAPACK turns infinity into NaN without an error.
        for name, values in (("The kernel of X", matrix), ("y", targets)):
            if not np.isfinite(values.sum(dtype=np.float64)):
                raise ValueError(
                    f"{name} has values beyond {dtype.__name__}; divide "
                    f"{name[-1]} by a constant."
                )
        self.__dict__.pop("inverse_", None)
        try:
            # LAPACK overwrites the transpose, which is the same matrix in its order.
            factor = scipy.linalg.cholesky(
                matrix.T, lower=True, overwrite_a=True, check_finite=False
            )
        except np.linalg.LinAlgError as error:
            raise ValueError(
                f"alpha={strengths[0]:g} is too small for {dtype.__name__} and this "
                "kernel; increase it."
            ) from error
        dual = scipy.linalg.cho_solve((factor, True), targets, check_finite=False)
        if roots is not None:
            dual *= roots[:, np.newaxis]
        self.dual_coef_ = np.ascontiguousarray(dual).reshape(np.shape(y))
        if self.keep_inverse:
            inverse: Any = _inverse(factor)
            if roots is not None:
                inverse *= roots[:, np.newaxis]
                inverse *= roots
            self.inverse_ = inverse
        return self

    def _get_kernel(self, X: Any, Y: Any = None) -> np.ndarray:
        return super()._get_kernel(X.astype(self.X_fit_.dtype, copy=False), Y)


def _inverse(factor: np.ndarray) -> np.ndarray:
    """Return the inverse of a matrix from its lower Cholesky factor, in its memory."""
    (potri,) = scipy.linalg.get_lapack_funcs(("potri",), (factor,))
    inverse, info = potri(factor, lower=True, overwrite_c=True)
    if info:
        raise np.linalg.LinAlgError(f"potri returned {info}")
    inverse = inverse.T  # in C order; its upper triangle is known
    for rows in gen_batches(len(inverse), BLOCK_ROWS):
        block = inverse[rows, rows]
        block[...] = np.triu(block) + np.triu(block, 1).T
        inverse[rows.stop :, rows] = inverse[rows, rows.stop :].T
    return inverse
