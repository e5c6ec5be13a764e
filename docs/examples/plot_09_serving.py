"""
Serve it: an export, an index, a new song and a new listener
============================================================

A service that answers requests does not need the whole model. This example fits a
recommender, exports its factors, finds the best songs with an index, and answers for a
song and for a listener that were not in ``fit``.
"""

# %%
# A fitted model
# --------------
# The music is synthetic. The last 40 songs are new: nobody has played them. Songs and
# listeners have names, so that every answer has names, too.

import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, FramePooling, MFCCExtractor
from skcoldstart.datasets import make_music_catalog

catalog = make_music_catalog(
    n_songs=300,
    n_artists=60,
    n_genres=6,
    n_users=300,
    duration_s=3,
    random_state=0,
)
sound = make_pipeline(MFCCExtractor(), FramePooling())
X = sound.fit_transform(catalog.waveforms)
names = np.array([f"{g} {i}" for i, g in enumerate(catalog.genres)])
known, new = np.arange(260), np.arange(260, 300)
plays = catalog.plays[known]
model = ColdStartRecommender(
    make_pipeline(StandardScaler(), Ridge(100.0)), WMF(n_components=16, random_state=0)
)
model.fit(X[known], plays, user_ids=catalog.user_ids, item_ids=names[known])

# %%
# Export the factors
# ------------------
# :func:`~skcoldstart.export` writes a folder of factors and names. The factors of known
# songs are those of their plays; ``predict_factors`` adds the new songs from their
# sound. A program that reads the folder needs neither the model nor scikit-learn.

from skcoldstart import export, load_export

factors = np.vstack([model.factorizer_.item_factors_, model.predict_factors(X[new])])
folder = export(
    model,
    Path(tempfile.mkdtemp()) / "export",
    X,
    item_ids=names,
    item_factors=factors,
)
served = load_export(folder)
print(sorted(path.name for path in folder.iterdir()))
print(served.item_factors.shape, served.user_factors.shape)

# %%
# Build an index
# --------------
# :func:`~skcoldstart.build_index` finds the largest inner products. The default is
# exact, also among millions of songs. Other backends are approximate graphs with the
# same methods, so that their recall can be measured. usearch is installed by ``pip
# install ".[serve]"``.

from skcoldstart import build_index

index = build_index(served.item_factors)
graph = build_index(served.item_factors, backend="usearch")
best, _ = index.query(served.user_factors, n=10)
found, _ = graph.query(served.user_factors, n=10)
recall = np.mean([np.isin(a, b).mean() for a, b in zip(found, best, strict=True)])
print(f"recall@10 of the graph: {recall:.3f}")

# %%
# The list of a known listener, without the songs that were already played:

listener = int(np.argmax(np.asarray(plays.sum(axis=0)).ravel()))
played = plays[:, [listener]].nonzero()[0]
rows, scores = index.query(served.user_factors[[listener]], n=8, exclude=[played])
print(served.user_ids[listener], "->", served.item_ids[rows[0, :3]])

# %%
# A new song
# ----------
# Who should hear it? Its factors are predicted from its sound, and an index of the
# listeners finds those with the largest scores. :func:`~skcoldstart.listeners` returns
# the same listeners from the model.

from skcoldstart import listeners

song = new[0]
users = build_index(served.user_factors)
audience, _ = users.query(model.predict_factors(X[[song]]), n=5)
print(names[song], "->", served.user_ids[audience[0]])
listeners(model, X[[song]], n=5, item_ids=names[[song]]).to_frame()

# %%
# A new listener
# --------------
# ``fold_in_users`` computes factors from the first plays of a listener, here of three
# songs of one genre. The model is not changed, and the index answers at once.

genre = catalog.genres[song]
first = known[catalog.genres[known] == genre][:3]
folded = model.fold_in_users([[2], [1], [4]], item_ids=names[first])
new_rows, new_scores = index.query(folded, n=8, exclude=[first])
print("played:", names[first])
print("list:", served.item_ids[new_rows[0]])

# %%
# Both lists in one picture. The colour is the genre of a song; a star marks a new song.

import matplotlib.pyplot as plt

colours = dict(zip(catalog.genre_names, plt.cm.Dark2.colors, strict=False))
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
lists = {
    f"Known listener, {len(played)} songs played": (rows[0], scores[0]),
    f"New listener, 3 songs of {genre} played": (new_rows[0], new_scores[0]),
}
for ax, (title, (songs, values)) in zip(axes, lists.items(), strict=True):
    shades = [colours[catalog.genres[i]] for i in songs]
    labels = [names[i] + " *" * (i in new) for i in songs]
    ax.barh(range(len(songs)), values, color=shades)
    ax.set_yticks(range(len(songs)), labels)
    ax.invert_yaxis()
    ax.set_title(title, loc="left", fontsize=10)
    ax.set_xlabel("score")
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
