"""Find missing values in any container, and name them by row and column."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array


def is_missing(values: Any) -> np.ndarray:
    """Mark None, NaN, NaT, pandas' NA and masked entries."""
    if isinstance(values, (list, tuple)):
        # NumPy would convert NaN next to text to the text "nan".
        array = np.fromiter(values, object, len(values))
    else:
        array = np.asarray(values)
    masked = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else False
    if array.dtype.kind in "fcmM":
        return (array != array) | masked
    if array.dtype != object:
        return np.zeros(array.shape, bool) | masked
    found = np.fromiter(map(_is_missing_value, array.ravel()), bool, array.size)
    return found.reshape(array.shape) | masked


def _is_missing_value(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA has no truth value
        return True
    except ValueError:  # an array
        return False


def nan_mean(values: Any, axis: int | None = None) -> Any:
    """Return means without NaN; NaN, without a warning, if all values are NaN."""
    values = np.asarray(values)
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0.0).sum(axis=axis), there.sum(axis=axis))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> Any:
    """Return a ratio of arrays of equal shape, NaN where the denominator is 0."""
    unknown = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=unknown, where=denominator > 0)


def refuse_missing(values: Any, *, what: str, remedy: str) -> None:
    """Reject missing values in an array with one value per item."""
    missing = is_missing(values)
    if missing.any():
        raise ValueError(
            f"{what} is missing (None or NaN) for {np.count_nonzero(missing)} of "
            f"{len(missing)} items, the first in row {int(np.argmax(missing))}; "
            f"{remedy}"
        )


def refuse_masked(values: Any, input_name: str) -> None:
    """Reject a masked array with masked entries, because masks are not used."""
    n_masked = np.ma.count_masked(values) if np.ma.isMaskedArray(values) else 0
    if n_masked:
        raise ValueError(
            f"{input_name} is a masked array with {n_masked} masked entries, whose "
            f"masks would be ignored; pass {input_name}.filled(value), or leave these "
            f"rows out."
        )


def check_values(values: Any, n: int, name: str, per: str = "item") -> np.ndarray:
    """Return one number >= 0 for each of n items, or users."""
    refuse_masked(values, name)
    values = check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    if values.shape != (n,) or values.min() < 0:
        raise ValueError(
            f"{name} has shape {values.shape} and a smallest value of "
            f"{values.min():g}; expected shape ({n},), one value >= 0 per {per}."
        )
    return values


def unmasked(values: Any, input_name: str) -> np.ndarray:
    """Return values as an array; refuse a masked array that hides some of them."""
    refuse_masked(values, input_name)
    return np.asarray(values)


@contextmanager
def name_missing_content(X: Any) -> Iterator[None]:
    """Refuse a masked X; explain errors about NaN, infinity or text in it."""
    refuse_masked(X, "X")
    try:
        yield
    except (ValueError, TypeError) as error:
        raise _with_columns(error, X) or with_place(error, X) from error


def with_place(error: Exception, X: Any) -> Exception:
    """Return an error about NaN or infinity in X with the place of the first one."""
    said = str(error)
    place = _first_not_finite(X) if "NaN" in said or "infinity" in said else ""
    if not place or place in said:
        return error
    return ValueError(f"{said}\nThe first is in {place}.")


def _with_columns(error: Exception, X: Any) -> Exception | None:
    """Return an error that names the columns of X that are not numbers, or None."""
    said = str(error)
    if "could not convert string" not in said and "could not be promoted" not in said:
        return None
    names = list(getattr(X, "column_names", getattr(X, "columns", ())))
    columns = [name for name in names if not _is_numeric(X[name])]
    which = f"the columns {', '.join(map(repr, columns))} of X" if columns else "X"
    said = said.partition(". This means")[0]
    return ValueError(
        f"{said}: {which} must be numbers. Encode others in the model, for example "
        'make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="ignore"),'
        f" {columns or ['genre']}), remainder=StandardScaler()), recommender)."
    )


def _is_numeric(column: Any) -> bool:
    values = np.asarray(column)
    try:
        return values.dtype.kind not in "mM" and values.astype(float).ndim > 0
    except (ValueError, TypeError):
        return False


def _first_not_finite(X: Any) -> str:
    """Return the place of the first NaN or infinity as text, or "" if there is none."""
    if sp.issparse(X):
        entries = X.tocoo()
        if entries.dtype.kind != "f" or np.isfinite(entries.data).all():
            return ""
        bad = ~np.isfinite(entries.data)
        row, column = min(zip(entries.row[bad], entries.col[bad], strict=True))
        return f"row {row}, column {column}"
    table = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if table.ndim != 2:
        return ""
    bad = is_missing(table)
    if table.dtype.kind == "f":
        bad |= np.isinf(table)
    if not bad.any():
        return ""
    row, column = (int(place) for place in np.argwhere(bad)[0])
    names = getattr(X, "columns", None)
    label = f" (item {X.index[row]!r})" if hasattr(X, "iloc") else ""
    shown = column if names is None else repr(list(names)[column])
    return f"row {row}{label}, column {shown}"
