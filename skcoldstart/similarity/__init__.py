"""Content and plays to a metric: learning to rank similar items first."""

from skcoldstart.similarity._mlr import MLRSimilarity

__all__ = ["MLRSimilarity"]
