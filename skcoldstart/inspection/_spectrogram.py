"""Spectrograms and MFCC of an item."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array

from skcoldstart._sequences.checks import check_item_sequence
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.missing import name_missing_content
from skcoldstart.inspection._style import several_axes

TICKS_HZ = (500, 1000, 2000, 4000, 8000, 16000)


@documented()
@dataclass(repr=False, eq=False)
class SpectrogramDisplay:
    """Draw the frames of one item: time to the right, frequency upwards.

    Use `from_estimator` to make one from an extractor and a file or waveform.

    .. versionadded:: 0.1

    Parameters
    ----------
    frames : array-like of shape (n_frames, n_features)
        Mel bands or coefficients of one item, in time.
    frame_s : float, default=None
        Time from one frame to the next, in seconds; ``None`` counts frames.
    frequencies : array-like of shape (n_features,), default=None
        Centre of each band, in Hz; ``None`` numbers the features.
    unit : str, default="value"
        Label of the colour scale.
    blocks : mapping of str to int, default=None
        Instead of frequencies: names of groups of features and how many each has, from
        the first feature on. Groups are then equally high, and each feature is drawn in
        its own standard deviations.

    Attributes
    ----------
    <axes and figure>
    image_ : matplotlib AxesImage
        The frames.

    See Also
    --------
    skcoldstart.MelSpectrogram : Computes mel bands.
    skcoldstart.MFCCExtractor : Computes coefficients.
    skcoldstart.LibrosaFeatures : Computes chroma, tempogram and others.

    Notes
    -----
    For the axes of librosa, such as names of notes: ``librosa.display.specshow(
    display.frames.T, x_axis="time", y_axis="chroma", sr=22050, hop_length=512)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import MelSpectrogram
    >>> from skcoldstart.inspection import SpectrogramDisplay
    >>> tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> display = SpectrogramDisplay.from_estimator(MelSpectrogram(), tone)
    >>> loudest = display.frames.mean(axis=0).argmax()
    >>> bool(abs(display.frequencies[loudest] - 1000) < 30)
    True
    """

    frames: Any
    _: KW_ONLY
    frame_s: float | None = None
    frequencies: Any = None
    unit: str = "value"
    blocks: Mapping[str, int] | None = None

    @classmethod
    def from_estimator(cls, estimator: Any, item: Any) -> "SpectrogramDisplay":
        """Extract the frames of one item.

        Parameters
        ----------
        estimator : MelSpectrogram, MFCCExtractor or another extractor of frames
            Fitted or not; it learns nothing from data.
        item : str, PathLike or ndarray of shape (n_samples,)
            One file, or one mono waveform at the extractor's ``sr``.

        Returns
        -------
        SpectrogramDisplay
            Not yet drawn. Bands of a `MelSpectrogram` have frequencies. Features of
            other extractors have the names of their groups, such as "tonnetz".

        Raises
        ------
        ValueError
            If `item` is not one item, or the estimator has `pooling`, which leaves no
            frames.
        AudioReadError
            If it cannot be read.
        """
        if not isinstance(item, (str, bytes, os.PathLike)):
            check_item_sequence(item, input_name="item")
            if np.ndim(item) != 1:
                raise ValueError(
                    f"item has shape {np.shape(item)}; expected one path or one mono "
                    "waveform of shape (n_samples,)."
                )
            if isinstance(item[0], (str, bytes, os.PathLike)):
                raise ValueError(
                    f"item is a sequence of {len(item)} paths; pass one of them."
                )
        frames = np.asarray(estimator.fit([item]).transform([item])[0])
        if frames.ndim != 2:
            raise ValueError(
                f"{type(estimator).__name__} has pooling, which leaves one row of an "
                "item; set pooling=None to draw its frames."
            )
        hop, sr = (getattr(estimator, name, None) for name in ("hop_length", "sr"))
        frame_s = hop / sr if hop and sr else None
        if hasattr(estimator, "n_mfcc"):
            orders = ("MFCC", "differences", "second differences")
            blocks = dict.fromkeys(orders[: 1 + estimator.n_deltas], estimator.n_mfcc)
            return cls(frames, frame_s=frame_s, blocks=blocks)
        if not hasattr(estimator, "band_frequencies"):
            names = estimator.get_feature_names_out()
            blocks = Counter(name.rstrip("0123456789") for name in names)
            return cls(frames, frame_s=frame_s, blocks=blocks)
        units = {
            "log": f"log(1 + {getattr(estimator, 'log_scale', 1):g} · power)",
            "db": "power (dB)",
            None: "power",
        }
        return cls(
            frames,
            frame_s=frame_s,
            frequencies=estimator.band_frequencies(),
            unit=units[estimator.compression],
        )

    def plot(
        self, ax: Any = None, *, cmap: str | None = None, colorbar: bool = True
    ) -> "SpectrogramDisplay":
        """Draw the frames.

        Parameters
        ----------
        <ax>
        cmap : str, default=None
            Colour map; ``None`` means "magma", or "RdBu_r" around 0 if there are
            `blocks`. Both are suitable for colour-blind readers.
        colorbar : bool, default=True
            Whether to draw the scale of colours.

        <drawn>

        Raises
        ------
        ValueError
            If there are no frames, or `frequencies` or `blocks` are not one per
            feature.
        """
        with name_missing_content(self.frames):
            frames = check_array(
                np.asarray(self.frames, np.float32), input_name="frames"
            )
        n_frames, n_features = frames.shape
        counts = {}
        if self.frequencies is not None:
            counts["frequencies"] = len(self.frequencies)
        if self.blocks is not None:
            counts["blocks"] = sum(self.blocks.values())
        for name, count in counts.items():
            if count != n_features:
                raise ValueError(
                    f"{name} counts {count} features but frames have {n_features}; "
                    "expected one for each."
                )
        (ax,) = several_axes(ax, 1, figsize=(7, 3))
        self.ax_, self.figure_ = ax, ax.figure
        limits = {}
        if self.blocks is not None:
            spread = frames.std(axis=0)
            frames = (frames - frames.mean(axis=0)) / np.where(spread > 0, spread, 1)
            frames = frames[:, _rows_of_equal_blocks([*self.blocks.values()])]
            limits = {"vmin": -3, "vmax": 3}
        step = 1.0 if self.frame_s is None else self.frame_s
        self.image_ = ax.imshow(
            frames.T,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            # Frame t is centred on t * step.
            extent=(-0.5 * step, (n_frames - 0.5) * step, -0.5, frames.shape[1] - 0.5),
            cmap=cmap or ("magma" if self.blocks is None else "RdBu_r"),
            **limits,
        )
        ax.set_xlabel("frame" if self.frame_s is None else "time (s)")
        if self.frequencies is not None:
            _mark_frequencies(ax, np.asarray(self.frequencies, float))
        elif self.blocks is not None:
            _mark_blocks(ax, self.blocks)
        else:
            ax.set_ylabel("feature")
        if colorbar:
            label = self.unit if self.blocks is None else "standard deviations"
            self.figure_.colorbar(self.image_, ax=ax, label=label, pad=0.02)
        return self


def _mark_frequencies(axes: Any, frequencies: np.ndarray) -> None:
    shown = [hz for hz in TICKS_HZ if frequencies[0] <= hz <= frequencies[-1]]
    axes.set_yticks(
        np.interp(shown, frequencies, np.arange(len(frequencies))),
        [f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}" for hz in shown],
    )
    axes.set_ylabel("frequency (Hz)")


def _rows_of_equal_blocks(sizes: list[int]) -> np.ndarray:
    """Return which feature each row shows; small blocks show theirs several times."""
    height, starts = max(sizes), np.cumsum([0, *sizes[:-1]])
    rows = np.arange(height)
    return np.concatenate([
        start + rows * size // height for start, size in zip(starts, sizes, strict=True)
    ])


def _mark_blocks(axes: Any, blocks: Mapping[str, int]) -> None:
    height = max(blocks.values())
    starts = height * np.arange(len(blocks))
    axes.set_yticks(
        starts + height / 2 - 0.5,
        [name.replace(" ", "\n") for name in blocks],
        fontsize=9,
    )
    axes.tick_params(axis="y", length=0)
    for start in starts[1:]:
        axes.axhline(start - 0.5, color="black", linewidth=0.8)
