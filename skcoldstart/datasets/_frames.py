"""Read tables of songs from frames or files, in the order of given songs."""

import io
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from skcoldstart._utils.paths import check_path
from skcoldstart.datasets._blocks import PARQUET, parquet, parquet_files
from skcoldstart.datasets._files import begins_with
from skcoldstart.datasets._tables import (
    NULLS,
    find_columns,
    number_of,
    one_spelling,
    read_records,
    read_rows,
)


def is_text(source: Any) -> bool:
    """Return whether a source is the path of a text table."""
    if not isinstance(source, str | os.PathLike):
        return False
    place = check_path(source)
    return not place.is_dir() and not begins_with(place, PARQUET)


def column_names(source: Any, name: str) -> list[str]:
    """Return the columns of a frame, a parquet file or a folder of these."""
    if not isinstance(source, str | os.PathLike):
        return list(narwhals_of(source, name).collect_schema().names())
    with parquet(source) as pq:
        return list(pq.read_schema(parquet_files(check_path(source))[0]).names)


def rows_of(
    source: Any, required: tuple[str, ...], name: str
) -> Iterator[tuple[str, list[Any]]]:
    """Yield the place of each row, and its values in the required roles."""
    if isinstance(source, Mapping):  # from songs to something
        for song, value in source.items():
            if value is None or value != value:
                raise ValueError(f"{name}, entry {song!r}: the value is missing.")
            entry = [song if role == "song" else value for role in required]
            yield f"entry {song!r}", entry
    elif is_text(source):
        for line, texts in read_rows(check_path(source), required):
            yield f"line {line}", list(texts)
    else:
        frame = read_frame(source, name)
        places = find_columns(name, frame.columns, required)
        columns = [frame[frame.columns[i]] for i in places if i is not None]
        missing = np.any([column.is_null().to_numpy() for column in columns], axis=0)
        if missing.any():
            raise ValueError(
                f"{name}, row {int(np.argmax(missing)) + 1}: {' or '.join(required)} "
                "is missing; leave such rows out."
            )
        values = zip(*(column.to_list() for column in columns), strict=True)
        for row, pair in enumerate(values, 1):
            yield f"row {row}", list(pair)


def read_frame(source: Any, name: str) -> Any:
    """Return a table as a narwhals frame."""
    if not isinstance(source, str | os.PathLike):
        frame = narwhals_of(source, name)
        return frame.collect() if hasattr(frame, "collect") else frame
    if not is_text(source):
        import narwhals as nw

        with parquet(source) as pq:
            return nw.from_arrow(pq.read_table(check_path(source)), backend=_library())
    records = read_records(check_path(source), "song")
    _, header = next(records)
    if len(set(header)) < len(header):
        raise ValueError(f"{source} has columns of the same name: {', '.join(header)}.")
    rows = [row for _, row in records]
    columns = zip(*rows, strict=True)
    return frame_of(
        {name: _typed(values) for name, values in zip(header, columns, strict=True)},
        source,
    )


def frame_of(columns: Mapping[str, Any], what: Any) -> Any:
    """Make a frame of an installed library."""
    import narwhals as nw

    if (library := _library()) is None:
        raise ImportError(
            f"Reading {what} needs pandas, polars or pyarrow. Install one of them."
        )
    return nw.from_dict(columns, backend=library)


def _library() -> Any:
    """Return the first installed library of frames, or None."""
    libraries = ("pandas", "polars", "pyarrow")
    return next((name for name in libraries if find_spec(name) is not None), None)


def take_frame(frame: Any, rows: np.ndarray) -> Any:
    """Take rows of a frame, with missing values for the number -1.

    Shapes: `rows` (n_taken,).
    """
    import narwhals as nw

    taken = frame[np.maximum(rows, 0).tolist()]
    if (rows < 0).any():
        there = nw.new_series("there", rows >= 0, backend=frame.implementation)
        taken = nw.maybe_reset_index(taken).with_columns(
            nw.when(there).then(nw.col(name)).alias(name) for name in taken.columns
        )
    return nw.maybe_reset_index(taken).to_native()


def narwhals_of(source: Any, name: str) -> Any:
    """Return a dataframe of any library as one of narwhals, which may be lazy."""
    import narwhals as nw

    try:
        frame: Any = nw.from_native(source)
        frame.collect_schema()
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"{name} has columns of one name: {error}") from error
    except TypeError as error:
        raise not_table(source, name) from error
    return frame


def not_table(source: Any, name: str) -> TypeError:
    if isinstance(source, io.IOBase):
        check_path(source, name)  # says what to do
    return TypeError(
        f"{name} is a {type(source).__name__}; expected a dataframe (pandas, polars, "
        "pyarrow, ...) or a path."
    )


def _typed(values: tuple[str, ...]) -> list[Any]:
    """Return text, or numbers if all values are numbers; None for empty values."""
    texts = [one_spelling(value.strip()) for value in values]
    missing = ("", *NULLS)
    there = [text for text in texts if text not in missing]
    kind: Any = str
    # Text with leading zeros is a name.
    if there and not any(text[0] == "0" and text[1:].isdigit() for text in there):
        for number in (int, float):
            try:
                for text in there:
                    number_of(text, number)
            except ValueError:
                continue
            kind = number
            break
    return [None if text in missing else kind(text) for text in texts]
