"""Learn a metric of content from plays: metric learning to rank."""

from skcoldstart.similarity._mlr import MLRSimilarity

__all__ = ["MLRSimilarity"]
