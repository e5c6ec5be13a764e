"""Sound to frames and rows: reading, spectrograms, MFCC, pretrained networks."""

from skcoldstart.audio._embedding import AudioEmbedding
from skcoldstart.audio._items import AudioReadError
from skcoldstart.audio._librosa import LibrosaFeatures
from skcoldstart.audio._mel import MelSpectrogram, MFCCExtractor
from skcoldstart.audio._musicnn import MusicNNArchitecture
from skcoldstart.audio._pooling import FramePooling
from skcoldstart.audio._runs import ItemError
from skcoldstart.audio._union import AudioUnion

__all__ = [
    "AudioEmbedding",
    "AudioReadError",
    "AudioUnion",
    "FramePooling",
    "ItemError",
    "LibrosaFeatures",
    "MFCCExtractor",
    "MelSpectrogram",
    "MusicNNArchitecture",
]
