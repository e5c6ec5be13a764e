"""Cross-validation with sparse plays, splits for cold start, and comparisons."""

from skcoldstart.model_selection._compare import compare
from skcoldstart.model_selection._importance import permutation_importance
from skcoldstart.model_selection._leakage import content_leakage_check
from skcoldstart.model_selection._releases import release_curve
from skcoldstart.model_selection._split import ArtistHistorySplit, ReleaseDateSplit
from skcoldstart.model_selection._split_plays import (
    DoubleColdSplit,
    UserColdKFold,
    WarmupSplit,
)
from skcoldstart.model_selection._validation import (
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from skcoldstart.model_selection._warmup import warmup_curve

__all__ = [
    "ArtistHistorySplit",
    "DoubleColdSplit",
    "ReleaseDateSplit",
    "UserColdKFold",
    "WarmupSplit",
    "compare",
    "content_leakage_check",
    "cross_val_score",
    "cross_validate",
    "learning_curve",
    "permutation_importance",
    "release_curve",
    "validation_curve",
    "warmup_curve",
]
