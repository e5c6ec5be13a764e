"""Frames of every library and tensors give what arrays give, in every function."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    PopularityRecommender,
    recommendation_scorer,
)
from skcoldstart.compose import ContentKNNRecommender
from skcoldstart.metrics import mean_auc, ranking_report
from skcoldstart.model_selection import (
    DoubleColdSplit,
    UserColdKFold,
    WarmupSplit,
    compare,
    content_leakage_check,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_importance,
    validation_curve,
    warmup_curve,
)

MODEL = ColdStartRecommender(Ridge(), WMF(3, random_state=0))


def named(values):
    return {f"c{i}": column for i, column in enumerate(np.asarray(values).T)}


CONTAINERS = {
    "pandas": lambda values: pd.DataFrame(named(values)),
    "polars": lambda values: pl.DataFrame(named(values)),
    "pyarrow": lambda values: pa.table(named(values)),
    "torch": torch.from_numpy,
}


def split_plays(splitter):
    def plays(X, y):
        return [part.toarray() for s in splitter.split(X, y) for part in s[2:]]

    return plays


HALF = {"train_sizes": [0.5]}
ONE_REG = {"param_name": "factorizer__reg", "param_range": [1.0]}
CALLS = {
    "cross_validate": lambda X, y: cross_validate(MODEL, X, y, cv=2)["test_auc"],
    "cross_val_score": lambda X, y: cross_val_score(MODEL, X, y, cv=2, scoring="mrr"),
    "learning_curve": lambda X, y: learning_curve(MODEL, X, y, cv=2, **HALF)[2],
    "validation_curve": lambda X, y: validation_curve(MODEL, X, y, cv=2, **ONE_REG)[1],
    "compare": lambda X, y: compare({"m": MODEL}, X, y, cv=2, n_resamples=9)["auc"],
    "warmup_curve": lambda X, y: warmup_curve(
        MODEL, X, y, cv=2, n_plays=[0, 2], n_resamples=9
    )["mean"],
    "permutation_importance": lambda X, y: (
        permutation_importance(
            MODEL.fit(X, y), X, y, random_state=0, scoring="auc"
        ).importances
    ),
    "content_leakage_check": lambda X, y: content_leakage_check(X, y, cv=2),
    "scorer": lambda X, y: [*recommendation_scorer(MODEL.fit(X, y), X, y).values()],
    "kNN": lambda X, y: ContentKNNRecommender(3).fit(X, y).predict(X),
    "profile": lambda X, y: ContentProfileRecommender().fit(X, y).predict(X),
    "popularity": lambda X, y: PopularityRecommender().fit(X, y).predict(X),
    "WarmupSplit": split_plays(WarmupSplit(1, cv=2)),
    "UserColdKFold": split_plays(UserColdKFold(2)),
    "DoubleColdSplit": split_plays(DoubleColdSplit(2)),
    "metric": lambda X, y: mean_auc(y, X, exclude=0 * np.asarray(y)),
    "report": lambda X, y: [*ranking_report(y, X).values()],
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize(("name", "call"), CALLS.items(), ids=CALLS)
def test_containers_give_what_arrays_give(name, call, container, rng):
    X, y = rng.normal(size=(40, 4)), rng.poisson(0.8, size=(40, 12)).astype(float)
    if name in {"metric", "report"}:
        X = rng.normal(size=y.shape)
    X[3] = X[30]
    expected = np.asarray(call(X, y), float)
    inputs = (container(X), y), (X, container(y)), (container(X), container(y))
    for data in inputs:
        assert_allclose(np.asarray(call(*data), float), expected, rtol=1e-12)
