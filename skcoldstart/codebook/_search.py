"""Find each frame's nearest codeword exactly, with the faster of two methods."""

import numpy as np

from skcoldstart._utils.threads import worker_threads

# Of float32.
UNIT_ROUNDOFF = 2.0**-24
_TILE = 128
# Scaled frames beyond this are compared with every codeword in float64.
_MOST_SCALED = 2.0**40


class CodewordTiles:
    """Search all codewords by matrix products of blocks of frames.

    Shapes: `codebook` (n_codewords, n_features).

    With codewords c scaled to norms of at most 1, the squared distance of a frame z is
    the product of (z, 1, zz) and (-2c, cc, 1). Its terms sum to at most (1 + |z|)^2 in
    magnitude, so its error in float32 is at most (n_features + 8) u times that, where u
    is the unit roundoff. The error is added to the product, which therefore is never
    negative.
    """

    def __init__(self, codebook: np.ndarray) -> None:
        self._codebook = codebook
        self._mean, centred, self._scale = centre_and_scale(codebook)
        self._weights = np.vstack([
            -2.0 * centred.T,
            np.einsum("ij,ij->i", centred, centred),
            np.ones(len(codebook)),
        ]).astype(np.float32, order="C")
        self._relative_error = (codebook.shape[1] + 8) * UNIT_ROUNDOFF

    def search(
        self, frames: np.ndarray, labels: np.ndarray, distances: np.ndarray
    ) -> None:
        """Find the `labels` and `distances` of nearest codewords, (n_frames,)."""
        from skcoldstart._kernels.codewords import pick_nearest

        n_features = frames.shape[1]
        z = (frames - self._mean) * self._scale
        squares = np.einsum("ij,ij->i", z, z)
        too_large = ~(squares < _MOST_SCALED**2)
        z[too_large], squares[too_large] = 0.0, 0.0
        errors = self._relative_error * (1.0 + np.sqrt(squares)) ** 2
        rows = np.empty((len(frames), n_features + 2), np.float32)
        rows[:, :n_features] = z
        rows[:, n_features] = 1.0
        rows[:, n_features + 1] = squares + errors
        errors[too_large] = np.inf
        errors = errors.astype(np.float32)
        scores = np.empty((min(_TILE, len(frames)), len(self._codebook)), np.float32)
        for start in range(0, len(frames), _TILE):
            part = slice(start, start + _TILE)
            tile = scores[: len(rows[part])]
            np.dot(rows[part], self._weights, out=tile)
            pick_nearest(
                tile,
                errors[part],
                frames[part],
                self._codebook,
                labels[part],
                distances[part],
            )


