"""Ranked lists, exports and indexes."""

from skcoldstart._scores.recommendations import Listeners, Recommendations
from skcoldstart.serving._export import Export, export, load_export
from skcoldstart.serving._index import VectorIndex, build_index
from skcoldstart.serving._lists import fold_in_users, listeners, recommend
from skcoldstart.serving._onnx import to_onnx

__all__ = [
    "Export",
    "Listeners",
    "Recommendations",
    "VectorIndex",
    "build_index",
    "export",
    "fold_in_users",
    "listeners",
    "load_export",
    "recommend",
    "to_onnx",
]
