"""CNNFactorRegressor: spectrograms to item factors."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._sequences.checks import check_frames
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.sk import Interval, StrOptions, _fit_context
from skcoldstart.neural._checks import (
    check_known_frames,
    check_layer_sizes,
    check_same_network,
    check_targets,
    hold_out,
    import_training,
)
from skcoldstart.neural._state import plain_state, set_plain_state
from skcoldstart.neural._targets import TargetScale
from skcoldstart.neural._user_factors import check_usage
from skcoldstart.neural._windows import count_frames, prediction_starts

__all__ = ["CNNFactorRegressor"]

# A fitted network keeps these, whatever `set_params` says of the next.
NETWORK_PARAMS = (
    *("architecture", "window", "n_filters"),
    *("hidden", "dropout", "batch_norm"),
    *("standardize", "target_scaling", "optimizer", "precision", "compile"),
)


class CNNFactorRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Predict item factors from spectrograms with a convolutional network.

    In training every item is seen through one random window of each pass; a
    prediction is the mean over the item's consecutive windows. Needs torch and skorch:
    ``pip install skcoldstart[neural]``.

    .. versionadded:: 0.1

    Parameters
    ----------
    architecture : str or callable, default="spotify2014"
        The network between standardised windows and outputs: "spotify2014",
        "nips2013" or "shortchunk", see Notes; or a callable that takes
        ``(n_features, n_outputs)`` and returns a `torch.nn.Module` that maps
        (n_windows, window, n_features) to (n_windows, n_outputs), such as a class of
        modules; then `n_filters`, `hidden`, `dropout` and `batch_norm` are not used.
    objective : {"mse", "wpe", "gram", "ranking", "softmax"}, default="mse"
        What is made small; all but "mse" need what `ColdStartRecommender` hands over.
    window : int, default=129
        Frames of a window: 3 s at the defaults of `MelSpectrogram`.
    n_filters : tuple of int, default=(256, 256, 512, 512)
        Filters of the convolutional layers. "nips2013" uses the first two, the widths
        of "shortchunk" follow the last.
    hidden : tuple of int, default=(2048, 2048)
        Units of the dense layers before the output. "nips2013" uses the first.
    dropout : float, default=0.0
        Share of hidden units dropped in training; the paper saw no gain from it.
    max_epochs : int, default=100
        Passes over the items at most.
    batch_size : int, default=128
        Windows of a step.
    lr : float, default=3e-4
        Learning rate at the start.
    optimizer : {"adamw", "sgd"}, default="adamw"
        AdamW, or gradient descent with Nesterov momentum 0.9.
    validation_fraction : float, default=0.1
        Share of the items, or of the groups, held out to choose the best pass and to
        stop; 0 learns from all items for `max_epochs`.
    patience : int or None, default=12
        Passes without improvement before training stops; ``None`` makes all passes.
    device : str, default="auto"
        "auto" is the first GPU, or else the CPU; or a device that torch knows. Of
        several processes in torch's default group, "auto" gives each its own GPU, and
        each calls `fit` with the same data, see Notes.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Type in which layers compute. "auto" is bfloat16 on a GPU that has it.
    warm_start : bool, default=False
        Continue `fit` from the network of the last fit, for `max_epochs` more passes.
        An interrupted fit then keeps what it has learnt.
    random_state : int, RandomState instance or None, default=None
        Draws weights, windows, order, dropout and the items held out. An int gives the
        same network on the same machine for any `n_jobs`, as long as torch has as many
        threads (`torch.get_num_threads`; workers of a search have fewer).
    verbose : int, default=0
        Show a progress bar with the losses.
    batch_norm : bool, default=False
        Normalise batches after each convolution. "shortchunk" always does.
    standardize : bool, default=True
        Shift and scale each band to mean 0 and variance 1 over the training frames.
    target_scaling : {"raw", "unit", "factor"}, default="raw"
        Errors count in the units of the factors, or each item's factors are scaled to
        unit norm first (predictions then are of that size), or errors of each factor
        count in its standard deviations.
    lr_schedule : {"plateau", "cosine", "constant"}, default="plateau"
        Halve the learning rate after `patience` / 3 passes without improvement, let it
        fall to 0 over `max_epochs`, or leave it.
    weight_decay : float, default=1e-4
        Pull of the weights towards 0.
    temperature : float, default=0.1
        Difference of scores that counts as one unit in the objectives "ranking" and
        "softmax".
    device_storage : {"auto", "host", "float16", "uint8"}, default="auto"
        Where frames are during training: on the host, read in batches; or all on the
        device in half precision or in a byte (256 levels a band). "auto" puts them on
        a GPU if they fit, in half precision if possible.
    compile : bool, default=False
        Compile the network with `torch.compile`.
    callbacks : list of skorch callbacks, default=None
        Called in training. One that looks at single batches costs the lean loop.
    n_jobs : int, default=None
        Threads that read windows ahead; ``None`` means none on a CPU, four else.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module.
    history_ : skorch.history.History
        One row per pass: ``history_[:, "train_loss"]`` and, where items are held out,
        "valid_loss", as shares of what predicting the mean (for "wpe": nothing) leaves;
        "ranking" in nats.
    n_iter_ : int
        Passes made.
    target_mean_ : ndarray of shape (n_outputs,)
        Mean target, predicted for items without frames.
    n_features_in_ : int
        Features of a frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features; only where `X` is a data frame.

    See Also
    --------
    skcoldstart.MelSpectrogram : Computes the frames.
    skcoldstart.ColdStartRecommender : Scores the factors for every user.

    Notes
    -----
    The paper leaves the network open. "spotify2014" is what its second author
    published a year later [2]_, on windows of the paper's length: convolutions over
    time of width 4, max-pooling by 4 after the first and by 2 between the others;
    mean, maximum and L2 norm over time; dense layers. "nips2013" follows his only
    words on the paper's own network: two convolutional and two dense layers (the
    hidden and the output layer); its sizes are ours. "shortchunk" reads the
    spectrogram as an image: seven 3 x 3 convolutions, then the maximum [3]_.

    With :math:`y_i` the factors of item i, :math:`y'_i` the predicted ones and
    :math:`G = X^T X` of the user factors, the objectives are

    - "mse", eq. 4 of [1]_: :math:`\sum_i \|y_i - y'_i\|^2`;
    - "wpe", eq. 5: :math:`\sum_{u,i} c_{ui} (p_{ui} - x_u^T y'_i)^2` over **all**
      users, exact, at the cost of the plays of the batch;
    - "gram": :math:`\sum_i (y_i - y'_i)^T G (y_i - y'_i)`, the error of predicted
      plays with every item counting alike;
    - "ranking": for each play, how far items of the batch that the user did not play
      stand above the played one (softmax with `temperature`);
    - "softmax": the cross-entropy of each user's plays as draws from the items of the
      batch, :math:`-\log` of the softmax of :math:`x_u^T y'_i / \tau` over these
      items, averaged over plays and divided by the logarithm of their number.

    Predictions of the last two order items for a user; they are not in the units of the
    factors.

    Items are `RaggedArray`, lists, object arrays, 3-D arrays, 2-D arrays (items of one
    frame), lazy sequences or memory maps; what is not in memory is read window by
    window. Windows longer than an item are filled up with zeros, the silence of
    logarithmic spectrograms. Items without frames are left out of `fit`, and the mean
    target is predicted for them.

    Memory is the network, the optimizer's two moments of it, and a few batches; on a
    GPU also the frames, where they fit. torch's global random state is left alone.

    Where `torch.distributed` has a default group of processes, all of them train one
    network: each calls `fit` with the same X, y and an int as `random_state`, reads and
    computes its share of each batch of `batch_size` windows, and ends with the same
    network. Losses are those of one process up to rounding for every objective, since
    the outputs of all shares meet before the loss. Layers that normalise batches see
    the share of one process, and their running statistics are averaged after each pass.
    Nothing but `fit` and `partial_fit` waits for the other processes.

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, sections 4.2 and 5.
    .. [2] S. Dieleman, "Recommending music on Spotify with deep learning", 2014,
       https://benanne.github.io/2014/08/05/spotify-cnns.html.
    .. [3] M. Won, A. Ferraro, D. Bogdanov, X. Serra, "Evaluation of CNN-based
       automatic music tagging models", SMC 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import CNNFactorRegressor
    >>> rng = np.random.default_rng(0)
    >>> frames = [rng.normal(size=(n, 6)).astype("float32") for n in (30, 41, 9, 25)]
    >>> factors = np.array([frame.mean(axis=0)[:2] for frame in frames])
    >>> model = CNNFactorRegressor(
    ...     window=16, n_filters=(8,), hidden=(16,), max_epochs=5,
    ...     validation_fraction=0, device="cpu", random_state=0)
    >>> model.fit(frames, factors).predict(frames).shape, model.n_iter_
    ((4, 2), 5)
    """

    _parameter_constraints: dict = {
        "architecture": [
            StrOptions({"spotify2014", "nips2013", "shortchunk"}),
            callable,
        ],
        "objective": [StrOptions({"mse", "wpe", "gram", "ranking", "softmax"})],
        "window": [Interval(Integral, 1, None, closed="left")],
        "n_filters": ["array-like"],
        "hidden": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions({"adamw", "sgd"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "device": [str],
        "precision": [StrOptions({"auto", "float32", "bfloat16"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "batch_norm": ["boolean"],
        "standardize": ["boolean"],
        "target_scaling": [StrOptions({"raw", "unit", "factor"})],
        "lr_schedule": [StrOptions({"plateau", "cosine", "constant"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "device_storage": [StrOptions({"auto", "host", "float16", "uint8"})],
        "compile": ["boolean"],
        "callbacks": [list, None],
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
    }

    def __init__(
        self,
        *,
        architecture: Any = "spotify2014",
        objective: str = "mse",
        window: int = 129,
        n_filters: tuple[int, ...] = (256, 256, 512, 512),
        hidden: tuple[int, ...] = (2048, 2048),
        dropout: float = 0.0,
        max_epochs: int = 100,
        batch_size: int = 128,
        lr: float = 3e-4,
        optimizer: str = "adamw",
        validation_fraction: float = 0.1,
        patience: int | None = 12,
        device: str = "auto",
        precision: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        batch_norm: bool = False,
        standardize: bool = True,
        target_scaling: str = "raw",
        lr_schedule: str = "plateau",
        weight_decay: float = 1e-4,
        temperature: float = 0.1,
        device_storage: str = "auto",
        compile: bool = False,
        callbacks: list[Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.architecture = architecture
        self.objective = objective
        self.window = window
        self.n_filters = n_filters
        self.hidden = hidden
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.batch_norm = batch_norm
        self.standardize = standardize
        self.target_scaling = target_scaling
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.temperature = temperature
        self.device_storage = device_storage
        self.compile = compile
        self.callbacks = callbacks
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        user_factors: Any = None,
        usage: Any = None,
        groups: Any = None,
    ) -> "CNNFactorRegressor":
        """Train the network.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames of n_items; item i is (n_frames_i, n_features).
        y : array-like of shape (n_items, n_outputs) or (n_items,)
            Item factors.
        user_factors : UserFactors or array-like, default=None
            Factors of all users, of shape (n_users, n_outputs); needed by every
            objective but "mse".
        usage : {array-like, sparse} of shape (n_items, n_users), default=None
            Who played an item: stored entries are the confidences of these pairs, at
            least 1, such as `WMF.confidences` gives them; pairs without one have
            confidence 1 and were not played. Needed by "wpe" and, where only which
            pairs are stored matters, by "ranking" and "softmax".
        groups : array-like of shape (n_items,), default=None
            Artists; an artist is held out as a whole.

        Returns
        -------
        CNNFactorRegressor
            The fitted regressor.

        Raises
        ------
        ImportError
            If torch or skorch is not installed.
        ValueError
            If frames or targets are malformed, do not fit each other, or hold NaN; if
            the objective lacks something; if the loss does not stay finite.
        """
        if not self.warm_start:
            for name in [name for name in vars(self) if name.endswith("_")]:
                delattr(self, name)
        self._learn(
            X, y, user_factors, usage, groups, self.validation_fraction, self.max_epochs
        )
        if not self.warm_start:
            self.net_.forget_training()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, *, user_factors: Any = None, usage: Any = None
    ) -> "CNNFactorRegressor":
        """Make one pass over items, none held out.

        The first call draws the network and learns moments of bands and targets from
        its items; later ones leave these as they are.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames of n_items.
        y : array-like of shape (n_items, n_outputs) or (n_items,)
            Item factors.
        user_factors : UserFactors or array-like, default=None
            As in `fit`.
        usage : {array-like, sparse} of shape (n_items, n_users), default=None
            As in `fit`.

        Returns
        -------
        CNNFactorRegressor
            The regressor itself.
        """
        return self._learn(X, y, user_factors, usage, None, 0, 1)

    def predict(self, X: Any) -> np.ndarray:
        """Predict factors of items: the mean over their consecutive windows.

        Parameters
        ----------
        X : RaggedArray, LazySequence, sequence of 2-D arrays, or ndarray
            Frames of n_items; item i is (n_frames_i, n_features).

        Returns
        -------
        ndarray of shape (n_items, n_outputs) or (n_items,)
            Factors, in the precision of the targets; `target_mean_` for an item
            without frames.
        """
        check_is_fitted(self)
        training = import_training()
        frames = self._check_frames(X)
        outputs = training.predict_outputs(
            self.net_, frames, self.n_features_in_, self._window
        )
        # Without frames the output is 0, which is the mean target.
        factors = outputs * self._scale.scale + self._scale.mean
        factors = factors.astype(self.target_mean_.dtype)
        return factors[:, 0] if self._one_output else factors

    def _learn(
        self,
        X: Any,
        y: Any,
        user_factors: Any,
        usage: Any,
        groups: Any,
        validation_fraction: float,
        epochs: int,
    ) -> "CNNFactorRegressor":
        """Check everything, build a net unless there is one, and train it."""
        known = hasattr(self, "net_")
        training = import_training()
        frames = self._check_frames(X)
        check_layer_sizes("n_filters", self.n_filters)
        check_layer_sizes("hidden", self.hidden, allow_none=True)
        targets, one_output = check_targets(X, y, len(frames))
        if known and targets.shape[1] != len(self.target_mean_):
            raise ValueError(
                f"y has {targets.shape[1]} columns but the network has "
                f"{len(self.target_mean_)} outputs; expected as many. Use "
                "warm_start=False for another number."
            )
        if known:
            check_same_network(self, self._built_with)
        user_factors, usage = check_usage(
            user_factors,
            usage,
            objective=self.objective,
            n_items=len(frames),
            n_outputs=targets.shape[1],
        )
        rng = check_random_state(self.random_state)
        seed = int(rng.randint(np.iinfo(np.int32).max))
        n_frames = count_frames(frames, self.n_features_in_ if known else None)
        heard = np.flatnonzero(n_frames)
        if not len(heard):
            raise ValueError("No item of X has frames; at least one must have some.")
        train, held_out = hold_out(X, heard, groups, validation_fraction, rng)
        if not known:
            table = X if hasattr(X, "columns") else frames[int(heard[0])]
            validate_data(self, table, skip_check_array=True)
        scale = (
            self._scale
            if known
            else TargetScale.learn(targets[heard], self.target_scaling)
        )
        data = training.TrainingSet(
            frames=frames,
            n_frames=n_frames,
            n_features=self.n_features_in_,
            targets=targets,
            scale=scale,
            user_factors=user_factors,
            usage=usage,
            train=train,
            held_out=held_out,
        )
        if known:
            net = self.net_
        else:
            net = training.build_net(self, data, seed)
            self._built_with: dict[str, Any] = {
                name: getattr(self, name) for name in NETWORK_PARAMS
            }
        try:
            training.train_net(net, self, data, seed, epochs)
        except KeyboardInterrupt:
            if self.warm_start:
                self._keep(net, scale, targets, one_output)
            raise
        self._keep(net, scale, targets, one_output)
        return self

    def _keep(
        self, net: Any, scale: TargetScale, targets: np.ndarray, one_output: bool
    ) -> None:
        """Set the fitted attributes."""
        self.net_ = net
        self.history_ = net.history
        self.n_iter_ = len(net.history)
        self.target_mean_ = scale.mean.astype(targets.dtype)
        self._scale = scale
        self._window = self.window
        self._one_output = one_output

    def _check_frames(self, X: Any) -> RaggedArray | LazySequence:
        """Validate frames, and their features where they are known."""
        return check_known_frames(self, X) if hasattr(self, "net_") else check_frames(X)

    def _window_starts(self, n_frames: int) -> tuple[np.ndarray, int]:
        """Return where the windows of a prediction start, and their width."""
        return prediction_starts(n_frames, self._window), self._window

    def _onnx_model(self) -> bytes:
        """Return an ONNX file from the frames of an item, X, to its factors."""
        from skcoldstart.neural._torch.onnx import network_as_onnx

        check_is_fitted(self)
        return network_as_onnx(
            self.net_, self._window, self._scale.scale, self._scale.mean
        )

    _plain_state, _set_plain_state = plain_state, set_plain_state  # for save_model

    def __sklearn_is_fitted__(self) -> bool:
        # An interrupted fit leaves numbers of features behind, but no network.
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
