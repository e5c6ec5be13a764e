"""Find nearest codewords by visiting only the leaves that can contain them.

A leaf has sixteen codewords and a branch sixteen leaves, so a few wide vector
operations process a leaf, or the boxes of a branch. Sums of squares are compared by
their bits, as integers: numbers >= 0 have the same order in both forms, and LLVM
vectorizes the minimum of integers, but not of floats.
"""

import numpy as np

from skcoldstart._kernels.codewords import squared_distance
from skcoldstart._kernels.compilation import njit

LANES = 16
BOX_FEATURES = 6
# Features added before deciding whether to continue with a leaf.
STEP = 8

# Unsigned indices spare the compiler the case of negative ones.
_LANES = np.uint64(LANES)
_BOX = np.uint64(BOX_FEATURES * LANES)
_STEP = np.uint64(STEP)
_0, _1, _2, _3, _4, _5, _6, _7 = (np.uint64(i) for i in range(8))
_ZERO = np.float32(0)
_INF = np.float32(np.inf)
# No reassociation: a distance is the same wherever it is computed.
_FASTMATH = {"contract", "nnan", "nsz"}


@njit(inline="always")
def bound_boxes(boxes, start, z, at, bounds, bounds_at):
    """Write the squared distances of a frame to the sixteen boxes from `start` on."""
    low, high = boxes
    z0, z1, z2 = z[at], z[at + _1], z[at + _2]
    z3, z4, z5 = z[at + _3], z[at + _4], z[at + _5]
    for lane in range(_LANES):
        i = start + lane
        d0 = max(max(low[i] - z0, z0 - high[i]), _ZERO)
        i += _LANES
        d1 = max(max(low[i] - z1, z1 - high[i]), _ZERO)
        i += _LANES
        d2 = max(max(low[i] - z2, z2 - high[i]), _ZERO)
        i += _LANES
        d3 = max(max(low[i] - z3, z3 - high[i]), _ZERO)
        i += _LANES
        d4 = max(max(low[i] - z4, z4 - high[i]), _ZERO)
        i += _LANES
        d5 = max(max(low[i] - z5, z5 - high[i]), _ZERO)
        bounds[bounds_at + lane] = (
            (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5)
        )


@njit(inline="always")
def add_step(leaves, start, z, at, sums):
    """Add eight features to the squared distances of a leaf's sixteen codewords."""
    z0, z1, z2, z3 = z[at], z[at + _1], z[at + _2], z[at + _3]
    z4, z5, z6, z7 = z[at + _4], z[at + _5], z[at + _6], z[at + _7]
    for lane in range(_LANES):
        i = start + lane
        d0 = leaves[i] - z0
        i += _LANES
        d1 = leaves[i] - z1
        i += _LANES
        d2 = leaves[i] - z2
        i += _LANES
        d3 = leaves[i] - z3
        i += _LANES
        d4 = leaves[i] - z4
        i += _LANES
        d5 = leaves[i] - z5
        i += _LANES
        d6 = leaves[i] - z6
        i += _LANES
        d7 = leaves[i] - z7
        sums[lane] += ((d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)) + (
            (d4 * d4 + d5 * d5) + (d6 * d6 + d7 * d7)
        )


@njit(inline="always")
def smallest_of(bits, n):
    smallest = bits[0]
    for i in range(n):
        smallest = min(smallest, bits[i])
    return smallest


@njit(inline="always")
def position_of_smallest(bits, n):
    smallest = smallest_of(bits, n)
    position = _0
    while bits[position] > smallest:
        position += _1
    return position


