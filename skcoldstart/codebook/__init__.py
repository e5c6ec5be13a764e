"""Frames to counts: vector quantization and bags of words."""

from skcoldstart.codebook._bow import BagOfWords
from skcoldstart.codebook._quantizer import VectorQuantizer

__all__ = ["BagOfWords", "VectorQuantizer"]
