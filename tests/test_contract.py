"""What every estimator promises, asked of each with the input that is natural to it.

The common checks (`test_common.py`) see tables of floats; here extractors read
waveforms, quantizers frames, bags codes, factorizers plays. What does not depend on the
input, such as parameters and clones, is left to the common checks.
"""

import os
import pickle
import warnings
from dataclasses import dataclass

import joblib
import numba
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.estimator_checks import check_param_validation

from skcoldstart import (
    WMF,
    AudioEmbedding,
    AudioUnion,
    BagOfWords,
    BlendRecommender,
    CNNFactorRegressor,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    ContentKNNRecommender,
    ContentProfileRecommender,
    ContrastiveEncoder,
    FactorTargetEncoder,
    FramePooling,
    LibrosaFeatures,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    PopularityRecommender,
    RaggedArray,
    RandomRecommender,
    VectorQuantizer,
    recommendation_scorer,
)
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart.compose import (
    ContentScaler,
    KernelFeatures,
    KernelRegressor,
    SpectralEncoder,
)
from tests.adapters import public_estimators
from tests.stubs import loudness

N_ITEMS, N_USERS = 14, 9


@dataclass(frozen=True)
class Case:
    """An estimator and the kind of input it reads."""

    estimator: BaseEstimator
    content: str
    target: str = ""  # of fit, nothing where the estimator needs none

    @property
    def name(self):
        return type(self.estimator).__name__

    @property
    def transforms(self):
        return hasattr(self.estimator, "transform")

    @property
    def recommends(self):
        return hasattr(self.estimator, "recommend") and not self.transforms

    @property
    def tabular(self):
        wrapped = getattr(self.estimator, "_sklearn_auto_wrap_output_keys", ())
        return not self.transforms or "transform" in wrapped

    def data(self, seed=0):
        """Return X and y of N_ITEMS."""
        rng = np.random.default_rng(seed)
        X = _MAKERS[self.content](rng)
        return X, _MAKERS[self.target](rng) if self.target else None

    def fitted(self, seed=0):
        return clone(self.estimator).fit(*self.data(seed))

    def apply(self, estimator, X):
        """Return the transformed items or their scores."""
        return estimator.transform(X) if self.transforms else estimator.predict(X)


def _plays(rng):
    plays = rng.poisson(1.0, size=(N_ITEMS, N_USERS)).astype(np.float64)
    plays[np.arange(N_ITEMS), np.arange(N_ITEMS) % N_USERS] += 1.0
    return sp.csr_array(plays)


def _ragged(items):
    return RaggedArray.from_sequence(list(items))


_MAKERS = {
    "categories": lambda rng: rng.integers(0, 4, size=(N_ITEMS, 2)).astype(float),
    "codes": lambda rng: _ragged(
        rng.integers(0, 6, 3 + i % 4).astype(np.int32) for i in range(N_ITEMS)
    ),
    "factors": lambda rng: rng.normal(size=(N_ITEMS, 3)),
    "frames": lambda rng: _ragged(
        rng.normal(size=(2 + i % 4, 5)).astype(np.float32) for i in range(N_ITEMS)
    ),
    "plays": _plays,
    "table": lambda rng: rng.normal(size=(N_ITEMS, 4)),
    "waveforms": lambda rng: [
        rng.uniform(-0.5, 0.5, 600 + 50 * i).astype(np.float32) for i in range(N_ITEMS)
    ],
}


_SHORT = {"sr": 8000, "n_fft": 128, "hop_length": 64, "n_mels": 12}
_MFCC = MFCCExtractor(**_SHORT, n_mfcc=5)
# Run until it has converged: only then do factors fit their plays exactly.
_WMF = WMF(n_components=3, max_iter=500, tol=1e-9, dtype="float64", random_state=0)
CASES = [
    Case(MelSpectrogram(**_SHORT), "waveforms"),
    Case(_MFCC, "waveforms"),
    Case(AudioEmbedding(loudness, sr=8000, window=0.01), "waveforms"),
    Case(LibrosaFeatures("rms", sr=8000, n_fft=128, hop_length=64), "waveforms"),
    Case(
        AudioUnion([("a", MelSpectrogram(**_SHORT)), ("b", _MFCC)]),
        "waveforms",
    ),
    Case(FramePooling(), "frames"),
    Case(VectorQuantizer(4, random_state=0), "frames"),
    Case(BagOfWords(6), "codes"),
    Case(_WMF, "plays"),
    Case(ColdStartRecommender(Ridge(), _WMF), "table", "plays"),
    Case(ContentProfileRecommender(), "table", "plays"),
    Case(ContentScaler(random_state=0), "table"),
    Case(KernelFeatures(5, random_state=0), "table"),
    Case(KernelRegressor(gamma=0.1), "table", "factors"),
    Case(SpectralEncoder(3), "table", "plays"),
    Case(MLRSimilarity(n_relevant=3, random_state=0), "table", "plays"),
    Case(OracleRecommender(_WMF), "plays"),
    Case(PopularityRecommender(), "table", "plays"),
    Case(ContentKNNRecommender(5), "table", "plays"),
    Case(
        ColdStartRecommenderCV((1.0, 10.0), n_components=(3,), random_state=0),
        "table",
        "plays",
    ),
    Case(
        BlendRecommender([
            ("factors", ColdStartRecommender(Ridge(), _WMF)),
            ("profile", ContentProfileRecommender()),
        ]),
        "table",
        "plays",
    ),
    Case(RandomRecommender(5, random_state=0), "table", "plays"),
    Case(FactorTargetEncoder(_WMF), "categories", "plays"),
    Case(
        ContrastiveEncoder(
            3, hidden=(8,), max_epochs=2, validation_fraction=0, random_state=0
        ),
        "table",
        "plays",
    ),
    Case(
        CNNFactorRegressor(
            **{"architecture": "nips2013", "window": 24, "n_filters": (4, 4)},
            **{"hidden": (8,), "max_epochs": 2, "device": "cpu", "random_state": 0},
        ),
        "frames",
        "factors",
    ),
]

