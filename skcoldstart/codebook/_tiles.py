"""Codewords in one matrix: all distances by matrix products, for any data."""

import numpy as np

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
        """Find the nearest codeword of each frame.

        Shapes: `frames` (n_frames, n_features), `labels` (n_frames,), `distances`
        (n_frames,).
        """
        from skcoldstart._kernels.codewords import pick_nearest

        rows, errors = self._rows(frames)
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

    def _rows(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 rows (z, 1, zz + error) and the errors."""
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
        return rows, errors.astype(np.float32)


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
