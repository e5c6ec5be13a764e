"""Texts that several docstrings share, written once."""

import re
from collections.abc import Callable, Iterator, Mapping
from textwrap import indent
from types import FunctionType
from typing import Any, TypeVar

_Documented = TypeVar("_Documented", bound=Callable)
COMMON = {
    "estimator": """\
estimator : estimator
    A recommender, or a Pipeline or search that ends in one.
""",
    "items": """\
X : sequence of n_items items
    Content.
""",
    "number of items": """\
X : sequence of n_items items
    Content; only the number of items is used.
""",
    "plays": """\
y : {array-like, sparse} of shape (n_items, n_users)
    Play counts, >= 0; row i is item i of X.
""",
    "cv": """\
cv : int, splitter or iterable, default=None
    As in scikit-learn; ``None`` means 5 folds, without shuffling.
""",
    "scoring": """\
scoring : str or callable, default=None
    The name of a metric, such as "ndcg@10", or a scorer that returns a float;
    ``None`` means mAP@500.
""",
    "metrics": """\
metrics : str or sequence of str, default=("map@500", "auc")
    Names as in `skcoldstart.make_recommendation_scorer`, of metrics that have a
    value per user.
""",
    "interval": """\
confidence : float, default=0.95
    Confidence of the interval, between 0 and 1.
n_resamples : int, default=1000
    Number of bootstrap samples of users, drawn with replacement.
""",
    "draws": """\
random_state : int, RandomState instance or None, default=0
    Seed of these draws.
""",
    "lists": """\
recommendations : Recommendations or array-like of int of shape (n_users, n)
    Item indices as returned by ``recommend``, or its result. Masked entries and -1
    are not recommendations.
""",
    "excluded": """\
exclude : {array-like, sparse} of shape (n_items, n_users), default=None
    Nonzero pairs are not candidates.
""",
    "ax": """\
ax : matplotlib Axes, default=None
    Axes to draw on; ``None`` creates a figure.
""",
    "axes and figure": """\
ax_ : matplotlib Axes
    Where it is drawn, after `plot`.
figure_ : matplotlib Figure
    The figure of `ax_`.
""",
    "bunch": """\
Returns
-------
Bunch
    With the attributes:
""",
    "summary": """\
DESCR : str
    Summary in words.
""",
    "unopened": """\
OSError
    If a file cannot be opened.
""",
    "pyarrow": """\
ImportError
    If pyarrow is not installed: ``pip install skcoldstart[parquet]``.
""",
    "progress": """\
verbose : int or bool, default=0
    Whether to show a progress bar on standard error.
""",
    "undrawn": """\
Returns
-------
<class>
    Not yet drawn.
""",
    "drawn": """\
Returns
-------
<class>
    This display, drawn.
""",
}


def filled(docstring: str, texts: Mapping[str, str]) -> str:
    """Put texts in place of lines such as ``<reading>``, indented as these are."""

    def text(line: re.Match[str]) -> str:
        if line["name"] not in texts:
            return line[0]
        return indent(texts[line["name"]].rstrip("\n"), line["indent"])

    return re.sub("^(?P<indent> *)<(?P<name>.+)>$", text, docstring, flags=re.MULTILINE)


def documented(
    texts: Mapping[str, str] = COMMON,
) -> Callable[[_Documented], _Documented]:
    """Fill texts into the docstring of a function, or of a class and its methods.

    In those of a class, ``<class>`` stands for its name.
    """

    def decorate(documented: _Documented) -> _Documented:
        own = {"class": documented.__name__}
        for part in _parts_of(documented):
            if part.__doc__:  # there is none where Python runs with -OO
                part.__doc__ = filled(filled(part.__doc__, texts), own)
        return documented

    return decorate


def _parts_of(documented: Any) -> Iterator[Any]:
    yield documented
    for part in vars(documented).values() if isinstance(documented, type) else ():
        part = getattr(part, "__func__", part)
        if isinstance(part, FunctionType | property):
            yield part
