"""
From sound to recommendations
=============================

This example recommends songs by unknown artists from their audio alone. It creates a
small synthetic catalogue with audio and listeners, holds out whole artists, fits a
:class:`~skcoldstart.ColdStartRecommender`, and ranks the held-out songs for each
listener.
"""

# %%
# A synthetic catalogue
# ---------------------
# Songs of six genres are synthesized. The taste of the listeners depends partly on the
# sound (genre and style), and partly on properties that cannot be heard, such as the
# scene of an artist.

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from skcoldstart import MelSpectrogram
from skcoldstart.datasets import make_music_catalog

catalog = make_music_catalog(
    n_songs=180,
    n_artists=90,
    n_genres=6,
    n_users=300,
    duration_s=5,
    random_state=0,
)
X, y = catalog.waveforms, catalog.plays
print(textwrap.fill(catalog.DESCR, 88))

# %%
# Mel spectrograms of one song of each genre:

shown = [
    int(np.flatnonzero(catalog.genres == genre)[0]) for genre in catalog.genre_names
]
frames = MelSpectrogram().fit_transform([X[i] for i in shown])
fig, axes = plt.subplots(2, 3, figsize=(9, 4.4), sharex=True, sharey=True)
for ax, i, item in zip(axes.T.ravel(), shown, frames, strict=True):
    ax.imshow(
        item.T, origin="lower", aspect="auto", extent=(0, 5, 0, 128), cmap="magma"
    )
    ax.set_title(f"{catalog.genres[i]}", fontsize=10)
for ax in axes[-1]:
    ax.set_xlabel("time (s)")
for ax in axes[:, 0]:
    ax.set_ylabel("mel band")
fig.tight_layout()

# %%
# Hold out artists
# ----------------
# Songs are rows, so a group split by artist simulates new artists: a quarter of the
# artists has no plays in the training set.

from sklearn.model_selection import GroupShuffleSplit

split = GroupShuffleSplit(1, test_size=0.25, random_state=0)
train, test = next(split.split(X, y, groups=catalog.artists))
heard, new = [X[i] for i in train], [X[i] for i in test]

# %%
# The model
# ---------
# The audio is turned into MFCC frames, the frames into counts of codewords, and the
# counts are used to predict the factors of the plays.

from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MFCCExtractor,
    VectorQuantizer,
)

model = make_pipeline(
    MFCCExtractor(),
    VectorQuantizer(n_codewords=256, random_state=0),
    BagOfWords(weighting="sqrt"),
    StandardScaler(),
    PCA(0.95, random_state=0),
    ColdStartRecommender(
        RidgeCV(np.logspace(0, 5, 11)), WMF(n_components=10, random_state=0)
    ),
)
model.fit(heard, y[train])

# %%
# Evaluation
# ----------
# The metrics lie between chance and the upper bound, whose factors are computed from
# the held-out plays.

from skcoldstart import OracleRecommender, RandomRecommender, recommendation_scorer

oracle = OracleRecommender(WMF(n_components=10, random_state=0))
metrics = {
    "chance": recommendation_scorer(
        RandomRecommender(random_state=0).fit(train, y[train]), test, y[test]
    ),
    "from sound": recommendation_scorer(model, new, y[test]),
    "upper bound": recommendation_scorer(
        oracle.fit(y[train], y[train]), y[test], y[test]
    ),
}
fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.2))
for ax, metric, title in zip(axes, ("map", "auc"), ("mAP@500", "AUC"), strict=True):
    values = [result[metric] for result in metrics.values()]
    bars = ax.barh(list(metrics), values, color=["0.7", "C0", "0.4"])
    ax.bar_label(bars, fmt="%.2f", padding=3)
    ax.set_xlim(0, 1)
    ax.set_title(title)
    ax.invert_yaxis()
fig.tight_layout()

# %%
# Recommendations
# ---------------
# Lists of new songs for three listeners, and the genres that these listeners like most:

items, scores = model[-1].recommend(model[:-1].transform(new), n=5, users=[0, 1, 2])
for user, best in enumerate(items):
    liked = catalog.genre_names[np.argsort(-catalog.user_tastes[user])[:2]]
    print(f"\nListener {user} likes {' and '.join(liked)}")
    for i in best:
        artist, title, genre = (
            names[test[i]]
            for names in (catalog.artists, catalog.titles, catalog.genres)
        )
        print(f"   {artist}, {title} ({genre})")

# %%
# The picture shows the mean rank of the songs of each genre, for listeners grouped by
# favourite genre. Each song is ranked by a model that was fitted without its artist.
# Genres of the same instruments differ only in the order of the notes. A bag of words
# ignores most of the order, so it confuses rising brass with falling brass.

from sklearn.model_selection import GroupKFold, cross_val_predict

predicted = cross_val_predict(
    model, X, y, groups=catalog.artists, cv=GroupKFold(4), method="predict"
)
ranks = np.argsort(np.argsort(predicted, axis=0), axis=0) / (len(X) - 1)
favourite = catalog.genre_names[catalog.user_tastes.argmax(axis=1)]
table = np.array([
    [
        ranks[np.ix_(catalog.genres == song, favourite == listener)].mean()
        for song in catalog.genre_names
    ]
    for listener in catalog.genre_names
])
fig, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
image = ax.imshow(table, cmap="RdBu_r", vmin=0.3, vmax=0.7)
ax.set_xticks(range(6), catalog.genre_names, rotation=30, ha="right")
ax.set_yticks(range(6), catalog.genre_names)
ax.set_xlabel("genre of the songs")
ax.set_ylabel("favourite genre of the listeners")
fig.colorbar(image, label="mean rank, from last (0) to first (1)")
plt.show()
