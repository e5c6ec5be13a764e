"""Scorers of recommenders, for searches and cross-validation."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.metadata_routing import UNCHANGED, MetadataRequest

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.sources import ScoreSource, open_recommender, score_source
from skcoldstart._scores.top_n import check_users
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._utils.sk import (
    COUNT,
    Interval,
    StrOptions,
    error_score_of_caller,
    validated,
)
from skcoldstart._utils.warning import warn
from skcoldstart.metrics._formulas import check_per_user, evaluate, parse_metrics
from skcoldstart.metrics._ranks import RankingTask


@dataclass(repr=False, eq=False)
class _RecommendationScorer:
    """Score a fitted recommender; see `make_recommendation_scorer`."""

    metrics: Any
    average: str = "user"
    users: Any = None
    chunk_size: int | None = None
    random_state: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.metrics, str | Mapping):
            self.metrics = tuple(self.metrics)
        self._by_key = parse_metrics(self.metrics)
        self._requests: Any = {"exclude": True, "groups": True}

    def __call__(
        self, estimator: Any, X: Any, y: Any, exclude: Any = None, groups: Any = None
    ) -> Any:
        try:
            values = self.evaluate(estimator, X, y, exclude, groups)
            return next(iter(values.values())) if len(values) == 1 else values
        except NotFittedError:
            raise
        except Exception as error:
            # scikit-learn applies error_score to a scorer with one number. A scorer
            # with several that raises would end the whole search.
            error_score = error_score_of_caller()
            if len(self._by_key) == 1 or error_score == "raise":
                raise
            shown = error_score if error_score == error_score else "NaN"
            warn(
                f"{', '.join(self._by_key)} could not be scored and is {shown}: "
                f"{type(error).__name__}: {error}"
            )
            return dict.fromkeys(self._by_key, error_score)

    def evaluate(
        self, estimator: Any, X: Any, y: Any, exclude: Any = None, groups: Any = None
    ) -> dict[str, float]:
        """Return every metric by its key; raise on invalid data."""
        return evaluate(
            self._by_key,
            *self._read(estimator, X, y, exclude, groups),
            average=self.average,
            block_users=self.chunk_size,
        )

    def per_user(
        self, estimator: Any, X: Any, y: Any, exclude: Any = None, groups: Any = None
    ) -> dict[str, np.ndarray]:
        """Return arrays of shape (n_users,) by key, NaN for users without a value."""
        self.check_per_user()
        task, source = self._read(estimator, X, y, exclude, groups)
        found = evaluate(
            self._by_key, task, source, per_user=True, block_users=self.chunk_size
        )
        values = {key: np.full(source.n_users, np.nan) for key in found}
        for key, of_selected in found.items():
            values[key][task.users] = of_selected
        return values

    @property
    def keys(self) -> list[str]:
        """Return the names of the metrics, as in results."""
        return list(self._by_key)

    def check_per_user(self) -> None:
        """Raise if a metric has no value for one user."""
        check_per_user(self._by_key, self.average)

    def get_metadata_routing(self) -> MetadataRequest:
        """Request ``exclude`` and ``groups``."""
        request = MetadataRequest(owner=self)
        for name, alias in self._requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def set_score_request(
        self,
        *,
        exclude: bool | str | None = UNCHANGED,
        groups: bool | str | None = UNCHANGED,
    ) -> "_RecommendationScorer":
        """Return a scorer that requests metadata under another name, or not at all."""
        scorer = copy.copy(self)
        given = {"exclude": exclude, "groups": groups}
        scorer._requests = self._requests | {
            name: alias for name, alias in given.items() if alias != UNCHANGED
        }
        return scorer

    def _read(
        self, estimator: Any, X: Any, y: Any, exclude: Any, groups: Any
    ) -> tuple[RankingTask, ScoreSource]:
        """Return the users to score and the source of their scores."""
        for plays, name in ((y, "y"), (exclude, "exclude")):
            check_same_items(X, plays, input_name=name)
            check_user_names(estimator, plays, input_name=name)
        source = score_source(estimator, X, groups)
        task = RankingTask.from_plays(y, source, exclude, input_name="y")
        if isinstance(self.users, Integral):
            scored = np.flatnonzero(task.n_positives)
            if len(scored) > self.users:
                rng = np.random.default_rng(self.random_state)
                sample = rng.choice(scored, self.users, replace=False)
                task = task.of_users(np.sort(sample))
        elif self.users is not None:
            recommender, _ = open_recommender(estimator)
            task = task.of_users(check_users(self.users, source.n_users, recommender))
        return task, source

    def __repr__(self) -> str:
        changed = "".join(
            f", {field.name}={getattr(self, field.name)!r}"
            for field in fields(self)[1:]
            if not np.array_equal(*(getattr(o, field.name) for o in (self, type(self))))
        )
        return f"make_recommendation_scorer({self.metrics!r}{changed})"


@validated(
    metrics=[str, "array-like", Mapping],
    average=[StrOptions({"user", "pooled"})],
    users=[*COUNT, "array-like", None],
    chunk_size=[*COUNT, None],
    random_state=[Interval(Integral, 0, None, closed="left")],
)
def make_recommendation_scorer(
    metrics: str | Sequence[str] | Mapping[str, str] = ("map@500", "auc"),
    *,
    average: str = "user",
    users: Any = None,
    chunk_size: int | None = None,
    random_state: int = 0,
) -> _RecommendationScorer:
    """Make a scorer of recommenders from names of ranking metrics.

    .. versionadded:: 0.1

    Parameters
    ----------
    metrics : str, sequence of str or dict of str to str, default=("map@500", "auc")
        ``"map"``, ``"auc"``, ``"ndcg"``, ``"recall"``, ``"capped_recall"``,
        ``"precision"``, ``"hit_rate"``, ``"mrr"``, and for the lists of all scored
        users ``"coverage"``, ``"novelty"``, ``"popularity_bias"``. All except ``"auc"``
        can have a cutoff: ``"recall@100"``, or, except for lists, ``"recall@all"``.
        Without one, map uses 500 ranks, mrr all, the others 10. A dict sets the key of
        each metric: ``{"early": "recall@10", "late": "recall@100"}``.
    average : {"user", "pooled"}, default="user"
        Average of the AUC, as in `skcoldstart.metrics.mean_auc`.
    users : int or array-like, default=None
        Users to score: names in ``user_names_in_``, indices if y had no names in `fit`,
        a mask, or a number of users. A number of users is drawn among those with a
        positive, and is the same for every candidate of a search. ``None`` means all.
    chunk_size : int, default=None
        Number of users scored at a time in each thread, which holds ``chunk_size *
        n_items`` scores. ``None`` means 256, or up to 1024 for large catalogues, as
        128 MiB hold.
    random_state : int, default=0
        Seed of the draw if `users` is a number.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, exclude=None, groups=None)``, picklable. With one
        metric it returns a float, as required by
        `skcoldstart.model_selection.cross_val_score`. With several it returns a dict of
        floats, whose keys are the given names, such as ``recall@20``, and ``map`` for
        ``"map@500"``. The default has the keys ``map`` and ``auc``.
        ``scorer.per_user(estimator, X, y)`` returns a dict of arrays of shape
        (n_users,), NaN for users without a value.

    Raises
    ------
    ValueError
        If a metric is unknown, or a parameter out of range.

    See Also
    --------
    skcoldstart.recommendation_scorer : A scorer with the defaults.
    skcoldstart.metrics.ranking_report : Metrics of a table of scores.
    skcoldstart.model_selection.cross_validate : Accepts sparse plays.

    Notes
    -----
    The items of a fold are ranked for each user with at least one positive among them;
    other users are skipped. Scores that are products of factors, also inside a Pipeline
    or search, are computed in blocks of users. Novelty and popularity bias use the
    popularity of the scored items in y.

    ``exclude``, of shape (n_items, n_users) like y, marks known pairs that are not
    ranked. With scikit-learn's metadata routing enabled it reaches the scorer from
    ``fit(X, y, exclude=...)`` of a search or ``params={"exclude": ...}`` of a
    cross-validation, cut to the items of each fold. So do ``groups`` of the items, such
    as their artists, which are passed to a recommender that takes them.
    ``set_score_request`` returns a scorer that takes one of the two under another name
    or not at all.

    A search that requires one number, such as
    `sklearn.model_selection.HalvingGridSearchCV`, needs a scorer of one metric.

    If plays are DataFrames with named columns in `fit` and in the call, their users
    must be the same in the same order.

    If a model cannot be scored (NaN predictions, other users), a scorer of one metric
    raises an error, so the ``error_score`` of a search or cross-validation applies. A
    scorer of several metrics, whose error would end the whole search, returns
    ``error_score`` for every metric and warns, unless ``error_score="raise"``. Outside
    a search it returns NaN.

    Examples
    --------
    >>> from skcoldstart import make_recommendation_scorer
    >>> make_recommendation_scorer("recall@100", users=1000)
    make_recommendation_scorer('recall@100', users=1000)
    """
    return _RecommendationScorer(metrics, average, users, chunk_size, random_state)


recommendation_scorer = make_recommendation_scorer()
"""Score a recommender by ``{"map": mAP@500, "auc": mean AUC over users}``.

``recommendation_scorer(estimator, X, y)`` is `make_recommendation_scorer` with its
defaults; pass it as ``scoring=recommendation_scorer, refit="map"``.

.. versionadded:: 0.1
"""
