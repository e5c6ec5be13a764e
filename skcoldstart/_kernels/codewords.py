"""Choose codewords and add up their frames, exactly in float64."""

import numpy as np

from skcoldstart._kernels.compilation import njit

# Scores in a group whose smallest is kept, so that few are compared twice.
_STRIP = np.uint64(128)
# With unsigned indices the compiler needs no branch for negative ones.
_0, _1, _2 = np.uint64(0), np.uint64(1), np.uint64(2)


@njit(cache=True, nogil=True, fastmath=False)
def squared_distance(frames, i, codebook, k):
    """Return the float64 squared distance of one frame and one codeword.

    Equal rows give equal bits in every caller: the order of the sum is fixed, and the
    fastmath of callers, which numba inherits by default, is disabled.
    """
    n_features = np.uint64(codebook.shape[1])
    even = 0.0
    odd = 0.0
    for f in range(_0, n_features - _1, _2):
        difference = frames[i, f] - codebook[k, f]
        even += difference * difference
        difference = frames[i, f + _1] - codebook[k, f + _1]
        odd += difference * difference
    if n_features % _2:
        difference = frames[i, n_features - _1] - codebook[k, n_features - _1]
        even += difference * difference
    return even + odd


@njit(cache=True, nogil=True)
def pick_nearest(scores, errors, frames, codebook, labels, distances):
    """Choose each frame's nearest codeword from rounded squared distances.

    Shapes: `scores` (n_frames, n_codewords), `errors` (n_frames,), `frames` (n_frames,
    n_features), `codebook` (n_codewords, n_features), `labels` (n_frames,), `distances`
    (n_frames,). Writes `labels`, `distances`.

    Every codeword whose score is within twice the error of the smallest may be the
    nearest; those are compared in float64. Ties go to the lowest index.
    """
    n_codewords = np.uint64(scores.shape[1])
    flat = scores.ravel()
    bits = flat.view(np.int32)
    lowest = np.empty((n_codewords + _STRIP - _1) // _STRIP, np.int32)
    lowest_scores = lowest.view(np.float32)
    for i in range(scores.shape[0]):
        row = np.uint64(i) * n_codewords
        low = np.float32(np.inf)
        strip = _0
        for start in range(row, row + n_codewords, _STRIP):
            smallest = bits[start]
            for at in range(start, min(start + _STRIP, row + n_codewords)):
                smallest = min(smallest, bits[at])
            lowest[strip] = smallest
            low = min(low, lowest_scores[strip])
            strip += _1
        # 3 instead of 2, because the limit is also rounded.
        limit = low + np.float32(3) * errors[i]
        label = np.int64(0)
        best = np.inf
        strip = _0
        for start in range(row, row + n_codewords, _STRIP):
            if lowest_scores[strip] <= limit:
                for at in range(start, min(start + _STRIP, row + n_codewords)):
                    if flat[at] <= limit:
                        k = np.int64(at - row)
                        distance = squared_distance(frames, i, codebook, k)
                        if distance < best:
                            best = distance
                            label = k
            strip += _1
        labels[i] = label
        distances[i] = best


@njit(cache=True, nogil=True)
def add_frames(frames, labels, sums, counts):
    """Add frames to the sums and counts of their codewords, in order.

    Shapes: `frames` (n_frames, n_features), `labels` (n_frames,), `sums` (n_codewords,
    n_features), `counts` (n_codewords,).
    """
    for i in range(frames.shape[0]):
        k = labels[i]
        counts[k] += 1.0
        for f in range(frames.shape[1]):
            sums[k, f] += frames[i, f]
