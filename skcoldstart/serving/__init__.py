"""Ranked lists for people and machines."""

from skcoldstart._scores.recommendations import Listeners, Recommendations
from skcoldstart.serving._lists import listeners, recommend

__all__ = ["Listeners", "Recommendations", "listeners", "recommend"]
