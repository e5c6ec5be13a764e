"""The demonstration: from audio files and play counts to ranked listeners."""

from skcoldstart._demonstration._demonstrate import demonstrate
from skcoldstart._demonstration._experiment import (
    DemonstrationError,
    cutoff,
    hold_out,
    notes,
    score_models,
    table,
)

__all__ = [
    "DemonstrationError",
    "cutoff",
    "demonstrate",
    "hold_out",
    "notes",
    "score_models",
    "table",
]
