"""ContrastiveEncoder: an embedding of content learned from plays."""

from numbers import Integral, Real
from types import ModuleType
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import check_play_counts
from skcoldstart._sequences.checks import check_frames
from skcoldstart._utils.missing import name_missing_content, refuse_masked
from skcoldstart._utils.sk import COUNT, Interval, StrOptions, _fit_context
from skcoldstart.neural._bags import Bags
from skcoldstart.neural._checks import (
    N_JOBS,
    check_known_frames,
    check_layer_sizes,
    hold_out,
    import_torch,
)
from skcoldstart.neural._windows import count_frames

# A fitted network keeps these, also after `set_params`.
NETWORK_PARAMS = (
    *("n_components", "hidden", "architecture", "window", "n_filters"),
    *("batch_norm", "dropout", "input_dropout"),
)


class ContrastiveEncoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    r"""Learn an embedding of content in which the items of a user are close.

    A network maps the content of an item to a unit vector. It is trained to identify
    each item that a user played among the items of a batch, from the other items of
    that user. Requires torch and skorch: ``pip install skcoldstart[neural]``.

    .. versionadded:: 0.2

    Parameters
    ----------
    n_components : int, default=128
        Length of the vectors.
    hidden : tuple of int, default=(512,)
        Units of the hidden layers, each followed by batch normalization; with an
        `architecture`, of its dense layers.
    temperature : float, default=0.1
        Temperature of the softmax over cosines. With smaller values only the closest
        items matter.
    max_epochs : int, default=12
        Maximum number of passes over the plays, while the learning rate decreases to 0.
    batch_size : int, default=2048
        Number of plays in a step. An item is identified among the items of the step.
    validation_fraction : float, default=0.1
        Share of the items, or of the groups, held out to choose the best pass and to
        stop; 0 learns from all items for `max_epochs`.
    patience : int or None, default=3
        Passes without improvement before training stops; ``None`` makes all passes.
    architecture : str, callable or None, default=None
        ``None`` reads tables, dense or sparse, with dense layers. "spotify2014",
        "nips2013", "shortchunk" or a callable read frames of spectrograms, as in
        `CNNFactorRegressor`.
    max_context : int, default=16
        Maximum number of other items of a user that predict an item.
    lr : float, default=2e-3
        Initial learning rate.
    weight_decay : float, default=0.01
        Weight decay of AdamW.
    dropout : float, default=0.0
        Fraction of hidden units dropped in training.
    input_dropout : float, default=0.0
        Fraction of the values of a table dropped in training, such as words of a text.
    window : int, default=129
        Number of frames of a window; for an `architecture`.
    n_filters : tuple of int, default=(256, 256, 512, 512)
        Numbers of filters of the convolutional layers; for an `architecture`.
    batch_norm : bool, default=True
        Whether to normalize batches after each convolution; for an `architecture`.
    device : str, default="auto"
        "auto" is the first GPU, or the CPU if there is none; or any device of torch.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, bags, windows, dropout and held-out items. An int gives the same
        network on the same machine with the same number of torch threads.
    n_jobs : int, default=None
        Number of threads that read windows ahead, for an `architecture`; ``None`` means
        none on a CPU, otherwise four.
    verbose : int, default=0
        Whether to show a progress bar with the losses.

    Attributes
    ----------
    net_ : torch.nn.Module
        The trained network, before vectors are scaled to unit length.
    history_ : list of dict
        One dict per pass: "epoch", "train_loss" and, if items are held out,
        "valid_loss".
    n_iter_ : int
        Number of passes.
    n_features_in_ : int
        Number of features of an item, or of a frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if X is a data frame whose column names are strings.

    See Also
    --------
    ContentKNNRecommender : Scores by cosines in this space, softmax-weighted.
    CNNFactorRegressor : Learns factors of a factorization instead.
    MLRSimilarity : A linear map, learned for the ranking of items.

    Notes
    -----
    In each pass the items of a user are divided into bags of at most `max_context` + 1
    items. With :math:`e_i` the unit vector of item i, and :math:`v_{bi}` the unit sum
    of the other items of bag b, the loss of a batch is the mean over its bags and items
    of

    .. math:: -\log \frac{\exp(v_{bi} \cdot e_i / \tau)}
        {\sum_j \exp(v_{bi} \cdot e_j / \tau)} ,

    where j are the items of the batch that the user did not play, and i itself. It is
    the softmax loss of [1]_, with one difference: an item is predicted from a sample of
    the user's items, so a step encodes only the items of its batch. With `groups`,
    items of the group of i are also left out of :math:`v_{bi}`, so an item cannot be
    identified by its artist. Use this for new artists.

    A table is divided by the root mean square of its nonzero values, and is not
    shifted. Use `sklearn.preprocessing.Normalizer` before this estimator: for
    embeddings it is better than `StandardScaler`, which gives noise the same scale as
    signal. Items without frames are left out of `fit`, and their vectors are zeros. The
    memory is the network with two moments, and a batch: `batch_size` times the features
    of an item, and 256 times `batch_size` logits.

    References
    ----------
    .. [1] SEMCo, SIGIR 2026, https://arxiv.org/abs/2604.12990.
    .. [2] S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import ContrastiveEncoder
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = X @ rng.normal(size=(3, 40)) > 1
    >>> encoder = ContrastiveEncoder(
    ...     2, hidden=(16,), max_epochs=2, device="cpu", random_state=0)
    >>> encoder.fit_transform(X, y).shape
    (60, 2)
    """

    _parameter_constraints: dict = {
        "n_components": COUNT,
        "hidden": ["array-like"],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": COUNT,
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [*COUNT, None],
        "architecture": [
            StrOptions({"spotify2014", "nips2013", "shortchunk"}),
            callable,
            None,
        ],
        "max_context": COUNT,
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "window": COUNT,
        "n_filters": ["array-like"],
        "batch_norm": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: int = 128,
        *,
        hidden: tuple[int, ...] = (512,),
        temperature: float = 0.1,
        max_epochs: int = 12,
        batch_size: int = 2048,
        validation_fraction: float = 0.1,
        patience: int | None = 3,
        architecture: Any = None,
        max_context: int = 16,
        lr: float = 2e-3,
        weight_decay: float = 0.01,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        window: int = 129,
        n_filters: tuple[int, ...] = (256, 256, 512, 512),
        batch_norm: bool = True,
        device: str = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.temperature = temperature
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.architecture = architecture
        self.max_context = max_context
        self.lr = lr
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.window = window
        self.n_filters = n_filters
        self.batch_norm = batch_norm
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features), or frames of n_items
            Content; with an `architecture` frames, item i is (n_frames_i, n_features).
        y : {array-like, sparse} of shape (n_items, n_users)
            Play counts, >= 0; row i is item i of X. Only whether a count is above 0 is
            used.
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist, to train for new artists: whole
            groups are held out, and an item is not predicted from items of its group.

        Returns
        -------
        self
            The fitted encoder.

        Raises
        ------
        ImportError
            If torch or skorch is not installed.
        ValueError
            If X, y or groups are malformed or do not match, no user played two items,
            or the loss becomes infinite or NaN.
        """
        contrastive = _import_contrastive()
        check_layer_sizes("hidden", self.hidden, allow_none=True)
        check_layer_sizes("n_filters", self.n_filters)
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        content, usable = self._content(X, reset=True, seed=seed)
        if y is None:
            raise ValueError(
                "ContrastiveEncoder requires y to be passed, but the target y is None; "
                "pass play counts of shape (n_items, n_users)."
            )
        check_same_items(X, y)
        plays = check_play_counts(y, n_items=len(usable))
        usable &= np.diff(plays.indptr) > 0
        train, held_out = hold_out(
            X, np.flatnonzero(usable), groups, self.validation_fraction, rng
        )
        by_user = sp.csr_array(plays.T, dtype=np.float32)
        by_user.data[:] = 1
        bags = Bags(
            _only(by_user, train),
            None if groups is None else np.unique(groups, return_inverse=True)[1],
            bag_size=self.max_context + 1,
            batch_size=self.batch_size,
            seed=seed,
        )
        if not bags.n_pairs:
            raise ValueError(
                f"No user played two of the {len(train)} training items, so there is "
                f"at most 1 sample per user; the encoder predicts items from other "
                f"items of a user. Use more plays, or validation_fraction=0."
            )
        net = contrastive.build_encoder(self, content, self.n_features_in_, seed)
        history = contrastive.train_encoder(
            net,
            self,
            content,
            bags,
            contrastive.HeldOut(train, held_out, by_user) if len(held_out) else None,
            seed,
        )
        self.net_ = net
        self.history_ = history
        self.n_iter_ = len(history)
        self._built_with = {name: getattr(self, name) for name in NETWORK_PARAMS}
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the unit vectors of items.

        Parameters
        ----------
        X : {array-like, sparse} of shape (n_items, n_features), or frames of n_items
            Content, in the same form as in `fit`.

        Returns
        -------
        ndarray of shape (n_items, n_components), float32
            Vectors of length 1. With several windows of an item, their mean is
            normalized. Zeros for items without frames.
        """
        check_is_fitted(self)
        content, heard = self._content(X, reset=False)
        vectors = _import_contrastive().item_vectors(self.net_, content)
        # Lengths beyond single precision make a vector NaN, or zeros.
        lost = heard & ~(np.abs(vectors).max(axis=1) > 0)
        if lost.any():
            raise ValueError(
                f"The vector of item {int(np.argmax(lost))} of X is not finite: its "
                "values are far from those of fit. Check the item."
            )
        return vectors

    def _content(self, X: Any, *, reset: bool, seed: int = 0) -> tuple[Any, np.ndarray]:
        """Validate X; return its reader, and a mask of items with content."""
        contrastive = _import_contrastive()
        refuse_masked(X, "X")
        params = self if reset else self._as_built()
        if params.architecture is None:
            with name_missing_content(X):
                table = validate_data(
                    self, X, accept_sparse="csr", dtype=np.float32, reset=reset
                )
            return contrastive.TableContent(table), np.ones(table.shape[0], dtype=bool)
        frames = check_frames(X) if reset else check_known_frames(self, X)
        n_frames = count_frames(frames, None if reset else self.n_features_in_)
        heard = n_frames > 0
        if reset:
            if not heard.any():
                raise ValueError(
                    "No item of X has frames; at least one item with frames is "
                    "required."
                )
            first = X if hasattr(X, "columns") else frames[int(np.argmax(heard))]
            validate_data(self, first, skip_check_array=True)
        content = contrastive.FrameContent(
            frames, n_frames, self.n_features_in_, params.window, seed
        )
        return content, heard

    def _as_built(self) -> "ContrastiveEncoder":
        return clone(self).set_params(**self._built_with)

    def _plain_state(self) -> dict[str, Any]:
        """Return attributes with the network as arrays, for save_model."""
        state = dict(vars(self))
        if "net_" in state:
            weights = state["net_"].state_dict()
            state["net_"] = {n: w.cpu().numpy().copy() for n, w in weights.items()}
        return state

    def _set_plain_state(self, state: dict[str, Any]) -> None:
        """Set the attributes returned by `_plain_state`."""
        self.__dict__.update(state)
        if "net_" in state:
            self.net_ = _import_contrastive().restore_encoder(
                self._as_built(), self.n_features_in_, state["net_"]
            )

    def __getstate__(self) -> Any:
        """Move the network to the CPU: a reader of the pickle may have no GPU."""
        state = super().__getstate__()
        if "net_" in state:
            from copy import deepcopy

            state = {**state, "net_": deepcopy(state["net_"]).cpu()}
        return state

    def __sklearn_is_fitted__(self) -> bool:
        # After an interrupted fit there are numbers of features, but no network.
        return hasattr(self, "net_")

    @property
    def _n_features_out(self) -> int:
        return self._built_with["n_components"]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.architecture is None
        tags.input_tags.three_d_array = self.architecture is not None
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _import_contrastive() -> ModuleType:
    return import_torch("contrastive", "ContrastiveEncoder")


def _only(by_user: sp.csr_array, items: np.ndarray) -> sp.csr_array:
    """Select the plays of some items, with all columns."""
    kept = np.zeros(by_user.shape[1], dtype=bool)
    kept[items] = True
    plays = by_user.copy()
    plays.data *= kept[plays.indices]
    plays.eliminate_zeros()
    return plays
