"""Ranking metrics and scorers."""

from skcoldstart._scores.sources import CallableScores, LowRankScores
from skcoldstart.metrics._lists import coverage, novelty, popularity_bias
from skcoldstart.metrics._ranking import (
    hit_rate,
    mean_auc,
    mean_average_precision_at_k,
    mrr,
    ndcg,
    precision,
    ranking_report,
    recall,
)
from skcoldstart.metrics._scorer import (
    make_recommendation_scorer,
    recommendation_scorer,
)
from skcoldstart.metrics._strata import stratified_report
from skcoldstart.metrics._uncertainty import bootstrap_interval, compare_paired

__all__ = [
    "CallableScores",
    "LowRankScores",
    "bootstrap_interval",
    "compare_paired",
    "coverage",
    "hit_rate",
    "make_recommendation_scorer",
    "mean_auc",
    "mean_average_precision_at_k",
    "mrr",
    "ndcg",
    "novelty",
    "popularity_bias",
    "precision",
    "ranking_report",
    "recall",
    "recommendation_scorer",
    "stratified_report",
]
