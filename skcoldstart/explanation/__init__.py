"""Explanations: contributions that sum to a score; diversity and exposure."""

from skcoldstart.explanation._explain import explain
from skcoldstart.explanation._variety import diversify, exposure_report

__all__ = ["diversify", "explain", "exposure_report"]
