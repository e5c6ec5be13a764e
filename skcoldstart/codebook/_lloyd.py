"""k-means on frames in memory: initialization, Lloyd steps, mini-batch steps.

Frames are (n_frames, n_features), codebooks (n_codewords, n_features).
"""

from typing import Any

import numpy as np

from skcoldstart._utils.progress import progress_bar
from skcoldstart.codebook._search import CodewordIndex

_STAGE_STEPS = 6
_STAGE_DIVISORS = (9, 3)
_FRAMES_PER_CODEWORD = 10
_FRAMES_PER_LEAF_INDEX = 4


def distinct_frames(
    frames: np.ndarray, n_codewords: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Draw distinct frames at random as codewords, (n_codewords, n_features)."""
    order = random_state.permutation(len(frames))
    seen: set[bytes] = set()
    chosen = np.full(n_codewords, order[0])
    for i in order:
        row = (frames[i] + 0.0).tobytes()  # -0.0 and 0.0 are the same frame
        if row not in seen:
            chosen[len(seen)] = i
            seen.add(row)
            if len(seen) == n_codewords:
                break
    return frames[chosen].astype(np.float64)


def nested_start(
    frames: np.ndarray, codebook: np.ndarray, **options: Any
) -> np.ndarray:
    """Improve first codewords, (n_codewords, n_features), on parts of shuffled frames.

    Up to six steps on a ninth of the frames, then on a third: this is cheaper than as
    many steps on all frames, and gives a better start. Parts with fewer than ten frames
    per codeword are skipped.
    """
    options["max_iter"] = min(options["max_iter"], _STAGE_STEPS)
    for divisor in _STAGE_DIVISORS:
        part = frames[: len(frames) // divisor]
        if len(part) >= _FRAMES_PER_CODEWORD * len(codebook):
            codebook, _ = lloyd(part, codebook, **options)
    return codebook


def lloyd(
    frames: np.ndarray,
    codebook: np.ndarray,
    *,
    max_iter: int,
    tol: float,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> tuple[np.ndarray, int]:
    """Alternate nearest codewords and means; return the codebook and the steps."""
    labels: Any = None
    n_iter = 0
    with progress_bar(
        description="Codebook", verbose=verbose, total=max_iter, unit="step"
    ) as bar:
        for _ in range(max_iter):
            n_iter += 1
            last_labels = labels
            labels, distances = CodewordIndex(codebook, frames).nearest(
                frames, start=labels, n_jobs=n_jobs
            )
            moved = _means(frames, labels, distances, codebook)
            shift = float(((moved - codebook) ** 2).sum())
            codebook = moved
            bar.set_postfix(inertia=f"{distances.sum():.6g}", refresh=False)
            bar.update()
            if shift <= tol or np.array_equal(labels, last_labels):
                break
    return codebook, n_iter


def _means(
    frames: np.ndarray, labels: np.ndarray, distances: np.ndarray, codebook: np.ndarray
) -> np.ndarray:
    """Return the mean frame of each codeword.

    A codeword without frames takes the frame farthest from its own codeword, each such
    frame once and equal frames once. If every frame equals its codeword, it is
    unchanged. scikit-learn's KMeans refills in the same way.
    """
    from skcoldstart._kernels.codewords import add_frames

    sums = np.zeros_like(codebook)
    counts = np.zeros(len(codebook))
    add_frames(frames, labels, sums, counts)
    empty = list(np.flatnonzero(counts == 0))
    seen: set[bytes] = set()
    for i in np.argsort(-distances, kind="stable") if empty else ():
        if not empty or distances[i] == 0:
            break
        row = (frames[i] + 0.0).tobytes()
        if row in seen:
            continue
        seen.add(row)
        sums[labels[i]] -= frames[i]
        counts[labels[i]] -= 1
        k = empty.pop(0)
        sums[k] = frames[i]
        counts[k] = 1
    means = codebook.copy()
    used = counts > 0
    means[used] = sums[used] / counts[used, None]
    return means


def mini_batches(
    frames: np.ndarray,
    codebook: np.ndarray,
    *,
    batch_size: int,
    max_iter: int,
    tol: float,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> tuple[np.ndarray, int]:
    """Move codewords after every batch; return the codebook and the passes."""
    n_iter = 0
    counts = np.zeros(len(codebook))
    with progress_bar(
        description="Codebook", verbose=verbose, total=max_iter, unit="pass"
    ) as bar:
        for _ in range(max_iter):
            n_iter += 1
            before = codebook
            for start in range(0, len(frames), batch_size):
                codebook, _ = mini_batch_step(
                    frames[start : start + batch_size], codebook, counts, n_jobs=n_jobs
                )
            bar.update()
            if ((codebook - before) ** 2).sum() <= tol:
                break
    return codebook, n_iter


def mini_batch_step(
    frames: np.ndarray, codebook: np.ndarray, counts: np.ndarray, *, n_jobs: int | None
) -> tuple[np.ndarray, float]:
    """Move each codeword to the mean of all frames it was ever nearest to.

    Adds the frames to `counts`, (n_codewords,), and returns the codebook and the sum of
    squared distances before the step.
    """
    from skcoldstart._kernels.codewords import add_frames

    # Building an index with leaves takes as long as searching this many frames.
    worth_leaves = len(frames) >= _FRAMES_PER_LEAF_INDEX * len(codebook)
    index = CodewordIndex(codebook, frames if worth_leaves else None)
    labels, distances = index.nearest(frames, n_jobs=n_jobs)
    sums = codebook * counts[:, None]
    add_frames(frames, labels, sums, counts)
    moved = codebook.copy()
    used = np.unique(labels)
    moved[used] = sums[used] / counts[used, None]
    return moved, float(distances.sum())
