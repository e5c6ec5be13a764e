"""Waveform to frames: reading, mel spectrograms and MFCC."""

from skcoldstart.audio._errors import AudioReadError
from skcoldstart.audio._mel import MelSpectrogram
from skcoldstart.audio._mfcc import MFCCExtractor
from skcoldstart.audio._runs import ItemError

__all__ = ["AudioReadError", "ItemError", "MFCCExtractor", "MelSpectrogram"]
