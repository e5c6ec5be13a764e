"""Split the scores of an item into contributions of its frames."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.sources import open_recommender
from skcoldstart._scores.top_n import check_users
from skcoldstart.audio import AudioEmbedding, FramePooling
from skcoldstart.codebook import BagOfWords
from skcoldstart.compose._disagreement import outputs_of_windows

TOLERANCE = 1e-5  # of a sum, relative to its terms, where networks are float32
ADDITIVE = ("mean", "max", "min")
WINDOW_S = 3.0  # of AudioEmbedding, and of what is shown of single frames


class ScoreOverTime(NamedTuple):
    """Scores of one item as sums over its frames.

    .. versionadded:: 0.2

    Parameters
    ----------
    base : ndarray of shape (n_users,)
        Scores of an item without sound.
    contributions : ndarray of shape (n_frames, n_users)
        Contribution of each frame: ``base + contributions.sum(axis=0)`` are the scores.
    frame_s : float or None
        Time from frame to frame, in seconds; ``None`` if the model was given frames.
    """

    base: np.ndarray
    contributions: np.ndarray
    frame_s: float | None


class _Parts(NamedTuple):
    """Parts of an item, and the frames that each belongs to."""

    rows: Any  # (n_parts, n_features): their sum is the input of the rest of the model
    cover: sp.csr_array  # (n_parts, n_frames), each row sums to 1
    frame_s: float | None
    # (n_parts, 2) first frame and end of each part, where parts are windows
    windows: np.ndarray | None = None


def score_over_time(estimator: Any, item: Any, users: Any) -> ScoreOverTime:
    """Split the scores of one item into contributions of its frames.

    .. versionadded:: 0.2

    Parameters
    ----------
    estimator : estimator
        A fitted recommender that pools frames: by windows of a `CNNFactorRegressor`, by
        `BagOfWords`, or by `FramePooling` or `AudioEmbedding` with the statistics
        ``"mean"``, ``"max"`` and ``"min"``. All steps after the pooling must be linear
        up to a constant, such as scalers, `PCA` and `Ridge`. It can also be a Pipeline
        or a search.
    item : path, waveform or frames
        One item, in the form that `estimator` accepts.
    users : array-like
        Indices of users, their names, or a mask.

    Returns
    -------
    ScoreOverTime
        ``base``, ``contributions`` and ``frame_s``.

    Raises
    ------
    TypeError
        If the model does not pool frames, or its scores are not sums over frames.
    ValueError
        If `users` are unknown.

    See Also
    --------
    skcoldstart.inspection.MomentsDisplay : Draws them.

    Notes
    -----
    The sums are exact. The prediction of a network is the mean over consecutive windows
    of the item. The frames of a codeword share its contribution equally. A maximum is
    contributed by the frame that has it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skcoldstart import ColdStartRecommender, FramePooling, WMF
    >>> from skcoldstart.compose import score_over_time
    >>> rng = np.random.default_rng(0)
    >>> frames, plays = rng.normal(size=(30, 8, 2)), rng.poisson(1.0, (30, 12))
    >>> content = make_pipeline(FramePooling(["mean"]), Ridge())
    >>> model = ColdStartRecommender(content, WMF(2)).fit(frames, plays)
    >>> base, contributions, _ = score_over_time(model, frames[0], users=[3, 4])
    >>> scores = base + contributions.sum(axis=0)
    >>> bool(np.allclose(scores, model.predict(frames[:1])[0, [3, 4]]))
    True
    """
    base, of_parts, parts = _split(estimator, item, users)
    return ScoreOverTime(base, parts.cover.T @ of_parts, parts.frame_s)


def score_by_window(
    estimator: Any, item: Any, users: Any
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Split the scores of one item over its windows, and name their seconds.

    Windows are those that the model reads, or of 3 s where it reads single frames.
    Shapes: base (n_users,), contributions (n_windows, n_users).
    """
    base, contributions, parts = _split(estimator, item, users)
    windows, frame_s = parts.windows, parts.frame_s
    if windows is None:
        n_frames = parts.cover.shape[1]
        width = 1 if frame_s is None else max(1, round(WINDOW_S / frame_s))
        starts = np.arange(0, n_frames, width)
        windows = np.column_stack([starts, np.minimum(starts + width, n_frames)])
        of_frames = parts.cover.T @ contributions
        contributions = np.add.reduceat(of_frames, starts) if n_frames else of_frames
    if frame_s is None:
        return base, contributions, [f"frames {a:g} to {b:g}" for a, b in windows]
    seconds = windows * frame_s
    return base, contributions, [f"{a:.1f} to {b:.1f} s" for a, b in seconds]


def _split(estimator: Any, item: Any, users: Any) -> tuple[Any, Any, _Parts]:
    """Return the score without sound, what each part adds to it, and the parts."""
    check_is_fitted(estimator)
    recommender, _ = open_recommender(estimator)
    n_users = getattr(recommender, "n_users_", None)
    if n_users is None:
        raise TypeError(
            f"{type(recommender).__name__} is not a recommender; expected one, such "
            "as ColdStartRecommender."
        )
    chosen = check_users(users, n_users, recommender)
    items = [item]
    finish = partial(_scores, users=chosen)
    parts, rest = _open(estimator, items, finish, None)
    scores = _scores(estimator, items, chosen)[0]
    if not parts.rows.shape[0]:
        return scores, np.zeros((0, len(chosen))), parts
    base = rest(np.zeros((1, parts.rows.shape[1]), parts.rows.dtype))[0]
    of_parts = rest(parts.rows) - base
    error = np.abs(base + of_parts.sum(axis=0) - scores)
    if (error > TOLERANCE * (np.abs(base) + np.abs(of_parts).sum(axis=0))).any():
        raise TypeError(
            f"The scores of {type(recommender).__name__} are not sums over time: "
            "steps after the pooling of frames must be linear up to a constant, such "
            "as StandardScaler, PCA and Ridge."
        )
    return base, of_parts, parts


