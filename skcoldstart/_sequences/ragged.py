"""Sequences of items with different numbers of rows, and their windows."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from skcoldstart._utils.missing import refuse_masked, unmasked


def window_bounds(
    items: Any, starts: Any, n_rows: int, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check windows, and return their starts and stops within their items.

    Shapes: `items, starts` (n_windows,), `lengths` (n_items,) -> `items, starts, stops`
    (n_windows,).
    """
    items, starts = _check_windows(items, starts, n_rows)
    unknown = (items < -len(lengths)) | (items >= len(lengths))
    if unknown.any():
        raise IndexError(
            f"Index {items[unknown][0]} is out of range for {len(lengths)} items."
        )
    items = np.where(items < 0, items + len(lengths), items)
    outside = (starts < 0) | (starts > lengths[items])
    if outside.any():
        i = int(np.argmax(outside))
        raise IndexError(
            f"Window {i} starts at row {starts[i]} of item {items[i]}, which has "
            f"{lengths[items[i]]} rows."
        )
    return items, starts, np.minimum(starts + n_rows, lengths[items])


def _check_windows(items: Any, starts: Any, n_rows: int) -> tuple[np.ndarray, ...]:
    """Return items and starts of windows as integers, each (n_windows,)."""
    items, starts = _integers(items), _integers(starts)
    if items.shape != starts.shape or items.ndim != 1:
        raise ValueError(
            f"Windows have items of shape {items.shape} and starts of shape "
            f"{starts.shape}; expected one of each per window."
        )
    if n_rows < 1:
        raise ValueError(f"n_rows={n_rows}; a window has at least one row.")
    return items, starts


