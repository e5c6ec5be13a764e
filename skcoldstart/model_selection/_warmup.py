"""Evaluate the ranking of new items after their first plays."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import check_cv

from skcoldstart._scores.sources import (
    LowRankScores,
    ScoreSource,
    open_recommender,
    score_source,
)
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import nan_mean
from skcoldstart._utils.sk import INTERVAL, _safe_indexing, validated
from skcoldstart._utils.table import table_of
from skcoldstart.metrics import (
    bootstrap_interval,
    make_recommendation_scorer,
    ranking_report,
)
from skcoldstart.model_selection._split_plays import TEXTS, WarmupSplit
from skcoldstart.model_selection._validation import (
    check_items_and_plays,
    fit_with_groups,
)

# Maps a fitted recommender, items and their plays so far to scores.
System = Callable[[Any, Any, sp.csr_array], Any]


@documented(TEXTS)
@validated(n_plays=["array-like"], systems=[Mapping, None], **INTERVAL)
def warmup_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    n_plays: Sequence[int] = (0, 1, 2, 5, 10),
    systems: Mapping[str, System] | None = None,
    groups: Any = None,
    cv: Any = None,
    times: Any = None,
    metrics: str | Sequence[str] = "ndcg@20",
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> Any:
    """Evaluate how a recommender uses the first plays of new items.

    Items are held out, and their first n plays are revealed, for each n. The later
    plays are predicted.

    .. versionadded:: 0.1

    Parameters
    ----------
    <estimator>
    <items>
    <plays>
    n_plays : sequence of int, default=(0, 1, 2, 5, 10)
        Numbers of users revealed for each held-out item, increasing and >= 0.
    systems : mapping of str to callable, default=None
        Functions that use the revealed plays, by their names in the table:
        ``system(fitted, X_new, plays)`` receives the fitted estimator, held-out items
        and a csr_array of their plays so far, and returns their scores, as an array of
        shape (n_items, n_users), `skcoldstart.metrics.LowRankScores` or
        `skcoldstart.metrics.CallableScores`; or None, which leaves the point out.
        ``None`` means ``"content only"``, the prediction without plays; and, if the
        recommender supports them, ``"plays only"``, items folded in by the factorizer,
        and ``"content and plays"``, its ``refine_factors``.
    groups : array-like of shape (n_items,), default=None
        Group of each item, such as its artist, for splitters that use it.
    <cv>
    <times>
    metrics : str or sequence of str, default="ndcg@20"
        Names of metrics that have a value per user, as in
        `skcoldstart.make_recommendation_scorer`.
    <interval>
    random_state : int, default=0
        Seed of the order of plays and of these draws.

    Returns
    -------
    DataFrame, or dict of arrays where pandas is missing
        One row for each system, number of plays and metric: ``system``, ``n_plays``,
        ``metric``, its ``mean`` over users with its interval ``low`` and ``high``, and
        ``n_users``, those scored.

    Raises
    ------
    TypeError
        If `X` is a single path, or `cv` splits plays instead of items.
    ValueError
        If `n_plays` do not increase, `y` is invalid, no held-out item has more plays
        than the largest of `n_plays`, a metric has no value per user, or scores are
        NaN.

    See Also
    --------
    WarmupSplit : One point of the curve, for your own loops.
    learning_curve : Increases the number of training items.

    Notes
    -----
    All points are scored on the same plays, those after the largest of `n_plays`, and
    the same candidates: all held-out items, without the pairs that are revealed at any
    point. So a falling curve means that plays made the ranking worse.

    The value of a user is the mean over splits, as in `compare`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import WMF, ColdStartRecommender
    >>> from skcoldstart.model_selection import warmup_curve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(80, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 60)) - 1))
    >>> model = ColdStartRecommender(factorizer=WMF(4, random_state=0))
    >>> table = warmup_curve(model, X, y, n_plays=[0, 8], cv=2)
    >>> table["system"].tolist()[1:4], table["n_plays"].tolist()
    (['content only', 'plays only', 'content and plays'], [0, 8, 8, 0, 8])
    >>> bool(table["mean"][3] == table["mean"][0])  # no plays, the same prediction
    True
    """
    plays = check_items_and_plays(X, y, groups, cv)
    check_same_users(y, times, input_name="times", first_name="y")
    points = _check_points(n_plays)
    scorer = make_recommendation_scorer(metrics)
    scorer.check_per_user()
    values: dict[tuple[str, int, str], list[np.ndarray]] = {}

    def plays_after(n: int, rows: Any) -> tuple[sp.csr_array, sp.csr_array]:
        """Return the plays revealed for each n, and those held out at all points."""
        splitter = WarmupSplit(
            n, held_out_after=points[-1], cv=[rows], random_state=random_state
        )
        split = next(splitter.split(X, plays, times=times))
        return split.revealed[split.test], split.held_out[split.test]

    for train, test in check_cv(cv).split(X, None, groups):
        fitted = fit_with_groups(clone(estimator), X, plays, train, groups)
        content = _safe_indexing(X, test)
        chosen = _default_systems(fitted) if systems is None else systems
        after = {n: plays_after(n, (train, test)) for n in points}
        all_revealed, held_out = after[points[-1]]
        for name, system in chosen.items():
            for n in points:
                scores = system(fitted, content, after[n][0])
                if scores is None:
                    continue
                found = ranking_report(
                    held_out,
                    scores,
                    metrics=metrics,
                    exclude=all_revealed,
                    per_user=True,
                )
                for metric in scorer.keys:
                    values.setdefault((name, n, metric), []).append(found[metric])
    if not any(np.isfinite(of_user).any() for v in values.values() for of_user in v):
        raise ValueError(
            "Nothing is left to predict: no held-out item has plays after its first "
            f"{points[-1]}. Decrease the largest of n_plays, or use items with more "
            "plays."
        )
    rows = []
    for (name, n, metric), of_folds in values.items():
        of_user = nan_mean(np.stack(of_folds), axis=0)
        mean, low, high = bootstrap_interval(
            of_user,
            confidence=confidence,
            n_resamples=n_resamples,
            random_state=random_state,
        )
        rows.append({
            "system": name,
            "n_plays": n,
            "metric": metric,
            "mean": mean,
            "low": low,
            "high": high,
            "n_users": int(np.count_nonzero(~np.isnan(of_user))),
        })
    return table_of(rows)


def _default_systems(fitted: Any) -> dict[str, System]:
    """Return the systems that a fitted recommender supports."""
    systems: dict[str, System] = {"content only": lambda f, X, _: score_source(f, X)}
    recommender, _ = open_recommender(fitted)
    factorizer = getattr(recommender, "factorizer_", None)
    if hasattr(factorizer, "transform") and hasattr(recommender, "user_factors_"):
        systems["plays only"] = _from_plays
    if hasattr(recommender, "refine_factors") and hasattr(
        factorizer, "transform_with_prior"
    ):
        systems["content and plays"] = _from_both
    return systems


def _from_plays(fitted: Any, X: Any, plays: sp.csr_array) -> ScoreSource | None:
    if plays.nnz == 0:
        return None
    recommender, _ = open_recommender(fitted)
    factors = np.asarray(recommender.factorizer_.transform(plays))
    # Smoothed plays and popularity follow the latent factors of users.
    return LowRankScores(factors, recommender.user_factors_[:, : factors.shape[1]])


def _from_both(fitted: Any, X: Any, plays: sp.csr_array) -> ScoreSource:
    recommender, content = open_recommender(fitted, X)
    return LowRankScores(
        recommender.refine_factors(content, plays), recommender.user_factors_
    )


def _check_points(n_plays: Sequence[int]) -> list[int]:
    points = list(n_plays)
    integral = all(isinstance(n, Integral) for n in points)
    if not points or not integral or points[0] < 0 or (np.diff(points) <= 0).any():
        raise ValueError(
            f"n_plays={n_plays!r}; expected increasing integers of at least 0."
        )
    return [int(n) for n in points]
