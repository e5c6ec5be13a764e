"""
Plots of a fitted recommender
=============================

This example shows the displays of :mod:`skcoldstart.inspection` for one fitted
recommender: spectrograms, loss curves, extremes of factors, the seconds of a song that
matter, similar songs, a map of taste, and the quality after the first plays.
"""

# %%
# Fit a recommender
# -----------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MelSpectrogram,
    MFCCExtractor,
    VectorQuantizer,
)
from skcoldstart.datasets import make_music_catalog

catalog = make_music_catalog(
    n_songs=360,
    n_artists=120,
    n_genres=8,
    n_users=500,
    duration_s=3,
    audible=0.8,
    random_state=0,
)
names = np.array([
    f"{artist} – {title.partition(' in ')[0]}"
    for artist, title in zip(catalog.artists, catalog.titles, strict=True)
])
frames = MFCCExtractor().fit_transform(catalog.waveforms)
split = GroupShuffleSplit(1, test_size=0.3, random_state=0)
train, test = next(split.split(frames, groups=catalog.artists))
content = make_pipeline(
    VectorQuantizer(n_codewords=256, random_state=0),
    BagOfWords(weighting="sqrt"),
    StandardScaler(),
    RidgeCV(np.logspace(0, 5, 11)),
)
model = ColdStartRecommender(content, WMF(n_components=10, random_state=0))
model.fit(frames[train], catalog.plays[train])

# %%
# Spectrogram and MFCC
# --------------------
# A song as a mel spectrogram, and as the MFCC from which the codebook is learned:

from skcoldstart.inspection import SpectrogramDisplay

fig, axes = plt.subplots(2, 1, figsize=(7, 5), sharex=True, layout="constrained")
for ax, extractor in zip(axes, (MelSpectrogram(), MFCCExtractor()), strict=True):
    SpectrogramDisplay.from_estimator(extractor, catalog.waveforms[0]).plot(ax)
axes[0].set_xlabel("")

# %%
# Loss curve
# ----------
# The objective of the factorization after each sweep:

from skcoldstart.inspection import LossCurveDisplay

LossCurveDisplay.from_estimator(model.factorizer_).plot()

# %%
# Extremes of factors
# -------------------
# The genres at the two ends of the strongest axes of the predicted usage patterns:

from skcoldstart.inspection import FactorExtremesDisplay

FactorExtremesDisplay.from_estimator(model, names=catalog.genres[train], n=3).plot()

# %%
# The seconds of a song that matter
# ---------------------------------
# The contribution of each moment of a new song to its score, for the five users with
# the highest scores:

from skcoldstart.inspection import MomentsDisplay

hears = make_pipeline(MFCCExtractor(), model)
song = catalog.waveforms[test[0]]
users = np.argsort(-hears.predict([song])[0])[:5]
MomentsDisplay.from_estimator(hears, song, users).plot(n=1, length=1.0)

# %%
# Similar songs
# -------------
# The most similar held-out songs of four held-out songs: by factors of their plays, and
# by factors predicted from their audio.

from skcoldstart.inspection import SimilarItemsTable

labelled = np.array([
    f"{name} ({genre})"
    for name, genre in zip(names[test], catalog.genres[test], strict=True)
])
SimilarItemsTable.from_estimator(
    model, frames[test], catalog.plays[test], queries=[0, 1, 2, 3], names=labelled, n=3
)

# %%
# Map of taste
# ------------
# Songs are close if their predicted listeners are similar. The predictions use only the
# audio.

from skcoldstart.inspection import TasteMapDisplay

taste = TasteMapDisplay.from_estimator(
    model, frames, names=catalog.artists, labels=catalog.genres, random_state=0
)
taste.plot(closeups=4, closeup_items=20)

# %%
# ``write_html`` writes the same map as an interactive page. If the songs are files,
# pass ``audio=catalog.paths`` to listen to them in the page.

import tempfile
from pathlib import Path

page = Path(tempfile.mkdtemp(), "taste.html")
taste.write_html(page, title="Synthetic music", details={"song": catalog.titles})
print(f"{page.stat().st_size / 1024:.0f} kB")

# %%
# Quality after the first plays
# -----------------------------
# Artists are held out. The first plays of their songs are revealed one after the other,
# and the later plays are ranked. With a single play, factors from plays alone are worse
# than the prediction from audio. ``refine_factors`` combines both, and
# ``prior_strength`` is the weight of the prediction. In this data a handful of
# listeners is more informative than the audio, so the weight is small.

from sklearn.model_selection import GroupKFold

from skcoldstart.inspection import WarmupDisplay

WarmupDisplay.from_estimator(
    model.set_params(prior_strength=1.0),
    frames,
    catalog.plays,
    n_plays=[0, 1, 2, 4, 8, 16],
    metric="auc",
    cv=GroupKFold(4),
    groups=catalog.artists,
).plot()
plt.show()
