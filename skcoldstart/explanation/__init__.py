"""Why an item is recommended: contributions that add up to its score."""

from skcoldstart.explanation._explain import explain

__all__ = ["explain"]
