"""HDF5 files of the Million Song Dataset, opened when h5py is there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from skcoldstart.datasets._files import begins_with

__all__ = ["HDF5", "open_hdf5", "require_dataset", "texts"]

HDF5 = b"\x89HDF\r\n\x1a\n"  # what its files begin with


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
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"{path} is a damaged or incomplete HDF5 file ({error})."
        ) from error


def require_dataset(
    file: Any, name: str, path: str | os.PathLike[str], fields: tuple[str, ...] = ()
) -> Any:
    """Return a dataset that must be there."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        groups = ", ".join(sorted(file)) or "nothing"
        raise ValueError(
            f"{path} has no dataset {name!r}; at its top are {groups}. Expected an "
            "analysis file of the Million Song Dataset."
        )
    missing = [field for field in fields if field not in (found.dtype.names or ())]
    if missing:
        raise ValueError(
            f"{name} of {path} lacks the column {' and '.join(missing)}; it has "
            f"{', '.join(found.dtype.names or ()) or 'no columns'}."
        )
    return found


def texts(values: np.ndarray) -> np.ndarray:
    """Decode bytes of an HDF5 file.

    Shapes: `values` (n,) -> (n,).
    """
    return np.array(
        [bytes(value).decode("utf-8", "backslashreplace") for value in values.tolist()],
        dtype=object,
    )