@njit(inline="always")
def reaches(leaves, leaf, n_padded, z, at, sums, sum_bits, limit_bits):
    """Sum a leaf's squared distances; return whether any is in the limit, and steps.

    Partial sums only increase, so a leaf is abandoned when all are beyond the limit.
    """
    sums[:] = _ZERO
    start = leaf * n_padded * _LANES
    n_summed = _0
    within = True
    while within and n_summed < n_padded:
        add_step(leaves, start + n_summed * _LANES, z, at + n_summed, sums)
        n_summed += _STEP
        within = smallest_of(sum_bits, _LANES) <= limit_bits[0]
    return within, n_summed


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
def compare_exactly(frames, i, codebook, leaves, ids, z, sums, limits):
    """Return the nearest codeword within the limit and its distance, by float64."""
    n_leaves = np.uint64(ids.size) // _LANES
    n_padded = np.uint64(leaves.size) // np.uint64(ids.size)
    at = np.uint64(i) * n_padded
    sum_bits, limit_bits = sums.view(np.int32), limits.view(np.int32)
    best = np.inf
    label = np.int32(codebook.shape[0])
    for leaf in range(n_leaves):
        within, _ = reaches(leaves, leaf, n_padded, z, at, sums, sum_bits, limit_bits)
        if within:
            for lane in range(_LANES):
                k = ids[leaf * _LANES + lane]
                if k >= 0 and sums[lane] <= limits[0]:
                    distance = squared_distance(frames, i, codebook, k)
                    if distance < best or (distance == best and k < label):
                        best = distance
                        label = k
    return label, best


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
def search_leaves(
    frames,
    codebook,
    z,
    leaves,
    ids,
    leaf_boxes,
    branch_boxes,
    slack,
    growth,
    starts,
    labels,
    distances,
):
    """Find the nearest codeword of each frame.

    Shapes: `frames` (n_frames, n_features), `codebook` (n_codewords, n_features), `z`
    (n_frames * n_padded,), `leaves` (n_leaves * n_padded * 16,), `ids` (n_leaves *
    16,), `starts` (n_frames,), `labels` (n_frames,), `distances` (n_frames,). Writes
    `labels`, `distances`.

    In rotated coordinates z, a leaf is visited unless its box is beyond the limit

        limit = growth (sqrt(smallest squared distance so far) + slack)^2,

    which allows for every rounding error of float32: the codeword nearest in exact
    arithmetic is never beyond it. If one codeword is within the limit it is the
    nearest; several are compared in float64.
    """
    n_branches = np.uint64(ids.size) // (_LANES * _LANES)
    n_padded = np.uint64(leaves.size) // np.uint64(ids.size)
    n_groups = np.uint64(branch_boxes[0].size) // _BOX
    branch_bounds = np.empty(n_groups * _LANES, np.float32)
    bounds = np.empty(LANES, np.float32)
    sums = np.empty(LANES, np.float32)
    limits = np.empty(1, np.float32)
    branch_bits, bound_bits = branch_bounds.view(np.int32), bounds.view(np.int32)
    sum_bits, limit_bits = sums.view(np.int32), limits.view(np.int32)
    n_all_steps = _0
    for i in range(frames.shape[0]):
        at = np.uint64(i) * n_padded
        for group in range(n_groups):
            bound_boxes(
                branch_boxes, group * _BOX, z, at, branch_bounds, group * _LANES
            )
        if starts[i] >= 0:
            first_branch = np.uint64(starts[i]) // _LANES
        else:
            first_branch = position_of_smallest(branch_bits, n_branches)
        best, second, limits[0] = _INF, _INF, _INF
        label = ids[0]
        for turn in range(n_branches + _1):
            # Turn 0 is the first branch, turn 1 + b is branch b.
            branch = first_branch if turn == _0 else turn - _1
            if turn > _0 and (
                branch == first_branch or branch_bits[branch] > limit_bits[0]
            ):
                continue
            bound_boxes(leaf_boxes, branch * _BOX, z, at, bounds, _0)
            first_leaf = _0
            if turn == _0:
                if starts[i] >= 0:
                    first_leaf = np.uint64(starts[i]) % _LANES
                else:
                    first_leaf = position_of_smallest(bound_bits, _LANES)
            for leaf_turn in range(_LANES):
                position = leaf_turn ^ first_leaf
                if bound_bits[position] > limit_bits[0]:
                    continue
                leaf = branch * _LANES + position
                within, n_summed = reaches(
                    leaves, leaf, n_padded, z, at, sums, sum_bits, limit_bits
                )
                n_all_steps += n_summed
                if not within:
                    continue
                for lane in range(_LANES):
                    if sums[lane] < best:
                        second = best
                        best = sums[lane]
                        label = ids[leaf * _LANES + lane]
                    elif sums[lane] < second:
                        second = sums[lane]
                reach = np.sqrt(best) + slack
                limits[0] = reach * reach * growth
        if second <= limits[0]:
            labels[i], distances[i] = compare_exactly(
                frames, i, codebook, leaves, ids, z, sums, limits
            )
        else:
            labels[i] = label
            distances[i] = squared_distance(frames, i, codebook, label)
    return n_all_steps // _STEP
