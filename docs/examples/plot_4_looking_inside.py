"""
Looking into a recommender
==========================

What do the factors stand for? Which songs does the model take for alike? Where do new
songs go, and what happens when their first listeners come? One fitted recommender,
seen from seven sides.
"""

# %%
# A recommender of synthetic music
# --------------------------------

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
# What the models hear
# --------------------
# The sound of a song as mel bands, and as the coefficients that the codebook gets.

from skcoldstart.inspection import SpectrogramDisplay

fig, axes = plt.subplots(2, 1, figsize=(7, 5), sharex=True, layout="constrained")
for ax, extractor in zip(axes, (MelSpectrogram(), MFCCExtractor()), strict=True):
    SpectrogramDisplay.from_estimator(extractor, catalog.waveforms[0]).plot(ax)
axes[0].set_xlabel("")

# %%
# How the fit went
# ----------------

from skcoldstart.inspection import LossCurveDisplay

LossCurveDisplay.from_estimator(model.factorizer_).plot()

# %%
# What a factor means
# -------------------
# The genres at the two ends of the strongest axes of the predicted usage patterns. Each
# axis sets some genres against others.

from skcoldstart.inspection import FactorExtremesDisplay

FactorExtremesDisplay.from_estimator(model, names=catalog.genres[train], n=3).plot()

# %%
# The seconds that matter
# -----------------------
# Which seconds of a new song make it right for the five users with the highest scores.

from skcoldstart.inspection import MomentsDisplay

hears = make_pipeline(MFCCExtractor(), model)
song = catalog.waveforms[test[0]]
users = np.argsort(-hears.predict([song])[0])[:5]
MomentsDisplay.from_estimator(hears, song, users).plot(n=1, length=1.0)

# %%
# Closest songs
# -------------
# Four songs that the model has never met, with the songs closest to them among the new
# ones: by the plays they got since, and by their sound alone.

from skcoldstart.inspection import SimilarItemsTable

labelled = np.array([
    f"{name} ({genre})"
    for name, genre in zip(names[test], catalog.genres[test], strict=True)
])
SimilarItemsTable.from_estimator(
    model, frames[test], catalog.plays[test], queries=[0, 1, 2, 3], names=labelled, n=3
)

# %%
# A map of taste
# --------------
# All songs, placed by who would play them as far as their sound tells.

from skcoldstart.inspection import TasteMapDisplay

taste = TasteMapDisplay.from_estimator(
    model, frames, names=catalog.artists, labels=catalog.genres, random_state=0
)
taste.plot(closeups=4, closeup_items=20)

# %%
# The same as a page to walk around in, that plays the clips. (Here there are no files:
# the songs are in memory. With a folder of them, pass ``audio=catalog.paths``.)

import tempfile
from pathlib import Path

page = Path(tempfile.mkdtemp(), "taste.html")
taste.write_html(page, title="Synthetic music", details={"song": catalog.titles})
print(f"{page.stat().st_size / 1024:.0f} kB")

# %%
# The first plays
# ---------------
# Artists are held out, the first plays of their songs revealed one after the other, and
# the later ones ranked. A single play alone places a song worse than its sound does.
# ``refine_factors`` weighs the two against each other; ``prior_strength`` says how much
# the sound counts. This sound tells less than a handful of listeners do, so it counts
# little here.

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
