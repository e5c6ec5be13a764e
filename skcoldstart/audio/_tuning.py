"""MusicNNArchitecture: fine-tune a pretrained network."""

import os
from typing import Any, Literal

from skcoldstart.audio._musicnn import LAYERS, TRAINING_SETS, load_musicnn


class MusicNNArchitecture:
    """Build musicnn with a new output layer.

    An `architecture` for `CNNFactorRegressor` that starts from trained weights, for
    catalogues that are too small to train a network from scratch. Requires torch.

    Parameters
    ----------
    model : {"musicnn", "musicnn-mtt"}, default="musicnn"
        Trained on tags of the Million Song Dataset, or of MagnaTagATune.
    weights : str or PathLike, default=None
        Path of the weights, as in `AudioEmbedding`.
    frozen : bool or "convolutions", default=True
        Weights that are not trained. True: all weights of musicnn, so only the new
        layer is trained. "convolutions": all except the dense layer of 200 units and
        the new layer. False: none, so all weights are trained from their pretrained
        values. The means and variances of batch normalization never change.

    See Also
    --------
    AudioEmbedding : Vectors of the same network, without training.
    skcoldstart.CNNFactorRegressor : Trains the network.

    Notes
    -----
    The frames must be like those musicnn was trained on: ``MelSpectrogram(sr=16000,
    n_fft=512, hop_length=256, n_mels=96)``. Its windows are 187 frames, 3 s; set
    ``window=187`` and ``standardize=False`` in the regressor.

    If the convolutions are frozen, they can be computed once instead of in each pass:
    ``AudioEmbedding(layer="pool", pooling=None)`` returns their output for each window
    of 3 s. Pass its frames to a regressor with ``window=1`` and ``standardize=False``.
    Training then takes seconds. The network is the same, but its windows have fixed
    positions instead of random ones.

    .. versionadded:: 0.2

    Examples
    --------
    >>> from skcoldstart import CNNFactorRegressor
    >>> from skcoldstart.audio import MusicNNArchitecture
    >>> architecture = MusicNNArchitecture(weights="musicnn-0.1.0-py3-none-any.whl")
    >>> CNNFactorRegressor(architecture=architecture, window=187, standardize=False)
    CNNFactorRegressor(architecture=MusicNNArchitecture(...), ...)
    """

    def __init__(
        self,
        model: str = "musicnn",
        *,
        weights: str | os.PathLike[str] | None = None,
        frozen: bool | Literal["convolutions"] = True,
    ) -> None:
        if model not in TRAINING_SETS:
            raise ValueError(f"model={model!r}; expected one of {[*TRAINING_SETS]}.")
        if frozen not in (True, False, "convolutions"):
            raise ValueError(
                f"frozen={frozen!r}; expected True, False or 'convolutions'."
            )
        self.model = model
        self.weights = weights
        self.frozen = frozen

    def __repr__(self) -> str:
        return (
            f"MusicNNArchitecture({self.model!r}, weights={self.weights!r}, "
            f"frozen={self.frozen!r})"
        )

    def __call__(self, n_features: int, n_outputs: int) -> Any:
        """Return a module from windows of frames to outputs.

        Parameters
        ----------
        n_features : int
            Features of a frame: 96 mel bands, or 1506 of the layer "pool".
        n_outputs : int
            Outputs of the new layer.

        Returns
        -------
        torch.nn.Module
            Maps (n_windows, window, n_features) to (n_windows, n_outputs).

        Raises
        ------
        ValueError
            If the frames do not have 96 or 1506 features, if frames of the layer "pool"
            are given although the convolutions are to be trained, or if the weights are
            damaged.
        """
        from skcoldstart.audio._torch.musicnn import TunedMusicNN

        pooled = n_features == LAYERS["pool"]
        if not pooled and n_features != 96:
            raise ValueError(
                f"Frames have {n_features} features, but musicnn was trained on 96 "
                "mel bands. Use MelSpectrogram(sr=16000, n_fft=512, hop_length=256, "
                "n_mels=96), or AudioEmbedding(layer='pool', pooling=None)."
            )
        if pooled and not self.frozen:
            raise ValueError(
                "Frames of the layer 'pool' are computed by the convolutions, which "
                "cannot be trained on them. Set frozen='convolutions' or use mel bands."
            )
        weights = None if self.weights is None else os.fspath(self.weights)
        network = load_musicnn(weights, TRAINING_SETS[self.model])
        return TunedMusicNN(network, n_outputs, frozen=self.frozen, pooled=pooled)
