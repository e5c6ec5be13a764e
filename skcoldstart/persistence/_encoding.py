"""Convert an estimator to JSON and plain arrays and back."""

import math
from collections import Counter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skcoldstart.persistence._adapters import ADAPTERS, kind_of
from skcoldstart.persistence._classes import (
    DTYPES,
    class_named,
    function_named,
    name_of,
)
from skcoldstart.persistence._states import restore, state_of

_TAG = "is"  # key for the kind of a JSON object
_NUMBERS = "biuf"  # kinds of arrays in the format
_AS_BYTES = "cUSmM"  # and kinds stored as bytes
_PLAIN = (type(None), bool, int, str)
_CONTAINERS = (list, tuple, set, frozenset)
# Maximum ratio of the bytes of created objects to the bytes of the file.
_MOST_COPIES = 16
_MOST_OF_ONE_HASH = 1000


class Encoder:
    """Converts values to JSON, and collects their arrays by name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}
        self._nodes: dict[int, tuple[int, dict[str, Any] | None]] = {}
        self._kept: list[Any] = []  # so that no id is given twice

    def encode(self, value: Any, where: str) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else _tagged("float", text=str(value))
        if isinstance(value, np.generic) and value.dtype.kind in _NUMBERS:
            item = self.encode(value.item(), where)
            return _tagged("number", dtype=value.dtype.str, value=item)
        if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
            return self._array(np.asarray(value), where)
        if kind in _CONTAINERS:
            ordered = value if kind in (list, tuple) else sorted(value, key=repr)
            items = [self.encode(v, f"{where}[{i}]") for i, v in enumerate(ordered)]
            return items if kind is list else _tagged(kind.__name__, items=items)
        if kind in (dict, Bunch):
            pairs = self._pairs(value, where)
            return _tagged(kind.__name__.lower(), items=pairs)
        if isinstance(value, type) and value in DTYPES.values():
            return _tagged("dtype", name=value.__name__)
        if isinstance(value, np.dtype) and value.names is None:
            return _tagged("numpy dtype", text=value.str)
        if kind is slice:
            bounds = [value.start, value.stop, value.step]
            return _tagged("slice", bounds=self.encode(bounds, where))
        if isinstance(value, np.str_):
            return str(value)
        return self._object(value, where)

    def _object(self, value: Any, where: str) -> Any:
        """Return JSON for an object that has an adapter or a known class."""
        if id(value) in self._nodes:
            number, node = self._nodes[id(value)]
            if node is None:
                raise TypeError(
                    f"{where} contains itself, which save_model cannot write."
                )
            node["id"] = number
            return _tagged("same", id=number)
        number = len(self._nodes)
        self._nodes[id(value)] = number, None
        self._kept.append(value)
        node = self._new_object(value, where)
        self._nodes[id(value)] = number, node
        return node

    def _new_object(self, value: Any, where: str) -> dict[str, Any]:
        name = name_of(type(value))
        if name is not None and hasattr(value, "_fields"):
            return _tagged("named", name=name, items=self.encode(list(value), where))
        if name is not None:
            state = self._pairs(state_of(value), where)
            return _tagged("estimator", name=name, state=state)
        kind = kind_of(value)
        if kind is not None:
            try:
                parts = ADAPTERS[kind].take(value)
            except TypeError as reason:
                raise TypeError(f"{where} is {reason}.") from None
            return _tagged(kind, **{k: self.encode(v, where) for k, v in parts.items()})
        function = getattr(value, "func", value)  # also of a partial function
        name = name_of(function, function_named) if callable(value) else None
        if name is not None and not getattr(value, "args", ()):
            keywords = self._pairs(getattr(value, "keywords", {}), where)
            return _tagged("function", name=name, keywords=keywords)
        unknown = (
            "which save_model does not support"
            if isinstance(value, BaseEstimator)
            else "which is not plain data"
        )
        raise TypeError(
            f"{where} is a {type(value).__module__}.{type(value).__qualname__}, "
            f"{unknown}; supported are numbers, texts, arrays, and the estimators "
            f"listed in the documentation. Use joblib.dump for others, and load such "
            f"files only if you trust their author."
        )

    def _pairs(self, items: dict, where: str) -> list[list[Any]]:
        return [
            [self.encode(k, where), self.encode(v, f"{where}.{k}")]
            for k, v in items.items()
        ]

    def _array(self, array: np.ndarray, where: str) -> dict[str, Any]:
        if array.dtype == object:
            items = array.ravel().tolist()
            if not all(type(item) is str for item in items):
                items = [self.encode(v, f"{where}[{i}]") for i, v in enumerate(items)]
            return _tagged("objects", shape=list(array.shape), items=items)
        is_long = array.dtype.kind in _NUMBERS and array.dtype.itemsize > 8
        if array.dtype.kind not in _NUMBERS + _AS_BYTES or is_long:
            raise TypeError(
                f"{where} is an array of {array.dtype}; save_model writes arrays of "
                "numbers, booleans, texts and dates."
            )
        if id(array) not in self._names:
            place = where.encode("ascii", "backslashreplace").decode()[:100]
            self._names[id(array)] = name = f"{len(self.arrays)}:{place}"
            self._kept.append(array)
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            self.arrays[name] = (
                np.frombuffer(little.tobytes(), np.uint8)
                if array.dtype.kind in _AS_BYTES
                else little
            )
        return _tagged(
            "array",
            name=self._names[id(array)],
            dtype=array.dtype.newbyteorder("<").str,
            shape=list(array.shape),
            fortran=bool(array.flags.f_contiguous and not array.flags.c_contiguous),
        )


class Decoder:
    """Converts JSON back to values, given its arrays by name.

    After `decode`, `set_aside` holds the parameters that were not restored.
    """

    def __init__(self, arrays: dict[str, np.ndarray], *, fill_in: bool) -> None:
        self._arrays = arrays
        self._fill_in = fill_in
        self._made: dict[str, np.ndarray] = {}
        self._objects: dict[Any, Any] = {}
        self._makers = 0  # number of nested objects being created
        self._copies_left = _MOST_COPIES * sum(a.nbytes for a in arrays.values())
        self.set_aside: dict[str, Any] = {}

    def decode(self, node: Any) -> Any:
        """Return the value that was passed to `Encoder.encode`."""
        if isinstance(node, list):
            return [self.decode(item) for item in node]
        if not isinstance(node, dict):
            return node
        content = dict(node)
        kind, number = content.pop(_TAG, None), content.pop("id", None)
        if kind == "same":
            return self._objects[number]
        if kind in ADAPTERS:
            self._makers += 1
            parts = {key: self.decode(part) for key, part in content.items()}
            self._makers -= 1
            value = ADAPTERS[kind].make(**parts)
        else:
            make = getattr(self, f"_make_{kind}".replace(" ", "_"), None)
            if make is None:
                raise ValueError(f"unknown kind of value {kind!r}")
            value = make(**content)
        if number is not None:
            self._objects[number] = value
        return value

    def _make_float(self, text: str) -> float:
        return np.nan if text == "nan" else float(text)  # one object, as in NumPy

    def _make_number(self, dtype: str, value: Any) -> np.generic:
        return _dtype(dtype, _NUMBERS).type(self.decode(value))

    def _make_tuple(self, items: list) -> tuple:
        return tuple(self.decode(items))

    def _make_set(self, items: list) -> set:
        return set(_spread(self.decode(items)))

    def _make_frozenset(self, items: list) -> frozenset:
        return frozenset(_spread(self.decode(items)))

    def _make_dict(self, items: list) -> dict:
        keys = _spread([self.decode(key) for key, _ in items])
        return {k: self.decode(item) for k, (_, item) in zip(keys, items, strict=True)}

    def _make_bunch(self, items: list) -> Bunch:
        return Bunch(**self._make_dict(items))

    def _make_dtype(self, name: str) -> type:
        return DTYPES[name]

    def _make_numpy_dtype(self, text: str) -> np.dtype:
        return _dtype(text, _NUMBERS + _AS_BYTES + "O")

    def _make_slice(self, bounds: list) -> slice:
        return slice(*self.decode(bounds))

    def _make_function(self, name: str, keywords: list) -> Any:
        from functools import partial

        function = function_named(name)
        return partial(function, **self._make_dict(keywords)) if keywords else function

    def _make_objects(self, shape: list, items: list) -> np.ndarray:
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            array[i] = self.decode(item)
        return array.reshape(shape)

    def _make_array(
        self, name: str, dtype: str, shape: list, fortran: bool
    ) -> np.ndarray:
        if self._makers:
            self._copies_left -= self._arrays[name].nbytes
            if self._copies_left < 0:
                raise ValueError(f"array {name!r} is used too often")
        if name not in self._made:
            wanted = _dtype(dtype, _NUMBERS + _AS_BYTES)
            array = self._arrays[name]
            if wanted.kind in _AS_BYTES:
                array = array.view(wanted) if array.size else np.empty(0, wanted)
            if array.dtype != wanted or array.size != math.prod(shape):
                raise ValueError(
                    f"array {name!r} is {array.dtype} of {array.size} numbers; "
                    f"expected {wanted} of shape {tuple(shape)}"
                )
            array = array.reshape(shape)
            self._made[name] = np.asfortranarray(array) if fortran else array
        return self._made[name]

    def _make_named(self, name: str, items: list) -> Any:
        return class_named(name)._make(self.decode(items))

    def _make_estimator(self, name: str, state: list) -> Any:
        cls = class_named(name)
        attributes = self._make_dict(state)
        value, set_aside = restore(cls, attributes, fill_in=self._fill_in)
        self.set_aside |= {f"{name}.{key}": v for key, v in set_aside.items()}
        return value


def _tagged(kind: str, **content: Any) -> dict[str, Any]:
    return {_TAG: kind, **content}


def _spread(keys: list) -> list:
    """Reject many keys with the same hash, for which a dict would need hours."""
    most = max(Counter(map(hash, keys)).values(), default=0)
    if most > _MOST_OF_ONE_HASH:
        raise ValueError(f"{most} keys of one hash")
    return keys


def _dtype(text: str, kinds: str) -> np.dtype:
    dtype = np.dtype(text)
    if dtype.kind not in kinds or dtype.itemsize > 1 << 20:
        raise ValueError(f"dtype {text!r}")
    return dtype