def window_array(
    out: np.ndarray | None, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """Return `out` if it has the shape of the windows, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; the windows have {shape}.")
    return out


def _integers(values: Any) -> np.ndarray:
    values = np.asarray(values)
    if values.size and values.dtype.kind not in "iu":
        raise IndexError(
            f"Expected integers for items and rows; got dtype {values.dtype}."
        )
    return values.astype(np.int64)


class RaggedArray:
    """Items of unequal length in one flat array.

    Item ``i`` is ``values[offsets[i]:offsets[i + 1]]``, a view. Indexing with an
    integer gives an item; with a slice, an integer array or a boolean mask it gives
    another ``RaggedArray``, as scikit-learn's splitters and searches require. Slices
    share memory with the original.

    .. versionadded:: 0.1

    Parameters
    ----------
    values : ndarray of shape (n_values, ...)
        The items, one after the other. Frames are ``(n_frames_total, n_features)``
        and frame-major, codes are ``(n_frames_total,)``.
    offsets : array-like of shape (n_items + 1,)
        Start of each item, in rows of `values`: from 0 to ``len(values)``, not
        decreasing. Stored as int64; both are also attributes.

    Attributes
    ----------
    index : pandas Index or None
        Labels of the items if they come from a pandas column.

    Raises
    ------
    ValueError
        If `offsets` does not describe `values`.

    See Also
    --------
    skcoldstart.MFCCExtractor : Produces frames in this form.
    skcoldstart.VectorQuantizer : Turns frames into codes of the same offsets.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import RaggedArray
    >>> frames = RaggedArray.from_sequence([np.zeros((2, 3)), np.ones((4, 3))])
    >>> len(frames), frames.shape, frames[1].shape
    (2, (2,), (4, 3))
    >>> frames[[1, 0]].lengths
    array([4, 2])
    """

    ndim = 1
    index: Any = None

    def __init__(self, values: Any, offsets: Any) -> None:
        refuse_masked(values, "values")
        values = np.asanyarray(values)
        offsets = np.asarray(offsets)
        if values.ndim == 0:
            raise ValueError("values must have at least one axis, got a scalar.")
        if offsets.ndim != 1 or offsets.size == 0 or offsets.dtype.kind not in "iu":
            raise ValueError(
                "offsets must be a 1-D integer array of n_items + 1 boundaries, got "
                f"shape {offsets.shape} and dtype {offsets.dtype}."
            )
        offsets = offsets.astype(np.int64, copy=False)
        falls = bool((offsets[1:] < offsets[:-1]).any())  # differences may overflow
        if offsets[0] != 0 or offsets[-1] != len(values) or falls:
            fall = " with a decrease" if falls else ""
            raise ValueError(
                f"offsets must increase from 0 to len(values) = {len(values)}, got "
                f"{offsets[0]} to {offsets[-1]}{fall}."
            )
        self.values = values
        self.offsets = offsets

    @classmethod
    def from_sequence(cls, items: Any, *, dtype: Any = None) -> "RaggedArray":
        """Build a ragged array from items that are arrays.

        Parameters
        ----------
        items : RaggedArray, LazySequence, sequence of arrays, or ndarray
            A 2-D array means items of one row each, a 3-D array items of equal length.
            All items must have the same shape except in the first axis.
        dtype : dtype, default=None
            Type of the flat values; ``None`` keeps the items' common type.

        Returns
        -------
        RaggedArray
            The items; shares memory with `items` if that is an array of this type.

        Raises
        ------
        ValueError
            If items differ in their trailing axes; the error names the first one.
        """
        if isinstance(items, cls):
            return items if dtype is None else items.astype(dtype)
        if isinstance(items, np.ndarray) and items.dtype != object:
            return cls._from_array(items, dtype)
        arrays = [unmasked(item, f"Item {i}") for i, item in enumerate(items)]
        if not arrays:
            return cls(np.empty(0, dtype=dtype or np.float64), np.zeros(1, np.int64))
        model = next((a for a in arrays if a.size), arrays[0])
        for i, array in enumerate(arrays):
            if array.ndim == 0:
                raise ValueError(
                    f"Item {i} is a scalar ({array!r}); expected an array per item."
                )
            if array.size == 0 and array.shape[1:] != model.shape[1:]:
                arrays[i] = np.empty((0, *model.shape[1:]), dtype=model.dtype)
            elif array.shape[1:] != model.shape[1:]:
                raise ValueError(
                    f"Item {i} has shape {array.shape}; expected (n_frames, "
                    f"{', '.join(map(str, model.shape[1:]))}) as in the items before "
                    "it. All items must have the same shape except in the first axis."
                )
        values = np.concatenate(arrays, axis=0)
        if dtype is not None:
            values = values.astype(dtype, copy=False)
        return cls(values, _boundaries([len(array) for array in arrays]))

    @classmethod
    def _from_array(cls, array: np.ndarray, dtype: Any) -> "RaggedArray":
        if dtype is not None:
            array = array.astype(dtype, copy=False)
        if array.ndim == 2:
            return cls(array, np.arange(len(array) + 1))
        if array.ndim < 3:
            raise ValueError(
                f"Expected items as a 2-D or 3-D array, got shape {array.shape}."
            )
        n_items, n_rows = array.shape[:2]
        flat = array.reshape(n_items * n_rows, *array.shape[2:])
        return cls(flat, np.arange(n_items + 1) * n_rows)

    @property
    def shape(self) -> tuple[int]:
        """Number of items, as the shape of a 1-D array."""
        return (len(self),)

    @property
    def lengths(self) -> np.ndarray:
        """Rows of each item, int64 of shape (n_items,)."""
        return np.diff(self.offsets)

    @property
    def dtype(self) -> np.dtype:
        """Type of the flat values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Memory of values and offsets, in bytes."""
        return self.values.nbytes + self.offsets.nbytes

    def __sizeof__(self) -> int:
        # Used by dask.distributed: large objects are sent to a worker once, small ones
        # with every task.
        return super().__sizeof__() + self.nbytes

    def astype(self, dtype: Any) -> "RaggedArray":
        """Cast the values, without a copy if they have this type already.

        Parameters
        ----------
        dtype : dtype
            Type of the result.

        Returns
        -------
        RaggedArray
            The same items with this type.
        """
        items = RaggedArray(self.values.astype(dtype, copy=False), self.offsets)
        items.index = self.index
        return items

    def windows(
        self, items: Any, starts: Any, n_rows: int, *, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Copy windows of equal length from items, in any order.

        Parameters
        ----------
        items : array-like of shape (n_windows,), int
            Item of each window.
        starts : array-like of shape (n_windows,), int
            First row of each window, counted within its item, from 0 to its length.
        n_rows : int
            Rows of a window, >= 1.
        out : ndarray of shape (n_windows, n_rows, ...), default=None
            Filled and returned, in any type that the values can be cast to; ``None``
            makes an array of the values' type.

        Returns
        -------
        ndarray of shape (n_windows, n_rows, ...)
            The windows. Rows beyond the end of an item are 0.

        Raises
        ------
        IndexError
            If an item does not exist or a window does not start within its item.
        ValueError
            If `items` and `starts` differ in shape, `n_rows` is below 1 or `out` has
            another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from skcoldstart import RaggedArray
        >>> frames = RaggedArray(np.arange(5), [0, 2, 5])
        >>> frames.windows([1, 0], [1, 1], 2)
        array([[3, 4],
               [1, 0]])
        """
        items, starts, stops = window_bounds(items, starts, n_rows, self.lengths)
        shape = (len(items), n_rows, *self.values.shape[1:])
        out = window_array(out, shape, self.dtype)
        first = self.offsets[items]
        for window, start, stop in zip(out, first + starts, first + stops, strict=True):
            window[: stop - start] = self.values[start:stop]
            window[stop - start :] = 0
        return out

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        for start, stop in itertools.pairwise(self.offsets.tolist()):
            yield self.values[start:stop]

    def __getitem__(self, key: Any) -> Any:
        index = _item_index(key, len(self))
        if isinstance(index, int):
            return self.values[self.offsets[index] : self.offsets[index + 1]]
        chosen = self._select(index)
        chosen.index = None if self.index is None else self.index[index]
        return chosen

    def _select(self, index: slice | np.ndarray) -> "RaggedArray":
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                bounds = self.offsets[start : max(start, stop) + 1]
                return RaggedArray(
                    self.values[bounds[0] : bounds[-1]], bounds - bounds[0]
                )
            index = np.arange(start, stop, step)
        offsets = _boundaries(self.lengths[index])
        shift = np.repeat(self.offsets[:-1][index] - offsets[:-1], np.diff(offsets))
        return RaggedArray(self.values[np.arange(offsets[-1]) + shift], offsets)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return one object per item, or a numeric array if every item is one number.

        The shape is always (n_items,): equal lengths never become an axis.
        """
        as_objects = dtype is not None and np.dtype(dtype) == object
        plain = self.values.ndim == 1 and len(self) and (self.lengths == 1).all()
        if plain and not as_objects:
            return np.array(self.values, dtype=dtype, copy=copy)
        if dtype is not None and not as_objects:
            raise TypeError(
                f"Items of unequal length cannot become an array of {dtype}; use "
                ".values for the flat array."
            )
        array = np.empty(len(self), dtype=object)
        for i, item in enumerate(self):
            array[i] = item
        return array

    def __repr__(self) -> str:
        width = "".join(f" x {n}" for n in self.values.shape[1:])
        return (
            f"RaggedArray({len(self)} items, {len(self.values)} rows{width}, "
            f"{self.dtype})"
        )


class LazySequence:
    """Items that are computed when they are accessed.

    Nothing is cached: accessing an item twice computes it twice. Selecting items
    selects their sources, so a train-test split computes nothing.
    """

    ndim = 1
    index: Any = None  # pandas labels of the items, if they have any

    def __init__(self, compute: Callable[[Any], Any], sources: Sequence[Any]) -> None:
        self._compute = compute
        self._sources = sources

    @property
    def shape(self) -> tuple[int]:
        """Number of items, as the shape of a 1-D array."""
        return (len(self),)

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[Any]:
        for source in self._sources:
            yield self._compute(source)

    def __getitem__(self, key: Any) -> Any:
        index = _item_index(key, len(self))
        if isinstance(index, int):
            return self._compute(self._sources[index])
        places = range(*index.indices(len(self))) if isinstance(index, slice) else index
        chosen = self._select([self._sources[i] for i in places])
        chosen.index = None if self.index is None else self.index[index]
        return chosen

    def _select(self, sources: Sequence[Any]) -> "LazySequence":
        """Return a sequence of the same kind for other sources."""
        return LazySequence(self._compute, sources)

    def windows(
        self, items: Any, starts: Any, n_rows: int, *, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Copy windows of equal length from items, like `RaggedArray.windows`.

        Shapes: `items` (n_windows,), `starts` (n_windows,), `out` (n_windows, n_rows,
        ...) -> (n_windows, n_rows, ...).
        """
        items, starts = _check_windows(items, starts, n_rows)
        for i in np.unique(items):
            chosen = np.flatnonzero(items == i)
            item = RaggedArray.from_sequence([self[int(i)]])
            cut = item.windows(np.zeros_like(chosen), starts[chosen], n_rows)
            out = window_array(out, (len(items), *cut.shape[1:]), cut.dtype)
            out[chosen] = cut
        return np.empty((0, n_rows)) if out is None else out

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} items)"


