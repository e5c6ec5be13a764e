"""Read HDF5 files of the Million Song Dataset, with h5py."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._files import MOST_EXPANSION, begins_with

HDF5 = b"\x89HDF\r\n\x1a\n"  # first bytes of its files


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open an HDF5 file for reading."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"Reading {path} needs h5py. Install it with "
            "`pip install skcoldstart[hdf5]`."
        ) from error
    if not begins_with(path, HDF5):
        raise ValueError(f"{path} is not an HDF5 file.")
    try:
        with h5py.File(check_path(path), "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, KeyError, MemoryError) as error:
        raise ValueError(
            f"{path} is a damaged or incomplete HDF5 file ({error})."
        ) from error


def require_dataset(
    file: Any, name: str, path: str | os.PathLike[str], fields: tuple[str, ...] = ()
) -> Any:
    """Return a required dataset that is complete and stored in this file."""
    import h5py

    place = file
    for part in name.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            raise ValueError(
                f"{name} of {path} is a link to {link.path!r}; links are not followed. "
                "Expected a file that holds its own data."
            )
        place = None if link is None else place.get(part)
    if not isinstance(place, h5py.Dataset) or place.shape is None:
        groups = ", ".join(sorted(file)) or "nothing"
        raise ValueError(
            f"{path} has no dataset {name!r}; at its top are {groups}. Expected an "
            "analysis file of the Million Song Dataset."
        )
    if place.external or place.is_virtual:
        raise ValueError(
            f"{name} of {path} is stored in other files, which are not read. Expected "
            "a file that holds its own data."
        )
    stored = place.id.get_storage_size()
    if place.nbytes > MOST_EXPANSION * stored:
        raise ValueError(
            f"{name} of {path} declares {place.nbytes} bytes of which {stored} are "
            "stored; the file is damaged or incomplete."
        )
    missing = [field for field in fields if field not in (place.dtype.names or ())]
    if missing:
        raise ValueError(
            f"{name} of {path} lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(place.dtype.names or ()) or 'no columns'}."
        )
    return place


def texts(values: np.ndarray) -> np.ndarray:
    """Decode bytes of an HDF5 file.

    Shapes: `values` (n,) -> (n,).
    """
    if not all(isinstance(value, bytes | str) for value in values.tolist()):
        raise ValueError(f"Names have dtype {values.dtype}; expected bytes.")
    return np.array(
        [
            value.decode("utf-8", "backslashreplace")
            if isinstance(value, bytes)
            else value
            for value in values.tolist()
        ],
        dtype=object,
    )
