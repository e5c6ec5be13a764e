"""Contributions of the seconds of a song to its score."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.table import table_of
from skcoldstart.compose import score_over_time
from skcoldstart.inspection._spectrogram import SpectrogramDisplay
from skcoldstart.inspection._style import GREY, PALETTE, several_axes

SMOOTH_S = 1.0  # of the curve that is drawn
MOST_COLUMNS = 1500  # of a waveform


@documented()
@dataclass(repr=False, eq=False)
class MomentsDisplay:
    """Show which seconds of a song contribute to its score for some users.

    Use `from_estimator` to make one from a fitted recommender.

    .. versionadded:: 0.2

    Parameters
    ----------
    contributions : array-like of shape (n_frames,)
        Contribution of each frame to the score.
    base : float, default=0.0
        The score without sound.
    frame_s : float, default=None
        Time from frame to frame, in seconds; ``None`` counts frames.
    waveform : array-like of shape (n_samples,), default=None
        The sound, to draw it and its spectrogram.
    sr : float, default=None
        Its sampling rate, in Hz.
    frames : array-like of shape (n_frames, n_features), default=None
        Frames to draw if there is no waveform.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        From top to bottom, the score last, after `plot`.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    skcoldstart.compose.score_over_time : The contributions, for each user.
    SpectrogramDisplay : Only the frames.

    Notes
    -----
    The contributions of all frames and `base` sum exactly to the score. A network reads
    windows of some seconds, so its curve has steps of that length.

    Examples
    --------
    >>> from skcoldstart.inspection import MomentsDisplay
    >>> display = MomentsDisplay([0.0, 1.0, 3.0, 2.0, 0.0, 0.0], frame_s=1.0)
    >>> display.moments(n=1, length=2.0)
    [(2.0, 4.0, 5.0)]
    """

    contributions: Any
    _: KW_ONLY
    base: float = 0.0
    frame_s: float | None = None
    waveform: Any = None
    sr: float | None = None
    frames: Any = None

    @classmethod
    def from_estimator(cls, estimator: Any, item: Any, users: Any) -> "MomentsDisplay":
        """Split the mean score of some users over the frames of one item.

        Parameters
        ----------
        estimator : estimator
            A fitted recommender that `skcoldstart.compose.score_over_time` can split.
        item : path, waveform or frames
            One item, in the form that `estimator` takes.
        users : array-like
            Indices of users, their names, or a mask; at least one.

        <undrawn>

        Raises
        ------
        TypeError
            If the scores of the model are not sums over time.
        ValueError
            If there are no users, or unknown ones.
        """
        base, contributions, frame_s = score_over_time(estimator, item, users)
        if not len(base):
            raise ValueError("users is empty; expected at least one.")
        extractor = _extractor(estimator)
        waveform, sr, frames = None, None, None
        if extractor is not None:
            waveform, sr = extractor._waveform(item)
        elif np.ndim(item) == 2:
            frames = np.asarray(item)
        return cls(
            contributions.mean(axis=1),
            base=float(base.mean()),
            frame_s=frame_s,
            waveform=waveform,
            sr=sr,
            frames=frames,
        )

    def moments(
        self, n: int = 3, *, length: float = 5.0
    ) -> list[tuple[float, float, float]]:
        """Find the moments with the largest contributions to the score.

        Parameters
        ----------
        n : int, default=3
            Maximum number of moments. They do not overlap, and each contributes more
            than an average part of the song.
        length : float, default=5.0
            Length of each, in seconds; in frames if `frame_s` is None.

        Returns
        -------
        list of (start, end, contribution)
            Contributions are sums; the largest is first.

        Raises
        ------
        ValueError
            If `n` or `length` is not above 0.
        """
        if n < 1 or not length > 0:
            raise ValueError(f"n={n!r}, length={length!r}; expected numbers above 0.")
        values, step = np.asarray(self.contributions, np.float64), self._step
        width = min(max(1, round(length / step)), len(values))
        if not width:
            return []
        sums = np.convolve(values, np.ones(width), "valid")
        average = width * values.mean()
        found: list[tuple[float, float, float]] = []
        while len(found) < n:
            start = int(sums.argmax())
            if not (sums[start] > average or (not found and width == len(values))):
                break
            found.append((start * step, (start + width) * step, float(sums[start])))
            sums[max(0, start - width + 1) : start + width] = -np.inf
        return found

    @property
    def table(self) -> Any:
        """Each frame as a row: start, end, contribution.

        A DataFrame, or a dict of arrays where pandas is missing.
        """
        step = self._step
        return table_of([
            {"start": i * step, "end": (i + 1) * step, "contribution": float(value)}
            for i, value in enumerate(np.asarray(self.contributions))
        ])

    def plot(
        self, axes: Any = None, *, n: int = 3, length: float = 5.0
    ) -> "MomentsDisplay":
        """Draw waveform, spectrogram and score over time, and mark the best moments.

        Parameters
        ----------
        axes : array-like of matplotlib Axes, default=None
            Axes from top to bottom: three with a waveform, two with frames, one
            without. ``None`` creates a figure.
        n : int, default=3
            Number of moments to mark; see `moments`.
        length : float, default=5.0
            Length of each; see `moments`.

        <drawn>

        Raises
        ------
        ValueError
            If the number of `axes` is wrong, or there are no frames.
        """
        values = np.asarray(self.contributions, np.float64)
        if values.ndim != 1 or not len(values):
            raise ValueError(
                f"contributions has shape {values.shape}; expected one for each frame, "
                "and at least one."
            )
        heard = self._spectrogram()
        heights = [2.0, 1.6] if heard else [1.6]
        if self.waveform is not None:
            heights.insert(0, 1.0)
        self.axes_ = list(
            several_axes(
                axes,
                len(heights),
                nrows=len(heights),
                figsize=(8, 0.6 + 1.1 * sum(heights)),
                height_ratios=heights,
                sharex=True,
            )
        )
        self.figure_ = self.axes_[0].figure
        if self.waveform is not None:
            _draw_waveform(self.axes_[0], np.asarray(self.waveform), self.sr or 1)
        if heard:
            heard.plot(self.axes_[-2], colorbar=False)
            if self.waveform is None:  # frame i is drawn from i to i + 1, as the score
                left, right, *rows = heard.image_.get_extent()
                heard.image_.set_extent((0, right - left, *rows))
        _draw_score(self.axes_[-1], values, self._step, self.frame_s is not None)
        for rank, (first, last, _) in enumerate(self.moments(n, length=length), 1):
            for ax in self.axes_:
                if not ax.images:
                    ax.axvspan(first, last, color=PALETTE[4], alpha=0.3, linewidth=0)
                for edge in (first, last):
                    ax.axvline(edge, color=PALETTE[4], linewidth=1.2)
            self.axes_[0].annotate(
                str(rank),
                ((first + last) / 2, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontweight="bold",
            )
        for ax in self.axes_:
            ax.set_xlim(0, len(values) * self._step)
            ax.label_outer()
        total = self.base + values.sum()
        self.axes_[-1].set_title(
            f"score {total:.3g}, of which the sound adds {values.sum():.3g}",
            fontsize=9,
            loc="right",
        )
        return self

    @property
    def _step(self) -> float:
        return 1.0 if self.frame_s is None else self.frame_s

    def _spectrogram(self) -> SpectrogramDisplay | None:
        """Return what the song sounds like, if that is known."""
        if self.waveform is not None:
            from skcoldstart.audio import MelSpectrogram

            return SpectrogramDisplay.from_estimator(
                MelSpectrogram(sr=float(self.sr or 1)), np.asarray(self.waveform)
            )
        if self.frames is not None:
            return SpectrogramDisplay(self.frames, frame_s=self.frame_s)
        return None


def _extractor(estimator: Any) -> Any:
    """Return the first step that reads sound, if there is one."""
    if hasattr(estimator, "_waveform"):
        return estimator
    if isinstance(estimator, Pipeline):
        found = (_extractor(step) for _, step in estimator.steps)
        return next((step for step in found if step is not None), None)
    inner = getattr(
        estimator, "best_estimator_", getattr(estimator, "regressor_", None)
    )
    return None if inner is None else _extractor(inner)


def _draw_waveform(ax: Any, waveform: np.ndarray, sr: float) -> None:
    width = -(-len(waveform) // MOST_COLUMNS)
    starts = np.arange(0, len(waveform), width)
    low, high = (f.reduceat(waveform, starts) for f in (np.minimum, np.maximum))
    ax.fill_between((starts + width / 2) / sr, low, high, color=GREY, linewidth=0)
    ax.set(yticks=[], ylabel="sound")
    ax.spines[:].set_visible(False)


def _draw_score(ax: Any, values: np.ndarray, step: float, in_seconds: bool) -> None:
    """Draw the smoothed score over time, coloured if it is above its mean."""
    width = max(1, round(SMOOTH_S / step)) if in_seconds else 1
    weights = np.convolve(np.ones(len(values)), np.ones(width), "same")
    rates = np.convolve(values, np.ones(width), "same") / weights / step
    times = (np.arange(len(values)) + 0.5) * step
    mean = values.mean() / step
    ax.plot(times, rates, color=PALETTE[0], linewidth=1.4)
    ax.axhline(mean, color="0.5", linewidth=0.8, linestyle=(0, (2, 2)))
    for above, colour in ((True, PALETTE[0]), (False, GREY)):
        where = (rates >= mean) == above
        ax.fill_between(
            times, rates, mean, where=where, color=colour, alpha=0.3, linewidth=0
        )
    ax.set(
        xlabel="time (s)" if in_seconds else "frame",
        ylabel="score per second" if in_seconds else "score per frame",
    )
    ax.spines[["top", "right"]].set_visible(False)
