"""Replay the first rounds of new items under several policies."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._scores.sources import open_recommender
from skcoldstart._scores.top_n import check_users
from skcoldstart._scores.user_names import check_user_names
from skcoldstart._sequences.checks import count_items
from skcoldstart._utils.sk import COUNT, Interval, validated
from skcoldstart._utils.table import table_of

POLICIES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "epsilon-greedy": {"epsilon": 0.1},
    "popularity first": {"plays_first": True},
    "ucb": {"explore": "ucb", "strength": 0.5},
    "thompson": {"explore": "thompson", "strength": 0.5},
}
_OPTIONS = "epsilon plays_first explore strength learn_from_shown lift".split()


@validated(
    n_rounds=COUNT,
    n_shown=COUNT,
    enough=COUNT,
    policies=[Mapping, None],
    random_state=[Interval(Integral, 0, None, closed="left")],
)
def release_curve(
    model: Any,
    X: Any,
    y: Any,
    *,
    policies: Mapping[str, Mapping[str, Any]] | None = None,
    n_rounds: int = 20,
    n_shown: int = 5,
    enough: int = 5,
    users: Any = None,
    random_state: int = 0,
) -> Any:
    """Replay the first rounds of new items under several policies.

    In each round every user is shown some new items that were not shown to this user
    before, and plays those that the user plays in `y`. The recommender's
    ``refine_factors`` then learns from all plays so far. A policy selects the items.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted `skcoldstart.ColdStartRecommender`, or a Pipeline or search that ends
        in one. It is not changed.
    X : sequence of n_items items
        Content of the new items, which were not in `fit`.
    y : {array-like, sparse} of shape (n_items, n_users)
        Plays of the new items by the users of `fit`.
    policies : mapping of str to dict, default=None
        Names and options: ``{}`` shows the items with the highest scores; ``epsilon``
        is the probability that a place is given to a random item; ``plays_first=True``
        ranks by plays so far and then by score; ``explore`` and ``strength`` are those
        of `skcoldstart.recommend`; ``learn_from_shown=True`` also passes what was shown
        to ``refine_factors``; ``lift`` is added to the scores of items that have
        listeners but fewer than `enough`, in standard deviations of a user's scores.
        ``None`` means greedy, random places, popularity first, UCB and Thompson
        sampling.
    n_rounds : int, default=20
        Number of rounds.
    n_shown : int, default=5
        Number of items shown to a user in a round.
    enough : int, default=5
        Number of listeners that an item should reach.
    users : array-like, default=None
        Users who are shown items, as in `skcoldstart.recommend`; ``None`` means all.
    random_state : int, default=0
        Seed of random items and draws.

    Returns
    -------
    DataFrame, or dict of columns where pandas is missing
        One row for each policy and round: ``policy``, ``round`` (from 1), ``hits``
        (plays so far), ``items`` (those with `enough` listeners so far) and ``seed``.

    Raises
    ------
    ValueError
        If `y` is invalid, an option of a policy is unknown, or there are fewer items
        than shown in all rounds.
    TypeError
        If the recommender has no ``refine_factors``, or a policy explores and the
        recommender has no covariances.

    See Also
    --------
    warmup_curve : Ranking of items after their first plays.
    skcoldstart.inspection.NewReleaseDisplay : Draws the curves.

    Notes
    -----
    The replay assumes that a pair without a play in `y` would never be played, which is
    true only if every user has seen every item. The memory is two boolean tables of
    items and users, and that of ``refine_factors(..., return_cov=True)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import WMF, ColdStartRecommender
    >>> from skcoldstart.model_selection import release_curve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 4))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(4, 40)) - 1))
    >>> model = ColdStartRecommender(factorizer=WMF(4, random_state=0))
    >>> table = release_curve(model.fit(X[:60], y[:60]), X[60:], y[60:], n_rounds=3)
    >>> list(table["policy"][::3])
    ['greedy', 'epsilon-greedy', 'popularity first', 'ucb', 'thompson']
    """
    policies = POLICIES if policies is None else policies
    if not policies:
        raise ValueError("policies is empty; pass at least one.")
    for name, options in policies.items():
        _check_options(name, options)
    check_same_items(X, y)
    check_user_names(model, y)
    recommender, X = open_recommender(model, X)
    check_is_fitted(recommender)
    if not hasattr(recommender, "refine_factors"):
        raise TypeError(
            f"{type(recommender).__name__} has no refine_factors and cannot learn "
            "from the plays of new items; use a ColdStartRecommender."
        )
    n_items = count_items(X)
    would = check_play_counts(y, n_items=n_items) > 0
    if would.shape[1] != recommender.n_users_:
        raise ValueError(
            f"y has {would.shape[1]} columns but fit received {recommender.n_users_} "
            "users; pass one column per user, in the same order."
        )
    if n_items < n_rounds * n_shown:
        raise ValueError(
            f"{n_rounds} rounds of {n_shown} items show {n_rounds * n_shown} new "
            f"items, but there are {n_items}; decrease n_rounds or n_shown."
        )
    users = check_users(users, recommender.n_users_, recommender)
    if not len(users):
        raise ValueError("users is empty; expected at least one.")
    would = sp.csr_array(would)[:, users].toarray()
    rows = []
    for name, options in policies.items():
        rng = check_random_state(random_state)
        shown, played = np.zeros((2, n_items, recommender.n_users_), bool)
        listeners = np.zeros(n_items, int)
        for number in range(1, n_rounds + 1):
            lifted = (listeners > 0) & (listeners < enough)
            items = _choose(
                recommender, X, users, shown, played, n_shown, lifted, options, rng
            )
            of_users = np.broadcast_to(users[:, np.newaxis], items.shape)
            hits = would[items, np.arange(len(users))[:, np.newaxis]]
            shown[items, of_users] = True
            played[items[hits], of_users[hits]] = True
            listeners = played.sum(axis=1)
            rows.append({
                "policy": name,
                "round": number,
                "hits": int(listeners.sum()),
                "items": int(np.count_nonzero(listeners >= enough)),
                "seed": random_state,
            })
    return table_of(rows)


def _choose(
    recommender: Any,
    X: Any,
    users: np.ndarray,
    shown: np.ndarray,
    played: np.ndarray,
    n_shown: int,
    lifted: np.ndarray,
    options: Mapping[str, Any],
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return the items shown next to each user, (n_selected_users, n_shown).

    Shapes: `shown` and `played` (n_items, n_users), `lifted` (n_items,).
    """
    explore = {k: v for k, v in options.items() if k in ("explore", "strength")}
    plays = sp.csr_array(played, dtype=np.float64)
    known: dict[str, Any] = {"return_cov": bool(explore)}
    if options.get("learn_from_shown"):
        known["shown"] = sp.csr_array(shown, dtype=np.float64)
    factors = recommender.refine_factors(X, plays, **known)
    people = recommender.user_factors_[users]
    if lift := options.get("lift", 0.0):
        means, *cov = factors if explore else (factors,)
        spread = np.cov(means, rowvar=False, bias=True)
        spreads = np.sqrt(np.einsum("uk,kl,ul->u", people, spread, people))
        people = np.column_stack([people, lift * spreads])
        means = np.column_stack([means, lifted])
        factors = (means, cov[0].padded(means.shape[1])) if explore else means
    if options.get("plays_first"):
        # Scores, scaled to less than one play, order items with equal plays.
        largest = np.linalg.norm(factors, axis=1).max()
        largest *= np.linalg.norm(people, axis=1).max()
        factors = np.hstack([
            factors / (4.0 * largest or 1.0),
            played.sum(axis=1, keepdims=True),
        ])
        people = np.hstack([people, np.ones((len(people), 1))])
    items, _ = recommender.recommend(
        X,
        n_shown,
        exclude=sp.csr_array(shown[:, users], dtype=np.float64),
        item_factors=factors,
        user_factors=people,
        random_state=rng,
        **explore,
    )
    items = items.filled()
    epsilon = options.get("epsilon", 0.0)
    for user, place in np.argwhere(rng.uniform(size=items.shape) < epsilon):
        free = np.setdiff1d(np.flatnonzero(~shown[:, users[user]]), items[user])
        if len(free):
            items[user, place] = rng.choice(free)
    return items


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    unknown = [key for key in options if key not in _OPTIONS]
    if unknown:
        raise ValueError(
            f"Policy {name!r} has the options {unknown}; expected some of "
            f"{', '.join(_OPTIONS)}."
        )
    epsilon = options.get("epsilon", 0.0)
    if not (isinstance(epsilon, (int, float)) and 0 <= epsilon <= 1):
        raise ValueError(
            f"epsilon={epsilon!r} of policy {name!r}; expected a probability."
        )
    lift = options.get("lift", 0.0)
    if not (isinstance(lift, (int, float)) and 0 <= lift < np.inf):
        raise ValueError(
            f"lift={lift!r} of policy {name!r}; expected a number of at least 0."
        )
