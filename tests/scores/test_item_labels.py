"""Rows: the same items in X, y, groups and exclude."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    ContentProfileRecommender,
    FactorTargetEncoder,
    MLRSimilarity,
    PopularityRecommender,
    RandomRecommender,
    explain,
    export,
    make_recommendation_scorer,
    make_recommender,
    recommend,
    recommendation_scorer,
)
from skcoldstart._scores.item_labels import check_same_items
from skcoldstart._scores.plays import labelled
from skcoldstart.compose import ContentKNNRecommender, ContentScaler
from skcoldstart.inspection import (
    FactorExtremesDisplay,
    SimilarItemsTable,
    TasteMapDisplay,
    TradeOffDisplay,
)
from skcoldstart.metrics import mean_auc, ranking_report, stratified_report
from skcoldstart.model_selection import (
    ArtistHistorySplit,
    DoubleColdSplit,
    ReleaseDateSplit,
    UserColdKFold,
    WarmupSplit,
    compare,
    content_leakage_check,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_importance,
    release_curve,
    validation_curve,
    warmup_curve,
)

N = 24
MODEL = PopularityRecommender()
WITH_FACTORS = ColdStartRecommender(factorizer=WMF(2, random_state=0))
FITS = {
    "ColdStart": clone(WITH_FACTORS).fit,
    "profile": ContentProfileRecommender().fit,
    "kNN": ContentKNNRecommender(3).fit,
    "popularity": PopularityRecommender().fit,
    "random": RandomRecommender(random_state=0).fit,
    "MLR": MLRSimilarity(diagonal=True, C=1e3).fit,
    "blend of pipelines": make_recommender("table").fit,
    "ContentScaler": ContentScaler().fit,
    "FactorTargetEncoder": FactorTargetEncoder(WMF(2, random_state=0)).fit,
    "ColdStartCV": ColdStartRecommenderCV((1.0,), n_components=(2,)).fit,
}


def fitted(X, y, model=MODEL):
    """Return a recommender that was fitted to rows without labels."""
    return clone(model).fit(X.to_numpy(), y.to_numpy())


def grouped(X, y):
    """Return a recommender that takes groups, behind a step that drops the index."""
    model = make_recommender("table", groups=True)
    return model.fit(X.to_numpy(), y.to_numpy(), groups=np.arange(N) // 3)


def groups_of(table):
    return pd.Series(np.arange(N) // 3, table.index)


def factors_of(y):
    return pd.DataFrame(np.ones((N, 2)), y.index)


CALLS = {
    **FITS,
    "score": lambda X, y: fitted(X, y).score(X, y),
    "scorer": lambda X, y: make_recommendation_scorer("auc")(fitted(X, y), X, y),
    "values per user": lambda X, y: recommendation_scorer.per_user(fitted(X, y), X, y),
    "recommend": lambda X, y: fitted(X, y).recommend(X, n=2, exclude=y),
    "refine_factors": lambda X, y: fitted(X, y, WITH_FACTORS).refine_factors(X, y),
    "groups of a blend": lambda X, y: make_recommender("table", groups=True).fit(
        X, y.to_numpy(), groups=groups_of(y)
    ),
    "groups to predict": lambda X, y: grouped(X, y).predict(X, groups=groups_of(y)),
    "groups of lists": lambda X, y: recommend(grouped(X, y), X, 2, groups=groups_of(y)),
    "factors of lists": lambda X, y: recommend(
        fitted(X, y, WITH_FACTORS), X, item_factors=factors_of(y)
    ),
    "factors to export": lambda X, y: export(
        fitted(X, y, WITH_FACTORS), "nowhere", X, item_factors=factors_of(y)
    ),
    "expected factors": lambda X, y: (
        WMF(2, random_state=0).fit(y).transform_with_prior(y, factors_of(X))
    ),
    "labels": lambda X, y: MLRSimilarity().fit(X, groups_of(y)),
    "rows of relevance": lambda X, y: MLRSimilarity().fit(
        X, relevance=pd.DataFrame(np.eye(N), y.index)
    ),
    "columns of relevance": lambda X, y: MLRSimilarity().fit(
        X, relevance=pd.DataFrame(np.eye(N), columns=y.index)
    ),
    "release_curve": lambda X, y: release_curve(
        fitted(X, y, WITH_FACTORS), X, y, n_rounds=2, n_shown=2
    ),
    "cross_validate": lambda X, y: cross_validate(MODEL, X, y),
    "cross_val_score": lambda X, y: cross_val_score(MODEL, X, y),
    "learning_curve": lambda X, y: learning_curve(MODEL, X, y),
    "validation_curve": lambda X, y: validation_curve(
        MODEL, X, y, param_name="weighting", param_range=["binary"]
    ),
    "compare": lambda X, y: compare({"a": MODEL}, X, y),
    "warmup_curve": lambda X, y: warmup_curve(MODEL, X, y, n_plays=[0], cv=2),
    "permutation_importance": lambda X, y: permutation_importance(fitted(X, y), X, y),
    "content_leakage_check": content_leakage_check,
    "WarmupSplit": lambda X, y: list(WarmupSplit().split(X, y)),
    "UserColdKFold": lambda X, y: list(UserColdKFold(2).split(X, y)),
    "DoubleColdSplit": lambda X, y: list(DoubleColdSplit(2).split(X, y)),
    "ReleaseDateSplit": lambda X, y: list(
        ReleaseDateSplit(2).split(X, groups=groups_of(y))
    ),
    "groups of cross_validate": lambda X, y: cross_validate(
        MODEL, X, y.to_numpy(), groups=groups_of(y), cv=GroupKFold(2)
    ),
    "metric": lambda X, y: mean_auc(y, pd.DataFrame(y.to_numpy(), X.index)),
    "report": lambda X, y: ranking_report(y, pd.DataFrame(y.to_numpy(), X.index)),
    "exclude of a metric": lambda X, y: mean_auc(
        pd.DataFrame(y.to_numpy(), X.index), y.to_numpy(), exclude=0 * y
    ),
    "ArtistHistorySplit": lambda X, y: list(
        ArtistHistorySplit(2).split(X, y, groups=groups_of(X))
    ),
    "names of explained songs": lambda X, y: explain(
        fitted(X, y, WITH_FACTORS), X[:1], [0], X_train=X, item_ids=groups_of(y)
    ),
    "plays of similar items": lambda X, y: SimilarItemsTable.from_estimator(
        fitted(X, y, WITH_FACTORS), X, y, queries=0
    ),
    "names of extremes": lambda X, y: FactorExtremesDisplay.from_estimator(
        fitted(X, y, WITH_FACTORS), X, names=groups_of(y)
    ),
    "labels of a map": lambda X, y: TasteMapDisplay.from_estimator(
        fitted(X, y, WITH_FACTORS), X, labels=groups_of(y)
    ),
    "plays of a trade-off": lambda X, y: TradeOffDisplay.from_estimator(
        *(WITH_FACTORS, X.to_numpy(), y.to_numpy()),
        **{"X_new": X, "y_new": y, "lever": "trade_off", "values": [0.5]},
    ),
    "strata": lambda X, y: stratified_report(
        y, y.to_numpy(), item_popularity=groups_of(X)
    ),
}
ORDERS = {
    "text": [f"song {i}" for i in range(N)],
    "numbers": list(range(100, 100 + N)),
    "default": range(N),
    "dates": pd.date_range("2012-01-01", periods=N),
    "pairs": pd.MultiIndex.from_product([["a", "b"], range(N // 2)]),
}


def frames(rng, labels):
    """Return content and plays of the same items, the plays in another order."""
    index = labels if isinstance(labels, pd.MultiIndex) else pd.Index(labels)
    X = pd.DataFrame(rng.normal(size=(N, 2)), index, columns=["tempo", "key"])
    y = pd.DataFrame(rng.poisson(2.0, size=(N, 9)), index)
    return X, y.iloc[rng.permutation(N)]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_items_in_another_order_are_refused_everywhere(call, rng):
    X, y = frames(rng, ORDERS["text"])
    with pytest.raises(ValueError, match=r"same items in another order: row \d+ is '"):
        call(X, y)


@pytest.mark.parametrize("labels", ORDERS.values(), ids=ORDERS)
def test_labels_of_every_type_are_compared(labels, rng):
    X, y = frames(rng, labels)
    message = r"same items in another order: row \d+ is .* in X and .* in plays"
    with pytest.raises(ValueError, match=message):
        check_same_items(X, y, input_name="plays")
    check_same_items(X, y.loc[X.index])
    check_same_items(X.to_numpy(), y)
    check_same_items(X, y.reset_index(drop=True).iloc[::1].set_axis(range(50, 50 + N)))


@pytest.mark.parametrize("call", FITS.values(), ids=FITS)
def test_rows_that_share_no_label_are_positions(call, rng):
    X, y = frames(rng, range(N))
    call(X.set_axis([f"song {i}" for i in range(N)]), y.reset_index(drop=True))
    selected = X.iloc[X.to_numpy()[:, 0].argsort()[: N // 2]]
    call(selected, y.iloc[: N // 2].reset_index(drop=True))


def test_folds_of_frames_with_numbered_rows_stay_positional(rng):
    X, y = frames(rng, range(N))
    selected = X.set_axis(np.sort(rng.choice(99, N, replace=False)))
    found = cross_validate(
        ContentProfileRecommender(), selected, y.reset_index(drop=True), cv=3
    )
    assert np.isfinite(found["test_auc"]).all()


def test_items_that_only_some_rows_share_are_refused(rng):
    X, y = frames(rng, ORDERS["text"])
    other = y.set_axis([*X.index[:-3], "x", "y", "z"])
    with pytest.raises(ValueError, match=r"share 21 of 24 items: row 21 is 'song 21'"):
        ContentProfileRecommender().fit(X, other)


def named_plays(y):
    """Return plays as `plays_from_events` does, with names of rows and columns."""
    users = np.array([f"user {i}" for i in range(y.shape[1])])
    return labelled(sp.csr_array(y.to_numpy()), users, np.asarray(y.index))


OF_PLAYS = {
    **{name: CALLS[name] for name in FITS},
    "exclude": lambda X, y: MODEL.fit(X.to_numpy(), y).recommend(X, n=2, exclude=y),
    "refine_factors": lambda X, y: (
        clone(WITH_FACTORS).fit(X.to_numpy(), y.toarray()).refine_factors(X, y)
    ),
    "score": lambda X, y: MODEL.fit(X.to_numpy(), y).score(X, y),
    "cross_validate": CALLS["cross_validate"],
    "WarmupSplit": CALLS["WarmupSplit"],
    "exclude of a metric": lambda X, y: mean_auc(
        pd.DataFrame(y.toarray(), X.index), y.toarray(), exclude=y
    ),
}


@pytest.mark.parametrize("call", OF_PLAYS.values(), ids=OF_PLAYS)
def test_plays_with_names_in_another_order_are_refused(call, rng):
    X, y = frames(rng, ORDERS["text"])
    with pytest.raises(ValueError, match=r"same items in another order: row \d+ is '"):
        call(X, named_plays(y))


def test_plays_with_names_are_sorted_as_the_remedy_says(rng):
    X, y = frames(rng, ORDERS["text"])
    plays = named_plays(y)
    with pytest.raises(ValueError, match=r"Pass X.loc\[y.item_ids\], or give the ids"):
        check_same_items(X, plays)
    check_same_items(X.loc[plays.item_ids], plays)
    check_same_items(X.reset_index(drop=True), plays)
    chosen = np.flatnonzero(rng.random(N) > 0.5)
    check_same_items(X.loc[plays.item_ids].iloc[chosen], plays[chosen])


@pytest.mark.parametrize("library", [pl.DataFrame, pd.DataFrame])
def test_a_column_of_ids_names_the_rows_for_plays_with_names(library, rng):
    X, y = frames(rng, ORDERS["text"])
    table = library({"item_id": list(X.index), "tempo": X.tempo.to_numpy()})
    with pytest.raises(ValueError, match="in another order: row"):
        check_same_items(table, named_plays(y))
    check_same_items(table, named_plays(y.loc[X.index]))


def test_numbered_plays_next_to_a_default_index_are_positions(rng):
    X, y = frames(rng, range(N))
    check_same_items(X, named_plays(y))  # the index of X counts
    with pytest.raises(ValueError, match="another order: row"):
        check_same_items(X.iloc[::-1], named_plays(y.loc[range(N)]))


def test_names_of_items_that_differ_from_those_of_plays_are_refused(rng):
    X, y = frames(rng, ORDERS["text"])
    for model in (FITS["ColdStart"], make_recommender().fit):
        with pytest.raises(ValueError, match="item_ids differ from the names"):
            model(X.to_numpy(), named_plays(y), item_ids=list(y.index[::-1]))
