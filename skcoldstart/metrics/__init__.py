"""Ranking metrics and scorers."""

from skcoldstart.metrics._at_k import hit_rate, mrr, ndcg, precision, recall
from skcoldstart.metrics._lists import coverage, novelty
from skcoldstart.metrics._ranking import (
    mean_auc,
    mean_average_precision_at_k,
    ranking_report,
)
from skcoldstart.metrics._scorer import (
    make_recommendation_scorer,
    recommendation_scorer,
)

__all__ = [
    "coverage",
    "hit_rate",
    "make_recommendation_scorer",
    "mean_auc",
    "mean_average_precision_at_k",
    "mrr",
    "ndcg",
    "novelty",
    "precision",
    "ranking_report",
    "recall",
    "recommendation_scorer",
]
