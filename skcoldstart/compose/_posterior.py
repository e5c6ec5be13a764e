"""Covariances of predicted factors, for regressors whose errors can be seen."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.covariance import FactorCovariance, after_plays
from skcoldstart.compose._base import FactorScoresMixin, compress_norms, take_items
from skcoldstart.compose._disagreement import (
    FEWEST_HELD,
    conformal_factor,
    errors_of_network,
    learn_from_spreads,
    n_members,
    relative_variance,
    root_of,
    shares_of_spreads,
    spreads_of,
)
from skcoldstart.compose._linear import (
    BLOCK_ROWS,
    LINEAR_REGRESSORS,
    by_row,
    dense_blocks,
    kernel_of,
    one_strength,
)
from skcoldstart.compose._regressors import features_and_head, last_step

MOST_FEATURES = 2048  # a square matrix of them is kept
MOST_KERNEL_ITEMS = 10_000  # likewise
MOST_ITEMS = 4096  # whose leave-one-out residuals are taken
MOST_HELD, ENOUGH_HELD, MOST_USERS = 1024, 600, 1024  # held out to see the errors


class PosteriorMixin(FactorScoresMixin):
    """Covariances of predicted factors, and deviations of scores.

    They are computed on first use. Copies of the recommender then contain them instead
    of its training items; those of an ensemble, which is fitted again for them, only if
    they were used.
    """

    regressor_: Any
    factorizer_: Any
    prior_strength: float

    def _record_training(self, *seen: Any) -> None:
        """Store the input of `_learn_posterior`, unless there are no covariances."""
        reason = _why_none(self)
        self._posterior = reason and {"reason": reason}
        self._training = None if reason else seen

    def _learnt_posterior(self) -> dict[str, Any]:
        """Return the state for covariances, or the reason why there are none."""
        training = getattr(self, "_training", None)
        if training is not None:
            self._posterior = _learn_posterior(self, *training)
            self._training = None
        return getattr(self, "_posterior", {"reason": "it was fitted before 0.2"})

    def __getstate__(self) -> Any:
        """Pickle without the training items."""
        training = getattr(self, "_training", None)
        if training is None or not n_members(last_step(self.regressor_)):
            self._learnt_posterior()
            return super().__getstate__()
        reason = (
            "it was copied or saved before they were computed; call "
            "predict_factors(X, return_cov=True) once before that"
        )
        state: Any = super().__getstate__()
        return state | {"_training": None, "_posterior": {"reason": reason}}

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Score every item for every user.

        Parameters
        ----------
        X : sequence of n_items items
            Items to score, in the same form as in `fit`. They need no plays.
        return_std : bool, default=False
            Whether to return standard deviations of the scores as well.

            .. versionadded:: 0.2

        Returns
        -------
        scores : ndarray of shape (n_items, n_users)
            Scores, decoded by the factorizer. For large catalogues prefer `recommend`,
            which does not build this table.
        std : ndarray of shape (n_items, n_users)
            With `return_std`: standard deviations, ``sqrt(x_u @ cov[i] @ x_u)`` with
            the factors x_u of a user and ``cov`` as of `predict_factors`. In 90 % of
            cases, the score that an item would get from its plays is within 1.645
            of them.

        Raises
        ------
        TypeError
            If `return_std` is set and the regressor has no posterior.
        """
        if not return_std:
            return super().predict(X)
        _, cov = self.predict_factors(X, return_cov=True)  # type: ignore[attr-defined]
        return super().predict(X), cov.std(self.user_factors_)

    def _covariance(self, X: Any) -> FactorCovariance:
        """Return the covariances of latent factors predicted from content."""
        check_is_fitted(self)
        state = self._learnt_posterior()
        if "reason" in state:
            raise TypeError(
                f"Predictions have no covariances: {state['reason']}. Expected a "
                "regularized Ridge, RidgeCV, LinearRegression, KernelRidge, "
                "CNNFactorRegressor or an ensemble such as BaggingRegressor around "
                "another regressor, alone or at the end of a Pipeline, and a "
                "factorizer such as WMF()."
            )
        F, head = features_and_head(self.regressor_, X)
        if "typical" in state:
            scale = relative_variance(state, spreads_of(head, F))
            return FactorCovariance(scale, state["root"])
        if isinstance(head, KernelRidge):
            cov = _kernel_covariance(head, F, state)
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                leverages, log_plays = _seen_by_ridge(state, F)
                scale = 1.0 + np.maximum(leverages, 0.0)
                by_plays = _variance_by_plays(state["by_plays"], log_plays)
            cov = FactorCovariance(scale, state["root"], by_plays=by_plays)
        is_far = ~np.isfinite(cov.scale)
        if is_far.any():
            raise ValueError(
                f"Item {int(np.argmax(is_far))} of X is so far from those of fit that "
                "the variance of its factors is beyond double precision; leave it out, "
                "or scale the content down."
            )
        return cov

    def _covariance_after(
        self, X: Any, plays: sp.csr_array, **exposure: Any
    ) -> FactorCovariance:
        """Return the covariances of latent factors after plays of the items."""
        length = self._factor_length  # type: ignore[attr-defined]
        cov = self._covariance(X).scaled(length)
        factorizer = self.factorizer_
        U = factorizer.user_factors_.astype(np.float64)
        gram = U.T @ U
        # A play counts against the content as in the mean that `refine_factors` solves
        # for, whose prior has the precision ``strength * (gram + reg I)``: its unit is
        # such that scores vary as much, in the mean over users, as by the covariance.
        spectrum = np.maximum(np.linalg.eigvalsh(gram), 0.0)
        freedom = np.sum(spectrum / (spectrum + getattr(factorizer, "reg_", 0.0)))
        varying = np.einsum("kr,kl,lr->", cov.root, gram, cov.root)
        unit = self.prior_strength * varying / freedom
        counts = factorizer.confidences(plays)
        counts.data = np.maximum(counts.data - 1.0, 0.0)
        if exposure:
            counts = sp.csr_array(counts + factorizer.refusals(plays, **exposure))
        precision = np.sqrt(counts.data / unit)

        def listeners() -> Iterator[np.ndarray]:
            for start, stop in zip(counts.indptr, counts.indptr[1:], strict=False):
                users = counts.indices[start:stop]
                yield precision[start:stop, np.newaxis] * U[users]

        return after_plays(cov, listeners()).scaled(1 / length)


