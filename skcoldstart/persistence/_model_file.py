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
from skcoldstart._utils.paths import atomic_write, check_path
from skcoldstart._utils.warning import warn
from skcoldstart.persistence._encoding import Decoder, Encoder

FORMAT = "1"
_FORMAT = "skcoldstart.format"
_DOCUMENT, _DIGEST = "skcoldstart.model", "skcoldstart.sha256"
# Readers of the format reject a longer header; a longer document becomes an array.
_LONGEST_IN_HEADER = 50_000_000


def save_model(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator to a file that contains data and no code.

    .. versionadded:: 0.1

    Parameters
    ----------
    estimator : estimator
        A fitted or unfitted estimator of this package, or a scikit-learn estimator used
        with it (Notes).
    path : str or PathLike
        The file to write or replace, by convention ``*.safetensors``. If writing fails,
        an existing file is unchanged. A link stays a link, and a replaced file keeps
        its mode.

    Raises
    ------
    TypeError
        If a part of the estimator is neither data nor of a supported class.
    OSError
        If the file cannot be written, as on a full disk.

    See Also
    --------
    load_model : Read the file.

    Notes
    -----
    The file is in safetensors format: parameters as JSON in its header, arrays as
    tensors, with a SHA-256 of each. Shared objects are written once. State that only a
    continued fit needs, such as an optimizer's, is not saved.

    Supported scikit-learn estimators are pipelines, ``ColumnTransformer`` and
    ``FeatureUnion``, searches, the usual preprocessing, encoders, text vectorizers,
    decompositions and kernel approximations, linear models, trees, forests and
    boosting, neighbors, ``MLPRegressor``, stacking and voting. Supported functions are
    elementwise functions of NumPy, such as ``log1p``.

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
    _write(check_path(path), arrays, texts)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read an estimator from a file that `save_model` wrote.

    No code from the file is run: it can only name classes of a fixed list, and is not
    unpickled.

    .. versionadded:: 0.1

    Parameters
    ----------
    path : str or PathLike
        The file.

    Returns
    -------
    estimator
        The saved estimator, with the same parameters and predictions.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the file is not a model, is damaged, or names an unknown class.

    Warns
    -----
    UserWarning
        If it was saved with another version of scikit-learn or of this package, or if
        parameters were not restored (Notes).

    See Also
    --------
    save_model : Write the file.

    Notes
    -----
    This is safe for untrusted files: `load_model`, and ``fit``, ``predict`` and
    ``transform`` of its result, do not run code from the file, crash the process, or
    write anywhere. Parameters by which a file could decide where you write, or what is
    compiled, are therefore not restored, with a warning: ``memory`` of a Pipeline,
    ``store`` of an extractor, ``compile`` of a network, and ``n_jobs`` above 64 if
    there are fewer processors. Set them again with ``set_params``. The memory of
    loading is bounded by a multiple of the file's size; later calls need the memory
    that the parameters request, so check them first.

    There is no protection against predictions that are wrong on purpose, and against
    regular expressions, such as ``token_pattern`` of a vectorizer, that take very long.
    The SHA-256 of each array detects damage; it is not a signature.
    """
    place = check_path(path)
    name = str(place)
    if not place.is_file():
        raise FileNotFoundError(f"There is no file {name!r}.")
    content = place.read_bytes()  # not mapped: it may be truncated while it is read
    try:
        document, arrays = _read(content)
        del content
        versions = document["versions"]
        decoder = Decoder(arrays, fill_in=versions != _versions())
        estimator = decoder.decode(document["estimator"])
        if not isinstance(estimator, BaseEstimator):
            raise ValueError(
                f"it contains a {type(estimator).__name__}, not an estimator"
            )
    except (MemoryError, ImportError):  # not caused by the file
        raise
    except Exception as reason:
        what = f"it lacks {reason}" if isinstance(reason, KeyError) else reason
        raise ValueError(
            f"{name!r} is not a complete file of save_model: {what}. Fetch it again, "
            f"or save the estimator again."
        ) from reason
    if versions != _versions():
        warn(
            f"{name!r} was saved with {versions}, but {_versions()} is installed; "
            "predictions may differ. Save the estimator again with these versions."
        )
    if decoder.set_aside:
        what = ", ".join(f"{key}={value!r}" for key, value in decoder.set_aside.items())
        warn(
            f"{name!r} was saved with {what}, which is not restored: a file does not "
            f"decide where you write, what is compiled and how many processes start. "
            f"Set it with set_params if you want it."
        )
    return estimator


def _write(path: Path, arrays: dict[str, np.ndarray], texts: dict[str, str]) -> None:
    """Write a safetensors file.

    The safetensors library writes to its own temporary file, which remains after a
    kill, and reports a full disk as damage.
    """
    header: dict[str, Any] = {"__metadata__": texts}
    place = 0
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)  # aligned
    for name, array in ordered:
        header[name] = {
            "dtype": {"b": "BOOL"}.get(
                array.dtype.kind, f"{array.dtype.kind.upper()}{8 * array.itemsize}"
            ),
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


def _read(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the document and the arrays of a file, after checking their digests."""
    from safetensors.numpy import load

    arrays = load(content)
    length = int.from_bytes(content[:8], "little")
    texts = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    if texts.get(_FORMAT) != FORMAT:
        raise ValueError(f"its format is {texts.get(_FORMAT)!r}; expected {FORMAT!r}")
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
