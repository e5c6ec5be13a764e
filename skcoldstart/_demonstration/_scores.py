"""Results of several recommenders on the same held-out songs, as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skcoldstart.metrics import bootstrap_interval, make_recommendation_scorer

PAPERS_K = 500
FEW = 100  # candidates, below which a mean average precision says little


@dataclass(frozen=True)
class SystemScore:
    """One row of the table: a metric's mean over users and its 95 % interval."""

    name: str
    map: float
    map_interval: tuple[float, float]
    auc: float
    auc_interval: tuple[float, float]


def cutoff(n_candidates: int) -> int:
    """Return K of mAP@K: a tenth of the candidates, at most the paper's 500."""
    return max(1, min(PAPERS_K, n_candidates // 10))


def notes(n_candidates: int, k: int, *, network: bool = False) -> list[str]:
    """Return notes for readers of the results."""
    found = []
    if k < PAPERS_K:
        found.append(
            f"mAP@{k} uses the first {k} of {n_candidates} candidates; the paper uses "
            f"{PAPERS_K} of about 46,000."
        )
    if n_candidates < FEW:
        found.append(
            f"{n_candidates} candidates are few, so mAP@{k} depends strongly on "
            f"single songs. Use the AUC and its interval instead."
        )
        if network:
            found.append(
                "A network needs more songs than this; the other systems need fewer."
            )
    return found


def score_models(
    models: Mapping[str, tuple[Any, Any]], plays: Any, k: int
) -> tuple[list[SystemScore], int]:
    """Score fitted recommenders, each on its own view of the same songs.

    Shapes: `plays` (n_items, n_users). Also return how many users have plays there.
    """
    scorer = make_recommendation_scorer({"map": f"map@{k}", "auc": "auc"})
    rows = []
    n_scored = 0
    for name, (model, X) in models.items():
        values = scorer.per_user(model, X, plays)
        by_metric = [np.asarray(values[key]) for key in ("map", "auc")]
        n_scored = int(np.count_nonzero(~np.isnan(by_metric[0])))
        (m, *m_interval), (a, *a_interval) = map(bootstrap_interval, by_metric)
        rows.append(SystemScore(name, m, tuple(m_interval), a, tuple(a_interval)))
    return rows, n_scored


def table(rows: Sequence[SystemScore], k: int) -> str:
    """Format the scores in the form of the paper's Table 2."""
    lines = [
        f"{'system':<24}{f'mAP@{k}':>9}  {'95 % interval':<18}{'AUC':>7}  "
        f"{'95 % interval':<18}",
        "-" * 78,
    ]
    for row in rows:
        lines.append(
            f"{row.name:<24}{row.map:>9.4f}  {_interval(row.map_interval):<18}"
            f"{row.auc:>7.4f}  {_interval(row.auc_interval):<18}"
        )
    return "\n".join(line.rstrip() for line in lines)


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.4f}, {bounds[1]:.4f}]"