def centre_and_scale(codebook: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Center codewords and scale them to norms of at most 1 by a power of two.

    Shapes: `codebook` (n_codewords, n_features) -> `mean` (n_features,), `centred`
    (n_codewords, n_features).
    """
    mean = codebook.mean(axis=0)
    centred = codebook - mean
    radius = float(np.abs(centred).max())
    if radius > 0:
        radius *= float(np.sqrt(np.square(centred / radius).sum(axis=1).max()))
    scale = 2.0 ** -np.ceil(np.log2(radius)) if radius > 0 else 1.0
    centred *= scale
    return mean, centred, scale


_FAR_COORDINATE = 1e18
_LARGEST = np.float32(3e38)
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
        leaves = np.full((n_leaves, n_padded, LANES), _LARGEST)
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
        """Find the nearest codewords of frames from those in `start`; count steps."""
        from skcoldstart._kernels.leaf_search import search_leaves

        rotated = (frames - self._mean) @ self._rotation
        # Beyond this all codewords are equally far in float32.
        np.clip(rotated, -_FAR_COORDINATE, _FAR_COORDINATE, out=rotated)
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
    low = corners.min(axis=2, where=used, initial=_LARGEST)
    high = corners.max(axis=2, where=used, initial=-_LARGEST)
    branch_low = low.reshape(-1, LANES, BOX_FEATURES).min(axis=1)
    branch_high = high.reshape(-1, LANES, BOX_FEATURES).max(axis=1)
    return (
        (_lanes(low, _LARGEST), _lanes(high, -_LARGEST)),
        (_lanes(branch_low, _LARGEST), _lanes(branch_high, -_LARGEST)),
    )


def _lanes(corners: np.ndarray, filler: np.float32) -> np.ndarray:
    """Pad boxes to a multiple of sixteen and put sixteen boxes side by side."""
    from skcoldstart._kernels.leaf_search import LANES

    n_boxes, n_features = corners.shape
    padded = np.full((LANES * -(-n_boxes // LANES), n_features), filler, np.float32)
    padded[:n_boxes] = corners
    groups = padded.reshape(-1, LANES, n_features).transpose(0, 2, 1)
    return np.ascontiguousarray(groups).ravel()


# Frames per piece of work. Fixed, so that the pieces do not depend on n_jobs.
_CHUNK = 4096
# Frames whose steps decide the method for a chunk, and for a codebook.
_CHUNK_PROBE = 128
_PROBE = 2048
# Cost of a frame in nanoseconds, measured with frames of music, scaled frames and
# noise; only ratios matter.
_LEAVES_AT_ALL, _LEAVES_PER_STEP = 450.0, 17.0
_TILES_PER_CODEWORD, _TILES_PER_NUMBER = 0.4, 0.02


class CodewordIndex:
    """Finds the codeword nearest to a frame.

    Shapes: `codebook` (n_codewords, n_features), `frames` (n_frames, n_features).

    Both methods compute distances in float32 first, and compare in float64 all
    codewords that may be nearest within rounding errors. So labels and distances depend
    only on frame and codebook, not on the method, BLAS, the number of threads or other
    frames. The method is chosen by counting steps, not by time.
    """

    def __init__(self, codebook: np.ndarray, frames: np.ndarray | None = None) -> None:
        self.codebook = np.ascontiguousarray(codebook, dtype=np.float64)
        row_type = np.dtype((np.void, self.codebook.itemsize * codebook.shape[1]))
        _, first, copy_of = np.unique(
            self.codebook.view(row_type).ravel(), return_index=True, return_inverse=True
        )
        # First positions of distinct rows, and the distinct row of each row.
        self._ids = np.sort(first).astype(np.int32)
        self._distinct_of = np.searchsorted(self._ids, first[copy_of]).astype(np.int32)
        distinct = self.codebook[self._ids]
        self._tiles = CodewordTiles(distinct)
        self._cost_of_tiles = len(distinct) * (
            _TILES_PER_CODEWORD + _TILES_PER_NUMBER * distinct.shape[1]
        )
        self._leaves: CodewordLeaves | None = None
        if frames is not None and len(frames) and self._leaves_pay(0, 1):
            leaves = CodewordLeaves(distinct)
            sample = np.array(frames[:: -(-len(frames) // _PROBE)], dtype=np.float64)
            n = len(sample)
            unknown = np.full(n, -1, np.int32)
            n_steps = leaves.search(sample, unknown.copy(), np.empty(n), unknown)
            if self._leaves_pay(n_steps, n):
                self._leaves = leaves

    def nearest(
        self,
        frames: np.ndarray,
        *,
        start: np.ndarray | None = None,
        n_jobs: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the nearest codeword of each frame.

        Shapes: `frames` (n_frames, n_features), `start` (n_frames,) -> `labels`
        (n_frames,), `distances` (n_frames,).
        """
        labels = np.empty(len(frames), np.int32)
        distances = np.empty(len(frames), np.float64)
        if start is None:
            starts = np.full(len(frames), -1, np.int32)
        else:
            starts = self._distinct_of[start]

        def search(first: int) -> None:
            part = slice(first, first + _CHUNK)
            chunk = np.ascontiguousarray(frames[part], dtype=np.float64)
            out = labels[part], distances[part]
            if self._leaves is None:
                self._tiles.search(chunk, *out)
                return
            # Leaves search the rest if the first frames take few steps.
            arrays = chunk, *out, starts[part]
            head = [array[:_CHUNK_PROBE] for array in arrays]
            rest = [array[_CHUNK_PROBE:] for array in arrays]
            n_steps = self._leaves.search(*head)
            if self._leaves_pay(n_steps, len(head[0])):
                self._leaves.search(*rest)
            else:
                self._tiles.search(*rest[:3])

        with worker_threads(n_jobs) as run:
            run(search, range(0, len(frames), _CHUNK))
        return self._ids[labels], distances

    def _leaves_pay(self, n_steps: int, n_frames: int) -> bool:
        """Return whether leaves are cheaper than tiles with this many steps."""
        cost = _LEAVES_AT_ALL + _LEAVES_PER_STEP * n_steps / n_frames
        return cost < self._cost_of_tiles
