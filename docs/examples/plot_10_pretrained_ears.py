"""
Pretrained ears: a network that was trained on other music
==========================================================

A small catalogue has too few songs to learn features of sound. A network that was
trained on other music can describe them. This example trains a small network on one
catalogue, uses it with :class:`~skcoldstart.AudioEmbedding` on another catalogue, and
compares it with pooled MFCC and with a bag of words.
"""

# %%
# A network from other music
# --------------------------
# The usual choice is musicnn, a network that was trained on real music. Its weights are
# a download (``pip download --no-deps musicnn==0.1.0``), so this example, which runs
# offline, does not use them. With the wheel, this line replaces the rest of the
# section::
#
#     ears = AudioEmbedding(weights="musicnn-0.1.0-py3-none-any.whl", pooling=None)
#
# Here a perceptron takes its place. It reads a coarse spectrogram of one second, and
# learns the genres of 320 synthetic songs that are not used again.

import numpy as np
from scipy.signal import stft
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import AudioEmbedding
from skcoldstart.datasets import make_music_catalog

SR = 22050


def spectrogram(windows):
    power = np.abs(stft(windows, SR, nperseg=2048, noverlap=512)[2]) ** 2
    edges = np.unique(np.geomspace(4, 1024, 33).astype(int))
    bands = np.add.reduceat(power, edges, axis=1)
    return np.log10(1e-7 + bands).reshape(len(windows), -1).astype(np.float32)


other = make_music_catalog(
    n_songs=320, n_artists=160, n_genres=8, duration_s=5, random_state=1
)
windows = AudioEmbedding(spectrogram, sr=SR, window=1, pooling=None)
spectra = windows.fit_transform(other.waveforms)
network = make_pipeline(
    StandardScaler(),
    MLPClassifier((64, 32), early_stopping=True, batch_size=64, random_state=0),
)
network.fit(spectra.values, np.repeat(other.genres, np.diff(spectra.offsets)))

# %%
# The last hidden layer is the embedding. ``AudioEmbedding`` takes any function from
# windows of samples to vectors, a torch module, or an ONNX file.


def last_hidden_layer(windows):
    scaler, perceptron = network[0], network[1]
    hidden = scaler.transform(spectrogram(windows))
    layers = zip(perceptron.coefs_[:-1], perceptron.intercepts_[:-1], strict=True)
    for weights, bias in layers:
        hidden = np.maximum(hidden @ weights + bias, 0)
    return hidden


ears = AudioEmbedding(last_hidden_layer, sr=SR, window=1, pooling=None)

# %%
# Read each song once
# -------------------
# :class:`~skcoldstart.AudioUnion` computes both kinds of frames from one reading of
# each song. Each kind is used by its name.

from skcoldstart import AudioUnion, MFCCExtractor

catalog = make_music_catalog(
    n_songs=160,
    n_artists=80,
    n_genres=8,
    n_users=400,
    duration_s=5,
    random_state=0,
)
union = AudioUnion([("mfcc", MFCCExtractor(hop_length=1024)), ("ears", ears)])
frames = union.fit_transform(catalog.waveforms)
for name, part in frames.items():
    print(name, part)

# %%
# Four models
# -----------
# They differ in the features only. :class:`~skcoldstart.FramePooling` describes a song
# by statistics of its frames, a bag of words counts codewords.

from operator import itemgetter

from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_union
from sklearn.preprocessing import FunctionTransformer

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    FramePooling,
    RandomRecommender,
    VectorQuantizer,
)


def kind(name, *steps):
    return make_pipeline(FunctionTransformer(itemgetter(name)), *steps)


codebook = VectorQuantizer(n_codewords=100, random_state=0)
features = {
    "MFCC, bag of words": kind("mfcc", codebook, BagOfWords(weighting="sqrt")),
    "MFCC, pooled": kind("mfcc", FramePooling()),
    "network, pooled": kind("ears", FramePooling()),
    "network and MFCC, pooled": make_union(
        kind("ears", FramePooling()), kind("mfcc", FramePooling())
    ),
}
recommender = ColdStartRecommender(
    RidgeCV(np.logspace(0, 5, 11)), WMF(n_components=10, random_state=0)
)
models = {
    name: make_pipeline(content, StandardScaler(), recommender)
    for name, content in features.items()
}

# %%
# Comparison on new artists
# -------------------------
# The folds hold out whole artists. The bars are 95 % intervals over listeners.

from sklearn.model_selection import GroupKFold

from skcoldstart.model_selection import compare

table = compare(
    {"random": RandomRecommender(random_state=0), **models},
    frames,
    catalog.plays,
    groups=catalog.artists,
    cv=GroupKFold(3),
    metrics="map",
)
table[["model", "map", "map_low", "map_high"]].round(3)

# %%
# All features of sound are better than chance. The network is slightly above the bag
# of words, with intervals that overlap. Pooled MFCC are above both. The network does
# not improve them. In the guide's results of musicnn (:doc:`/guide/ears`), pooled MFCC
# have the highest mAP, too. A network that is good at genres is not always the best for
# recommendation: compare the features on held-out artists.

import matplotlib.pyplot as plt

value, low, high = (table[key] for key in ("map", "map_low", "map_high"))
figure, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
ax.errorbar(value, table["model"], xerr=(value - low, high - value), fmt="o", capsize=3)
ax.invert_yaxis()
ax.set_xlabel("mAP@500 on held-out artists")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
