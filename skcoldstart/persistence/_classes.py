"""The fixed list of classes and functions that a file may name."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from skcoldstart._utils.sk import classes_inside_trees

# To save and load a new estimator, add its name to the line of its module. Its
# attributes must be plain data or of a class of this list; otherwise give the estimator
# `_plain_state() -> dict` and `_set_plain_state(dict)`. Unchecked assumptions of
# compiled code belong in _states.py.
_CLASSES = {
    "skcoldstart.audio": "AudioEmbedding AudioUnion FramePooling ItemError"
    " LibrosaFeatures MelSpectrogram MFCCExtractor MusicNNArchitecture",
    "skcoldstart.codebook": "BagOfWords VectorQuantizer",
    "skcoldstart.compose": "BlendRecommender ColdStartRecommender"
    " ColdStartRecommenderCV ContentKNNRecommender ContentProfileRecommender"
    " ContentScaler KernelFeatures KernelRegressor OracleRecommender"
    " PopularityRecommender RandomRecommender RegressorPerFactor SpectralEncoder"
    " WordCounter",
    "skcoldstart.factorization": "FactorTargetEncoder WMF",
    "skcoldstart.model_selection": "ArtistHistorySplit DoubleColdSplit"
    " ReleaseDateSplit UserColdKFold WarmupSplit",
    "skcoldstart.neural": "CNNFactorRegressor ContrastiveEncoder",
    "skcoldstart.similarity": "MLRSimilarity",
    "sklearn.compose": "ColumnTransformer TransformedTargetRegressor"
    " make_column_selector",
    "sklearn.cross_decomposition": "PLSRegression",
    "sklearn.decomposition": "IncrementalPCA NMF PCA TruncatedSVD",
    "sklearn.dummy": "DummyRegressor",
    "sklearn.ensemble": "ExtraTreesRegressor GradientBoostingRegressor"
    " HistGradientBoostingRegressor RandomForestRegressor StackingRegressor"
    " VotingRegressor",
    "sklearn.feature_extraction.text": "CountVectorizer HashingVectorizer"
    " TfidfTransformer TfidfVectorizer",
    "sklearn.feature_selection": "SelectKBest SelectPercentile VarianceThreshold",
    "sklearn.impute": "MissingIndicator SimpleImputer",
    "sklearn.kernel_approximation": "Nystroem RBFSampler",
    "sklearn.kernel_ridge": "KernelRidge",
    "sklearn.linear_model": "BayesianRidge ElasticNet ElasticNetCV Lasso LassoCV"
    " LinearRegression MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso"
    " MultiTaskLassoCV Ridge RidgeCV",
    "sklearn.model_selection": "GridSearchCV GroupKFold GroupShuffleSplit KFold"
    " LeaveOneGroupOut RandomizedSearchCV ShuffleSplit",
    "sklearn.multioutput": "MultiOutputRegressor RegressorChain",
    "sklearn.neighbors": "KNeighborsRegressor",
    "sklearn.neural_network": "MLPRegressor",
    "sklearn.pipeline": "FeatureUnion Pipeline",
    "sklearn.preprocessing": "FunctionTransformer KBinsDiscretizer MaxAbsScaler"
    " MinMaxScaler MultiLabelBinarizer Normalizer OneHotEncoder"
    " OrdinalEncoder PolynomialFeatures PowerTransformer QuantileTransformer"
    " RobustScaler SplineTransformer StandardScaler TargetEncoder",
    "sklearn.random_projection": "GaussianRandomProjection SparseRandomProjection",
    "sklearn.tree": "DecisionTreeRegressor ExtraTreeRegressor",
}
# Functions of arrays that only compute.
_FUNCTIONS = {
    "numpy": "absolute arcsinh cbrt exp exp2 expm1 log log10 log1p log2 reciprocal"
    " sign sqrt square tanh",
    "sklearn.feature_selection": "chi2 f_classif f_regression mutual_info_classif"
    " mutual_info_regression r_regression",
    "sklearn.utils": "check_array",
}
DTYPES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        *(np.bool_, np.int8, np.int16, np.int32, np.int64, np.object_, np.number),
        *(np.uint8, np.uint16, np.uint32, np.uint64, np.str_),
        *(np.float16, np.float32, np.float64, bool, int, float, str, object),
    )
}


def _modules(names: dict[str, str]) -> dict[str, str]:
    return {name: module for module, line in names.items() for name in line.split()}


_MODULE_OF_CLASS = _modules(_CLASSES)
_MODULE_OF_FUNCTION = _modules(_FUNCTIONS)


@cache
def class_named(name: str) -> Any:
    """Return a class of the list, importing its module on first use."""
    if name == "_BinMapper":
        return classes_inside_trees()[name]
    if name not in _MODULE_OF_CLASS:
        raise ValueError(f"unknown class {name!r}")
    return getattr(import_module(_MODULE_OF_CLASS[name]), name)


@cache
def function_named(name: str) -> Any:
    if name not in _MODULE_OF_FUNCTION:
        raise ValueError(f"unknown function {name!r}")
    return getattr(import_module(_MODULE_OF_FUNCTION[name]), name)


def name_of(value: Any, named: Callable[[str], Any] = class_named) -> str | None:
    """Return the name of a class, or of a function, in the list, or None."""
    name = getattr(value, "__name__", "")
    try:
        return name if named(name) is value else None
    except ValueError:
        return None
