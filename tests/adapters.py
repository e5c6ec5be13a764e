"""Discovery of public estimators, and 2-D faces for those that read other things.

scikit-learn's common checks feed float tables. An estimator of audio or codes would
be excused from all but one of them; behind an adapter, which turns each row into an
item before the estimator sees it and each item's result into a row, they run.
"""

import inspect

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

import skcoldstart
from skcoldstart import (
    AudioEmbedding,
    AudioUnion,
    BagOfWords,
    CNNFactorRegressor,
    ContrastiveEncoder,
    LibrosaFeatures,
    MelSpectrogram,
    MFCCExtractor,
    MLRSimilarity,
    OracleRecommender,
    RaggedArray,
    VectorQuantizer,
)
from skcoldstart.compose import SpectralEncoder

N_CODEWORDS = 6
N_SAMPLES = 64


def public_estimators():
    """Return every public class that is an estimator, of all rooms."""
    public = [getattr(skcoldstart, name) for name in skcoldstart.__all__]
    rooms = [room for room in public if inspect.ismodule(room)]
    public += [
        getattr(room, name) for room in rooms for name in getattr(room, "__all__", [])
    ]
    classes = dict.fromkeys(c for c in public if inspect.isclass(c))
    return [c for c in classes if issubclass(c, BaseEstimator)]


class _RowsAsItems:
    """Turn rows into items on the way in and items into rows on the way out."""

    def fit(self, X, y=None):
        return super().fit(self._items(X, reset=True), y)

    def transform(self, X):
        reset = not hasattr(self, "n_features_in_")
        return self._rows(super().transform(self._items(X, reset=reset)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.three_d_array = False
        tags.input_tags.string = False
        return tags


class _RowsAsClips(_RowsAsItems):
    """A row is repeated until it is a short clip; a clip's frames are averaged."""

    def _items(self, X, reset):
        # A stateless extractor reads nothing in fit. In transform NaN is its business.
        table = validate_data(self, X, ensure_all_finite=reset, reset=reset)
        return [np.resize(row.astype(float), N_SAMPLES) for row in table]

    def _rows(self, frames):
        return np.stack([item.mean(axis=0, dtype=float) for item in frames])


class MelSpectrogramOfRows(_RowsAsClips, MelSpectrogram, auto_wrap_output_keys=None):
    """Mean spectra of rows read as clips."""


class MFCCExtractorOfRows(_RowsAsClips, MFCCExtractor, auto_wrap_output_keys=None):
    """Mean coefficients of rows read as clips."""


class AudioEmbeddingOfRows(_RowsAsClips, AudioEmbedding, auto_wrap_output_keys=None):
    """Mean vectors of rows read as clips."""


class LibrosaFeaturesOfRows(_RowsAsClips, LibrosaFeatures, auto_wrap_output_keys=None):
    """Mean features of rows read as clips."""


class AudioUnionOfRows(_RowsAsClips, AudioUnion, auto_wrap_output_keys=None):
    """Mean frames of several extractors of rows read as clips."""


class VectorQuantizerOfRows(_RowsAsItems, VectorQuantizer, auto_wrap_output_keys=None):
    """Codes of rows read as items of one frame: a column with one code to a row."""

    def _items(self, X, reset):
        return X

    def _rows(self, codes):
        return codes.values[:, np.newaxis]


class BagOfWordsOfRows(_RowsAsItems, BagOfWords):
    """Counts of rows read as items whose numbers, rounded, are codewords."""

    def _items(self, X, reset):
        table = validate_data(self, X, reset=reset)
        return list((np.rint(table) % N_CODEWORDS).astype(np.int32))

    def _rows(self, counts):
        return counts


class OracleOfRows(OracleRecommender):
    """An oracle whose y is X: the y of the checks are no plays of the items in X."""

    def fit(self, X, y=None):
        return super().fit(X, X)

    def score(self, X, y=None):
        return super().score(X, X)


class MLROfPlays(MLRSimilarity):
    """A metric learnt from plays, where the checks would pass labels."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        tags.target_tags.positive_only = True
        return tags


class _OfOneUser:
    """Takes the 1-D y of the checks as the plays of one user."""

    def fit(self, X, y):
        plays = None if y is None else np.asarray(y)
        one_user = plays is not None and plays.ndim == 1
        return super().fit(X, plays[:, np.newaxis] if one_user else y)


class ContrastiveEncoderOfOneUser(_OfOneUser, ContrastiveEncoder):
    """A network that takes a 1-D y."""


class SpectralEncoderOfOneUser(_OfOneUser, SpectralEncoder):
    """A closed form that takes a 1-D y."""


class CNNFactorRegressorOfRows(CNNFactorRegressor):
    """A network of rows read as items of three equal frames: a 3-D array in fit."""

    def fit(self, X, y):
        super().fit(self._cube(X, reset=True), y)
        validate_data(self, X, skip_check_array=True)  # the cube has no column names
        return self

    def partial_fit(self, X, y):
        reset = not hasattr(self, "net_")
        super().partial_fit(list(self._cube(X, reset=reset)), y)
        validate_data(self, X, skip_check_array=True)
        return self

    def predict(self, X):
        return super().predict(RaggedArray.from_sequence(self._cube(X, reset=False)))

    def _cube(self, X, reset):
        table = validate_data(self, X, reset=reset)
        return np.repeat(table[:, np.newaxis], 3, axis=1)
