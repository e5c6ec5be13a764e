"""The classes that a file may name; nothing is imported by a name from a file."""

from functools import cache

__all__ = ["known_classes"]


@cache
def known_classes() -> dict[str, type]:
    """Return the estimators that can be saved and loaded, by name."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.decomposition import NMF, PCA, IncrementalPCA, TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.kernel_approximation import Nystroem, RBFSampler
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import (
        ElasticNet,
        Lasso,
        LinearRegression,
        MultiTaskElasticNet,
        MultiTaskLasso,
        Ridge,
        RidgeCV,
    )
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import (
        MaxAbsScaler,
        MinMaxScaler,
        Normalizer,
        PolynomialFeatures,
        PowerTransformer,
        QuantileTransformer,
        RobustScaler,
        StandardScaler,
    )
    from sklearn.random_projection import (
        GaussianRandomProjection,
        SparseRandomProjection,
    )

    from skcoldstart.audio import MelSpectrogram, MFCCExtractor
    from skcoldstart.codebook import BagOfWords, VectorQuantizer
    from skcoldstart.compose import (
        ColdStartRecommender,
        ContentKNNRecommender,
        ContentProfileRecommender,
        OracleRecommender,
        PopularityRecommender,
        RandomRecommender,
    )
    from skcoldstart.factorization import WMF
    from skcoldstart.neural import CNNFactorRegressor
    from skcoldstart.similarity import MLRSimilarity

    classes = [
        *(MelSpectrogram, MFCCExtractor, BagOfWords, VectorQuantizer, WMF),
        CNNFactorRegressor,
        *(ColdStartRecommender, ContentKNNRecommender, ContentProfileRecommender),
        *(MLRSimilarity, OracleRecommender, PopularityRecommender, RandomRecommender),
        *(TransformedTargetRegressor, NMF, PCA, IncrementalPCA, TruncatedSVD),
        *(TfidfTransformer, VarianceThreshold, SimpleImputer, Nystroem, RBFSampler),
        *(KernelRidge, ElasticNet, Lasso, LinearRegression, MultiTaskElasticNet),
        *(MultiTaskLasso, Ridge, RidgeCV, MultiOutputRegressor, MLPRegressor),
        *(FeatureUnion, Pipeline, MaxAbsScaler, MinMaxScaler, Normalizer),
        *(PolynomialFeatures, PowerTransformer, QuantileTransformer, RobustScaler),
        *(StandardScaler, GaussianRandomProjection, SparseRandomProjection),
    ]
    return {cls.__name__: cls for cls in classes}
