"""Convert dates of several forms to values that sort by time."""

import re
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from skcoldstart._utils.missing import is_missing

_ISO = re.compile(
    r"\d{4}(-?\d{2}(-?\d{2}([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?"
    r"(Z|[+-]\d{2}(:?\d{2})?)?)?)?)?"
)
# Years in a catalogue; 0 means that the year is unknown.
_FIRST_YEAR, _LAST_YEAR = 1000, 2999


def sortable_dates(
    values: Any, *, name: str, of: str = "items have no release date"
) -> np.ndarray:
    """Return dates as numbers or datetime64; reject missing and ambiguous ones.

    Shapes: `values` (n,) -> (n,).
    """
    category = getattr(values, "cat", values)
    if getattr(category, "ordered", False):  # pandas' ordered categories
        codes = np.asarray(category.codes)
        _refuse_unknown(codes < 0, name, of)
        return codes
    if isinstance(values, (list, tuple)):
        values, dates = np.empty(len(values), object), values
        values[:] = dates
    elif not np.ma.isMaskedArray(values):
        values = np.asarray(values)
    if values.ndim == 1:
        _refuse_unknown(is_missing(values), name, of)
    values = np.asarray(values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind == "T":  # NumPy converts it to objects, but not to text
        values = values.astype(object)
    if values.dtype == object and values.size:
        values = _of_one_kind(values, name)
    if values.dtype.kind == "U":
        values = _from_text(values, name, of)
    if values.dtype.kind in "iuf" and values.size:
        unknown = values == 0
        years = values[~unknown]
        if unknown.any() and years.size:
            like_years = years.min() >= _FIRST_YEAR and years.max() <= _LAST_YEAR
            _refuse_unknown(unknown & like_years, name, of)
    return values


def _refuse_unknown(unknown: np.ndarray, name: str, of: str) -> None:
    if unknown.any():
        raise ValueError(
            f"{name} holds NaN, None, empty text or a year of 0: "
            f"{np.count_nonzero(unknown)} {of}, the first in row "
            f"{int(np.argmax(unknown))}. Leave them out, or give them a date."
        )


def _of_one_kind(values: np.ndarray, name: str) -> np.ndarray:
    """Return objects as numbers, text or datetime64 if all are of that kind."""
    if all(isinstance(value, str) for value in values):
        return values.astype(str)
    if all(isinstance(value, date) for value in values):
        aware = [getattr(value, "tzinfo", None) is not None for value in values]
        if all(aware):
            values = np.array([_in_utc(value) for value in values], object)
        if all(aware) or not any(aware):
            return values.astype("datetime64[us]")
        kinds = ["dates with a time zone", "dates without one"]
    else:
        kinds = sorted({type(value).__name__ for value in values})
        if not any(isinstance(value, str) for value in values):
            numbers = np.array(values.tolist())
            if numbers.dtype.kind in "iufmM":
                return numbers
            starts = [getattr(value, "start_time", None) for value in values]
            if None not in starts:  # periods of pandas
                return np.array(starts, "datetime64[us]")
    raise ValueError(
        f"{name} holds {' and '.join(kinds)}, which have no common order; expected "
        "numbers, datetime64, or text in the form 2012-06-30."
    )


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


def _from_text(texts: np.ndarray, name: str, of: str) -> np.ndarray:
    """Read dates in the form of ISO 8601; a year or month means its first day."""
    distinct, place = np.unique(np.char.strip(texts), return_inverse=True)
    unknown = np.isin(distinct, ["", "0", "0000", "0000-00-00"])
    _refuse_unknown(unknown[place], name, of)
    moments = np.empty(len(distinct), "datetime64[us]")
    for i, text in enumerate(distinct.tolist()):
        moment = iso_moment(text)
        if moment is None:
            raise ValueError(
                f"{name} holds {text!r}; expected years, or dates in the form of "
                "ISO 8601 such as 2012-06-30, because other forms are ambiguous. "
                "Convert them first, for example with "
                "pandas.to_datetime(dates, dayfirst=...)."
            )
        moments[i] = moment
    return moments[place]


def iso_moment(text: str) -> datetime | None:
    """Return a date or time of ISO 8601, in UTC without a zone, or None."""
    if not _ISO.fullmatch(text) or len(text) == 6:  # 201206 may also be a day
        return None
    try:
        if len(text) in (4, 7):
            text += "-01" * (2 if len(text) == 4 else 1)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else _in_utc(moment)