Finish = Callable[[Any, Any], np.ndarray]


class _AsIs:
    """A regressor that returns its input."""

    def predict(self, X: Any) -> Any:
        return X


def _open(
    model: Any, X: Any, finish: Finish, frame_s: float | None
) -> tuple[_Parts, Callable[[Any], np.ndarray]]:
    """Return the parts of an item, and the function from parts to scores."""
    if hasattr(model, "best_estimator_"):
        return _open(model.best_estimator_, X, finish, frame_s)
    if isinstance(model, Pipeline):
        for place, (_, step) in enumerate(model.steps[:-1], 1):
            pools = isinstance(step, AudioEmbedding) and step.pooling is not None
            if pools or isinstance(step, BagOfWords | FramePooling):
                return _pooled(step, X, frame_s), partial(finish, model[place:])
            if hasattr(step, "hop_length"):
                frame_s = step.hop_length / step.sr
            if step is not None and step != "passthrough":
                X = step.transform(X)
        return _open(model.steps[-1][1], X, finish, frame_s)
    if hasattr(model, "regressor_"):  # of a recommender, or behind a scaled target

        def around(regressor: Any, rows: Any) -> np.ndarray:
            outer = copy.copy(model)
            outer.regressor_ = regressor
            return finish(outer, rows)

        return _open(model.regressor_, X, around, frame_s)
    if hasattr(model, "_window_starts"):
        return _windows(model, X[0], frame_s), partial(finish, _AsIs())
    raise TypeError(
        f"{type(model).__name__} receives no frames to pool; expected a model that "
        "ends in CNNFactorRegressor, or one with BagOfWords, FramePooling or "
        "AudioEmbedding before a linear regressor."
    )


def _scores(model: Any, X: Any, users: np.ndarray) -> np.ndarray:
    """Return scores of shape (n_items, n_chosen_users)."""
    recommender, X = open_recommender(model, X)
    factors = getattr(recommender, "user_factors_", None)
    if factors is None:
        return np.asarray(recommender.predict(X), np.float64)[:, users]
    scores = recommender.predict_factors(X) @ factors[users].T
    return np.asarray(scores.toarray() if sp.issparse(scores) else scores, np.float64)


def _pooled(step: Any, X: Any, frame_s: float | None) -> _Parts:
    if isinstance(step, BagOfWords):
        return _codewords(step, X, frame_s)
    if isinstance(step, FramePooling):
        return _statistics(step, X, frame_s)
    window_s = WINDOW_S if step.window is None else step.window
    frames = clone(step).set_params(pooling=None).transform(X)
    pooling = FramePooling(step.pooling).fit(frames)
    hop_s = window_s if step.hop is None else step.hop
    starts = np.arange(len(frames[0]))
    windows = np.column_stack([starts, starts + window_s / hop_s])
    return _statistics(pooling, frames, hop_s)._replace(windows=windows)


def _codewords(step: BagOfWords, X: Any, frame_s: float | None) -> _Parts:
    """Make a part of each codeword of an item."""
    bag: Any = step.transform(X)
    present, part, counts = np.unique(
        np.asarray(X[0]), return_inverse=True, return_counts=True
    )
    row = bag.toarray() if sp.issparse(bag) else bag
    n_parts, n_frames = len(present), len(part)
    weights = row[0, present], (np.arange(n_parts), present)
    rows = sp.csr_array(weights, shape=(n_parts, bag.shape[1]))
    shares = 1.0 / counts[part], (part, np.arange(n_frames))
    cover = sp.csr_array(shares, shape=(n_parts, n_frames))
    return _Parts(rows if sp.issparse(bag) else rows.toarray(), cover, frame_s)


def _statistics(step: FramePooling, X: Any, frame_s: float | None) -> _Parts:
    """Make a part of each frame: its share of means, and the extremes it has."""
    others = [name for name in step.statistics if name not in ADDITIVE]
    if others or step.delta:
        raise TypeError(
            f"FramePooling has {', '.join(others) or 'delta'}, which is not a sum "
            f"over frames; expected only {', '.join(ADDITIVE)}."
        )
    frames = np.asarray(X[0], np.float64)
    groups = []
    for name in step.statistics:
        if name == "mean":
            groups.append(frames / max(len(frames), 1))
            continue
        own = np.zeros_like(frames)
        if len(frames):
            best = (frames.argmax if name == "max" else frames.argmin)(axis=0)
            columns = np.arange(frames.shape[1])
            own[best, columns] = frames[best, columns]
        groups.append(own)
    each = sp.eye_array(len(frames), format="csr")
    return _Parts(np.hstack(groups), each, frame_s)


def _windows(network: Any, frames: np.ndarray, frame_s: float | None) -> _Parts:
    """Make a part of each window that a network reads."""
    starts, width = network._window_starts(len(frames))
    widths = np.minimum(width, len(frames) - starts)
    (outputs,) = outputs_of_windows(network, [frames])
    outputs /= max(len(starts), 1)
    indptr = np.cumsum([0, *widths])
    columns = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], widths)
    shares = np.repeat(1.0 / np.maximum(widths, 1), widths)
    cover = sp.csr_array((shares, columns, indptr), shape=(len(starts), len(frames)))
    return _Parts(outputs, cover, frame_s, np.column_stack([starts, starts + widths]))
