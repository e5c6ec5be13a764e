"""Plays to factors: weighted matrix factorization of implicit feedback."""

from skcoldstart.factorization._target_encoder import FactorTargetEncoder
from skcoldstart.factorization._wmf import WMF

__all__ = ["WMF", "FactorTargetEncoder"]
