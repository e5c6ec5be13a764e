"""Dates sort by time in every form, or are refused with a sentence."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skcoldstart._utils.dates import sortable_dates

MONTHS = [(1999 + i // 12, i % 12 + 1) for i in range(24)]
DAYS = [dt.date(year, month, 1) for year, month in MONTHS]
UTC = dt.UTC
FORMS = {
    "days": DAYS,
    "moments": [dt.datetime(year, month, 1) for year, month in MONTHS],
    "moments with zones": [
        dt.datetime(y, m, 1, tzinfo=dt.timezone(dt.timedelta(hours=m - 6)))
        for y, m in MONTHS
    ],
    "datetime64": np.array(DAYS, "datetime64[D]"),
    "ISO days": [day.isoformat() for day in DAYS],
    "ISO months": [f"{year}-{month:02}" for year, month in MONTHS],
    "ISO without hyphens": [f"{year}{month:02}01" for year, month in MONTHS],
    "ISO times": [f"{day}T12:30" for day in DAYS],
    "ISO times with spaces": [f" {day} 12:30:01.5Z " for day in DAYS],
    "bytes": np.array([day.isoformat().encode() for day in DAYS]),
    "text of objects": np.array([day.isoformat() for day in DAYS], object),
    "text of any length": np.array(
        [day.isoformat() for day in DAYS], np.dtypes.StringDType()
    ),
    "numbers": [year * 12 + month for year, month in MONTHS],
    "counted from 0": range(24),
    "seconds": [dt.datetime(y, m, 1, tzinfo=UTC).timestamp() for y, m in MONTHS],
    "pandas": pd.Series(pd.to_datetime(DAYS)),
    "pandas with zones": pd.Series(pd.to_datetime(DAYS)).dt.tz_localize("Asia/Tokyo"),
    "periods": pd.Series(pd.to_datetime(DAYS)).dt.to_period("M"),
    "ordered categories": pd.Series(
        pd.Categorical(
            [f"{m}/{y}" for y, m in MONTHS],
            [f"{m}/{y}" for y, m in MONTHS],
            ordered=True,
        )
    ),
    "polars": pl.Series(DAYS),
    "polars text": pl.Series([day.isoformat() for day in DAYS]),
    "pyarrow": pa.array(DAYS),
    "masked, nothing hidden": np.ma.array(np.arange(24)),
}


@pytest.mark.parametrize("dates", FORMS.values(), ids=FORMS)
def test_dates_sort_by_time(dates):
    found = sortable_dates(dates, name="dates")
    assert found.shape == (24,)
    assert (found[:-1] < found[1:]).all()


def test_a_year_or_month_is_its_first_day():
    found = sortable_dates(["1999", "1999-01", "1999-01-01", "1999-02"], name="dates")
    assert found[0] == found[1] == found[2] < found[3]
    zones = sortable_dates(["1999-01-01T01:00+02:00", "1998-12-31T23:00Z"], name="d")
    assert zones[0] == zones[1]


@pytest.mark.parametrize(
    "style",
    ["{m}/1/{y}", "1.{m}.{y}", "{y}/{m}/1", "{y}-{m}-1", "{y}{m:02}", "May {y}", "99"],
)
def test_text_of_another_form_is_refused_with_the_remedy(style):
    dates = [style.format(y=year, m=month) for year, month in MONTHS]
    with pytest.raises(ValueError, match=r"ISO 8601 such as 2012-06-30.*to_datetime"):
        sortable_dates(dates, name="groups")


MISSING = {
    "None": [None, "1999", "2000"],
    "None beside days": [None, DAYS[0], DAYS[1]],
    "NaN": [np.nan, 1999.0, 2000.0],
    "NaN beside text": [np.nan, "1999", "2000"],
    "NaT": np.array(["NaT", "1999", "2000"], "datetime64[D]"),
    "pandas NaT": pd.Series(pd.to_datetime([None, "1999-01-01", "2000-01-01"])),
    "pandas NA": pd.Series([None, "1999", "2000"], dtype="string"),
    "pandas NA beside numbers": pd.Series([None, 1999, 2000], dtype="Int64"),
    "categories": pd.Series(pd.Categorical([None, "a", "b"], ordered=True)),
    "polars": pl.Series([None, 1999, 2000]),
    "pyarrow": pa.array([None, "1999", "2000"]),
    "masked": np.ma.array([1, 1999, 2000], mask=[True, False, False]),
    "empty text": ["", "1999", "2000"],
    "blank text": [" ", "1999", "2000"],
    "year 0": [0, 1999, 2000],
    "year 0 as text": ["0", "1999", "2000"],
    "zero date of a database": ["0000-00-00", "1999-01-01", "2000-01-01"],
}


@pytest.mark.parametrize("dates", MISSING.values(), ids=MISSING)
def test_missing_dates_are_counted_and_found(dates):
    message = "dates holds NaN.*: 1 items have no release date, the first in row 0"
    with pytest.raises(ValueError, match=message):
        sortable_dates(dates, name="dates")


@pytest.mark.parametrize(
    "dates",
    [
        [1999, "2000"],
        [DAYS[0], "2000"],
        [dt.datetime(1999, 1, 1), dt.datetime(2000, 1, 1, tzinfo=UTC)],
    ],
)
def test_dates_without_a_common_order_are_refused(dates):
    with pytest.raises(
        ValueError, match=r"dates holds .* and .*, which have no common"
    ):
        sortable_dates(dates, name="dates")
