"""save_model and load_model: one file of JSON and arrays."""

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sklearn

import skcoldstart
from skcoldstart._utils.atomic import atomic_path
from skcoldstart.persistence._encoding import Decoder, Encoder

__all__ = ["load_model", "save_model"]

FORMAT = "1"
_DOCUMENT, _DIGEST, _FORMAT = (
    f"skcoldstart.{part}" for part in ("model", "sha256", "format")
)


def save_model(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write an estimator to a file that holds data and no code.

    .. versionadded:: 0.1

    Parameters
    ----------
    estimator : estimator
        Fitted or not: an estimator of this package, or one of scikit-learn's that go
        with them, such as `Pipeline`, `PCA` and `Ridge`.
    path : str or PathLike
        The file to write or replace, by convention ``*.safetensors``. It is whole or
        as it was before, whatever happens.

    Raises
    ------
    TypeError
        If a part of the estimator is neither data nor of a class that is known; the
        message names it.

    See Also
    --------
    load_model : Read the file.

    Notes
    -----
    The file is in safetensors format: parameters as JSON in its header, arrays as they
    are, a SHA-256 of each. Equal arrays of one estimator are written once. What only
    a continued fit needs, such as an optimizer's state, is left out.

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
    from safetensors.numpy import save_file

    encoder = Encoder()
    content = encoder.encode(estimator, type(estimator).__name__)
    if not (isinstance(content, dict) and content.get("is") == "estimator"):
        raise TypeError(
            f"save_model writes estimators; got a {type(estimator).__qualname__}."
        )
    arrays = {name: np.ascontiguousarray(a) for name, a in encoder.arrays.items()}
    document = json.dumps(
        {
            "versions": _versions(),
            "sha256": {name: _digest(array.data) for name, array in arrays.items()},
            "estimator": content,
        },
        allow_nan=False,
        separators=(",", ":"),
    )
    header = {
        _FORMAT: FORMAT,
        _DOCUMENT: document,
        _DIGEST: _digest(document.encode()),
    }
    with atomic_path(path) as name:
        save_file(arrays, name, metadata=header)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Read an estimator from a file that `save_model` wrote.

    Nothing in the file is run: it names classes from a fixed list, and is never
    unpickled. A file from a stranger can be large or wrong, no more.

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
        If it was saved with another version of scikit-learn or of this package.

    See Also
    --------
    save_model : Write the file.

    Notes
    -----
    The SHA-256 of each array tells damage on the way; it is no signature.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {os.fspath(path)!r}.")
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            document = _document(file.metadata() or {})
            digests = document["sha256"]
            arrays = {name: file.get_tensor(name) for name in digests}
        for name, array in arrays.items():
            if _digest(np.ascontiguousarray(array).data) != digests[name]:
                raise ValueError(f"array {name!r} has changed since it was saved")
        # Estimators may write to their arrays; those of a file need not be writeable.
        decoder = Decoder({name: np.array(array) for name, array in arrays.items()})
        estimator = decoder.decode(document["estimator"])
        versions = document["versions"]
    except (
        SafetensorError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RuntimeError,
    ) as reason:
        raise ValueError(
            f"{os.fspath(path)!r} is not a whole file of save_model: {reason}. Get it "
            "anew, or save the estimator again."
        ) from reason
    if versions != _versions():
        warnings.warn(
            f"{os.fspath(path)!r} was saved with {versions}, and here is {_versions()}"
            "; predictions may differ. Save the estimator again with these versions.",
            UserWarning,
            stacklevel=2,
        )
    return estimator


def _document(header: dict[str, str]) -> dict[str, Any]:
    if header.get(_FORMAT) != FORMAT:
        raise ValueError(
            f"its format is {header.get(_FORMAT)!r} and {FORMAT!r} is expected"
        )
    text = header[_DOCUMENT]
    if _digest(text.encode()) != header[_DIGEST]:
        raise ValueError("its parameters have changed since they were saved")
    return json.loads(text)


def _versions() -> dict[str, str]:
    return {"skcoldstart": skcoldstart.__version__, "scikit-learn": sklearn.__version__}


def _digest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()
