"""The trained weights of musicnn, also from TensorFlow, and its network to train."""

import hashlib
import math
import os
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

# The last bytes of a table: two block handles, padding, and a magic number.
_FOOTER_SIZE = 48
# Codes of TensorFlow for a type, and of protocol buffers for two kinds of fields.
_FLOAT32, _BYTES, _FOUR_BYTES = 1, 2, 5


def read_checkpoint(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """Return the weights in a checkpoint by name, without the optimizer's state.

    `index` is a LevelDB table from names to entries in protocol buffers; an entry
    holds type, shape, offset and size of a tensor in `data`. Neither is checked here:
    their sums are known.
    """
    at = len(index) - _FOOTER_SIZE
    for _ in range(2):  # the handle of a block that is not needed
        _, at = _varint(index, at)
    tensors = {}
    for _, handle in _entries(index, index, at):
        for key, entry in _entries(index, handle, 0):
            name, fields = key.decode("utf-8"), dict(_fields(entry))
            is_of_optimizer = "Adam" in name or "power" in name
            if name and fields[1] == _FLOAT32 and not is_of_optimizer:
                axes = [axis for n, axis in _fields(fields.get(2, b"")) if n == 2]
                shape = [dict(_fields(axis)).get(1, 0) for axis in axes]
                start, n_values = fields.get(4, 0), math.prod(shape)
                values = np.frombuffer(data, "<f4", n_values, start)
                tensors[name] = values.reshape(shape)
    return tensors


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Decode an integer of seven bits per byte; return it and the next position."""
    value = shift = 0
    while buffer[at] > 127:
        value |= (buffer[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | buffer[at] << shift, at + 1


def _entries(table: bytes, handle: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of the block that a handle names by start and length."""
    start, at = _varint(handle, at)
    size, _ = _varint(handle, at)
    block = table[start : start + size]
    n_restarts = int.from_bytes(block[-4:], "little")
    stop = size - 4 * (n_restarts + 1)
    at, key = 0, b""
    while at < stop:
        n_shared, at = _varint(block, at)
        n_own, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:n_shared] + block[at : at + n_own]
        at += n_own
        yield key, block[at : at + n_value]
        at += n_value


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield numbers and values of the fields of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == _FOUR_BYTES:  # a checksum
            at += 4
            continue
        value: Any
        value, at = _varint(message, at)
        if tag & 7 == _BYTES:
            value, at = message[at : at + value], at + value
        yield tag >> 3, value


TRAINING_SETS = {"musicnn": "MSD", "musicnn-mtt": "MTT"}

LAYERS = {
    **{"penultimate": 200, "mean_pool": 753, "max_pool": 753, "pool": 1506},
    "tags": 50,
}

# fmt: off
TAGS = {
    "MSD": (
        "rock", "pop", "alternative", "indie", "electronic", "female vocalists",
        "dance", "00s", "alternative rock", "jazz", "beautiful", "metal", "chillout",
        "male vocalists", "classic rock", "soul", "indie rock", "Mellow",
        "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies",
        "blues", "hard rock", "ambient", "acoustic", "experimental",
        "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
        "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal",
        "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
    ),
    "MTT": (
        "guitar", "classical", "slow", "techno", "strings", "drums", "electronic",
        "rock", "fast", "piano", "ambient", "beat", "violin", "vocal", "synth",
        "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
        "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal",
        "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age",
        "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
        "weird", "country", "metal", "female voice", "choral",
    ),
}
# fmt: on

_INDEX, _DATA = ".index", ".data-00000-of-00001"

# SHA-256 of both files in version 0.1.0 of the package.
_SUMS = {
    "MSD": (
        "87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
        "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    ),
    "MTT": (
        "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
        "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
    ),
}
_LARGEST_FILE = 1 << 25

_REMEDY = (
    "Run 'pip download --no-deps musicnn==0.1.0' and pass as weights= the path of the "
    "wheel, or of the folder it was unpacked to."
)


@lru_cache(maxsize=4)
def load_musicnn(weights: str | None, training_set: str) -> dict[str, np.ndarray]:
    """Return the weights of the network by name, without the optimizer's state."""
    if weights is not None:
        place = Path(weights).expanduser()
    elif (spec := find_spec("musicnn")) and spec.origin:  # it is not imported
        place = Path(spec.origin).parent
    else:
        raise FileNotFoundError(f"No weights of musicnn were given. {_REMEDY}")
    contents = []
    for name, expected in zip((_INDEX, _DATA), _SUMS[training_set], strict=True):
        content = _read(place, f"{training_set}_musicnn", name)
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError(
                f"{name!r} of {str(place)!r} is not that of musicnn 0.1.0 "
                f"({training_set}): its SHA-256 differs, so it is damaged or has "
                f"another version. {_REMEDY}"
            )
        contents.append(content)
    return read_checkpoint(*contents)


def _read(place: Path, folder: str, name: str) -> bytes:
    """Return a file of the wheel, of the unpacked wheel, or of the model's folder."""
    missing = FileNotFoundError(
        f"{str(place)!r} has no musicnn weights ({folder}/{name}). {_REMEDY}"
    )
    if place.is_dir():
        for parent in (place / "musicnn" / folder, place / folder, place):
            if (parent / name).is_file():
                return (parent / name).read_bytes()
        raise missing
    if not place.is_file():
        raise FileNotFoundError(f"{str(place)!r} does not exist. {_REMEDY}")
    try:
        with zipfile.ZipFile(place) as wheel:
            member = f"musicnn/{folder}/{name}"
            if wheel.getinfo(member).file_size > _LARGEST_FILE:
                raise ValueError(f"{member} of {str(place)!r} is too large. {_REMEDY}")
            return wheel.read(member)
    except KeyError:
        raise missing from None
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{str(place)!r} is not a wheel, or it is damaged ({error}). {_REMEDY}"
        ) from None


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
    pass frames of ``AudioEmbedding(layer="pool", pooling=None)`` to a regressor with
    ``window=1`` and ``standardize=False``. Training then takes seconds. The network is
    the same, but its windows have fixed positions instead of random ones.

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