# Columns of these are named after statistics and features.
NAMED_BY_CONTENT = {"AudioEmbedding", "FactorTargetEncoder", "FramePooling"}

# In fit_transform these encode an item by others only, as TargetEncoder does.
CROSS_FITTED = {"FactorTargetEncoder"}


def cases(condition=lambda case: True):
    """Parametrise a test over the cases that meet a condition."""
    kept = [case for case in CASES if condition(case)]
    return pytest.mark.parametrize("case", kept, ids=[case.name for case in kept])


def _learns(case):
    return get_tags(case.estimator).requires_fit


def _ignores_position(case):
    return not get_tags(case.estimator).non_deterministic


def _checks_values(case):
    tags = get_tags(case.estimator)
    return not (tags.no_validation or tags.input_tags.allow_nan)


def _parts(result):
    """Return a result as arrays that can be compared one by one."""
    if isinstance(result, LazySequence):
        result = RaggedArray.from_sequence(result)
    if isinstance(result, RaggedArray):
        return [result.values, result.offsets]
    return [result.toarray() if sp.issparse(result) else np.asarray(result)]


def assert_same_bits(actual, expected):
    for a, b in zip(_parts(actual), _parts(expected), strict=True):
        assert a.dtype == b.dtype
        assert_array_equal(a, b)


def assert_close(actual, expected):
    # float32 sums in another order differ by a few units in the last place.
    for a, b in zip(_parts(actual), _parts(expected), strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def _lazily(items):
    return LazySequence(items.__getitem__, range(len(items)))


def _some(X, rows):
    return [X[i] for i in rows] if isinstance(X, list) else X[rows]


def _array_of(X):
    """Return the array that holds the items, or the first of them."""
    if isinstance(X, RaggedArray):
        return X.values
    if isinstance(X, list):
        return X[0]
    return X.data if sp.issparse(X) else X


def _first_item_spoiled(case, X):
    """Return a copy of X with NaN in its first item."""
    if case.content == "codes":
        return [np.full(3, np.nan), *list(X)[1:]]
    if sp.issparse(X):
        X = X.copy()
        X.data[0] = np.nan
        return X
    items = [np.array(item, dtype=float) for item in X]
    items[0].flat[0] = np.nan
    return np.stack(items) if case.content == "table" else items


def test_every_public_estimator_is_under_contract():
    assert {type(case.estimator) for case in CASES} == set(public_estimators())


@cases()
def test_fit_forgets_what_it_learned_before_and_gives_the_same_bits(case):
    X, _ = case.data()
    expected = case.apply(case.fitted(), X)
    assert expected.shape[0] == N_ITEMS
    refitted = case.fitted(seed=1).fit(*case.data())
    assert_same_bits(case.apply(refitted, X), expected)


@cases(_ignores_position)
def test_an_item_gets_the_same_result_alone_or_among_others_in_any_order(case):
    X, _ = case.data()
    estimator = case.fitted()
    everything = case.apply(estimator, X)
    for rows in ([3, 11, 0], [5], np.random.default_rng(0).permutation(N_ITEMS)):
        assert_close(case.apply(estimator, _some(X, rows)), everything[rows])


@cases(lambda case: case.content in {"waveforms", "frames", "codes"})
@pytest.mark.parametrize(
    "container",
    [
        *(list, tuple, RaggedArray.from_sequence, _lazily),
        lambda items: np.array([*items, None], dtype=object)[:-1],
    ],
    ids=["list", "tuple", "RaggedArray", "LazySequence", "object array"],
)
def test_the_container_of_the_items_does_not_matter(case, container):
    X, y = case.data()
    items = container(list(X))
    estimator = clone(case.estimator).fit(items, y)
    assert_same_bits(case.apply(estimator, items), case.apply(case.fitted(), X))


@cases(lambda case: case.transforms and case.name not in CROSS_FITTED)
def test_fit_transform_is_fit_then_transform(case):
    X, y = case.data()
    at_once = clone(case.estimator).fit_transform(X, y)
    assert_close(at_once, case.fitted().transform(X))


@cases()
def test_a_fitted_estimator_survives_joblib_and_pickle(case, tmp_path):
    X, _ = case.data()
    estimator = case.fitted()
    expected = case.apply(estimator, X)
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    for mmap_mode in (None, "r"):
        again = joblib.load(tmp_path / "estimator.joblib", mmap_mode=mmap_mode)
        assert_same_bits(case.apply(again, X), expected)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(estimator, protocol))
        assert_same_bits(case.apply(again, X), expected)


