"""Sound to frames and rows: reading, spectrograms, MFCC, pretrained networks."""

from skcoldstart.audio._embedding import AudioEmbedding
from skcoldstart.audio._errors import AudioReadError
from skcoldstart.audio._mel import MelSpectrogram
from skcoldstart.audio._mfcc import MFCCExtractor
from skcoldstart.audio._pooling import FramePooling
from skcoldstart.audio._runs import ItemError
from skcoldstart.audio._tuning import MusicNNArchitecture

__all__ = [
    "AudioEmbedding",
    "AudioReadError",
    "FramePooling",
    "ItemError",
    "MFCCExtractor",
    "MelSpectrogram",
    "MusicNNArchitecture",
]
