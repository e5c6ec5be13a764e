"""Ranked lists, exports and indexes; submodules are imported on first use."""

# An export is read without scikit-learn.
from importlib import import_module as _import_module
from typing import TYPE_CHECKING
from typing import Any as _Any

if TYPE_CHECKING:
    from skcoldstart._scores.recommendations import Listeners as Listeners
    from skcoldstart._scores.recommendations import Recommendations as Recommendations
    from skcoldstart.serving._export import Export as Export
    from skcoldstart.serving._export import export as export
    from skcoldstart.serving._export import load_export as load_export
    from skcoldstart.serving._index import VectorIndex as VectorIndex
    from skcoldstart.serving._index import build_index as build_index
    from skcoldstart.serving._lists import fold_in_users as fold_in_users
    from skcoldstart.serving._lists import listeners as listeners
    from skcoldstart.serving._lists import recommend as recommend
    from skcoldstart.serving._onnx import to_onnx as to_onnx

_HOME = {
    "Export": "serving._export",
    "Listeners": "_scores.recommendations",
    "Recommendations": "_scores.recommendations",
    "VectorIndex": "serving._index",
    "build_index": "serving._index",
    "export": "serving._export",
    "fold_in_users": "serving._lists",
    "listeners": "serving._lists",
    "load_export": "serving._export",
    "recommend": "serving._lists",
    "to_onnx": "serving._onnx",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> _Any:
    if name not in _HOME:
        raise AttributeError(f"module 'skcoldstart.serving' has no attribute {name!r}")
    value = getattr(_import_module(f"skcoldstart.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
