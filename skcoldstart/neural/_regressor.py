"""CNNFactorRegressor: predict item factors from spectrograms."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, clone
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._sequences.checks import check_frames
from skcoldstart._utils.sk import COUNT, Interval, StrOptions, _fit_context
from skcoldstart.neural._checks import (
    N_JOBS,
    TargetScale,
    check_known_frames,
    check_layer_sizes,
    check_same_network,
    check_targets,
    hold_out,
    import_torch,
)
from skcoldstart.neural._user_factors import check_usage
from skcoldstart.neural._windows import count_frames, prediction_starts

# A fitted network keeps these, whatever `set_params` says of the next.
NETWORK_PARAMS = (
    *("architecture", "window", "n_filters"),
    *("hidden", "dropout", "batch_norm"),
    *("standardize", "target_scaling", "optimizer", "precision", "compile"),
)


class CNNFactorRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Predict item factors from spectrograms with a convolutional network.

    A pass of the training uses one random window of every item. A prediction is the
    mean over the item's consecutive windows. Requires torch and skorch: ``pip install
    skcoldstart[neural]``.

    .. versionadded:: 0.1

    Parameters
    ----------
    architecture : str or callable, default="spotify2014"
        The network from standardized windows to outputs: "spotify2014", "nips2013" or
        "shortchunk", see Notes; or a callable, such as a class of modules, that accepts
        ``(n_features, n_outputs)`` and returns a `torch.nn.Module` from (n_windows,
        window, n_features) to (n_windows, n_outputs). A callable does not use
        `n_filters`, `hidden`, `dropout` and `batch_norm`.
    objective : {"mse", "wpe", "gram", "ranking", "softmax"}, default="mse"
        The loss. All except "mse" need the arguments that `ColdStartRecommender`
        passes.
    window : int, default=129
        Number of frames of a window: 3 s with the defaults of `MelSpectrogram`.
    n_filters : tuple of int, default=(256, 256, 512, 512)
        Numbers of filters of the convolutional layers. "nips2013" uses the first two.
        The widths of "shortchunk" depend on the last.
    hidden : tuple of int, default=(2048, 2048)
        Units of the dense layers before the output. "nips2013" uses the first.
    dropout : float, default=0.0
        Fraction of hidden units dropped in training; the paper reports no gain from it.
    max_epochs : int, default=100
        Maximum number of passes over the items.
    batch_size : int, default=128
        Number of windows in a step.
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
        "auto" is the first GPU, or the CPU if there is none; or any device of torch.
        With several processes, "auto" gives each its own GPU, see Notes.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Floating-point type of the layers. "auto" is bfloat16 on a GPU that supports it.
    warm_start : bool, default=False
        Whether `fit` continues from the network of the last fit, for `max_epochs` more
        passes. An interrupted fit then keeps its weights.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, windows, order, dropout and held-out items. An int gives the same
        network on the same machine for any `n_jobs`, with the same number of torch
        threads; workers of a search have fewer.
    verbose : int, default=0
        Whether to show a progress bar with the losses.
    batch_norm : bool, default=False
        Whether to normalize batches after each convolution; "shortchunk" always does.
    standardize : bool, default=True
        Whether to shift and scale each band to mean 0 and variance 1 over the training
        frames.
    target_scaling : {"raw", "unit", "factor"}, default="raw"
        Errors in the units of the factors; or of factors scaled to unit norm for each
        item, also in predictions; or in standard deviations of each factor.
    lr_schedule : {"plateau", "cosine", "constant"}, default="plateau"
        Halve the learning rate after `patience` / 3 passes without improvement,
        decrease it to 0 over `max_epochs`, or keep it constant.
    weight_decay : float, default=1e-4
        Weight decay.
    temperature : float, default=0.1
        Temperature of the softmax in the objectives "ranking" and "softmax".
    device_storage : {"auto", "host", "float16", "uint8"}, default="auto"
        Place of the frames in training: the host, read in batches; or the device, in
        half precision or one byte per value (256 levels per band). "auto" uses a GPU if
        they fit, in half precision if possible.
    compile : bool, default=False
        Whether to compile the network with `torch.compile`.
    callbacks : list of skorch callbacks, default=None
        A callback on single batches disables the fast training loop.
    n_jobs : int, default=None
        Number of threads that read windows ahead; ``None`` means none on a CPU,
        otherwise four.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module.
    history_ : skorch.history.History
        One row per pass: ``history_[:, "train_loss"]`` and, if items are held out,
        "valid_loss", relative to the loss of predicting the mean (for "wpe": of
        predicting no plays); "ranking" in nats.
    n_iter_ : int
        Number of passes.
    target_mean_ : ndarray of shape (n_outputs,)
        Mean target, predicted for items without frames.
    held_out_ : ndarray of shape (n_held_out,)
        Rows of `X` that were held out to stop the training.

        .. versionadded:: 0.2
    n_features_in_ : int
        Number of features of a frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if `X` is a data frame.

    See Also
    --------
    skcoldstart.MelSpectrogram : Computes the frames.
    skcoldstart.ColdStartRecommender : Scores the factors for every user.

    Notes
    -----
    The paper does not fully describe its network. "spotify2014" is the network that its
    second author published a year later [2]_, on windows of the paper's length:
    convolutions over time of width 4, max-pooling by 4 after the first and by 2 between
    the others; mean, maximum and L2 norm over time; dense layers. "nips2013" follows
    his only remark about the paper's own network: two convolutional and two dense
    layers (the hidden and the output layer); the sizes are our choice. "shortchunk"
    has seven 3 x 3 convolutions of the spectrogram as an image, then the maximum [3]_.

    With :math:`y_i` the factors of item i, :math:`y'_i` the predicted ones and
    :math:`G = X^T X` of the user factors, the objectives are

    - "mse", eq. 4 of [1]_: :math:`\sum_i \|y_i - y'_i\|^2`;
    - "wpe", eq. 5: :math:`\sum_{u,i} c_{ui} (p_{ui} - x_u^T y'_i)^2` over **all**
      users, exact, with a cost proportional to the plays of the batch;
    - "gram": :math:`\sum_i (y_i - y'_i)^T G (y_i - y'_i)`, the error of predicted plays
      with equal weights of items;
    - "ranking": for each play, the excess of scores of items of the batch that the user
      did not play over the score of the played item (softmax with `temperature`);
    - "softmax": the cross-entropy of each user's plays as draws from the items of the
      batch, :math:`-\log` of the softmax of :math:`x_u^T y'_i / \tau` over these
      items, averaged over plays and divided by the logarithm of their number.

    Predictions of the last two define the order of items for a user; they are not in
    the units of the factors.

    A 2-D X holds items of one frame. Items that are not in memory are read window by
    window. Windows longer than an item are padded with zeros, the silence of
    logarithmic spectrograms. Items without frames are left out of `fit`, and their
    prediction is the mean target. The memory is the network, two moments of the
    optimizer, and a few batches; on a GPU also the frames if they fit.

    If `torch.distributed` has a default group of processes, all of them train one
    network: each calls `fit` with the same X, y and an int as `random_state`, computes
    its share of each batch, and ends with the same network. Losses equal those of one
    process up to rounding, because the outputs of all shares are gathered before the
    loss. Layers that normalize batches use the share of one process, and their running
    statistics are averaged after each pass.

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
        "window": COUNT,
        "n_filters": ["array-like"],
        "hidden": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": COUNT,
        "batch_size": COUNT,
        "lr": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions({"adamw", "sgd"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [*COUNT, None],
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
        "n_jobs": N_JOBS,
    }

    net_: Any
    target_mean_: np.ndarray
    _scale: TargetScale
    _built_with: dict[str, Any]

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
            Factors of all users, of shape (n_users, n_outputs); required by every
            objective except "mse".
        usage : {array-like, sparse} of shape (n_items, n_users), default=None
            Confidences of played pairs, at least 1, as returned by `WMF.confidences`;
            pairs that are not stored have confidence 1. Required by "wpe", and by
            "ranking" and "softmax", which use only which pairs are stored.
        groups : array-like of shape (n_items,), default=None
            Group of each item, such as its artist. Whole groups are held out.

        Returns
        -------
        CNNFactorRegressor
            The fitted regressor.

        Raises
        ------
        ImportError
            If torch or skorch is not installed.
        ValueError
            If frames or targets are malformed, do not match, or contain NaN; if the
            objective lacks an argument; if the loss becomes infinite or NaN.
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
        """Make one pass over items, without held-out items.

        The first call initializes the network and computes moments of bands and targets
        from its items; later calls keep these moments.

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
        training = import_torch("training")
        frames = check_known_frames(self, X)
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
        """Check everything, build a net if there is none, and train it."""
        known = hasattr(self, "net_")
        training = import_torch("training")
        frames = check_known_frames(self, X) if known else check_frames(X)
        check_layer_sizes("n_filters", self.n_filters)
        check_layer_sizes("hidden", self.hidden, allow_none=True)
        targets, one_output = check_targets(X, y, len(frames))
        if known:
            check_same_network(self, targets.shape[1])
        check_same_items(X, usage, input_name="usage")
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
        if known:
            scale = self._scale
        else:
            table = X if hasattr(X, "columns") else frames[int(heard[0])]
            validate_data(self, table, skip_check_array=True)
            scale = TargetScale.learn(targets[heard], self.target_scaling)
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
            self._built_with = {name: getattr(self, name) for name in NETWORK_PARAMS}
        interrupt = None
        try:
            training.train_net(net, self, data, seed, epochs)
        except KeyboardInterrupt as error:
            if not self.warm_start:
                raise
            interrupt = error
        self.net_ = net
        self.history_ = net.history
        self.n_iter_ = len(net.history)
        self.held_out_ = held_out
        self.target_mean_ = scale.mean.astype(targets.dtype)
        self._scale = scale
        self._window = self.window
        self._one_output = one_output
        if interrupt is not None:
            raise interrupt
        return self

    def _window_starts(self, n_frames: int) -> tuple[np.ndarray, int]:
        """Return where the windows of a prediction start, and their width."""
        return prediction_starts(n_frames, self._window), self._window

    def _draws_of_dropout(self, X: Any, n_draws: int) -> np.ndarray | None:
        """Return predictions with dropout, (n_draws, n_items, n_outputs), if any."""
        frames = check_known_frames(self, X), self.n_features_in_, self._window
        outputs = import_torch("training").draw_outputs(self.net_, n_draws, *frames)
        return np.stack(outputs) * self._scale.scale if outputs else None

    def _onnx_model(self) -> bytes:
        """Return an ONNX file from the frames of an item, X, to its factors."""
        from skcoldstart.neural._torch.onnx import network_as_onnx

        check_is_fitted(self)
        return network_as_onnx(
            self.net_, self._window, self._scale.scale, self._scale.mean
        )

    def _plain_state(self) -> dict[str, Any]:
        """Return the attributes, the network as arrays."""
        state = dict(vars(self))
        if "net_" in state:
            net, scale = state.pop("net_"), state["_scale"]
            weights = net.module.state_dict()
            state["net_"] = {n: w.cpu().numpy().copy() for n, w in weights.items()}
            state["history_"] = [dict(row) for row in state["history_"]]
            state["_scale"] = dict(vars(scale))
        return state

    def _set_plain_state(self, state: dict[str, Any]) -> None:
        """Set the attributes returned by `_plain_state`."""
        self.__dict__.update(state)
        if "net_" in state:
            from skorch.history import History

            self._scale = TargetScale(**state["_scale"])
            self.history_ = History(state["history_"])
            self.net_ = import_torch("training").restore_net(
                clone(self).set_params(**self._built_with),
                self.n_features_in_,
                len(self.target_mean_),
                state["net_"],
            )
            self.net_.history_ = self.history_

    def __sklearn_is_fitted__(self) -> bool:
        # An interrupted fit leaves numbers of features behind, but no network.
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
