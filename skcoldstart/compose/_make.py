"""make_recommender: a blend with settings chosen on real data."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from skcoldstart._utils.sk import StrOptions, validated
from skcoldstart.audio import FramePooling
from skcoldstart.codebook import BagOfWords, VectorQuantizer
from skcoldstart.compose._baselines import ContentProfileRecommender
from skcoldstart.compose._blend import BlendRecommender
from skcoldstart.compose._coldstart import ColdStartRecommender
from skcoldstart.compose._content import ContentScaler, KernelFeatures
from skcoldstart.compose._kernel_regressor import KernelRegressor
from skcoldstart.compose._neighbors import ContentKNNRecommender
from skcoldstart.compose._popularity import PopularityRecommender
from skcoldstart.compose._spectral import SpectralEncoder
from skcoldstart.compose._words import WordCounter
from skcoldstart.factorization import WMF
from skcoldstart.neural import CNNFactorRegressor, ContrastiveEncoder

# Chosen on inner splits of the training items of five real sets; see
# benchmarks/README.md.
N_DENSE = 300  # columns of sparse content for parts that need dense content
N_LANDMARKS = 1000
N_LANDMARKS_OF_FACTORS = 1500
MOST_KERNEL_ITEMS = 20_000  # of which a square matrix is kept, 1.6 GB
GAMMA = 1.0
ALPHA = 1.0
TEMPERATURE = 0.12  # of neighbours by content, and in the space of a network
SPECTRAL_TEMPERATURE = 0.2

Steps = list[tuple[str, BaseEstimator]]


@validated(
    content=[StrOptions({"table", "text", "frames"})],
    groups=["boolean", "array-like", None],
    effort=[StrOptions({"quick", "thorough"})],
    random_state=["random_state"],
)
def make_recommender(
    content: str = "table",
    *,
    groups: Any = None,
    effort: str = "quick",
    random_state: Any = None,
) -> BlendRecommender:
    """Make a blend of recommenders with settings chosen on real data.

    The blend is returned unfitted, so it can be printed, changed with ``set_params``,
    and used in a search.

    .. versionadded:: 0.2

    Parameters
    ----------
    content : {"table", "text", "frames"}, default="table"
        Kind of `X`: a dense or sparse table of numbers; raw texts, in a list, a series
        or a frame of one column, where a missing text has no words; or frames of sound,
        such as those of `MFCCExtractor` and `MelSpectrogram`.
    groups : bool or array-like of shape (n_items,), default=None
        Whether new items belong to new groups, such as songs by new artists. The
        recommender then learns from groups instead of items, and its `fit` requires
        them: ``fit(X, y, groups=artists)``. An array counts as True.
    effort : {"quick", "thorough"}, default="quick"
        "quick" takes seconds for a few thousand items. "thorough" takes minutes, adds
        parts learned by networks, and requires torch and skorch (``pip install
        skcoldstart[neural]``). For tables and texts with `groups` it chooses among more
        parts instead, without torch.
    random_state : int, RandomState instance or None, default=None
        Seeds all parts; an int makes the result reproducible.

    Returns
    -------
    BlendRecommender
        An unfitted recommender. Its weights are chosen in `fit` on held-out items.

    See Also
    --------
    skcoldstart.BlendRecommender : The class of the result.
    skcoldstart.compose.ContentScaler : Scales the table.
    skcoldstart.compose.SpectralEncoder : Learns a space of tastes without a network.
    skcoldstart.model_selection.compare : Compares it with other models on your data.

    Notes
    -----
    The parts of "quick":

    - "factors": `ColdStartRecommender` with an RBF kernel and smoothed plays, which
      uses the tastes of all users;
    - "neighbors": `ContentKNNRecommender`, the soft kernel, which uses single items;
    - "profile": `ContentProfileRecommender`, the mean of what a user played;
    - "popularity": `PopularityRecommender` with the same kernel, equal for all users;
    - "shared": neighbours in the space of a `SpectralEncoder`, in which the items of a
      user are close.

    "factors" compares items with 1,500 items and 300 columns. "thorough" adds "kernel":
    the same with all columns and up to 20,000 items, in a `KernelRegressor`, which
    takes 4 bytes for each pair of items; and "taste": neighbours, and with a weight of
    0.3 factors, in the space of a `ContrastiveEncoder`; for frames also "codewords" and
    "network" (`CNNFactorRegressor`). The choice of weights costs further fits of all
    parts; ``set_params(weights=None)`` uses equal weights instead. "thorough" has more
    weights to choose: on 1,500 songs its first places were worse than those of "quick".

    With `groups`, the part "groups" is a `ColdStartRecommender` that learns from
    groups, with weights ``n ** -0.5`` and a predicted popularity. "quick" has fixed
    weights, and "thorough" chooses them on five folds of whole groups.

    ``benchmarks/real_quality.py`` compares it with its parts; the results are in
    ``benchmarks/README.md``. The settings of "frames" were tried only on synthetic
    music.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import make_recommender
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(120, 6))
    >>> y = rng.poisson(np.exp(X @ rng.normal(size=(6, 40)) - 1))
    >>> model = make_recommender(random_state=0).fit(X[:100], y[:100])
    >>> items, scores = model.recommend(X[100:], n=5)
    >>> items.shape, model.score(X[100:], y[100:]) > 0.7
    ((40, 5), True)
    """
    by_group = bool(groups) if isinstance(groups, bool) else groups is not None
    seed, reading = random_state, _reading(content)
    if by_group:
        return _of_groups(reading, effort, seed)
    space = [("kernel", _kernel(seed)), ("encoder", SpectralEncoder())]
    shared = ContentKNNRecommender(temperature=SPECTRAL_TEMPERATURE)
    popularity = PopularityRecommender(_kernel_ridge(seed))
    parts = [
        ("factors", _factors(_dense(reading, seed), seed, N_LANDMARKS_OF_FACTORS)),
        ("neighbors", _chain(_rows(reading, seed), _neighbors())),
        ("profile", _chain(_rows(reading, seed), ContentProfileRecommender())),
        ("popularity", _chain(_dense(reading, seed), popularity)),
        ("shared", _chain([*_dense(reading, seed), *space], shared)),
    ]
    if effort == "thorough":
        kernel = ColdStartRecommender(
            KernelRegressor(ALPHA, gamma=GAMMA, keep_inverse=True),
            WMF(random_state=seed),
            play_weight=1.0,
            max_items=MOST_KERNEL_ITEMS,
        )
        parts.append(("kernel", _chain(_rows(reading, seed), kernel)))
        parts += _learnt(content, reading, seed)
    return BlendRecommender(parts, weights="cv")


def _reading(content: str) -> Steps:
    """Return the steps that convert content to a table."""
    if content == "text":
        return [("words", WordCounter())]
    if content == "frames":
        return [("pooling", FramePooling())]
    return []


def _rows(reading: Steps, seed: Any, n_components: int | None = None) -> Steps:
    """Return the steps to rows of unit length, sparse if the table is."""
    scaler = ContentScaler(n_components, random_state=seed)
    # A frame cannot be sparse.
    return [*reading, ("scaler", scaler.set_output(transform="default"))]


def _dense(reading: Steps, seed: Any) -> Steps:
    """Return the steps to dense rows."""
    return _rows(reading, seed, n_components=N_DENSE)


def _chain(steps: Steps, model: BaseEstimator) -> Pipeline:
    return Pipeline([*steps, ("model", model)])


def _neighbors() -> ContentKNNRecommender:
    return ContentKNNRecommender(temperature=TEMPERATURE)


def _kernel(seed: Any, n_landmarks: int = N_LANDMARKS) -> KernelFeatures:
    return KernelFeatures(n_landmarks, gamma=GAMMA, random_state=seed)


def _kernel_ridge(seed: Any, n_landmarks: int = N_LANDMARKS) -> Pipeline:
    return Pipeline([("kernel", _kernel(seed, n_landmarks)), ("ridge", Ridge(ALPHA))])


def _factors(steps: Steps, seed: Any, n_landmarks: int = N_LANDMARKS) -> Pipeline:
    """Return factors and smoothed plays, predicted by a kernel ridge."""
    regressor, factorizer = _kernel_ridge(seed, n_landmarks), WMF(random_state=seed)
    return _chain(steps, ColdStartRecommender(regressor, factorizer, play_weight=1.0))


def _of_groups(reading: Steps, effort: str, seed: Any) -> BlendRecommender:
    """Return the blend for items of new groups."""
    groups = ColdStartRecommender(
        Ridge(10.0),
        WMF(random_state=seed),
        play_weight=0.3,
        item_weight=-0.5,
        group_level=True,
        popularity_weight=0.3,
    )
    parts = [
        ("groups", _chain(_dense(reading, seed), groups)),
        ("profile", _chain(_rows(reading, seed), ContentProfileRecommender())),
    ]
    if effort == "quick":
        return BlendRecommender(parts, weights=[1.0, 0.3])
    parts += [
        ("factors", _factors(_dense(reading, seed), seed)),
        ("neighbors", _chain(_rows(reading, seed), _neighbors())),
    ]
    return BlendRecommender(parts, weights="cv")


def _learnt(content: str, reading: Steps, seed: Any) -> list[tuple[str, BaseEstimator]]:
    """Return the parts learned by networks, and a codebook for frames."""
    encoder = ContrastiveEncoder(random_state=seed)
    in_space = BlendRecommender(
        [("neighbors", _neighbors()), ("factors", _factors([], seed))],
        weights=[1.0, 0.3],
    )
    taste = _chain([*_dense(reading, seed), ("encoder", encoder)], in_space)
    if content != "frames":
        return [("taste", taste)]
    codebook: Steps = [
        ("quantizer", VectorQuantizer(512, random_state=seed)),
        ("bag", BagOfWords(weighting="sqrt")),
    ]
    codewords = _factors(_dense(codebook, seed), seed)
    regressor, factorizer = (
        CNNFactorRegressor(random_state=seed),
        WMF(random_state=seed),
    )
    network = ColdStartRecommender(regressor, factorizer)
    return [("taste", taste), ("codewords", codewords), ("network", network)]
