"""Learning and validation curves with sparse plays."""

import inspect
from typing import Any

import numpy as np
import sklearn.model_selection

from skcoldstart.model_selection._groups import split_and_fit_parameters
from skcoldstart.model_selection._validation import (
    as_scorer,
    check_items_and_plays,
    check_splits_rows,
)

# As in `cross_validate`: only the outermost check rejects sparse y. TODO(sklearn 1.11):
# if they accept sparse y, call them as they are.
_learning_curve = inspect.unwrap(sklearn.model_selection.learning_curve)
_validation_curve = inspect.unwrap(sklearn.model_selection.validation_curve)


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
    estimator : estimator
        A recommender, or a Pipeline or search that ends in one.
    X : sequence of n_items items
        Content.
    y : {array-like, sparse} of shape (n_items, n_users)
        Play counts, >= 0; row i is item i of X.
    scoring : str or callable, default=None
        The name of a metric, such as "ndcg@10", or a scorer that returns a float;
        ``None`` means mAP@500.
    cv : int, splitter or iterable, default=None
        As in scikit-learn; ``None`` means 5 folds, without shuffling.
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

    Raises
    ------
    TypeError
        If `X` is a single path, or `cv` splits plays and not only items.
    ValueError
        If `y` does not have one row per item, or has values other than counts.

    See Also
    --------
    cross_validate : Fits on all training items, with several metrics.

    Notes
    -----
    Fewer items also mean fewer plays of each user, so user factors get worse together
    with the content model. Training items are used in order unless ``shuffle=True``.

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
    check_items_and_plays(X, y, options.get("groups"))
    check_splits_rows(cv)
    scoring = as_scorer("map@500" if scoring is None else scoring)
    options |= split_and_fit_parameters(
        estimator, options.pop("groups", None), options.pop("params", None)
    )
    return _learning_curve(estimator, X, y, scoring=scoring, cv=cv, **options)


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
    estimator : estimator
        A recommender, or a Pipeline or search that ends in one.
    X : sequence of n_items items
        Content.
    y : {array-like, sparse} of shape (n_items, n_users)
        Play counts, >= 0; row i is item i of X.
    param_name : str
        Name of the parameter, such as ``factorizer__n_components``.
    param_range : array-like of shape (n_values,)
        Its values.
    scoring : str or callable, default=None
        The name of a metric, such as "ndcg@10", or a scorer that returns a float;
        ``None`` means mAP@500.
    cv : int, splitter or iterable, default=None
        As in scikit-learn; ``None`` means 5 folds, without shuffling.
    **options : dict
        ``groups``, ``n_jobs`` and other arguments of scikit-learn's function.

    Returns
    -------
    train_scores : ndarray of shape (n_values, n_splits)
        Scores on the training items.
    test_scores : ndarray of shape (n_values, n_splits)
        Scores on held-out items.

    Raises
    ------
    TypeError
        If `X` is a single path, or `cv` splits plays and not only items.
    ValueError
        If `y` does not have one row per item, or has values other than counts.

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
    check_items_and_plays(X, y, options.get("groups"))
    check_splits_rows(cv)
    scoring = as_scorer("map@500" if scoring is None else scoring)
    options |= split_and_fit_parameters(
        estimator, options.pop("groups", None), options.pop("params", None)
    )
    return _validation_curve(
        estimator,
        X,
        y,
        param_name=param_name,
        param_range=param_range,
        scoring=scoring,
        cv=cv,
        **options,
    )