def _why_none(recommender: Any) -> str | None:
    """Return the reason why there are no covariances, if there is one."""
    head = last_step(recommender.regressor_)
    if not hasattr(recommender, "user_factors_"):
        return f"{type(recommender.factorizer_).__name__} does not decode linearly"
    if hasattr(head, "held_out_"):
        n_held = len(head.held_out_)
        if n_held >= FEWEST_HELD:
            return None
        return (
            f"the network held {n_held} items out, and {FEWEST_HELD} are needed to see "
            "its errors; use a larger validation_fraction"
        )
    if n_members(head):
        return None if n_members(head) > 1 else "the ensemble has one member"
    if not isinstance(head, (*LINEAR_REGRESSORS, KernelRidge)):
        return f"the regressor ends in {type(head).__name__}"
    try:
        alpha = one_strength(head, "Covariances")
    except ValueError as error:
        return str(error).rstrip(".")
    if getattr(head, "positive", False):
        return "the coefficients are held positive"
    if isinstance(head, KernelRidge):
        n_items = head.X_fit_.shape[0]
        if alpha == 0 or head.kernel == "precomputed":
            return f"of {head}, whose alpha is 0 or kernel precomputed"
        if n_items > MOST_KERNEL_ITEMS:
            return f"{n_items} items are in the kernel; set max_items"
    elif head.n_features_in_ > MOST_FEATURES:
        return (
            f"the regressor sees {head.n_features_in_} features, of which a square "
            f"matrix is needed, for up to {MOST_FEATURES}; reduce them by TruncatedSVD"
        )
    return None


def _learn_posterior(
    recommender: Any,
    F: Any,
    weight: np.ndarray | None,
    plays: sp.csr_array,
    norm_compression: float,
) -> dict[str, Any]:
    """Return the state for covariances, or the reason why there are none.

    Of a kernel ridge, expensive parts are computed in the prediction. Shapes: `F`, what
    the last step sees of the training items, (n_items, d), `weight` (n_items,), `plays`
    (n_items, n_users).
    """
    head = last_step(recommender.regressor_)
    played, targets = recommender.training_factors()
    if hasattr(head, "held_out_"):
        users = recommender.user_factors_[:, : targets.shape[1]]
        return learn_from_spreads(errors_of_network(head, F, targets, users))
    F = F if hasattr(F, "shape") else np.asarray(F)
    w = np.ones(len(targets)) if weight is None else weight
    log_plays = np.log1p(np.diff(plays.indptr))
    of_kernel = {"weight": w, "log_plays": log_plays}
    if not w.all():  # the regressor has not learned from the other items
        used = np.flatnonzero(w)
        F, w, plays = take_items(F, used), w[used], plays[used]
        played, targets, log_plays = played[used], targets[used], log_plays[used]
        weight = w
    rng = np.random.default_rng(0)
    taught = F, weight, plays, played, targets
    folds = _held_out(recommender, *taught, norm_compression, rng)
    if n_members(head):
        return learn_from_spreads(folds)
    if isinstance(head, KernelRidge):
        return of_kernel | {"folds": folds}
    state = _ridge_state(head, F, w, log_plays, one_strength(head, "Covariances"))
    chosen = _chosen(len(targets), MOST_ITEMS, rng)
    chosen = np.unique(np.concatenate([chosen, *(fold["items"] for fold in folds)]))
    rows = take_items(F, chosen)
    left = 1.0 - w[chosen] * _seen_by_ridge(state, rows)[0]
    if left.mean() < 1e-6:
        return {"reason": "the regressor fits its training items exactly"}
    left = np.maximum(left, 1e-6)
    predicted = np.reshape(head.predict(rows), (len(chosen), -1))
    residuals = (targets[chosen] - predicted) / left[:, np.newaxis]
    spare = (1 / left - 1) / w[chosen]
    return state | _root_and_scale(residuals, spare, w[chosen], chosen, folds)


