"""scikit-learn's common checks, run for real on every public estimator.

Estimators of tables are checked as they are, the others behind the adapters.
"""

from unittest import SkipTest

import pytest
from sklearn.linear_model import Ridge
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)

from skcoldstart import (
    WMF,
    BlendRecommender,
    CNNFactorRegressor,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    ContentKNNRecommender,
    ContentProfileRecommender,
    FactorTargetEncoder,
    FramePooling,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    PopularityRecommender,
    RandomRecommender,
)
from skcoldstart.compose import ContentScaler, KernelFeatures, KernelRegressor
from tests import adapters
from tests.stubs import loudness

_SHORT_WINDOWS = {"sr": 64, "window": 0.25, "pooling": None}
_SHORT_CLIPS = {"n_fft": 32, "hop_length": 16, "n_mels": 8}
_SMALL_NET = {
    "n_filters": (8,),
    "hidden": (16,),
    "window": 4,
    "max_epochs": 25,
    "lr": 0.03,
    "validation_fraction": 0,
    "device": "cpu",
    "random_state": 0,
}
_FRAMING = {"sr": 8000, "n_fft": 32, "hop_length": 16}
_UNION = [
    ("mel", MelSpectrogram(**_SHORT_CLIPS)),
    ("mfcc", MFCCExtractor(**_SHORT_CLIPS, n_mfcc=4)),
]
_SMALL_ENCODER = {
    "n_components": 4,
    "hidden": (8,),
    "max_epochs": 2,
    "validation_fraction": 0,
    "device": "cpu",
    "random_state": 0,
}
_OF_FRAMES = {"architecture": "spotify2014", "window": 4, "n_filters": (8,)}
_WMF = WMF(n_components=2, max_iter=5, random_state=0)

# How many checks are executed on each; a tag that excuses an estimator shows here.
N_CHECKS = [
    (_WMF, 47),
    (ColdStartRecommender(Ridge(2.0), _WMF), 41),
    (ColdStartRecommender(), 41),
    (ContentKNNRecommender(3), 41),
    (
        BlendRecommender([
            ("factors", ColdStartRecommender(Ridge(2.0), _WMF)),
            ("neighbors", ContentKNNRecommender(3)),
        ]),
        41,
    ),
    (ContentProfileRecommender(), 41),
    (ColdStartRecommenderCV(n_components=(2,), random_state=0), 41),
    (PopularityRecommender(), 41),
    (ContentScaler(), 46),
    (KernelFeatures(5, random_state=0), 45),
    (KernelRegressor(), 47),
    (adapters.SpectralEncoderOfOneUser(3), 47),
    (adapters.OracleOfRows(_WMF), 41),
    (MLRSimilarity(random_state=0), 47),
    (adapters.MLROfPlays(n_relevant=3, random_state=0), 47),
    (RandomRecommender(), 30),
    (FramePooling(("mean", "std")), 45),
    (FactorTargetEncoder(), 46),
    (adapters.ContrastiveEncoderOfOneUser(**_SMALL_ENCODER), 47),
    (adapters.ContrastiveEncoderOfOneUser(**_SMALL_ENCODER, **_OF_FRAMES), 47),
    (adapters.AudioEmbeddingOfRows(loudness, **_SHORT_WINDOWS), 44),
    (adapters.LibrosaFeaturesOfRows(("rms", "spectral_centroid"), **_FRAMING), 44),
    (adapters.AudioUnionOfRows(_UNION), 44),
    (adapters.VectorQuantizerOfRows(3), 45),
    (adapters.BagOfWordsOfRows(adapters.N_CODEWORDS), 45),
    (adapters.BagOfWordsOfRows(weighting="tfidf"), 45),
    (adapters.MelSpectrogramOfRows(**_SHORT_CLIPS), 44),
    (adapters.MFCCExtractorOfRows(**_SHORT_CLIPS, n_mfcc=4), 44),
    (CNNFactorRegressor(**_SMALL_NET), 52),
    (adapters.CNNFactorRegressorOfRows(**_SMALL_NET), 52),
]
ESTIMATORS = [estimator for estimator, _ in N_CHECKS]


def expected_failures(estimator):
    """Return the checks that an estimator fails, each with its reason."""
    failures = {}
    if isinstance(estimator, ColdStartRecommender) and estimator.factorizer is None:
        failures["check_fit_idempotent"] = (
            "the default factorizer starts from factors drawn anew in each fit, as "
            "random_state=None says; the check has no way to seed it"
        )
    if isinstance(estimator, FactorTargetEncoder):
        failures |= dict.fromkeys(
            ["check_transformer_data_not_an_array", "check_transformer_general"],
            "fit_transform encodes items from other folds, transform from all items",
        )
    if isinstance(estimator, OracleRecommender):
        failures |= dict.fromkeys(
            ["check_estimator_sparse_array", "check_estimator_sparse_matrix"],
            "the check wants one column of predictions, as its y has one; an oracle "
            "predicts the columns of X",
        )
    return failures


def _name(check):
    """Return the name of a check, which may be wrapped in several partials."""
    return _name(check.func) if hasattr(check, "func") else check.__name__


def _expected_skips(estimator):
    """Return the checks that skip themselves on an estimator, rightly."""
    skips = {"check_array_api_input"}  # needs SCIPY_ARRAY_API=1 before SciPy's import
    if get_tags(estimator).non_deterministic:
        skips.add("check_pipeline_consistency")  # compares chance scores of two fits
    return skips


@parametrize_with_checks(
    ESTIMATORS, expected_failed_checks=expected_failures, xfail_strict=True
)
def test_scikit_learn_check(estimator, check):
    try:
        check(estimator)
    except SkipTest as reason:
        if _name(check) not in _expected_skips(estimator):
            pytest.fail(f"{_name(check)} was not executed: {reason}")
        raise


@pytest.mark.parametrize(
    ("estimator", "n_checks"),
    N_CHECKS,
    ids=[type(estimator).__name__ for estimator in ESTIMATORS],
)
def test_number_of_checks_that_are_executed(estimator, n_checks):
    names = [_name(check) for _, check in estimator_checks_generator(estimator)]
    executed = [name for name in names if name not in _expected_skips(estimator)]
    # Later versions of scikit-learn may check more, never less.
    assert len(executed) >= n_checks


def test_every_public_estimator_is_checked():
    checked = {type(estimator) for estimator in ESTIMATORS}
    for public in adapters.public_estimators():
        assert any(issubclass(c, public) for c in checked), f"{public} is not checked"
