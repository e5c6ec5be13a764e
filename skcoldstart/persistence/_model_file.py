"""save_model and load_model: one file of JSON and arrays."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator

import skcoldstart
from skcoldstart._utils.atomic import atomic_write
from skcoldstart._utils.warning import warn
from skcoldstart.persistence._encoding import Decoder, Encoder

__all__ = ["load_model", "save_model"]

FORMAT = "1"
_DOCUMENT, _DIGEST, _FORMAT = (
    f"skcoldstart.{part}" for part in ("model", "sha256", "format")
)
# Readers of the format refuse a longer header; a longer document becomes an array.
_LONGEST_IN_HEADER = 50_000_000


def save_model(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator to a file that holds data and no code.

    .. versionadded:: 0.1

    Parameters
    ----------
    estimator : estimator
        Fitted or not: an estimator of this package, or one of scikit-learn's that are
        used with them (Notes).
    path : str or PathLike
        The file to write or replace, by convention ``*.safetensors``; ``~`` is your
        home. It is whole or as it was before, whatever happens. A link stays a link,
        and a file that is replaced keeps its mode.

    Raises
    ------
    TypeError
        If a part of the estimator is neither data nor of a class that is known; the
        message names it.
    OSError
        If the file cannot be written, as on a full disk.

    See Also
    --------
    load_model : Read the file.

    Notes
    -----
    The file is in safetensors format: parameters as JSON in its header, arrays as they
    are, a SHA-256 of each. What is shared, such as an array, is written once. What only
    a continued fit needs, such as an optimizer's state, is left out.

    Of scikit-learn it knows pipelines, ``ColumnTransformer`` and ``FeatureUnion``,
    searches, the usual preprocessing, encoders, text vectorizers, decompositions and
    kernel approximations, linear models, trees, forests and boosting, neighbors,
    ``MLPRegressor``, stacking and voting; of functions those of NumPy that compute
    number by number, such as ``log1p``.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skcoldstart import WMF, load_model, save_model
    >>> wmf = WMF(2, random_state=0).fit(np.eye(4))
    >>> path = os.path.join(tempfile.mkdtemp(), "wmf.safetensors")
    >>> save_model(wmf, path)
    >>> again = load_model(path)
    >>> again, bool((again.item_factors_ == wmf.item_factors_).all())
    (WMF(n_components=2, random_state=0), True)
    """
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(
            f"save_model writes estimators; got a {type(estimator).__qualname__}."
        )
    encoder = Encoder()
    content = encoder.encode(estimator, type(estimator).__name__)
    arrays = {name: np.ascontiguousarray(a) for name, a in encoder.arrays.items()}
    document = json.dumps(
        {
            "versions": _versions(),
            "sha256": {name: _digest(array.data) for name, array in arrays.items()},
            "estimator": content,
        },
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
    texts = {_FORMAT: FORMAT, _DIGEST: _digest(document)}
    if len(document) > _LONGEST_IN_HEADER:
        arrays[_DOCUMENT] = np.frombuffer(document, np.uint8)
    else:
        texts[_DOCUMENT] = document.decode()
    _write(_place(path), arrays, texts)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read an estimator from a file that `save_model` wrote.

    Nothing in the file is run: it names classes from a fixed list, and is never
    unpickled.

    .. versionadded:: 0.1

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    estimator
        As it was saved: the same parameters and the same predictions.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the file is no model, is damaged, or names a class that is not known.

    Warns
    -----
    UserWarning
        If it was saved with another version of scikit-learn or of this package, or if
        parameters were set aside (Notes).

    See Also
    --------
    save_model : Write the file.

    Notes
    -----
    What holds for a file from a stranger: neither `load_model` nor ``fit``, ``predict``
    or ``transform`` of what it returns run code of the file, crash the process, or
    write anywhere. For that, parameters by which a file would decide where you write,
    or what is compiled, are set aside with a warning: ``memory`` of a Pipeline,
    ``store`` of an extractor, ``compile`` of a network, and more than 64 ``n_jobs``
    where there are fewer processors. Set them again with ``set_params``. The memory of
    loading is bounded by a multiple of the file's size; later calls need what the
    parameters request, so look at them first.

    What does not hold: predictions may be wrong on purpose, and a regular expression,
    such as ``token_pattern`` of a vectorizer, may take very long. The SHA-256 of each
    array tells damage on the way; it is no signature.
    """
    place = _place(path)
    name = str(place)
    if not place.is_file():
        raise FileNotFoundError(f"There is no file {name!r}.")
    content = place.read_bytes()  # not mapped: it may be cut while it is read
    try:
        document, arrays = _read(content)
        del content
        versions = document["versions"]
        decoder = Decoder(arrays, fill_in=versions != _versions())
        estimator = decoder.decode(document["estimator"])
        if not isinstance(estimator, BaseEstimator):
            raise ValueError(f"it holds a {type(estimator).__name__}, no estimator")
    except (MemoryError, ImportError):  # not of the file's making
        raise
    except Exception as reason:
        what = f"it lacks {reason}" if isinstance(reason, KeyError) else reason
        raise ValueError(
            f"{name!r} is not a whole file of save_model: {what}. Get it anew, or "
            "save the estimator again."
        ) from reason
    if versions != _versions():
        warn(
            f"{name!r} was saved with {versions}, and here is {_versions()}; "
            "predictions may differ. Save the estimator again with these versions."
        )
    if decoder.set_aside:
        what = ", ".join(f"{key}={value!r}" for key, value in decoder.set_aside.items())
        warn(
            f"{name!r} was saved with {what}, which is set aside: a file does not "
            "decide where you write, what is compiled and how many processes start. "
            "Set it with set_params if you want it."
        )
    return estimator


def _place(path: str | os.PathLike[str]) -> Path:
    return Path(os.fsdecode(path)).expanduser()


def _write(path: Path, arrays: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    """Write a safetensors file.

    Its library writes to a temporary file of its own, which a kill leaves behind, and
    reports a full disk as damage.
    """
    header: dict[str, Any] = {"__metadata__": texts}
    place = 0
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # aligned
    for name, array in ordered:
        header[name] = {
            "dtype": _type_name(array.dtype),
            "shape": list(array.shape),
            "data_offsets": [place, place + array.nbytes],
        }
        place += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in ordered:
            file.write(array.data)


def _type_name(dtype: np.dtype) -> str:
    letters = {"b": "BOOL", "i": "I", "u": "U", "f": "F"}
    return letters[dtype.kind] + ("" if dtype.kind == "b" else str(8 * dtype.itemsize))


def _read(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the document and the arrays of a file, after checking their digests."""
    from safetensors.numpy import load

    arrays = load(content)
    length = int.from_bytes(content[:8], "little")
    texts = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if texts.get(_FORMAT) != FORMAT:
        raise ValueError(
            f"its format is {texts.get(_FORMAT)!r} and {FORMAT!r} is expected"
        )
    stored = arrays.pop(_DOCUMENT, None)
    document = texts[_DOCUMENT].encode() if stored is None else stored.tobytes()
    if _digest(document) != texts[_DIGEST]:
        raise ValueError("its parameters have changed since they were saved")
    described = json.loads(document)
    for name, digest in described["sha256"].items():
        if _digest(np.ascontiguousarray(arrays[name]).data) != digest:
            raise ValueError(f"array {name!r} has changed since it was saved")
        # Estimators may write to their arrays; those of a file are not writeable.
        arrays[name] = np.array(arrays[name])
    return described, {name: arrays[name] for name in described["sha256"]}


def _versions() -> dict[str, str]:
    return {"skcoldstart": skcoldstart.__version__, "scikit-learn": sklearn.__version__}


def _digest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()
