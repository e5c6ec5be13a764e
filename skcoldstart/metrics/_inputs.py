"""What every metric function accepts, and how it reads it."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_array

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.sources import DenseScores, ScoreSource
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import HasMethods, Interval, StrOptions
from skcoldstart.metrics._formulas import Metric, evaluate
from skcoldstart.metrics._ranks import Candidates, rank_positives

__all__ = [
    "AT_K",
    "AVERAGE",
    "INPUT",
    "STACKLEVEL",
    "as_source",
    "mean_over_users",
    "read_inputs",
]

INPUT: dict[str, list] = {
    "y_true": ["array-like", "sparse matrix"],
    "y_score": ["array-like", HasMethods(["rows", "of_items"])],
    "exclude": ["array-like", "sparse matrix", None],
    "n_jobs": [Integral, None],
}
AT_K = {
    **INPUT,
    "k": [Interval(Integral, 1, None, closed="left"), None],
    "per_user": ["boolean"],
}
AVERAGE = [StrOptions({"user", "pooled"})]
# Frames from a warning to the caller: evaluate, _mean, the metric, its validation.
STACKLEVEL = 4


def as_source(y_score: Any) -> ScoreSource:
    """Check a table of scores; take a source of scores as it is.

    Shapes: `y_score` (n_items, n_users).
    """
    if hasattr(y_score, "of_items"):
        return y_score
    refuse_masked(y_score, "y_score")
    return DenseScores(
        check_array(
            y_score,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            input_name="y_score",
        )
    )


def read_inputs(
    y_true: Any, y_score: Any, exclude: Any = None
) -> tuple[Candidates, ScoreSource]:
    """Check that plays, scores and exclusions are about the same items and users.

    Shapes: `y_true` (n_items, n_users), `y_score` (n_items, n_users), `exclude`
    (n_items, n_users).
    """
    for other, name in ((y_score, "y_score"), (exclude, "exclude")):
        check_same_items(y_true, other, input_name=name, first_name="y_true")
        check_same_users(y_true, other, input_name=name)
    source = as_source(y_score)
    return Candidates.from_plays(y_true, source, exclude=exclude), source


def mean_over_users(
    metric: Metric,
    y_true: Any,
    y_score: Any,
    exclude: Any,
    per_user: bool,
    n_jobs: int | None,
) -> float | np.ndarray:
    """Compute one metric of each user, or its mean.

    Shapes: `y_true` (n_items, n_users), `y_score` (n_items, n_users), `exclude`
    (n_items, n_users) -> (n_users,).
    """
    candidates, source = read_inputs(y_true, y_score, exclude)
    if per_user:
        return metric.per_user(rank_positives(candidates, source, n_jobs=n_jobs))
    values = evaluate(
        {metric.name: metric},
        candidates,
        source,
        n_jobs=n_jobs,
        stacklevel=STACKLEVEL,
    )
    return values[metric.name]