def _boundaries(lengths: Any) -> np.ndarray:
    """Return the offsets of items with these lengths."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _item_index(key: Any, n_items: int) -> Any:
    """Normalise an index to an int, a slice or an array of non-negative positions.

    scikit-learn indexes 1-D arrays as ``X[key, ...]``; numpy users write ``X[key,]``.
    """
    if isinstance(key, tuple):
        parts = [part for part in key if part is not Ellipsis]
        if len(parts) > 1:
            raise IndexError(f"Items have one axis to index, got {len(parts)} indices.")
        key = parts[0] if parts else slice(None)
    if isinstance(key, slice):
        return key
    index = np.asarray(key)
    if index.dtype == bool:
        if index.shape != (n_items,):
            raise IndexError(
                f"A boolean mask must have shape ({n_items},), got {index.shape}."
            )
        return np.flatnonzero(index)
    if index.size == 0 and index.ndim == 1:
        return index.astype(np.int64)
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise IndexError(
            "Items are indexed with an integer, a slice, a 1-D integer array or a "
            f"boolean mask; got {key!r}."
        )
    out_of_range = (index < -n_items) | (index >= n_items)
    if np.any(out_of_range):
        raise IndexError(
            f"Index {int(np.atleast_1d(index)[np.atleast_1d(out_of_range)][0])} is out "
            f"of range for {n_items} items."
        )
    index = np.where(index < 0, index + n_items, index)
    return int(index) if index.ndim == 0 else index


class ItemCollector:
    """Append items to one array that grows in place.

    Joining a list of results at the end would need twice the memory of the result. Here
    the operating system enlarges the block by moving pages instead of bytes.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._values = np.empty((0, *row_shape), dtype)
        self._lengths: list[int] = []
        self._n_rows = 0

    def extend(self, values: np.ndarray, lengths: list[int]) -> None:
        """Add items from their concatenated rows and their numbers of rows."""
        stop = self._n_rows + len(values)
        if stop > len(self._values):
            self._resize(max(stop, int(1.1 * len(self._values))))
        self._values[self._n_rows : stop] = values
        self._lengths += lengths
        self._n_rows = stop

    def finish(self, index: Any = None) -> RaggedArray:
        """Return all items, with their labels; the collector must not be used again."""
        self._resize(self._n_rows)
        items = RaggedArray(self._values, _boundaries(self._lengths))
        items.index = index
        return items

    def _resize(self, n_rows: int) -> None:
        # No view of the array leaves this object before `finish`.
        self._values.resize((n_rows, *self._values.shape[1:]), refcheck=False)
