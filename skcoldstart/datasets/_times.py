"""Times of events: a period to select, and weights by age."""

import datetime
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from skcoldstart._utils.dates import iso_moment

DAY = np.timedelta64(1, "D")
MOST_HALF_LIVES = 500  # between weights that are added up
TINY = 2.0**-1000  # of a play, so that no pair decays to zero


class Clock:
    """A period of time, and the weights of events in it.

    While blocks are added up, a play at a reference time near the last event so far has
    weight 1.
    """

    def __init__(self, since: Any, until: Any, half_life: Any) -> None:
        self._bounds = {"since": since, "until": until}
        self._half_life = _checked_span(half_life)
        self._reference: Any = None
        self._last: Any = None

    @property
    def is_used(self) -> bool:
        """Return whether events without a time are dropped."""
        return self.decays or any(b is not None for b in self._bounds.values())

    @property
    def decays(self) -> bool:
        """Return whether old plays have lower weights."""
        return self._half_life is not None

    def bound(self, name: str, times: np.ndarray) -> Any:
        """Return a bound of the period with the type of the times, or None."""
        value = self._bounds[name]
        return None if value is None else _moment(value, times.dtype.kind, name)

    def weights(self, times: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the weights of events, and the scale of earlier weights.

        Shapes: `times` (n_events,) -> (n_events,).
        """
        latest = times.max()
        self._last = latest if self._last is None else max(self._last, latest)
        if self._reference is None:
            self._reference = latest
        scale = self._half_lives(self._reference - latest)
        if scale < -MOST_HALF_LIVES:
            self._reference = latest
        else:
            scale = 0.0
        weights = 2.0 ** self._half_lives(times - self._reference)
        return np.maximum(weights, TINY), float(2.0**scale)

    def last_scale(self) -> float:
        """Return the final scale of all weights."""
        if self._reference is None:
            return 1.0
        end = self.bound("until", np.array([self._last]))
        end = self._last if end is None else end
        return float(2.0 ** self._half_lives(self._reference - end))

    def _half_lives(self, age: Any) -> Any:
        span = self._half_life
        if np.asarray(age).dtype.kind != "m":
            if not isinstance(span, Real):
                raise TypeError(
                    f"half_life is {span!r}, but timestamps are numbers; expected a "
                    "number in their unit."
                )
            return age / float(span)
        if isinstance(span, Real):
            return age / DAY / float(span)
        return age / np.timedelta64(span)


def _checked_span(span: Any) -> Any:
    """Return a half-life as a number or a timedelta above 0, or None."""
    if span is None:
        return None
    if isinstance(span, np.timedelta64) and span == span:  # counts as an integer
        span = span.astype("timedelta64[us]").item()
    if not isinstance(span, Real | datetime.timedelta):
        raise TypeError(
            f"half_life is {span!r}; expected a timedelta or a number of days."
        )
    nothing: Any = 0 if isinstance(span, Real) else datetime.timedelta(0)
    if not span > nothing:
        raise ValueError(f"half_life is {span!r}; expected a time above 0.")
    return span


def read_times(
    values: Iterable[Any], name: str, source: str, first_row: int
) -> np.ndarray:
    """Read times of ISO 8601 one by one; the error names the row, (n_rows,)."""
    times = [
        np.datetime64("NaT")
        if value is None or not value.strip()
        else _moment(value.strip(), "M", f"{source}, row {row}: {name!r}")
        for row, value in enumerate(values, first_row + 1)
    ]
    return np.array(times, "M8[us]")


def _moment(value: Any, kind: str, name: str) -> Any:
    """Return a moment as a number, or as datetime64 in UTC."""
    if value != value:
        raise ValueError(f"{name} is {value!r}; expected a time, or None for no bound.")
    if kind != "M":
        if isinstance(value, Real):
            return float(value)
        raise TypeError(
            f"{name} is {value!r}, but timestamps are numbers; expected a number."
        )
    if isinstance(value, np.datetime64):
        return value
    if isinstance(value, str):
        moment = iso_moment(value)
        if moment is None:
            raise ValueError(
                f"{name} is {value!r}; expected a time of ISO 8601 such as "
                "'2024-01-31' or '2024-01-31 12:00'."
            )
        return np.datetime64(moment)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return np.datetime64(value)
    if isinstance(value, datetime.date):
        return np.datetime64(value)
    raise TypeError(
        f"{name} is {value!r}, but timestamps are datetimes; expected a datetime or "
        "text such as '2024-01-31'."
    )
