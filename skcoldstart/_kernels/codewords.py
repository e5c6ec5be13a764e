"""Choose codewords and add up the frames of each: exact in float64."""

import numpy as np
from numba import njit

# Scores whose smallest value is kept, so that few are looked at twice.
_STRIP = 64


@njit(cache=True, nogil=True)
def squared_distance(frames, i, codebook, k):
    """Return the float64 squared distance of one frame and one codeword.

    The order of the sum is fixed, so equal rows give equal bits wherever it is used.
    """
    n_features = codebook.shape[1]
    even = 0.0
    odd = 0.0
    for f in range(0, n_features - 1, 2):
        difference = frames[i, f] - codebook[k, f]
        even += difference * difference
        difference = frames[i, f + 1] - codebook[k, f + 1]
        odd += difference * difference
    if n_features % 2:
        difference = frames[i, n_features - 1] - codebook[k, n_features - 1]
        even += difference * difference
    return even + odd


@njit(cache=True, nogil=True, fastmath={"nnan"})
def pick_nearest(scores, margins, frames, codebook, labels, distances):
    """Choose each frame's nearest codeword from rounded scores.

    Every codeword whose score lies within the frame's margin of the smallest may be
    the nearest; those are compared in float64. Ties go to the lowest index.

    Parameters
    ----------
    scores : ndarray of shape (n_frames, n_codewords), float32
        IN. Squared distances less a term of the frame, with rounding errors; no NaN.
    margins : ndarray of shape (n_frames,), float32
        IN. Twice the largest error of a frame's scores.
    frames : ndarray of shape (n_frames, n_features), float64
        IN. Frames.
    codebook : ndarray of shape (n_codewords, n_features), float64
        IN. Codewords.
    labels : ndarray of shape (n_frames,), int32
        OUT. Nearest codewords.
    distances : ndarray of shape (n_frames,), float64
        OUT. Squared distances to them.
    """
    n_frames, n_codewords = scores.shape
    n_strips = (n_codewords + _STRIP - 1) // _STRIP
    lowest = np.empty(n_strips, np.float32)
    for i in range(n_frames):
        low = np.float32(np.inf)
        for s in range(n_strips):
            start = s * _STRIP
            smallest = scores[i, start]
            for k in range(start + 1, min(start + _STRIP, n_codewords)):
                smallest = min(smallest, scores[i, k])
            lowest[s] = smallest
            low = min(low, smallest)
        limit = low + margins[i]
        label = 0
        best = np.inf
        for s in range(n_strips):
            if lowest[s] > limit:
                continue
            for k in range(s * _STRIP, min((s + 1) * _STRIP, n_codewords)):
                if scores[i, k] <= limit:
                    distance = squared_distance(frames, i, codebook, k)
                    if distance < best:
                        best = distance
                        label = k
        labels[i] = label
        distances[i] = best


@njit(cache=True, nogil=True)
def add_frames(frames, labels, sums, counts):
    """Add frames to the sums and counts of their codewords, in order.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_features)
        IN. Frames.
    labels : ndarray of shape (n_frames,), int32
        IN. Codeword of each frame.
    sums : ndarray of shape (n_codewords, n_features), float64
        IN, OUT. Sum of the frames of each codeword.
    counts : ndarray of shape (n_codewords,), float64
        IN, OUT. Number of frames of each codeword.
    """
    for i in range(frames.shape[0]):
        k = labels[i]
        counts[k] += 1.0
        for f in range(frames.shape[1]):
            sums[k, f] += frames[i, f]