def _ridge_state(
    head: Any, F: Any, w: np.ndarray, log_plays: np.ndarray, alpha: float
) -> dict[str, Any]:
    """Return the state for leverages of a ridge, and for the plays it predicts."""
    n_features = F.shape[1]
    parts = list(gen_batches(len(w), BLOCK_ROWS))
    mean, share, level = np.zeros(n_features), 0.0, 0.0
    if head.fit_intercept:
        blocks = zip(parts, dense_blocks(F), strict=True)
        mean = np.sum([w[part] @ rows for part, rows in blocks], axis=0) / w.sum()
        share = 1 / w.sum()
        level = share * (w @ log_plays)
    gram, moment = np.zeros((n_features, n_features)), np.zeros(n_features)
    for part, rows in zip(parts, dense_blocks(F), strict=True):
        rows = rows - mean
        gram += rows.T @ (w[part, np.newaxis] * rows)
        moment += rows.T @ (w[part] * (log_plays[part] - level))
    state = {"mean": mean, "share": share, "level": level}
    if alpha > 0:
        gram[np.diag_indices_from(gram)] += alpha
        lower = scipy.linalg.cholesky(gram, lower=True)
        white = scipy.linalg.solve_triangular(lower, np.eye(n_features), lower=True).T
    else:
        values, vectors = np.linalg.eigh(gram)
        kept = values > values.max(initial=0.0) * n_features * np.finfo(float).eps
        white = vectors[:, kept] / np.sqrt(values[kept])
    return state | {"whitening": white, "coef": white @ (white.T @ moment)}


def _seen_by_ridge(state: dict[str, Any], F: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return ``1 / n + (f - mean)' inv(F'F + alpha I) (f - mean)`` of each row f.

    Also return the log(1 + users) that the ridge predicts. Shapes: (n_items,) both.
    """
    leverages, log_plays = [], []
    for rows in dense_blocks(F):
        rows = rows - state["mean"]
        white = rows @ state["whitening"]
        leverages.append(state["share"] + np.einsum("ij,ij->i", white, white))
        log_plays.append(state["level"] + rows @ state["coef"])
    return np.concatenate(leverages), np.concatenate(log_plays)


def _variance_by_plays(state: dict[str, Any], log_plays: np.ndarray) -> np.ndarray:
    """Return the variance of items with these expected plays, 1 for usual ones.

    The factors of an item are shrunken unless it has many plays, so the errors of items
    with more plays are larger. Shapes: (n_items,) -> (n_items,).
    """
    if not state:
        return np.ones(len(log_plays))
    low, high = state["range"]
    expected = np.exp(np.clip(log_plays, low, high))
    return relative_variance(state, expected[:, np.newaxis])


def _kernel_covariance(
    head: KernelRidge, F: Any, state: dict[str, Any]
) -> FactorCovariance:
    used = np.flatnonzero(state["weight"])
    known, w = take_items(head.X_fit_, used), state["weight"][used]
    alpha = one_strength(head, "Covariances")
    root_w = np.sqrt(w)
    gram = kernel_of(head, known, known).astype(np.float64)
    gram *= np.outer(root_w, root_w)
    gram[np.diag_indices_from(gram)] += alpha
    lower = scipy.linalg.cholesky(gram, lower=True, overwrite_a=True)
    inverse = scipy.linalg.solve_triangular(lower, np.eye(len(w)), lower=True)
    inverse *= inverse
    diagonal = inverse.sum(axis=0)
    del inverse
    residuals = np.reshape(head.dual_coef_, (head.X_fit_.shape[0], -1))[used]
    residuals = residuals / (w * diagonal)[:, np.newaxis]
    spare = (1 / (alpha * diagonal) - 1) / w
    everything = np.arange(len(w))
    found = _root_and_scale(residuals, spare, w, everything, state["folds"])
    dual = scipy.linalg.cho_solve((lower, True), root_w * state["log_plays"][used])
    scales, by_plays = [], []
    F = by_row(F)
    for part in gen_batches(F.shape[0], BLOCK_ROWS // 4):
        rows = F[part]
        own = np.diag(kernel_of(head, rows, rows))
        cross = root_w[:, np.newaxis] * kernel_of(head, known, rows)
        by_plays.append(_variance_by_plays(found["by_plays"], cross.T @ dual))
        seen = scipy.linalg.solve_triangular(lower, cross, lower=True)
        seen *= seen
        scales.append(1.0 + np.maximum(own - seen.sum(axis=0), 0.0) / alpha)
    factors = np.concatenate(by_plays)
    return FactorCovariance(np.concatenate(scales), found["root"], by_plays=factors)


def _root_and_scale(
    residuals: np.ndarray,
    spare: np.ndarray,
    w: np.ndarray,
    rows: np.ndarray,
    folds: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return a root (k, r) of the covariance that all items share, and their variance.

    Shapes: leave-one-out `residuals` (n_rows, k) of the items `rows`, their leverages
    `spare` (n_rows,) without themselves.
    """
    root = root_of(residuals / np.sqrt(1 / w + spare)[:, np.newaxis])
    scales = [1.0 + spare[np.searchsorted(rows, fold["items"])] for fold in folds]
    if not folds:
        return {"root": root, "by_plays": {}}
    log_plays = np.concatenate([fold["log_plays"] for fold in folds])
    whole = np.concatenate([fold["errors"] for fold in folds])
    whole /= np.sqrt(np.concatenate(scales))[:, np.newaxis]
    by_plays = shares_of_spreads(whole, np.exp(log_plays)[:, np.newaxis])
    by_plays["range"] = np.array([log_plays.min(), log_plays.max()])
    for scale, fold in zip(scales, folds, strict=True):
        scale *= _variance_by_plays(by_plays, fold["log_plays"])
    return {"root": root * conformal_factor(folds, scales, root), "by_plays": by_plays}


