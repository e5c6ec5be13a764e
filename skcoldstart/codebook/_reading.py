"""Read frames and codes in blocks, with checks."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from skcoldstart._sequences.checks import check_frames, check_item_sequence
from skcoldstart._sequences.ragged import LazySequence, RaggedArray
from skcoldstart._utils.missing import unmasked

_ITEMS_AT_ONCE = 32
_CODE_ITEMS_AT_ONCE = 512


def read_frames(
    X: RaggedArray | LazySequence,
    n_features: int | None = None,
    positions: np.ndarray | None = None,
) -> Iterator[RaggedArray]:
    """Read frames block by block; frames in memory are one block."""
    if isinstance(X, RaggedArray):
        yield X
        return
    order: Any = range(len(X)) if positions is None else positions
    for start in range(0, len(order), _ITEMS_AT_ONCE):
        part = order[start : start + _ITEMS_AT_ONCE]
        block = RaggedArray.from_sequence(X[part])
        if len(block.values):
            checked = check_frames(block, n_features=n_features, positions=part)
            block = cast(RaggedArray, checked)
            n_features = block.values.shape[1]
        yield block


def read_codes(
    X: Any, items_at_once: int = _CODE_ITEMS_AT_ONCE
) -> Iterator[tuple[int, RaggedArray]]:
    """Read codes block by block."""
    X = check_item_sequence(X)
    for start in range(0, len(X), items_at_once):
        part = X[start : start + items_at_once]
        if isinstance(part, RaggedArray):
            if part.values.size:
                _refuse_other_than_codes(part.values, start)
            yield start, part
        else:
            yield start, _join_codes(part, start)


def check_codes(
    block: RaggedArray, *, n_codewords: int, first_item: int, remedy: str
) -> None:
    """Reject codes outside [0, n_codewords)."""
    wrong = (block.values < 0) | (block.values >= n_codewords)
    if wrong.any():
        position = int(np.argmax(wrong))
        code = block.values[position]
        item = int(np.searchsorted(block.offsets, position, side="right")) - 1
        if code < 0:
            remedy = "Codes start at 0: leave out frames without a code."
        raise ValueError(
            f"Item {first_item + item} of X has code {code}; expected codes in "
            f"[0, {n_codewords}). {remedy}"
        )


def _join_codes(items: Any, first_item: int) -> RaggedArray:
    arrays = []
    for i, item in enumerate(items, first_item):
        codes = unmasked(item, f"Item {i} of X")
        if codes.size == 0:
            codes = np.empty(0, np.int64)
        _refuse_other_than_codes(codes, i)
        arrays.append(codes.astype(np.int64, copy=False))
    return RaggedArray.from_sequence(arrays)


def _refuse_other_than_codes(codes: np.ndarray, item: int) -> None:
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(
            f"Item {item} of X has shape {codes.shape} and dtype {codes.dtype}; "
            "expected 1-D integer codes, as VectorQuantizer.transform returns them. "
            "Put the codes of a single item in a list; quantize frames first."
        )
