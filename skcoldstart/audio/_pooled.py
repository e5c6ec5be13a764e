"""Base of extractors that can pool the frames of an item to one row."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from skcoldstart._sequences.labels import label_rows
from skcoldstart.audio._extractor import AudioExtractor
from skcoldstart.audio._pooling import FramePooling


class PooledExtractor(AudioExtractor):
    """Base of extractors whose `pooling` is statistics over frames, or None."""

    _parameter_constraints: dict = {
        **AudioExtractor._parameter_constraints,
        "pooling": ["array-like", None],
    }

    pooling: Iterable[str] | None

    def transform(self, X: Any) -> Any:
        """Compute the row or frames of every item.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            Paths of audio files, or mono waveforms at the sampling rate of the
            analysis, as those of `MelSpectrogram`.

        Returns
        -------
        ndarray of shape (n_items, n_features), or frames of n_items
            One row per item, zeros if it could not be used. With ``pooling=None`` its
            frames, (n_frames_i, n_features).

        Raises
        ------
        AudioReadError
            If an item cannot be used and ``on_error="raise"``.
        ImportError
            If a package that the features need is not installed.
        ValueError
            If parameters contradict each other.
        """
        return self._pooled(super().transform(X), X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name for each column.

        Parameters
        ----------
        input_features : Ignored
            Present for API consistency.

        Returns
        -------
        ndarray of str
            Statistic and feature, such as "mean_rms0"; only the feature if
            ``pooling=None``.
        """
        names = self._frame_names()
        if self.pooling is None:
            return np.array(names, dtype=object)
        silence = np.zeros((1, 1, len(names)), np.float32)
        return FramePooling(self.pooling).fit(silence).get_feature_names_out(names)

    @property
    def _gives_rows(self) -> bool:
        return self.pooling is not None

    def _pooled(self, frames: Any, X: Any) -> Any:
        """Return the rows of items, or their frames if they are not pooled."""
        if self.pooling is None:
            return frames
        pooling = FramePooling(self.pooling).set_output(transform="default")
        return label_rows(pooling.fit_transform(frames), X, self)

    def _frame_names(self) -> list[str]:
        """Return a name for each feature of a frame."""
        raise NotImplementedError
