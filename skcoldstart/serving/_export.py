"""Write factors and names to a folder that any program can read."""

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart._utils.paths import (
    atomic_write,
    check_path,
    check_regular_file,
    locked,
)

__all__ = ["Export", "export", "load_export"]

FORMAT, VERSION = "skcoldstart export", 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Export:
    """Factors of items and users, whose inner products are scores, and their names.

    Returned by `load_export`.

    .. versionadded:: 0.2

    Parameters
    ----------
    item_factors : float32 ndarray of shape (n_items, k)
        One row per item.
    user_factors : float32 ndarray of shape (n_users, k)
        One row per user.
    item_ids : ndarray of shape (n_items,)
        Names of the items, integers or text.
    user_ids : ndarray of shape (n_users,)
        Names of the users, integers or text.
    manifest : dict
        The manifest written by `export`.
    """

    item_factors: np.ndarray
    user_factors: np.ndarray
    item_ids: np.ndarray
    user_ids: np.ndarray
    manifest: dict[str, Any]


def export(
    model: Any,
    folder: str | os.PathLike[str],
    X: Any = None,
    *,
    item_ids: Any = None,
    item_factors: Any = None,
    n_components: int | str | None = "auto",
    random_state: Any = 0,
) -> Path:
    """Write factors of items and users, and their names, for programs that serve them.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted recommender, a Pipeline or search that ends in one, or a factorizer
        such as `WMF`.
    folder : str or PathLike
        Folder to write to; created if it does not exist. An existing export is replaced
        when the new one is complete.
    X : sequence of n_items items, default=None
        Items, in the same form as in `fit` of `model`. ``None`` means the items of fit,
        with the factors of their plays, for models that keep them.
    item_ids : array-like of shape (n_items,), default=None
        Names of the items; ``None`` means the index of a frame `X`, else its column
        ``item_id``, else rows.
    item_factors : array-like of shape (n_items, k), default=None
        Factors used instead of those predicted from `X`.
    n_components : int, "auto" or None, default="auto"
        Largest number of factors. "auto" means the factors of the model if they are
        dense, and otherwise an approximation of its scores by 256 factors; an int
        approximates whenever the model has more. ``None`` accepts only dense factors of
        the model.
    random_state : int, RandomState instance or None, default=0
        Seeds the approximation.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    TypeError
        If `X` and `item_factors` are ``None`` and the model keeps no factors of the
        items of fit, or `n_components` is ``None`` and it has no dense factors.
    ValueError
        If names do not match, factors are not finite as float32, or `n_components` is
        invalid.

    See Also
    --------
    load_export : Reads the folder with NumPy and safetensors.
    build_index : Finds the best items of a user among millions.

    Notes
    -----
    The folder holds ``manifest.json`` and one safetensors file, named in it with its
    SHA-256: ``item_factors`` and ``user_factors``, float32, whose **inner products**
    are the scores, and ``item_ids`` and ``user_ids``, int64; names that are not
    integers are UTF-8 text, all in one array of bytes with an array of offsets.

    Recommenders with neighbours, such as the blend of `make_recommender`, have no dense
    factors. Their scores, with each user scaled to equal spread, are approximated by a
    truncated singular value decomposition, which is exact if the scores have at most
    `n_components` dimensions. The time is ten products of the scores and a table of
    `n_components` + 10 columns, the memory is four such tables of (n_items + n_users)
    rows in float64. ``approximation`` in the manifest contains, for up to 1,000 random
    users, ``relative_error``, the root mean square error of scores relative to the
    spread of a user, and ``top_10_kept``, the share of the best 10 items that are still
    among the best 10. It is ``null`` for factors of the model.

    References
    ----------
    N. Halko, P.-G. Martinsson, J. A. Tropp, "Finding structure with randomness:
    probabilistic algorithms for constructing approximate matrix decompositions", SIAM
    Review 53(2), 2011, algorithm 4.4.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from skcoldstart import ContentProfileRecommender, export, load_export
    >>> X, y = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1, 0], [0, 1]])
    >>> model = ContentProfileRecommender().fit(X, y, user_ids=["ann", "bob"])
    >>> folder = export(model, tempfile.mkdtemp(), X, item_ids=["x", "y"])
    >>> found = load_export(folder)
    >>> (found.user_factors @ found.item_factors.T).argmax(axis=1)
    array([0, 1])
    >>> found.user_ids, found.item_ids
    (array(['ann', 'bob'], dtype=object), array(['x', 'y'], dtype=object))
    """
    from safetensors.numpy import save

    from skcoldstart._scores.listing import exported_factors

    items, users, item_names, user_names, quality = exported_factors(
        *(model, X),
        item_ids=item_ids,
        item_factors=item_factors,
        n_components=n_components,
        random_state=random_state,
    )
    arrays = {"item_factors": items, "user_factors": users}
    for name, factors in arrays.items():
        arrays[name] = np.ascontiguousarray(factors, np.float32)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} are not finite as float32; scale the plays down.")
    arrays |= _encoded(item_names, "item_ids") | _encoded(user_names, "user_ids")
    data = save(arrays)
    digest = hashlib.sha256(data).hexdigest()
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "file": f"factors-{digest[:16]}.safetensors",
        "sha256": digest,
        "score": "inner product of item_factors and user_factors",
        "n_items": len(items),
        "n_users": len(users),
        "n_components": items.shape[1],
        "approximation": quality,
    }
    folder = Path(os.path.realpath(check_path(folder, "folder")))
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        with atomic_write(folder / str(manifest["file"])) as file:
            file.write(data)
        with atomic_write(folder / MANIFEST, "w") as file:
            json.dump(manifest, file, indent=1)
        for old in folder.glob("factors-*.safetensors"):
            if old.name != manifest["file"]:
                old.unlink(missing_ok=True)
    return folder


