"""Why an item is recommended: contributions that add up to its score."""

from skcoldstart.explanation._explain import explain
from skcoldstart.explanation._variety import diversify, exposure_report

__all__ = ["diversify", "explain", "exposure_report"]
