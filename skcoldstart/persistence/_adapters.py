"""Convert objects to dicts of plain data and back.

The dicts come from a file, and nothing in them is trusted.
"""

import datetime
import decimal
import os
import pathlib
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from skcoldstart._sequences.ragged import RaggedArray
from skcoldstart._utils.sk import classes_inside_trees
from skcoldstart.metrics import make_recommendation_scorer, recommendation_scorer

# Limit for sparse matrices: transposing one needs memory for all of its columns.
MOST_COLUMNS = 1 << 24

_SPARSE = {
    f"{kind}_{form}": getattr(sp, f"{kind}_{form}")
    for kind in ("csr", "csc")
    for form in ("array", "matrix")
}
_TREE_LEAF = -1


class Adapter(NamedTuple):
    """Functions from an object to a dict of plain data and back."""

    take: Callable[[Any], dict[str, Any]]
    make: Callable[..., Any]


def _sparse_parts(matrix: Any) -> dict[str, Any]:
    n_minor = matrix.shape[1 if matrix.format == "csr" else 0]
    if n_minor > MOST_COLUMNS:
        raise TypeError(
            f"a sparse matrix of shape {matrix.shape}; load_model accepts up to "
            f"{MOST_COLUMNS} columns, or rows of a csc matrix"
        )
    return {
        "form": type(matrix).__name__,
        "shape": list(matrix.shape),
        "parts": [matrix.data, matrix.indices, matrix.indptr],
    }


def _make_sparse(form: str, shape: list[int], parts: list[np.ndarray]) -> Any:
    if shape[form.startswith("csr")] > MOST_COLUMNS:
        raise ValueError(f"a sparse matrix of shape {tuple(shape)}")
    matrix = _SPARSE[form](tuple(parts), shape=tuple(shape))
    matrix.check_format(full_check=True)
    # SciPy checks differences, which can overflow.
    starts = matrix.indptr
    need(bool((starts[1:] >= starts[:-1]).all()), "rows of a sparse matrix overlap")
    return matrix


def _random_state(generator: np.random.RandomState) -> dict[str, Any]:
    state: Any = generator.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise TypeError(f"a RandomState of {state['bit_generator']}, not MT19937")
    return {"state": state}


def _make_random(state: dict[str, Any]) -> np.random.RandomState:
    key, position = state["state"]["key"], state["state"]["pos"]
    need(
        isinstance(key, np.ndarray) and key.dtype == np.uint32 and key.shape == (624,),
        "the key of a RandomState must be 624 numbers of 32 bits",
    )
    need(
        type(position) is int and 0 <= position <= 624,
        f"pos={position!r} in a RandomState",
    )
    need(bool(key[1:].any()), "a RandomState that yields only zeros")
    generator = np.random.RandomState(0)
    generator.set_state(state)
    return generator


def _tree_parts(tree: Any) -> dict[str, Any]:
    state = tree.__getstate__()
    return {
        "n_features": int(tree.n_features),
        "n_classes": np.asarray(tree.n_classes),
        "nodes": _columns(state["nodes"]),
        "values": state["values"],
    }


def _make_tree(
    n_features: int, n_classes: np.ndarray, nodes: dict[str, Any], values: np.ndarray
) -> Any:
    Tree = classes_inside_trees()["Tree"]
    empty = Tree(1, np.ones(1, np.intp), 1).__getstate__()["nodes"]
    table = _records(nodes, empty.dtype)
    left, right = table["left_child"], table["right_child"]
    leaf = left == _TREE_LEAF
    need(bool((right[leaf] == _TREE_LEAF).all()), "a leaf of a tree has a child")
    n_classes = np.asarray(n_classes, np.intp)
    need(
        n_classes.ndim == 1
        and values.shape == (len(table), len(n_classes), n_classes.max(initial=0))
        and n_classes.min(initial=1) >= 1,
        f"a tree of {len(table)} nodes and {n_classes} classes has values of shape "
        f"{values.shape}",
    )
    depth = _check_tree(left, right, leaf, table["feature"], n_features)
    tree = Tree(n_features, n_classes, len(n_classes))
    tree.__setstate__({
        "max_depth": depth,
        "node_count": len(table),
        "nodes": table,
        "values": np.ascontiguousarray(values, np.float64),
    })
    return tree


def _make_predictor(nodes: dict[str, Any], binned: np.ndarray, raw: np.ndarray) -> Any:
    dtype = np.dtype([
        *(("value", "f8"), ("count", "u4"), ("feature_idx", "i8")),
        *(("num_threshold", "f8"), ("missing_go_to_left", "u1"), ("left", "u4")),
        *(("right", "u4"), ("gain", "f8"), ("depth", "u4"), ("is_leaf", "u1")),
        *(("bin_threshold", "u1"), ("is_categorical", "u1"), ("bitset_idx", "u4")),
    ])
    table = _records(nodes, dtype)
    leaf = table["is_leaf"] != 0
    left, right = table["left"].astype(np.int64), table["right"].astype(np.int64)
    _check_tree(left, right, leaf, table["feature_idx"], np.iinfo(np.int64).max)
    places = table["bitset_idx"][~leaf & (table["is_categorical"] != 0)].astype(
        np.int64
    )
    for bitsets in (binned, raw):
        need(
            bitsets.dtype == np.uint32
            and bitsets.shape[1:] == (8,)
            and len(bitsets) > places.max(initial=-1),
            f"sets of categories of shape {bitsets.shape}",
        )
    return classes_inside_trees()["TreePredictor"](table, binned, raw)