def load_export(folder: str | os.PathLike[str]) -> Export:
    """Read a folder written by `export`, with NumPy and safetensors only.

    .. versionadded:: 0.2

    Parameters
    ----------
    folder : str or PathLike
        The folder.

    Returns
    -------
    Export
        Factors, names and the manifest.

    Raises
    ------
    FileNotFoundError
        If there is no manifest in the folder.
    ValueError
        If the manifest has another format or a later version, or the file of factors is
        not the one it names.

    See Also
    --------
    export : Writes the folder.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = check_path(folder, "folder")
    before: dict[str, Any] = {}
    while True:
        manifest = _read_manifest(folder)
        try:
            data = check_regular_file(folder / manifest["file"]).read_bytes()
            break
        except FileNotFoundError:
            if manifest == before:  # not replaced in the meantime
                raise
            before = manifest
    file = folder / manifest["file"]
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise ValueError(
            f"{file} is not the file that {MANIFEST} names: its SHA-256 differs. "
            "Export the model again."
        )
    try:
        arrays = load(data)
        items, users = arrays["item_factors"], arrays["user_factors"]
        ids = _decoded(arrays, "item_ids"), _decoded(arrays, "user_ids")
    except (KeyError, SafetensorError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not a whole file of export: {error}") from error
    if (len(items), len(users)) != tuple(map(len, ids)):
        raise ValueError(
            f"{file} holds {len(items)} items and {len(users)} users, but "
            f"{len(ids[0])} and {len(ids[1])} names. Export the model again."
        )
    return Export(items, users, *ids, manifest)


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(check_regular_file(folder / MANIFEST).read_text("utf-8"))
        known = manifest["format"] == FORMAT and manifest["version"] <= VERSION
        name, _ = manifest["file"], manifest["sha256"]
        plain = name == os.path.basename(name)
    except (KeyError, TypeError, ValueError):  # also invalid JSON or UTF-8
        known = plain = False
    if not (known and plain):
        raise ValueError(
            f"{folder / MANIFEST} is not a manifest of {FORMAT!r}, version {VERSION} "
            "or earlier. Export the model again, or update skcoldstart."
        )
    return manifest


def _encoded(names: np.ndarray, key: str) -> dict[str, np.ndarray]:
    if names.dtype.kind in "iu":
        return {key: names.astype(np.uint64 if names.dtype.kind == "u" else np.int64)}
    texts = [
        name.decode("utf-8", "backslashreplace") if type(name) is bytes else str(name)
        for name in names.tolist()
    ]
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([0, *map(len, encoded)])
    return {
        f"{key}.text": np.frombuffer(b"".join(encoded), np.uint8),
        f"{key}.offsets": ends.astype(np.int64),
    }


def _decoded(arrays: dict[str, np.ndarray], key: str) -> np.ndarray:
    if key in arrays:
        return arrays[key]
    text, ends = arrays[f"{key}.text"].tobytes(), arrays[f"{key}.offsets"].tolist()
    names = [
        text[start:end].decode("utf-8", "surrogatepass")
        for start, end in pairwise(ends)
    ]
    return np.array(names, dtype=object)