def _n_jobs_of(case):
    return [name for name in case.estimator.get_params() if name.endswith("n_jobs")]


def test_everything_that_works_in_parallel_is_compared():
    parallel = {case.name for case in CASES if _n_jobs_of(case)}
    expected = {"MelSpectrogram", "MFCCExtractor", "VectorQuantizer", "WMF"}
    assert parallel >= {*expected, "ColdStartRecommender"}


@cases(_n_jobs_of)
def test_results_are_the_same_bits_for_any_n_jobs(case):
    X, y = case.data()
    results = []
    for n_jobs in (1, 2, None):
        estimator = clone(case.estimator)
        estimator.set_params(**dict.fromkeys(_n_jobs_of(case), n_jobs))
        results.append(case.apply(estimator.fit(X, y), X))
    assert_same_bits(results[1], results[0])
    assert_same_bits(results[2], results[0])


@cases(
    lambda case: case.transforms and case.tabular and case.name not in NAMED_BY_CONTENT
)
def test_columns_are_named_after_the_class(case):
    X, _ = case.data()
    estimator = case.fitted()
    n_columns = estimator.transform(X).shape[1]
    expected = [f"{case.name.lower()}{i}" for i in range(n_columns)]
    assert_array_equal(estimator.get_feature_names_out(), expected)


@cases(_learns)
def test_nothing_is_predicted_before_fit(case):
    X, y = case.data()
    estimator = clone(case.estimator)
    calls = [lambda: case.apply(estimator, X)]
    if case.recommends:
        calls += [lambda: estimator.predict_factors(X), lambda: estimator.recommend(X)]
        calls += [lambda: estimator.score(X, y)]
    for call in calls:
        with pytest.raises(NotFittedError, match=case.name):
            call()


@cases(lambda case: not _learns(case))
def test_a_stateless_transformer_needs_no_fit(case):
    X, _ = case.data()
    assert_same_bits(clone(case.estimator).transform(X), case.fitted().transform(X))


@cases(_checks_values)
def test_nan_is_refused(case):
    X, y = case.data()
    spoiled = _first_item_spoiled(case, X)
    with pytest.raises(ValueError, match=r"(?i)nan|integer"):
        case.apply(case.fitted(), spoiled)
    if _learns(case):
        with pytest.raises(ValueError, match=r"(?i)nan|integer"):
            clone(case.estimator).fit(spoiled, y)


@cases(lambda case: case.target == "plays")
def test_nan_plays_are_refused(case):
    X, y = case.data()
    y.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        clone(case.estimator).fit(X, y)


@cases(lambda case: case.recommends)
def test_score_raises_where_a_scorer_gives_nan(case):
    X, _ = case.data()
    other_users = sp.csr_array(np.ones((N_ITEMS, N_USERS + 1)))
    estimator = case.fitted()
    with pytest.raises(ValueError, match=rf"{N_USERS + 1}\b"):
        estimator.score(X, other_users)
    with pytest.warns(UserWarning, match="could not be scored and is NaN"):
        scores = recommendation_scorer(estimator, X, other_users)
    assert np.isnan(list(scores.values())).all()


@cases()
def test_no_items_are_refused(case):
    X, y = case.data()
    message = r"(?i)\b(no|0|at least one|minimum)\b"
    with pytest.raises(ValueError, match=message):
        clone(case.estimator).fit(X[:0], None if y is None else y[:0])
    with pytest.raises(ValueError, match=message):
        case.apply(case.fitted(), X[:0])


