"""The trained weights of musicnn, also from TensorFlow, and its network to train."""

import hashlib
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

# The last bytes of a table: two block handles, padding, and a magic number.
_FOOTER_SIZE = 48
_MAGIC = bytes.fromhex("57fb808b247547db")

# Bytes after each block: the compression type, and a checksum.
_BLOCK_TRAILER = 5

_DTYPES = {1: "<f4", 3: "<i4", 9: "<i8"}


class CheckpointError(ValueError):
    """The file is not a checkpoint, or it is damaged."""


def read_checkpoint(
    index: bytes, data: bytes, wanted: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    """Return the tensors with the given names from a checkpoint with one data file.

    `index` is a LevelDB table from names to entries in protocol buffers; an entry
    holds type, shape, offset and size of a tensor in `data`.
    """
    if len(index) < _FOOTER_SIZE or index[-8:] != _MAGIC:
        raise CheckpointError("the index is not a table of tensors")
    try:
        _, at = _handle(index, len(index) - _FOOTER_SIZE)
        (start, size), _ = _handle(index, at)
        tensors = {}
        for _, block in _entries(index, start, size):
            (start, size), _ = _handle(block, 0)
            for name, entry in _entries(index, start, size):
                text = name.decode("utf-8")
                if text and wanted(text):
                    tensors[text] = _tensor(entry, data)
    except (IndexError, UnicodeDecodeError) as error:
        raise CheckpointError("the index is damaged") from error
    return tensors


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Decode an integer of seven bits per byte; return it and the next position."""
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise CheckpointError("the index is damaged")


def _handle(buffer: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Decode the start and length of a block."""
    start, at = _varint(buffer, at)
    size, at = _varint(buffer, at)
    return (start, size), at


def _entries(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block; a key shares a prefix with the last."""
    block = table[start : start + size]
    if len(table) < start + size + _BLOCK_TRAILER or size < 4:
        raise CheckpointError("the index is truncated")
    if table[start + size] != 0:
        raise CheckpointError("the index is compressed; expected an uncompressed one")
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


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield numbers and values of the fields of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif kind == 2:
            size, at = _varint(message, at)
            yield tag >> 3, message[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise CheckpointError(f"the index holds a field of unknown kind {kind}")


def _value(
    fields: dict[int, int | bytes], number: int, kind: type, default: Any
) -> Any:
    value = fields.get(number, default)
    if not isinstance(value, kind):
        raise CheckpointError("the index is damaged")
    return value


def _tensor(entry: bytes, data: bytes) -> np.ndarray:
    """Return the tensor that an entry of the index describes."""
    fields = dict(_fields(entry))
    dtype = _DTYPES.get(_value(fields, 1, int, 0))
    if dtype is None:
        raise CheckpointError(f"a tensor has the unknown type {fields.get(1)!r}")
    shape = []
    for number, dim in _fields(_value(fields, 2, bytes, b"")):
        if number == 2:
            size_of_axis = dict(_fields(_value({number: dim}, number, bytes, b"")))
            shape.append(_value(size_of_axis, 1, int, 0))
    offset, size = _value(fields, 4, int, 0), _value(fields, 5, int, 0)
    n_values = math.prod(shape)
    if size != n_values * np.dtype(dtype).itemsize or offset + size > len(data):
        raise CheckpointError("the data file is truncated, or belongs to another index")
    return np.frombuffer(data, dtype, n_values, offset).reshape(shape)


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
    place = _installed_folder() if weights is None else Path(weights).expanduser()
    if place is None:
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
    try:
        return read_checkpoint(
            contents[0],
            contents[1],
            lambda name: "Adam" not in name and "power" not in name,
        )
    except CheckpointError as error:
        raise ValueError(f"{str(place)!r} cannot be read: {error}. {_REMEDY}") from None


def _installed_folder() -> Path | None:
    """Return the folder of the installed package, without importing it."""
    spec: Any = find_spec("musicnn")
    return Path(spec.origin).parent if spec is not None and spec.origin else None


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
