"""An estimator as JSON and plain arrays, and back."""

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skcoldstart._sequences.ragged import RaggedArray
from skcoldstart.persistence._classes import known_classes
from skcoldstart.persistence._states import estimator_from, state_of

__all__ = ["Decoder", "Encoder"]

_SPARSE = {
    f"{kind}_{form}": getattr(sp, f"{kind}_{form}")
    for kind in ("csr", "csc")
    for form in ("array", "matrix")
}
_DTYPES = {
    t.__name__: t for t in (np.float16, np.float32, np.float64, np.int32, np.int64)
}
_TAG = "is"  # names the kind of a JSON object


class Encoder:
    """Turns values into JSON, and collects their arrays by name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[int, str] = {}
        self._kept: list[np.ndarray] = []  # so that no id is given twice

    def encode(self, value: Any, where: str) -> Any:
        """Return JSON for a value."""
        if value is None or isinstance(value, bool | str):
            return value
        if type(value) is int:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else _tagged("float", text=str(value))
        if isinstance(value, np.generic):
            return _tagged("scalar", array=self._array(np.asarray(value), where))
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            items = [self.encode(v, f"{where}[{i}]") for i, v in enumerate(value)]
            return items if kind == "list" else _tagged(kind, items=items)
        if type(value) in (dict, Bunch):
            return _tagged("dict", items=self._pairs(value, where))
        if sp.issparse(value) and type(value).__name__ in _SPARSE:
            return _tagged(
                "sparse",
                form=type(value).__name__,
                shape=list(value.shape),
                parts=self.encode([value.data, value.indices, value.indptr], where),
            )
        if isinstance(value, RaggedArray):
            parts = [np.asarray(value.values), np.asarray(value.offsets)]
            return _tagged("ragged", parts=self.encode(parts, where))
        if isinstance(value, np.random.RandomState):
            state: Any = value.get_state(legacy=False)
            return _tagged("random", state=self.encode(state, where))
        if isinstance(value, type) and value in _DTYPES.values():
            return _tagged("dtype", name=value.__name__)
        if isinstance(value, slice):
            bounds = [value.start, value.stop, value.step]
            return _tagged("slice", bounds=self.encode(bounds, where))
        if isinstance(value, BaseEstimator):
            return self._estimator(value, where)
        raise TypeError(
            f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which "
            "is no plain data; save_model writes estimators made of numbers, texts and "
            "arrays. Use joblib.dump for others, and load such files only if you "
            "trust their author."
        )

    def _estimator(self, estimator: Any, where: str) -> dict[str, Any]:
        name = type(estimator).__name__
        if known_classes().get(name) is not type(estimator):
            raise TypeError(
                f"{where} is a {type(estimator).__module__}.{name}, which save_model "
                f"does not know. It knows {', '.join(sorted(known_classes()))}. Use "
                "joblib.dump for others, and load such files only if you trust their "
                "author."
            )
        return _tagged(
            "estimator", name=name, state=self._pairs(state_of(estimator), where)
        )

    def _pairs(self, items: dict, where: str) -> list[list[Any]]:
        return [
            [self.encode(k, where), self.encode(v, f"{where}.{k}")]
            for k, v in items.items()
        ]

    def _array(self, array: np.ndarray, where: str) -> dict[str, Any]:
        if array.dtype == object:
            texts = array.ravel().tolist()
            if not all(isinstance(t, str) for t in texts):
                raise TypeError(
                    f"{where} is an array of objects, which is no plain data; "
                    "save_model writes arrays of numbers, booleans and texts."
                )
            return _tagged("texts", shape=list(array.shape), items=texts)
        if array.dtype.kind not in "biufcU":
            raise TypeError(
                f"{where} is an array of {array.dtype}; save_model writes arrays of "
                "numbers, booleans and texts."
            )
        if id(array) not in self._names:
            self._names[id(array)] = name = f"{len(self.arrays)}:{where}"
            self._kept.append(array)
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            self.arrays[name] = (
                _as_bytes(little) if array.dtype.kind in "cU" else little
            )
        return _tagged(
            "array",
            name=self._names[id(array)],
            dtype=array.dtype.newbyteorder("<").str,
            shape=list(array.shape),
            fortran=bool(array.flags.f_contiguous and not array.flags.c_contiguous),
        )


class Decoder:
    """Turns JSON back into values, given its arrays by name."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._made: dict[str, np.ndarray] = {}

    def decode(self, node: Any) -> Any:
        """Return the value that `Encoder.encode` was given."""
        if isinstance(node, list):
            return [self.decode(item) for item in node]
        if not isinstance(node, dict):
            return node
        kind = node.get(_TAG)
        make = getattr(self, f"_make_{kind}", None) if isinstance(kind, str) else None
        if make is None:
            raise ValueError(f"unknown kind of value {kind!r}")
        return make(**{key: item for key, item in node.items() if key != _TAG})

    def _make_float(self, text: str) -> float:
        return float(text)

    def _make_scalar(self, array: dict) -> np.generic:
        return self.decode(array)[()]

    def _make_tuple(self, items: list) -> tuple:
        return tuple(self.decode(items))

    def _make_dict(self, items: list) -> dict:
        return {self.decode(key): self.decode(item) for key, item in items}

    def _make_sparse(self, form: str, shape: list, parts: list) -> Any:
        matrix = _SPARSE[form](tuple(self.decode(parts)), shape=tuple(shape))
        matrix.check_format(full_check=True)
        return matrix

    def _make_ragged(self, parts: list) -> RaggedArray:
        return RaggedArray(*self.decode(parts))

    def _make_random(self, state: dict) -> np.random.RandomState:
        generator = np.random.RandomState()
        generator.set_state(self.decode(state))
        return generator

    def _make_dtype(self, name: str) -> type:
        return _DTYPES[name]

    def _make_slice(self, bounds: list) -> slice:
        return slice(*self.decode(bounds))

    def _make_texts(self, shape: list, items: list) -> np.ndarray:
        return np.array(items, dtype=object).reshape(shape)

    def _make_array(
        self, name: str, dtype: str, shape: list, fortran: bool
    ) -> np.ndarray:
        if name not in self._made:
            wanted = np.dtype(dtype)
            if wanted.kind not in "biufcU":
                raise ValueError(f"array {name!r} of {wanted}")
            array = self._arrays[name]
            if wanted.kind in "cU":
                array = np.frombuffer(array.tobytes(), wanted)
            if array.dtype != wanted or array.size != math.prod(shape):
                raise ValueError(
                    f"array {name!r} is {array.dtype} of {array.size} numbers; "
                    f"expected {wanted} of shape {tuple(shape)}"
                )
            array = array.reshape(shape)
            self._made[name] = np.asfortranarray(array) if fortran else array
        return self._made[name]

    def _make_estimator(self, name: str, state: list) -> Any:
        if name not in known_classes():
            raise ValueError(f"unknown class {name!r}")
        return estimator_from(known_classes()[name], self._make_dict(state))


def _tagged(kind: str, **content: Any) -> dict[str, Any]:
    return {_TAG: kind, **content}


def _as_bytes(array: np.ndarray) -> np.ndarray:
    """Return texts or complex numbers as bytes, which the format can hold."""
    return np.frombuffer(array.tobytes(), np.uint8)
