"""Base of extractors of mel bands: framing, bands and warnings about them."""

from numbers import Integral, Real
from typing import Any, Self

from skcoldstart._utils.sk import Interval
from skcoldstart._utils.warning import warn
from skcoldstart.audio._extractor import AudioExtractor
from skcoldstart.audio._spectrum import MelBands


class MelExtractor(AudioExtractor, auto_wrap_output_keys=None):
    """Base of extractors of mel bands and of features computed from them."""

    _parameter_constraints: dict = {
        **AudioExtractor._parameter_constraints,
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
    }

    n_fft: int
    hop_length: int
    n_mels: int
    fmin: float
    fmax: float | None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters. Nothing is learned from the data.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            Not used.
        y : Ignored
            Present for API consistency.

        Returns
        -------
        self
            The extractor itself.
        """
        super().fit(X, y)
        empty = self._mel_bands().empty_bands()
        if len(empty):
            warn(
                f"{len(empty)} of {self.n_mels} mel bands hold no frequency bin (band "
                f"{empty[0]} is the first) and will be constant. Decrease n_mels, "
                f"increase fmin or use a longer n_fft."
            )
        return self

    def _mel_bands(self) -> MelBands:
        nyquist = self.sr / 2
        fmax = nyquist if self.fmax is None else self.fmax
        if not self.fmin < fmax <= nyquist:
            raise ValueError(
                f"fmin={self.fmin:g} and fmax={fmax:g} Hz do not fit a sampling rate "
                f"of {self.sr:g} Hz; expected fmin < fmax <= sr / 2 = {nyquist:g}."
            )
        return MelBands(
            float(self.sr),
            int(self.n_fft),
            int(self.hop_length),
            int(self.n_mels),
            float(self.fmin),
            float(fmax),
        )
