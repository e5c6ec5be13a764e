"""Waveform to frames: reading, mel spectrograms and MFCC."""

from skcoldstart.audio._mel import MelSpectrogram
from skcoldstart.audio._mfcc import MFCCExtractor
from skcoldstart.audio._reading import AudioReadError

__all__ = ["AudioReadError", "MFCCExtractor", "MelSpectrogram"]
