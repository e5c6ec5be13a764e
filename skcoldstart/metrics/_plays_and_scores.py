"""Input of all metric functions: documentation and checks."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_array

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.sources import DenseScores, ScoreSource
from skcoldstart._scores.user_names import check_same_users
from skcoldstart._utils.missing import refuse_masked
from skcoldstart._utils.sk import HasMethods, StrOptions
from skcoldstart.metrics._ranks import RankingTask

INPUT: dict[str, list] = {
    "y_true": ["array-like", "sparse matrix"],
    "y_score": ["array-like", HasMethods(["rows", "of_items"])],
    "exclude": ["array-like", "sparse matrix", None],
    "n_jobs": [Integral, None],
}
AVERAGE = [StrOptions({"user", "pooled"})]
# Documentation of parameters shared by metrics.
TEXT = {
    "inputs": """\
y_true : {array-like, sparse} of shape (n_items, n_users)
    Play counts; a positive is a played item, count > 0.
y_score : array-like of shape (n_items, n_users), LowRankScores or CallableScores
    Score of each user for each item; an item is a row. Factors and functions are
    evaluated for blocks of users. Infinite scores are allowed, except -inf for a
    positive.
""",
    "options": """\
exclude : {array-like, sparse} of shape (n_items, n_users), default=None
    Nonzero pairs are not candidates: for items that are not new, a user's training
    plays. Not needed for new items.
per_user : bool, default=False
    Whether to return one value per user instead of the mean.
n_jobs : int, default=None
    Number of threads; ``None`` means all. The result does not depend on it.
""",
    "returns": """\
Returns
-------
float or ndarray of shape (n_users,)
    Mean over the users with at least one positive; NaN if there are none. With
    ``per_user=True``, skipped users have NaN.

Raises
------
ValueError
    If shapes differ, a score is NaN, a positive is excluded or scored -inf, play
    counts are negative or not finite, or frames name other items or users.

Warns
-----
UndefinedMetricWarning
    If no user has a positive.
""",
}


def as_source(y_score: Any) -> ScoreSource:
    """Check a table of scores; return a source of scores unchanged.

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
) -> tuple[RankingTask, ScoreSource]:
    """Check that plays, scores and exclusions have the same items and users.

    Shapes: `y_true` (n_items, n_users), `y_score` (n_items, n_users), `exclude`
    (n_items, n_users).
    """
    for other, name in ((y_score, "y_score"), (exclude, "exclude")):
        check_same_items(y_true, other, input_name=name, first_name="y_true")
        check_same_users(y_true, other, input_name=name)
    source = as_source(y_score)
    return RankingTask.from_plays(y_true, source, exclude=exclude), source