def _check_tree(
    left: np.ndarray,
    right: np.ndarray,
    leaf: np.ndarray,
    feature: np.ndarray,
    n_features: int,
) -> int:
    """Reject nodes with links outside a tree or cycles; return its depth."""
    inner = np.flatnonzero(~leaf)
    for child in (left[inner], right[inner]):
        need(
            bool((child > inner).all() and (child < len(leaf)).all()),
            "a node of a tree has a child that does not come after it",
        )
    need(
        bool((feature[inner] >= 0).all() and (feature[inner] < n_features).all()),
        f"a node of a tree uses a feature outside [0, {n_features})",
    )
    depth = 0
    level = inner[:1][inner[:1] == 0]
    while len(level):
        depth += 1
        level = np.unique([left[level], right[level]])
        level = level[~leaf[level]]
    return depth


def _columns(records: np.ndarray) -> dict[str, np.ndarray]:
    return {n: np.ascontiguousarray(records[n]) for n in records.dtype.names or ()}


def _records(columns: dict[str, np.ndarray], dtype: np.dtype) -> np.ndarray:
    need(set(columns) == set(dtype.names or ()), f"nodes with {', '.join(columns)}")
    n_nodes = len(next(iter(columns.values())))
    need(n_nodes >= 1, "a tree without nodes")
    table = np.zeros(n_nodes, dtype)
    for name, column in columns.items():
        need(
            column.shape == (n_nodes,) and column.dtype == dtype[name],
            f"{name} of nodes is {column.dtype} of shape {column.shape}",
        )
        table[name] = column
    return table


def _make_spline(**parts: Any) -> Any:
    from scipy.interpolate import BSpline

    return BSpline(**parts)


def _make_stamp(text: str) -> Any:
    import pandas as pd

    return pd.Timestamp(text)


def _scorer_parts(scorer: Any) -> dict[str, Any]:
    names = ("metrics", "average", "users", "chunk_size", "random_state")
    return {name: getattr(scorer, name) for name in names}


def need(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _text_of(make: Callable[[str], Any], take: Callable[[Any], str] = str) -> Adapter:
    return Adapter(lambda value: {"text": take(value)}, lambda text: make(text))


ADAPTERS = {
    "sparse": Adapter(_sparse_parts, _make_sparse),
    "ragged": Adapter(
        lambda items: {"parts": [np.asarray(items.values), np.asarray(items.offsets)]},
        lambda parts: RaggedArray(*parts),
    ),
    "random": Adapter(_random_state, _make_random),
    "path": _text_of(pathlib.Path, os.fspath),
    "uuid": _text_of(uuid.UUID),
    "date": _text_of(datetime.date.fromisoformat, datetime.date.isoformat),
    "time": _text_of(datetime.datetime.fromisoformat, datetime.datetime.isoformat),
    "stamp": _text_of(_make_stamp, lambda stamp: stamp.isoformat()),
    "moment": Adapter(
        lambda moment: {"text": str(moment), "unit": np.datetime_data(moment.dtype)},
        lambda text, unit: np.datetime64(text, unit),
    ),
    "decimal": _text_of(decimal.Decimal),
    "bytes": _text_of(bytes.fromhex, bytes.hex),
    "masked": Adapter(
        lambda array: {"data": array.data, "mask": np.ma.getmaskarray(array)},
        lambda data, mask: np.ma.array(data, mask=mask),
    ),
    "tree": Adapter(_tree_parts, _make_tree),
    "predictor": Adapter(
        lambda predictor: {
            "nodes": _columns(predictor.nodes),
            "binned": predictor.binned_left_cat_bitsets,
            "raw": predictor.raw_left_cat_bitsets,
        },
        _make_predictor,
    ),
    "spline": Adapter(
        lambda spline: {
            **{"t": spline.t, "c": spline.c, "k": int(spline.k)},
            "extrapolate": spline.extrapolate,
        },
        _make_spline,
    ),
    "scorer": Adapter(_scorer_parts, make_recommendation_scorer),
}
# Classes by name, so that most are imported only when needed.
_KIND_OF = {
    f"{cls.__module__}.{cls.__qualname__}": kind
    for kind, cls in (
        *(("sparse", cls) for cls in _SPARSE.values()),
        ("ragged", RaggedArray),
        ("random", np.random.RandomState),
        ("path", type(pathlib.Path())),
        ("path", type(pathlib.PurePath())),
        ("uuid", uuid.UUID),
        ("date", datetime.date),
        ("time", datetime.datetime),
        ("bytes", bytes),
        ("decimal", decimal.Decimal),
        ("moment", np.datetime64),
        ("masked", np.ma.MaskedArray),
        ("scorer", type(recommendation_scorer)),
    )
} | {
    "sklearn.tree._tree.Tree": "tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": "predictor",
    "scipy.interpolate._bsplines.BSpline": "spline",
    "pandas._libs.tslibs.timestamps.Timestamp": "stamp",
    "pandas.Timestamp": "stamp",  # from pandas 3 on
}


def kind_of(value: Any) -> str | None:
    """Return the name of an object's adapter, if it has one."""
    cls = type(value)
    return _KIND_OF.get(f"{cls.__module__}.{cls.__qualname__}")
