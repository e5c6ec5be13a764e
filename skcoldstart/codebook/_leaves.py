"""Codewords in a tree of boxes: fast if frames vary in few directions."""

import numpy as np

from skcoldstart.codebook._tiles import UNIT_ROUNDOFF, centre_and_scale

_FAR = 1e18
_NOWHERE = np.float32(3e38)
_SPLIT_FEATURES = 8


class CodewordLeaves:
    """Search codewords by leaves, skipping leaves that are too far away.

    Shapes: `codebook` (n_codewords, n_features).

    Codewords are rotated to their principal axes and split at medians into leaves of
    sixteen. A frame's distance to a leaf's box in the first six axes already rules out
    most leaves if the variance lies in few axes, as that of MFCC frames does.

    With codewords scaled to norms of at most 1, rounding to float32 moves a codeword
    and a frame at distance d relative to each other by at most u (2 + d) (u is the unit
    roundoff), and the sum of n squares has a relative error of at most (n + 3) u.
    `_slack` and `_growth` allow for both, twice: for the nearest codeword found and for
    the one that is nearest in exact arithmetic.
    """

    def __init__(self, codebook: np.ndarray) -> None:
        from skcoldstart._kernels.leaf_search import LANES, STEP

        self._codebook = codebook
        n_codewords, n_features = codebook.shape
        n_padded = STEP * -(-n_features // STEP)
        self._mean, centred, scale = centre_and_scale(codebook)
        axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
        self._rotation = np.zeros((n_features, n_padded))
        self._rotation[:, :n_features] = axes * scale
        rotated = (centred @ axes).astype(np.float32)
        self._slack = np.float32(4.04 * UNIT_ROUNDOFF)
        self._growth = np.float32(1 + (4 * n_padded + 32) * UNIT_ROUNDOFF)

        parts = _split(rotated[:, :_SPLIT_FEATURES], LANES)
        n_leaves = LANES * -(-len(parts) // LANES)
        leaves = np.full((n_leaves, n_padded, LANES), _NOWHERE)
        ids = np.full((n_leaves, LANES), -1, np.int32)
        self._leaf_of = np.empty(n_codewords, np.int32)
        for leaf, part in enumerate(parts):
            leaves[leaf, :n_features, : len(part)] = rotated[part].T
            leaves[leaf, n_features:, : len(part)] = 0
            ids[leaf, : len(part)] = part
            self._leaf_of[part] = leaf
        self._leaves, self._ids = leaves.ravel(), ids.ravel()
        self._leaf_boxes, self._branch_boxes = _boxes(leaves, ids)

    def search(
        self,
        frames: np.ndarray,
        labels: np.ndarray,
        distances: np.ndarray,
        start: np.ndarray,
    ) -> int:
        """Find the nearest codeword of each frame.

        Shapes: `frames` (n_frames, n_features), `labels` (n_frames,), `distances`
        (n_frames,), `start` (n_frames,).
        """
        from skcoldstart._kernels.leaf_search import search_leaves

        rotated = (frames - self._mean) @ self._rotation
        # Beyond this all codewords are equally far in float32.
        np.clip(rotated, -_FAR, _FAR, out=rotated)
        return search_leaves(
            frames,
            self._codebook,
            rotated.astype(np.float32).ravel(),
            self._leaves,
            self._ids,
            self._leaf_boxes,
            self._branch_boxes,
            self._slack,
            self._growth,
            np.where(start < 0, np.int32(-1), self._leaf_of[start]),
            labels,
            distances,
        )


def _split(codewords: np.ndarray, n_lanes: int) -> list[np.ndarray]:
    """Split codewords at medians into full leaves, except the last leaf of a branch.

    Splits are at whole branches first, so branches are also compact.
    """
    leaves: list[np.ndarray] = []
    parts = [np.arange(len(codewords))]
    while parts:
        part = parts.pop()
        if len(part) <= n_lanes:
            leaves.append(part)
            continue
        unit = n_lanes if len(part) <= n_lanes**2 else n_lanes**2
        cut = unit * max(1, round(len(part) / (2 * unit)))
        values = codewords[part]
        order = np.argpartition(values[:, values.var(axis=0).argmax()], cut - 1)
        parts += [part[order[cut:]], part[order[:cut]]]
    return leaves


def _boxes(
    leaves: np.ndarray, ids: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the boxes of leaves and branches in the layout of the kernel."""
    from skcoldstart._kernels.leaf_search import BOX_FEATURES, LANES

    corners = leaves[:, :BOX_FEATURES]
    used = (ids >= 0)[:, np.newaxis]
    low = corners.min(axis=2, where=used, initial=_NOWHERE)
    high = corners.max(axis=2, where=used, initial=-_NOWHERE)
    branch_low = low.reshape(-1, LANES, BOX_FEATURES).min(axis=1)
    branch_high = high.reshape(-1, LANES, BOX_FEATURES).max(axis=1)
    return (
        (_lanes(low, _NOWHERE), _lanes(high, -_NOWHERE)),
        (_lanes(branch_low, _NOWHERE), _lanes(branch_high, -_NOWHERE)),
    )


def _lanes(corners: np.ndarray, filler: np.float32) -> np.ndarray:
    """Pad boxes to a multiple of sixteen and put sixteen boxes side by side."""
    from skcoldstart._kernels.leaf_search import LANES

    n_boxes, n_features = corners.shape
    padded = np.full((LANES * -(-n_boxes // LANES), n_features), filler, np.float32)
    padded[:n_boxes] = corners
    groups = padded.reshape(-1, LANES, n_features).transpose(0, 2, 1)
    return np.ascontiguousarray(groups).ravel()
