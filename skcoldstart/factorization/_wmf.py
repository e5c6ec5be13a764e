"""WMF: weighted matrix factorization of play counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.user_names import (
    check_user_names,
    record_user_names,
    user_names_of,
)
from skcoldstart._utils.progress import progress_bar
from skcoldstart._utils.sk import Interval, Options, StrOptions, _fit_context
from skcoldstart._utils.threads import worker_threads
from skcoldstart._utils.warning import warn
from skcoldstart.factorization._als import Rows, draw_factors, fold_in, sweeps
from skcoldstart.factorization._confidence import confidence_weights, fold_in_around
from skcoldstart.factorization._cpu import CPUSolver, padded_width
from skcoldstart.factorization._dask import (
    DaskPlays,
    DaskRows,
    DaskSolver,
    gather_plays,
)
from skcoldstart.factorization._queries import FactorQueriesMixin
from skcoldstart.factorization._torch import TorchSolver

# A row is solved alone where FEW rows of factors times their width are fewer than the
# fixed rows, which a common basis would have to enter.
FEW = 8


class WMF(
    FactorQueriesMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    r"""Factorize play counts by weighted least squares over all pairs.

    A played pair has target 1 with high confidence, any other pair target 0 with
    confidence 1. Products of item and user factors fit all of these, by alternating
    least squares (ALS). Items are rows, so the methods are those of
    `sklearn.decomposition.NMF`, and a held-out row is an item without plays.

    Parameters
    ----------
    n_components : int, default=200
        Number of factors; no more than there are items or users.
    alpha : float, default=2.0
        Growth of the confidence with the play count; 0 gives all pairs the same
        confidence.
    epsilon : float, default=1e-6
        Scale of play counts in the logarithmic confidence.
    confidence : {"log", "linear", "precomputed"}, default="log"
        Confidence of a pair with r > 0 plays: ``1 + alpha log(1 + r / epsilon)`` [1]_,
        ``1 + alpha r`` [2]_, or the stored entry itself, which must be at least 1.
    reg : float or "auto", default="auto"
        Weight of the squared factors, above 0; if it is too large, all factors are 0,
        with a warning. Search over 10 to 300. "auto" is ``n ** 0.75 / 18`` for n played
        pairs, from 10 to 100.
    max_iter : int, default=15
        Maximum number of sweeps; a sweep solves for all users and then for all items.
        Reaching it raises no warning.
    tol : float, default=1e-4
        Stop when a sweep reduces the objective by less than this fraction.
    solver : {"auto", "cg", "cholesky"}, default="auto"
        Solver of a row in a sweep: three preconditioned steps of conjugate gradients
        from the last sweep's factors [3]_, or exact. The last sweep and `transform`
        always solve to the precision of the dtype. "auto" is "cg", which is faster.
    dtype : {"float32", "float64"}, default="float32"
        Precision of factors and computation.
    random_state : int, RandomState instance or None, default=None
        Initializes the item factors. Pass an int for reproducible factors.
    n_jobs : int, default=None
        Number of threads, ``None`` for all; results do not depend on it.
    verbose : int, default=0
        Whether to show a progress bar with the objective.
    reg_exponent : float, default=0.0
        A row with n stored entries is regularized by ``reg * n ** reg_exponent``; 1 is
        the scaling of Spark. Tune `reg` again after a change.
    warm_start : bool, default=False
        Whether `fit` starts from the last factors, for plays of the same shape. An
        interrupted fit then keeps its current factors.
    device : {"cpu", "cuda"}, default="cpu"
        Device of the solver. "cuda" requires torch (``pip install
        skcoldstart[neural]``) and a GPU with memory for plays and factors. Results
        agree to the precision of the dtype; attributes are always NumPy arrays.

    Attributes
    ----------
    item_factors_ : ndarray of shape (n_items, n_components)
        Factors of the training items; 0 for an item without plays.
    user_factors_ : ndarray of shape (n_users, n_components)
        Factors of the users; 0 for a user without plays.
    components_ : ndarray of shape (n_components, n_users)
        ``user_factors_.T``.
    loss_ : float
        Final objective.
    loss_history_ : ndarray of shape (`n_iter_`,)
        Objective after each sweep.
    n_iter_ : int
        Number of sweeps.
    reg_ : float
        Weight of the squared factors, also if `reg` is "auto".
    n_features_in_ : int
        Number of users.
    feature_names_in_ : ndarray of shape (n_users,)
        Names of users, if all column names of ``Y`` are strings.
    user_names_in_ : ndarray of shape (n_users,)
        Names of users of any type, if the columns of ``Y`` have labels.

    Raises
    ------
    ValueError
        If play counts are negative, NaN or infinite, or a confidence is not finite.

    See Also
    --------
    skcoldstart.ColdStartRecommender : Predicts these factors from content.
    sklearn.decomposition.NMF : Factorizes with one weight for all pairs.
    sklearn.decomposition.TruncatedSVD : Like NMF, without the sign constraint.

    Notes
    -----
    With :math:`p_{ui} = 1` where :math:`r_{ui} > 0` and 0 elsewhere, the objective is
    eq. 3 of [1]_, a sum over **all** pairs:

    .. math:: \sum_{u,i} c_{ui} (p_{ui} - x_u^T y_i)^2
              + \lambda \Big(\sum_u \|x_u\|^2 + \sum_i \|y_i\|^2\Big)

    A half sweep works in coordinates in which the part that all rows share,
    :math:`X^T X + \lambda I`, is the identity; the cost of a row then depends only on
    its own plays. From the second sweep on, steps are multiplied by a factor that
    increases from 1.4 to 1.8, which cannot raise the objective and needs a fraction of
    the sweeps. The last sweep is a plain one; its item half is solved with the code of
    `transform`, so ``fit_transform(Y)`` equals ``fit(Y).transform(Y)``.

    The defaults of `n_components` and `reg` were chosen by the ranking of held-out
    items by factors that a ridge predicts from content, on inner splits of five real
    sets. A smaller `reg`, such as 30, ranks the first places of articles better.

    A sweep takes ``O(nnz * k + (n_items + n_users) * k ** 2)`` operations. In addition
    to `Y` and the fitted factors, float32 needs at most 12 bytes per played pair, a
    copy of the longer side's factors, and a copy of all factors if k is not a multiple
    of 16.

    A Dask array of CSR blocks, or a list of delayed blocks of rows, is factorized on
    the current `dask.distributed` client (``pip install skcoldstart[dask]``), with the
    same bits as on one machine of the same kind; without a client, in this process.
    `partial_fit`, `transform`, `transform_users` and `loss` also accept such blocks.
    The guide to more machines describes the cost and what happens to lost workers.

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 3. The constants of the confidence are
       those of S. Dieleman's wmf code; the paper does not state them.
    .. [2] Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit
       feedback datasets", ICDM 2008, eq. 4 and 5 for the alternating steps.
    .. [3] G. Takacs, I. Pilaszy, D. Tikk, "Applications of the conjugate gradient
       method for implicit feedback collaborative filtering", RecSys 2011.

    .. versionadded:: 0.1

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import WMF
    >>> plays = np.kron(np.eye(2), np.full((3, 4), 5))  # two tastes
    >>> wmf = WMF(n_components=2, reg=1.0, random_state=0).fit(plays)
    >>> wmf.item_factors_.shape, wmf.user_factors_.shape
    ((6, 2), (8, 2))
    >>> wmf.inverse_transform(wmf.item_factors_)[::3, ::4].round(2) + 0.0
    array([[0.99, 0.  ],
           [0.  , 0.99]], dtype=float32)
    >>> items, scores = wmf.recommend(n=2, users=[5], exclude=np.eye(6, 8, 1))
    >>> sorted(items[0].tolist())
    [3, 5]
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "confidence": [StrOptions({"log", "linear", "precomputed"})],
        "reg": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "reg_exponent": [Interval(Real, 0, 1, closed="both")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"auto", "cg", "cholesky"})],
        "dtype": [
            StrOptions({"float32", "float64"}),
            Options(type, {np.float32, np.float64}),
        ],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "device": [StrOptions({"cpu", "cuda"})],
    }

    def __init__(
        self,
        n_components: int = 200,
        *,
        alpha: float = 2.0,
        epsilon: float = 1e-6,
        confidence: str = "log",
        reg: float | str = "auto",
        max_iter: int = 15,
        tol: float = 1e-4,
        solver: str = "auto",
        dtype: str | type = "float32",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        reg_exponent: float = 0.0,
        warm_start: bool = False,
        device: str = "cpu",
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.epsilon = epsilon
        self.confidence = confidence
        self.reg = reg
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.reg_exponent = reg_exponent
        self.warm_start = warm_start
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, Y: Any, y: Any = None) -> "WMF":
        """Factorize plays.

        Parameters
        ----------
        Y : {array-like, sparse, Dask array} of shape (n_items, n_users)
            Play counts, >= 0 and finite. Duplicates of a sparse format are added up,
            stored zeros are pairs without plays. For plays in Dask, see Notes.
        y : None
            Ignored.

        Returns
        -------
        WMF
            The fitted estimator.
        """
        plays = self._check_plays(Y, reset=True)
        if self.warm_start and hasattr(self, "item_factors_"):
            start = self._last_factors(plays.shape)
        else:
            start = self._starting_factors(plays.shape)
            self.__dict__.pop("item_factors_", None)  # a failed fit is unfitted
        self._alternate(plays, start, max_iter=self.max_iter)
        return self

    def fit_transform(self, Y: Any, y: Any = None) -> np.ndarray:
        """Factorize plays and return the item factors.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            Play counts.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n_items, n_components)
            ``item_factors_``.
        """
        return self.fit(Y).item_factors_

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, Y: Any, y: Any = None) -> "WMF":
        """Make one sweep over plays that may have new items and new users.

        Known items and users start from their factors, new ones from factors folded in
        from their plays with known ones.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            All play counts, also those of earlier calls. Known items are the first rows
            and known users the first columns, in their old order.
        y : None
            Ignored.

        Returns
        -------
        WMF
            The estimator, fitted on all items and users of `Y`.

        Raises
        ------
        ValueError
            If `Y` has fewer rows or columns than before, or names other users.
        """
        if not hasattr(self, "item_factors_"):
            plays = self._check_plays(Y, reset=True)
            start = self._starting_factors(plays.shape)
        else:
            n_items, n_users = len(self.item_factors_), len(self.user_factors_)
            Y = gather_plays(Y)
            plays = check_play_counts(Y, input_name="Y")
            if plays.shape[0] < n_items:
                raise ValueError(
                    f"Y has {plays.shape[0]} rows but {n_items} items are known; "
                    "expected all of them, in their old order, and new ones after them."
                )
            more_users = plays.shape[1] > n_users
            names = user_names_of(Y) if more_users else None
            if names is not None:
                first = names[:n_users]
                if not np.array_equal(first, getattr(self, "user_names_in_", first)):
                    raise ValueError(
                        f"The first {n_users} columns of Y are not the known users, in "
                        "their old order; pass the columns of user_names_in_ first."
                    )
            self._check_users(Y, reset=more_users)
            new_items = self._fold_in(plays[n_items:, :n_users], self.user_factors_)
            new_users = self._fold_in(plays[:n_items, n_users:].T, self.item_factors_)
            start = [
                np.concatenate([self.item_factors_, new_items]),
                np.concatenate([self.user_factors_, new_users]),
            ]
            n_more = self._rank(plays.shape) - start[0].shape[1]
            if n_more > 0:  # the first catalogue was too small for all components
                drawn = draw_factors(
                    len(start[0]), n_more, self.dtype, self.random_state
                )
                start[0] = np.hstack([start[0], drawn])
                start[1] = np.pad(start[1], [(0, 0), (0, n_more)])
        self._alternate(plays, start, max_iter=1)
        return self

    def transform(self, Y: Any) -> np.ndarray:
        """Fold items in: return the factors that best fit their plays.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            Plays of any items by the users of `fit`.

        Returns
        -------
        ndarray of shape (n_items, n_components)
            Factors; 0 for an item without plays.
        """
        check_is_fitted(self)
        return self._fold_in(self._check_plays(Y, reset=False), self.user_factors_)

    def transform_users(self, Y: Any) -> np.ndarray:
        """Fold users in: return the factors that best fit their plays.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_new_users)
            Plays of the items of `fit` by any users, one column per user.

        Returns
        -------
        ndarray of shape (n_new_users, n_components)
            Factors; 0 for a user without plays.

        Raises
        ------
        ValueError
            If `Y` does not have one row per item of `fit`.
        """
        check_is_fitted(self)
        plays = check_play_counts(gather_plays(Y), input_name="Y")
        if plays.shape[0] != len(self.item_factors_):
            raise ValueError(
                f"Y has {plays.shape[0]} rows but WMF was fitted on "
                f"{len(self.item_factors_)} items; expected one row per item and one "
                "column per new user."
            )
        return self._fold_in(plays.T, self.item_factors_)

    def loss(self, Y: Any) -> float:
        """Return the exact objective of the factors for given plays.

        Parameters
        ----------
        Y : {array-like, sparse} of shape (n_items, n_users)
            Plays of the items and users of `fit`.

        Returns
        -------
        float
            Objective over all pairs, in float64.
        """
        check_is_fitted(self)
        plays = self._check_plays(Y, reset=False)
        if plays.shape[0] != len(self.item_factors_):
            raise ValueError(
                f"Y has {plays.shape[0]} rows but WMF was fitted on "
                f"{len(self.item_factors_)} items; expected the plays of these items."
            )
        V, U = self.item_factors_, self.user_factors_
        by_item = self._weigh(plays, V.dtype, V.shape[1])
        by_user = by_item.transposed(plays.shape[1])
        with self._open_solver(V.shape[1], by_item) as solver:
            return solver.objective(by_item, by_user, V, U)

    def _alternate(
        self, plays: sp.csr_array | DaskPlays, start: list[np.ndarray], *, max_iter: int
    ) -> None:
        """Sweep from item and user factors, and set the fitted attributes.

        `start` is emptied to release its memory.
        """
        self.reg_ = self.reg
        if isinstance(self.reg, str):
            self.reg_ = float(np.clip(plays.nnz**0.75 / 18, 10.0, 100.0))
        by_item = self._weigh(plays, start[0].dtype, start[0].shape[1])
        by_user = by_item.transposed(plays.shape[1])
        history: list[float] = []
        with (
            self._open_solver(start[0].shape[1], by_item) as solver,
            progress_bar(
                description="WMF", verbose=self.verbose, total=max_iter, unit="sweep"
            ) as bar,
        ):
            users = solver.put(start.pop())
            items = solver.put(start.pop())
            try:
                for loss in sweeps(
                    by_item, by_user, items, users, solver, max_iter - 1
                ):
                    _report(loss, history, bar)
                    if len(history) > 1 and history[-2] - loss <= self.tol * loss:
                        break
                solver.half(by_user, users, items)
                solver.half(by_item, items, users, accurate=True)
                V, U = solver.get(items), solver.get(users)
                _report(solver.objective(by_item, by_user, V, U), history, bar)
                self._keep(V, U, history)
            except KeyboardInterrupt:
                if self.warm_start:
                    self._keep(solver.get(items), solver.get(users), history)
                raise
        n_pairs = by_item.indptr[-1]
        if n_pairs and self.loss_ > (1 - 1e-3) * by_item.confidence_sum:
            warn(
                f"The factors are about 0 and explain nothing: reg={self.reg_:g} "
                f"is too large for {n_pairs} plays. Use a smaller reg."
            )

    def _keep(self, V: np.ndarray, U: np.ndarray, history: list[float]) -> None:
        self.item_factors_, self.user_factors_ = V, U
        self.loss_history_ = np.array(history)
        self.loss_ = history[-1] if history else np.inf
        self.n_iter_ = len(history)

    def _starting_factors(self, shape: tuple[int, int]) -> list[np.ndarray]:
        """Draw item factors; user factors are 0, because they are solved for first."""
        rank = self._rank(shape)
        V = draw_factors(shape[0], rank, self.dtype, self.random_state)
        return [V, np.zeros((shape[1], rank), self.dtype)]

    def _rank(self, shape: tuple[int, int]) -> int:
        return min(self.n_components, *shape)

    def _last_factors(self, shape: tuple[int, int]) -> list[np.ndarray]:
        last = (*self.item_factors_.shape, len(self.user_factors_))
        if last != (shape[0], self._rank(shape), shape[1]):
            raise ValueError(
                f"warm_start=True continues from {last[0]} items, {last[2]} users and "
                f"{last[1]} components, but got {shape[0]}, {shape[1]} and "
                f"{self._rank(shape)}. Use partial_fit for new items and users, or "
                "warm_start=False."
            )
        V, U = self.item_factors_, self.user_factors_
        return [V.astype(self.dtype), U.astype(self.dtype)]

    def _fold_in(self, plays: Any, fixed: np.ndarray) -> np.ndarray:
        rows = self._weigh(plays.tocsr(), fixed.dtype, fixed.shape[1])
        n_components = fixed.shape[1]
        if isinstance(rows, Rows) and FEW * rows.n_rows * n_components <= len(fixed):
            nothing = np.zeros((rows.n_rows, n_components))
            try:
                with worker_threads(self.n_jobs) as run:
                    factors = fold_in_around(
                        rows, fixed, nothing, strength=1.0, run=run, owner=self
                    )
                return factors.astype(fixed.dtype)
            except np.linalg.LinAlgError:
                pass  # the solver below says what to do
        with self._open_solver(fixed.shape[1], rows) as solver:
            return fold_in(rows, fixed, solver)

    def _weigh(
        self, plays: sp.csr_array | DaskPlays, dtype: np.dtype, n_components: int
    ) -> Any:
        """Return weighted plays, local or in blocks, for factors of some width."""
        how: dict[str, Any] = {
            "confidence": self.confidence,
            "alpha": self.alpha,
            "epsilon": self.epsilon,
            "dtype": dtype,
        }
        regs: dict[str, Any] = {
            "reg": self.reg_ if isinstance(self.reg, str) else self.reg,
            "reg_exponent": self.reg_exponent,
        }
        if isinstance(plays, DaskPlays):
            n_dims = padded_width(n_components)
            return DaskRows.take_over(plays, n_dims=n_dims, confidence=how, **regs)
        weights = confidence_weights(plays.data, **how)
        table = sp.csr_array((weights, plays.indices, plays.indptr), shape=plays.shape)
        return Rows.from_csr(table, **regs)

    @contextmanager
    def _open_solver(
        self, n_components: int, rows: Rows | DaskRows
    ) -> Iterator[CPUSolver | TorchSolver]:
        if self.device == "cuda":
            if isinstance(rows, DaskRows):
                raise ValueError(
                    "device='cuda' solves on one GPU, but Y is in blocks on a Dask "
                    "cluster; use device='cpu'."
                )
            with TorchSolver.on_cuda(self.solver, n_components) as solver:
                yield solver
            return
        solver_type = DaskSolver if isinstance(rows, DaskRows) else CPUSolver
        with worker_threads(self.n_jobs) as run:
            yield solver_type(run, self.solver, n_components)

    def _check_plays(self, Y: Any, *, reset: bool) -> Any:
        """Return checked plays, local or in blocks, and compare users with `fit`."""
        Y = gather_plays(Y)
        plays = check_play_counts(Y, input_name="Y")
        self._check_users(Y, reset=reset)
        return plays

    def _check_users(self, Y: Any, *, reset: bool) -> None:
        validate_data(self, Y, reset=reset, skip_check_array=True)
        if reset:
            record_user_names(self, Y)
        else:
            check_user_names(self, Y, input_name="Y")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = [np.dtype(self.dtype).name]
        return tags


def _report(loss: float, history: list[float], bar: Any) -> None:
    if not np.isfinite(loss):
        raise ValueError(
            f"The objective became {loss}: confidences or factors are too large for "
            "their dtype, or reg is too small. Scale the play counts down, use a "
            "larger reg, or dtype='float64'."
        )
    history.append(loss)
    bar.set_postfix(objective=f"{loss:.6g}", refresh=False)
    bar.update()
