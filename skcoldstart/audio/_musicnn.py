"""Find the trained weights of musicnn, and check them."""

import hashlib
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart.audio._checkpoint import CheckpointError, read_checkpoint

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
        return read_checkpoint(contents[0], contents[1], _is_weight)
    except CheckpointError as error:
        raise ValueError(f"{str(place)!r} cannot be read: {error}. {_REMEDY}") from None


def _is_weight(name: str) -> bool:
    return "Adam" not in name and "power" not in name


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
