"""Cross-validation with sparse plays."""

from skcoldstart.model_selection._validation import cross_val_score, cross_validate

__all__ = ["cross_val_score", "cross_validate"]