def _held_out(
    recommender: Any,
    F: Any,
    weight: np.ndarray | None,
    plays: sp.csr_array,
    played: np.ndarray,
    targets: np.ndarray,
    norm_compression: float,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Return errors of factors predicted for held-out items, in folds.

    The factorization continues for a step without a fifth of the items, a regressor is
    fitted on its items, and the others are predicted and folded in. If the factorizer
    cannot do this, items keep their fitted factors.
    """
    head, factorizer = last_step(recommender.regressor_), recommender.factorizer_
    users = recommender.user_factors_[:, : targets.shape[1]]
    # The strength that a search chose is kept.
    unfitted = head
    if isinstance(head, RidgeCV):
        unfitted = Ridge(head.alpha_, fit_intercept=head.fit_intercept)
    n_items = len(played)
    n_held = min(MOST_HELD, n_items // 5)
    order = rng.permutation(n_items)
    chosen = _chosen(plays.shape[1], MOST_USERS, rng)
    log_plays = np.log1p(np.diff(plays.indptr))
    folds = []
    for start in range(0, min(n_items, ENOUGH_HELD, 3 * n_held), max(n_held, 1)):
        items = np.sort(order[start : start + n_held])
        rest = np.setdiff1d(np.arange(n_items), items)
        learnt, truth = targets[rest], targets[items]
        if hasattr(factorizer, "transform_users"):
            shape = len(factorizer.item_factors_), n_items
            places = sp.csr_array((np.ones(len(rest)), (played[rest], rest)), shape)
            others = places @ plays
            blind = copy.copy(factorizer)
            for _ in range(2):
                blind.user_factors_ = blind.transform_users(others)
                blind.item_factors_ = blind.transform(others)
            users = blind.user_factors_
            both = np.vstack([
                blind.item_factors_[played[rest]],
                blind.transform(plays[items]),
            ])
            both, _ = compress_norms(both, norm_compression)
            learnt, truth = both[: len(rest)], both[len(rest) :]
        params = {} if weight is None else {"sample_weight": weight[rest]}
        twin, known, held = clone(unfitted), take_items(F, rest), take_items(F, items)
        fold = {"items": items, "users": users[chosen].astype(np.float64)}
        if n_members(head):
            twin.fit(known, learnt, **params)
            predicted = np.reshape(twin.predict(held), truth.shape)
            fold["spreads"] = spreads_of(twin, held)
        else:
            learnt = np.column_stack([learnt, log_plays[rest]])
            twin.fit(known, learnt, **params)
            predicted, expected = np.split(twin.predict(held), [-1], axis=1)
            fold["log_plays"] = expected[:, 0].astype(np.float64)
        folds.append(fold | {"errors": truth - predicted})
    return folds


def _chosen(n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(n, min(n, most), replace=False))