@cases()
@pytest.mark.parametrize("path", ["song.wav", b"song.wav"])
def test_a_bare_path_is_refused(case, path):
    with pytest.raises((TypeError, ValueError)):
        clone(case.estimator).fit(path, case.data()[1])
    with pytest.raises((TypeError, ValueError)):
        case.apply(case.fitted(), path)


@cases()
def test_inputs_and_parameters_are_never_changed(case):
    X, y = case.data()
    estimator = clone(case.estimator)
    params = estimator.get_params(deep=True)
    before = joblib.hash((X, y)), joblib.hash(params)
    case.apply(estimator.fit(X, y), X)
    assert joblib.hash((X, y)) == before[0]
    after = estimator.get_params(deep=True)
    assert all(after[name] is value for name, value in params.items())
    assert joblib.hash(after) == before[1]


@cases()
def test_read_only_memory_maps_are_read_as_well(case, tmp_path):
    X, y = case.data()
    joblib.dump((X, y), tmp_path / "data.joblib")
    X_map, y_map = joblib.load(tmp_path / "data.joblib", mmap_mode="r")
    assert isinstance(_array_of(X_map), np.memmap)
    assert not _array_of(X_map).flags.writeable
    estimator = clone(case.estimator).fit(X_map, y_map)
    assert_same_bits(case.apply(estimator, X_map), case.apply(case.fitted(), X))


@cases()
def test_prediction_leaves_the_estimator_as_it_is(case):
    X, _ = case.data()
    estimator = case.fitted()
    before = joblib.hash(vars(estimator))
    case.apply(estimator, X)
    assert joblib.hash(vars(estimator)) == before


@cases()
def test_html_shows_fitted_and_unfitted_estimators(case):
    unfitted = estimator_html_repr(clone(case.estimator))
    fitted = estimator_html_repr(case.fitted())
    assert case.name in unfitted
    assert case.name in fitted
    if _learns(case):
        assert "Not fitted" in unfitted
        assert "Not fitted" not in fitted


@cases(lambda case: case.transforms)
@pytest.mark.parametrize("how", ["method", "pipeline", "global"])
def test_pandas_output_is_a_frame_or_left_alone(case, how):
    X, y = case.data()
    estimator = clone(case.estimator)
    model = make_pipeline(estimator) if how == "pipeline" else estimator
    output = None if how == "global" else "pandas"
    model.set_output(transform=output)
    with sklearn.config_context(transform_output="default" if output else "pandas"):
        result = model.fit(X, y).transform(X)
    if case.tabular:
        assert isinstance(result, pd.DataFrame)
        assert_array_equal(result.columns, estimator.get_feature_names_out())
        result = result.to_numpy()
    assert_same_bits(result, case.fitted().transform(X))


@cases()
def test_every_parameter_refuses_nonsense(case):
    check_param_validation(case.name, clone(case.estimator))


@cases(lambda case: not _learns(case))
def test_a_stateless_transformer_checks_its_parameters_in_transform(case):
    X, _ = case.data()
    for name in case.estimator.get_params(deep=False):
        spoiled = clone(case.estimator).set_params(**{name: object()})
        with pytest.raises(ValueError, match=f"'{name}' parameter of {case.name}"):
            spoiled.transform(X)


@cases()
def test_good_data_gives_no_warnings(case):
    X, y = case.data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        case.apply(clone(case.estimator).fit(X, y), X)


@cases()
def test_threads_can_share_an_estimator(case):
    X, _ = case.data()
    estimator = case.fitted()
    expected = case.apply(estimator, X)
    before = _global_state()
    results = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(case.apply)(estimator, X) for _ in range(12)
    )
    for result in results:
        assert_same_bits(result, expected)
    assert _global_state() == before


@pytest.fixture
def two_threads():
    """Allow what an estimator that works with one thread would have to put back."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield
    numba.set_num_threads(before)


@cases()
def test_global_state_is_left_as_it_was(case, two_threads):
    X, y = case.data()
    case.apply(case.fitted(), X)  # imports and thread pools are made once
    np.random.random()  # noqa: NPY002 - a seed set by the first fit would not show
    before = _global_state()
    estimator = clone(case.estimator)
    estimator.set_params(**dict.fromkeys(_n_jobs_of(case), 1)).fit(X, y)
    case.apply(estimator, X)
    if case.recommends:
        estimator.recommend(X, n=2)
        estimator.score(X, X if y is None else y)
    assert _global_state() == before


def _global_state():
    return {
        "numpy generator": joblib.hash(np.random.get_state()),  # noqa: NPY002
        "numpy errors": np.geterr(),
        "numba threads": numba.get_num_threads(),
        "thread pools": sorted(
            (pool["filepath"], pool["num_threads"])
            for pool in threadpoolctl.threadpool_info()
        ),
        "warning filters": list(warnings.filters),
        "scikit-learn": sklearn.get_config(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
    }
