"""Missing and hidden values: one rule for every container."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    AudioUnion,
    BagOfWords,
    CNNFactorRegressor,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    ContentProfileRecommender,
    ContrastiveEncoder,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    PopularityRecommender,
    RaggedArray,
    RandomRecommender,
    VectorQuantizer,
    build_index,
    diversify,
    explain,
    listeners,
    make_recommender,
    recommend,
    recommendation_scorer,
)
from skcoldstart._utils.missing import is_missing
from skcoldstart.compose import ContentKNNRecommender, ContentScaler, KernelFeatures
from skcoldstart.metrics import (
    bootstrap_interval,
    compare_paired,
    mean_auc,
    novelty,
    stratified_report,
)
from skcoldstart.model_selection import (
    DoubleColdSplit,
    WarmupSplit,
    compare,
    content_leakage_check,
    cross_validate,
    learning_curve,
    validation_curve,
    warmup_curve,
)

NAMES = ["a", None, "b", "a", "b", "c"]
COLUMNS = {
    "list": NAMES,
    "list with NaN": ["a", np.nan, "b", "a", "b", "c"],
    "array": np.array(NAMES, object),
    "object": pd.Series(NAMES, dtype=object),
    "string": pd.Series(NAMES, dtype="string"),
    "default": pd.Series(NAMES),
    "categorical": pd.Series(NAMES, dtype="category"),
    "arrow": pd.Series(NAMES, dtype=pd.ArrowDtype(pa.string())),
    "numbers": pd.Series([1, None, 2, 1, 2, 3], dtype="Int64"),
    "floats": pd.Series([1, None, 2, 1, 2, 3]),
    "days": pd.Series(pd.to_datetime(["2012-01-01", None, *["2012-01-02"] * 4])),
    "polars": pl.Series(NAMES),
    "pyarrow": pa.array(NAMES),
    "masked": np.ma.array(list("abcabc"), mask=[0, 1, 0, 0, 0, 0]),
}
Y = np.random.default_rng(0).poisson(0.8, (6, 5)) + np.eye(6, 5)
X = np.arange(12.0).reshape(6, 2)
MODEL = PopularityRecommender(on=lambda X: np.arange(len(X)) % 2)
GROUPED = {
    "cross_validate": lambda g: cross_validate(MODEL, X, Y, groups=g, cv=GroupKFold(2)),
    "learning_curve": lambda g: learning_curve(MODEL, X, Y, groups=g, cv=GroupKFold(2)),
    "validation_curve": lambda g: validation_curve(
        *(MODEL, X, Y),
        param_name="weighting",
        param_range=["log"],
        groups=g,
        cv=GroupKFold(2),
    ),
    "compare": lambda g: compare({"m": MODEL}, X, Y, groups=g, cv=GroupKFold(2)),
    "warmup_curve": lambda g: warmup_curve(
        MODEL, X, Y, groups=g, cv=GroupKFold(2), n_plays=[0]
    ),
    "content_leakage_check": lambda g: content_leakage_check(X, Y, g),
    "split_groups": lambda g: content_leakage_check(
        X, Y, cv=GroupKFold(2), split_groups=g
    ),
    "DoubleColdSplit": lambda g: list(DoubleColdSplit(2).split(X, Y, g)),
    "WarmupSplit": lambda g: list(WarmupSplit(cv=GroupKFold(2)).split(X, Y, g)),
    "MLRSimilarity": lambda g: MLRSimilarity().fit(X, Y, groups=g),
    "PopularityRecommender": lambda g: PopularityRecommender(lambda X: g).fit(X, Y),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_missing_values_are_found_in_every_type(column):
    assert_array_equal(is_missing(column), np.arange(6) == 1)


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("call", GROUPED.values(), ids=GROUPED)
def test_missing_groups_are_refused_in_every_type(call, column):
    with pytest.raises(ValueError, match=r"groups|on returned") as refused:
        call(column)
    message = str(refused.value)
    assert "masked" in message or "1 of 6 items, the first in row 1" in message


@pytest.mark.parametrize("name", [n for n in COLUMNS if n not in {"polars", "masked"}])
def test_missing_artists_of_a_table_are_refused_in_every_type(name):
    songs = pd.DataFrame({"year": range(6), "artist": COLUMNS[name]})
    model = PopularityRecommender("artist")
    with pytest.raises(ValueError, match=r"Column 'artist' of X .* 1 of 6 items"):
        model.fit(songs, Y)
    model.fit(songs.assign(artist=list("abcabc")), Y)
    with pytest.raises(ValueError, match=r"Column 'artist' of X .* 1 of 6 items"):
        model.predict(songs)
    with pytest.raises(ValueError, match=r"Column 1 of X .* 1 of 6 items"):
        PopularityRecommender(1).fit(songs.to_numpy().tolist(), Y)


def hidden(values):
    """Return a masked array that hides one entry."""
    masked = np.ma.array(values)
    masked[0] = np.ma.masked
    return masked


PLAYS, VALUES, VECTORS = hidden(Y), hidden(np.arange(6.0)), hidden(np.ones((6, 2)))
FRAMES = [hidden(np.ones((3, 2))), np.ones((4, 2))]
NETWORK = {"window": 16, "hidden": (2,), "max_epochs": 1, "device": "cpu"}
RECOMMENDERS = {
    "ColdStart": ColdStartRecommender(Ridge(), WMF(2)),
    "ColdStartCV": ColdStartRecommenderCV((1.0,), n_components=(2,)),
    "profile": ContentProfileRecommender(),
    "kNN": ContentKNNRecommender(),
    "popularity": PopularityRecommender(),
    "blend": make_recommender("table"),
    "MLR": MLRSimilarity(n_relevant=1, diagonal=True, C=1e3),
    "Pipeline": make_pipeline(StandardScaler(), ContentProfileRecommender()),
}


def fitted(name):
    return clone(RECOMMENDERS[name]).fit(X, Y)


MASKED = {
    "WMF": lambda: WMF(2).fit(PLAYS),
    "WMF.transform": lambda: WMF(2).fit(Y).transform(PLAYS),
    "random": lambda: RandomRecommender().fit(X, PLAYS),
    "oracle": lambda: OracleRecommender(WMF(2)).fit(PLAYS),
    "score": lambda: fitted("popularity").score(X, PLAYS),
    "exclude": lambda: fitted("popularity").recommend(X, exclude=PLAYS),
    "scorer": lambda: recommendation_scorer.per_user(fitted("popularity"), X, PLAYS),
    "refine_factors": lambda: fitted("ColdStart").refine_factors(X, PLAYS),
    "metric": lambda: mean_auc(PLAYS, Y),
    "metric of hidden scores": lambda: mean_auc(Y, PLAYS),
    "metric without hidden pairs": lambda: mean_auc(0 * Y, Y, exclude=PLAYS),
    "strata": lambda: stratified_report(Y, Y, item_popularity=VALUES),
    "novelty": lambda: novelty(np.zeros((5, 1), int), PLAYS),
    "cross_validate": lambda: cross_validate(MODEL, X, PLAYS, cv=2),
    "times": lambda: list(WarmupSplit(cv=2).split(X, Y, times=hidden(Y + 5.0))),
    "interval": lambda: bootstrap_interval(VALUES),
    "paired": lambda: compare_paired(np.arange(6.0), VALUES),
    "item_factors": lambda: recommend(fitted("ColdStart"), X, 2, item_factors=VECTORS),
    "user_factors": lambda: recommend(
        fitted("ColdStart"), X, 2, user_factors=VECTORS[:5]
    ),
    "prior": lambda: WMF(2).fit(Y).transform_with_prior(Y, VECTORS),
    "factors": lambda: WMF(2).fit(Y).inverse_transform(VECTORS),
    "scaler": lambda: ContentScaler().fit(VECTORS, Y),
    "plays of scaler": lambda: ContentScaler().fit(X, PLAYS),
    "kernel": lambda: KernelFeatures(2).fit(X).transform(VECTORS),
    "relevance": lambda: MLRSimilarity().fit(X, relevance=hidden(np.eye(6))),
    "labels": lambda: MLRSimilarity().fit(X, hidden(np.arange(6) % 2)),
    "ragged": lambda: RaggedArray.from_sequence(FRAMES),
    "values": lambda: RaggedArray(VECTORS, [0, 6]),
    "pooling": lambda: FramePooling().fit(FRAMES),
    "quantizer": lambda: VectorQuantizer(2).fit(FRAMES),
    "3-D frames": lambda: VectorQuantizer(2).fit(hidden(np.ones((2, 3, 2)))),
    "codes": lambda: BagOfWords(4).fit([hidden(np.array([1, 2]))]),
    "waveform": lambda: MelSpectrogram().fit_transform([hidden(np.ones(3000))]),
    "waveform of a union": lambda: AudioUnion([("m", MFCCExtractor())]).fit_transform([
        hidden(np.ones(3000))
    ]),
    "network": lambda: CNNFactorRegressor(**NETWORK).fit(FRAMES, [1.0, 2]),
    "encoder": lambda: ContrastiveEncoder().fit(VECTORS, Y),
    "index": lambda: build_index(VECTORS, backend="exact"),
    "vectors": lambda: diversify([[0, 1]], [[2.0, 1.0]], VECTORS),
    "explanation": lambda: explain(fitted("profile"), VECTORS, [0]),
    "leakage": lambda: content_leakage_check(VECTORS, Y),
}


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_masked_items_and_plays_are_never_learned_from_or_scored(name):
    model = fitted(name)
    last = model[-1] if name == "Pipeline" else model
    for call in (
        lambda: recommend(model, VECTORS, 2),
        lambda: listeners(model, VECTORS, 2),
        lambda: last.predict(VECTORS),
        lambda: clone(last).fit(VECTORS, Y),
        lambda: clone(last).fit(X, PLAYS),
    ):
        with pytest.raises(ValueError, match="is a masked array with"):
            call()


@pytest.mark.parametrize("call", MASKED.values(), ids=MASKED)
def test_masked_entries_are_never_read_as_if_they_were_there(call):
    with pytest.raises(ValueError, match="is a masked array with"):
        call()


def test_masked_arrays_that_hide_nothing_are_arrays():
    assert_array_equal(
        WMF(2, random_state=0).fit(np.ma.array(Y)).item_factors_,
        WMF(2, random_state=0).fit(Y).item_factors_,
    )


SUMS = {
    "duplicates": sp.coo_array(([1e308] * 2, ([0, 0], [1, 1])), (6, 5)),
    "a column": np.full((6, 5), 1e308),
    "float32": np.full((6, 5), 3e38, np.float32),
}


@pytest.mark.parametrize("plays", SUMS.values(), ids=SUMS)
@pytest.mark.parametrize(
    "fit",
    [
        WMF(2).fit,
        lambda y: PopularityRecommender(weighting="count").fit(X, y),
        lambda y: ContentProfileRecommender(weighting="count").fit(X, y),
        lambda y: ContentKNNRecommender(play_weighting="count").fit(X, y),
        lambda y: mean_auc(y, Y),
    ],
)
def test_finite_counts_with_an_infinite_sum_are_refused(fit, plays):
    with pytest.raises(
        ValueError, match=r"add up to infinity|Input \w+ contains infinity"
    ):
        fit(plays)


@pytest.mark.parametrize(
    "model",
    [
        ColdStartRecommender(Ridge(), WMF(2, random_state=0)),
        ContentProfileRecommender(),
        ContentKNNRecommender(2),
        MLRSimilarity(n_relevant=1, diagonal=True, C=1e3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_missing_content_is_named_by_row_and_column(model):
    songs = pd.DataFrame(X, [f"song {i}" for i in range(6)], columns=["tempo", "key"])
    model.fit(songs, Y)
    songs.iloc[4, 1] = np.nan
    with pytest.raises(ValueError, match=r"in row 4 \(item 'song 4'\), column 'key'"):
        model.predict(songs)
    with pytest.raises(ValueError, match=r"NaN.*\n*.*in row 4, column 1"):
        model.fit(songs.to_numpy(), Y)
    infinite = sp.csr_array(np.nan_to_num(songs.to_numpy(), nan=np.inf))
    if not isinstance(model, MLRSimilarity):
        with pytest.raises(ValueError, match=r"in row 4, column 1"):
            model.fit(infinite, Y)


def test_missing_plays_are_named_by_row_and_user():
    plays = pd.DataFrame(Y, columns=list("abcde"))
    plays.iloc[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"in row 2 \(item 2\), column 'd'"):
        WMF(2).fit(plays)
