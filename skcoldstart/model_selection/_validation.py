"""Cross-validation, learning and validation curves, with sparse plays."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn.metrics
import sklearn.model_selection
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._utils.docstrings import COMMON, documented
from skcoldstart._utils.sk import _routing_enabled, _safe_indexing
from skcoldstart.metrics import make_recommendation_scorer, recommendation_scorer
from skcoldstart.model_selection._split_plays import PlaySplitter, check_plays

TEXTS = COMMON | {
    "faults": """\
Raises
------
TypeError
    If `X` is a single path, or `cv` splits plays instead of items.
ValueError
    If `y` does not have one row per item, or holds NaN, infinite or negative counts.
""",
}


def fit_with_groups(estimator: Any, X: Any, y: Any, rows: Any, groups: Any) -> Any:
    """Fit an estimator to some rows, with their groups if it uses groups."""
    params = {
        name: _safe_indexing(values, rows)
        for name, values in _groups_for_fit(estimator, groups).items()
    }
    return estimator.fit(_safe_indexing(X, rows), y[rows], **params)


def _groups_for_fit(estimator: Any, groups: Any) -> dict[str, Any]:
    """Return groups under the parameter name of `fit` for the step that uses them."""
    if groups is None:
        return {}
    if _routing_enabled():
        routing = get_routing_for_object(estimator)
        return {"groups": groups} if routing.consumes("fit", {"groups"}) else {}
    name = _name_in_fit(estimator)
    return {} if name is None else {name: groups}


def _name_in_fit(estimator: Any) -> str | None:
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = _name_in_fit(last)
        return None if inner is None else f"{name}__{inner}"
    if hasattr(estimator, "refit"):
        requests = get_routing_for_object(check_cv(estimator.cv)).split.requests
        return "groups" if requests.get("groups") is True else None
    if has_fit_parameter(estimator, "groups"):
        return "groups"
    # A recommender passes unknown parameters to its regressor.
    regressor = getattr(estimator, "regressor", None)
    return None if regressor is None else _name_in_fit(regressor)


# scikit-learn's own functions work on sparse y; only the check of their parameters, the
# outermost wrapper, rejects it. Estimators still check their own parameters.
# TODO(sklearn 1.11): if they accept sparse y, call them directly.
_cross_validate = inspect.unwrap(sklearn.model_selection.cross_validate)
_learning_curve = inspect.unwrap(sklearn.model_selection.learning_curve)
_validation_curve = inspect.unwrap(sklearn.model_selection.validation_curve)


@documented(TEXTS)
def cross_validate(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    groups: Any = None,
    scoring: Any = recommendation_scorer,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    pre_dispatch: int | str = "2*n_jobs",
    return_train_score: bool = False,
    return_estimator: bool = False,
    return_indices: bool = False,
    error_score: Any = np.nan,
) -> dict[str, Any]:
    """Evaluate a recommender on held-out items by several metrics.

    `sklearn.model_selection.cross_validate` that also accepts sparse plays. Rows are
    items, so every splitter of rows holds out items: `KFold` holds out new items, and
    `GroupKFold` with artists as groups holds out items of new artists.

    .. versionadded:: 0.1

    Parameters
    ----------
    <estimator>
    X : sequence of n_items items
        Content: a table, paths, a `RaggedArray`, or any other sequence.
    <plays>
    groups : array-like of shape (n_items,), default=None
        Group of each item, such as its artist, for `cv` and for the splitter of a
        search inside `estimator`. No group may be missing.
    scoring : callable, str, list, tuple or dict, default=recommendation_scorer
        A name or names as in `skcoldstart.make_recommendation_scorer`, such as
        "ndcg@10" or ``{"early": "recall@10"}``; anything else as in scikit-learn. The
        default returns ``test_map`` (mAP@500) and ``test_auc``.
    <cv>
    n_jobs : int, default=None
        Number of folds fitted at a time, through joblib; ``None`` means 1.
    verbose : int, default=0
        Verbosity of joblib.
    params : dict, default=None
        Parameters for the estimator's `fit`, the scorer and the splitter.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of jobs dispatched in advance.
    return_train_score, return_estimator, return_indices : bool, default=False
        Whether to return the scores of the training items, the fitted estimators, and
        the items of each fold.
    error_score : "raise" or float, default=np.nan
        Score of a fold whose fit or scoring fails, with a warning; "raise" raises the
        error.

    Returns
    -------
    dict of str to ndarray of shape (n_splits,)
        ``test_<metric>``, ``fit_time``, ``score_time``, in s, and the requested
        estimators and indices, as in scikit-learn.

    <faults>

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Accepts sparse plays, for example with
        ``scoring=recommendation_scorer, refit="map"``.
    cross_val_score : Returns one number per fold.

    Notes
    -----
    Splitters that stratify by y reject plays. Random folds have songs of one artist on
    both sides.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skcoldstart import ContentProfileRecommender
    >>> from skcoldstart.model_selection import cross_validate
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> y = csr_array(rng.poisson(np.exp(X @ rng.normal(size=(4, 30)) - 1)))
    >>> scores = cross_validate(ContentProfileRecommender(), X, y, cv=3)
    >>> bool((scores["test_auc"] > 0.6).all())
    True
    """
    options = {
        "groups": groups,
        "n_jobs": n_jobs,
        "verbose": verbose,
        "params": params,
        "pre_dispatch": pre_dispatch,
        "return_train_score": return_train_score,
        "return_estimator": return_estimator,
        "return_indices": return_indices,
        "error_score": error_score,
    }
    options = _sklearn_options(estimator, X, y, scoring, cv, options)
    return _cross_validate(estimator, X, y, **options)


@documented()
def cross_val_score(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: str | Callable[[Any, Any, Any], float] | None = None,
    **options: Any,
) -> np.ndarray:
    """Evaluate a recommender on held-out items by one number per fold.

    .. versionadded:: 0.1

    Parameters
    ----------
    <estimator>
    <items>
    <plays>
    <scoring>
    **options : dict
        ``groups``, ``cv``, ``n_jobs``, ``verbose``, ``params``, ``pre_dispatch`` and
        ``error_score`` of `cross_validate`.

    Returns
    -------
    ndarray of shape (n_splits,)
        Score of each fold.

    Raises
    ------
    ValueError
        If the scorer returns several metrics.

    See Also
    --------
    cross_validate : Returns several metrics, times and more.
    """
    scorers = {"score": _scorer_of_one_number(scoring)}
    return cross_validate(estimator, X, y, scoring=scorers, **options)["test_score"]


def as_scorer(scoring: Any) -> Any:
    """Make a scorer from names of ranking metrics; return other scorers unchanged.

    Names of scikit-learn's scorers are kept. Several names of ours become one scorer,
    which ranks once; mixed with others, each becomes a scorer of its own.
    """
    if isinstance(scoring, str):
        return make_recommendation_scorer(scoring) if _is_ours(scoring) else scoring
    if not isinstance(scoring, (list, tuple, set, dict)) or not scoring:
        return scoring
    names = list(scoring.values()) if isinstance(scoring, dict) else list(scoring)
    ours = [isinstance(name, str) and _is_ours(name) for name in names]
    if all(ours) and len(names) > 1:
        return make_recommendation_scorer(scoring)
    if not any(ours):
        return scoring
    scorers = [as_scorer(name) for name in names]
    if isinstance(scoring, dict):
        return dict(zip(scoring, scorers, strict=True))
    return {
        getattr(scorer, "keys", [name])[0]: scorer
        for name, scorer in zip(names, scorers, strict=True)
    }


def names_of_scores(scorer: Any) -> list[str]:
    """Return the names of the metrics of a scorer; none if it returns one number."""
    if isinstance(scorer, (list, tuple, set, dict)):
        return list(scorer)
    names = getattr(scorer, "keys", [])
    return names if len(names) > 1 else []


def _scorer_of_one_number(scoring: Any) -> Any:
    """Return a scorer, of mAP@500 by default; reject several metrics."""
    scorer = as_scorer("map@500" if scoring is None else scoring)
    names = names_of_scores(scorer)
    if names:
        raise ValueError(
            f"scoring has the metrics {names}; expected one number. Use "
            "cross_validate, or pass one name, such as 'ndcg@10'."
        )
    return scorer


def _is_ours(name: str) -> bool:
    if name in sklearn.metrics.get_scorer_names():
        return False
    make_recommendation_scorer(name)  # raises an error with the known names
    return True


def check_items_and_plays(
    X: Any, y: Any, groups: Any = None, cv: Any = None
) -> sp.csr_array:
    """Return plays with one row per item of X; reject inputs that do not match.

    Shapes: `y` (n_items, n_users), `groups` (n_items,) -> (n_items, n_users).
    """
    if not sp.issparse(X):
        check_item_sequence(X)
    plays = check_plays(X, y, groups)
    if isinstance(cv, PlaySplitter):
        raise TypeError(
            f"cv={cv!r} splits plays instead of items and cannot be used as cv. Loop "
            "over its split(X, y), fit on `fitted` and score on `held_out`."
        )
    return plays


def _sklearn_options(
    estimator: Any, X: Any, y: Any, scoring: Any, cv: Any, options: dict[str, Any]
) -> dict[str, Any]:
    """Check the input of an evaluation; return its options as scikit-learn takes them.

    Groups are passed to the splitter, and to a search inside the estimator that uses
    them.
    """
    groups, params = options.get("groups"), dict(options.get("params") or {})
    check_items_and_plays(X, y, groups, cv)
    if groups is None:
        groups = params.pop("groups", None)
    if _routing_enabled():
        params |= {} if groups is None else {"groups": groups}
        groups = None
    else:
        params = _groups_for_fit(estimator, groups) | params
    routed = {"groups": groups, "params": params}
    return options | routed | {"scoring": as_scorer(scoring), "cv": cv}


@documented(TEXTS)
def learning_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    scoring: Any = None,
    cv: Any = None,
    **options: Any,
) -> tuple[np.ndarray, ...]:
    """Evaluate a recommender fitted on increasing numbers of items.

    `sklearn.model_selection.learning_curve` that also accepts sparse plays.

    .. versionadded:: 0.1

    Parameters
    ----------
    <estimator>
    <items>
    <plays>
    <scoring>
    <cv>
    **options : dict
        ``train_sizes``, ``groups``, ``shuffle``, ``random_state`` and other arguments
        of scikit-learn's function.

    Returns
    -------
    train_sizes : int64 ndarray of shape (n_sizes,)
        Numbers of training items.
    train_scores : ndarray of shape (n_sizes, n_splits)
        Scores on the training items.
    test_scores : ndarray of shape (n_sizes, n_splits)
        Scores on held-out items, the same items for every size.

    <faults>

    See Also
    --------
    cross_validate : Fits on all training items, with several metrics.

    Notes
    -----
    Fewer items also mean fewer plays of each user, so user factors get worse too.
    Training items are used in order unless ``shuffle=True``.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skcoldstart import ContentProfileRecommender
    >>> from skcoldstart.model_selection import learning_curve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(90, 4))
    >>> y = csr_array(rng.poisson(np.exp(X @ rng.normal(size=(4, 30)) - 1)))
    >>> sizes, _, test = learning_curve(
    ...     ContentProfileRecommender(), X, y, cv=3, train_sizes=[6, 60])
    >>> sizes, bool(test[0].mean() < test[1].mean())
    (array([ 6, 60]), True)
    """
    scorer = _scorer_of_one_number(scoring)
    options = _sklearn_options(estimator, X, y, scorer, cv, options)
    return _learning_curve(estimator, X, y, **options)


@documented(TEXTS)
def validation_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    param_name: str,
    param_range: Any,
    scoring: Any = None,
    cv: Any = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate a recommender for several values of one parameter.

    `sklearn.model_selection.validation_curve` that also accepts sparse plays.

    .. versionadded:: 0.1

    Parameters
    ----------
    <estimator>
    <items>
    <plays>
    param_name : str
        Name of the parameter, such as ``factorizer__n_components``.
    param_range : array-like of shape (n_values,)
        Its values.
    <scoring>
    <cv>
    **options : dict
        ``groups``, ``n_jobs`` and other arguments of scikit-learn's function.

    Returns
    -------
    train_scores : ndarray of shape (n_values, n_splits)
        Scores on the training items.
    test_scores : ndarray of shape (n_values, n_splits)
        Scores on held-out items.

    <faults>

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Several parameters; accepts sparse plays.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import RandomRecommender
    >>> from skcoldstart.model_selection import validation_curve
    >>> X, y = np.zeros((30, 1)), np.eye(30, 12) + np.eye(30, 12, -15)
    >>> train, test = validation_curve(RandomRecommender(random_state=0), X, y,
    ...     param_name="n_components", param_range=[1, 2, 3], cv=2)
    >>> test.shape
    (3, 2)
    """
    scorer = _scorer_of_one_number(scoring)
    options = _sklearn_options(estimator, X, y, scorer, cv, options)
    return _validation_curve(
        estimator, X, y, param_name=param_name, param_range=param_range, **options
    )
