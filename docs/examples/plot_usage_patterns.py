"""
Similar items by usage pattern
==============================

Two songs are alike if the same people would play them. That is the cosine between the
songs' *predicted usage patterns*, their scores for all users; it needs only a matrix
as large as the factors are long. The pattern of a song that nobody has played can be
predicted from its sound.
"""

# %%
# Factors of songs that were played
# ---------------------------------

import matplotlib.pyplot as plt
import numpy as np

from skcoldstart import WMF
from skcoldstart.datasets import make_music_catalog

catalog = make_music_catalog(
    n_songs=160,
    n_artists=40,
    n_genres=6,
    n_users=600,
    duration_s=5,
    audible=0.9,
    random_state=0,
)
order = np.lexsort([catalog.artists, catalog.genres])
genres, plays = catalog.genres[order], catalog.plays[order]
waveforms = [catalog.waveforms[i] for i in order]
wmf = WMF(n_components=10, random_state=0).fit(plays)


def usage_directions(item_factors):
    """Return unit vectors whose products are cosines of usage patterns."""
    gram = wmf.user_factors_.T @ wmf.user_factors_
    directions = item_factors @ np.linalg.cholesky(gram)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


# %%
# The long way gives the same: scores for all users, then their cosine.

directions = usage_directions(wmf.item_factors_)
patterns = wmf.inverse_transform(wmf.item_factors_)
patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
print(np.abs(directions @ directions.T - patterns @ patterns.T).max())

# %%
# Factors of songs that nobody has played
# ---------------------------------------
# Every song gets factors predicted from its sound by a model that has not seen it, nor
# any other song by its artist.

from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import BagOfWords, MFCCExtractor, VectorQuantizer

content = make_pipeline(
    VectorQuantizer(n_codewords=256, random_state=0),
    BagOfWords(weighting="sqrt"),
    StandardScaler(),
    RidgeCV(np.logspace(0, 5, 11)),
)
frames = MFCCExtractor().fit_transform(waveforms)
predicted = cross_val_predict(
    content,
    frames,
    wmf.item_factors_,
    groups=catalog.artists[order],
    cv=GroupKFold(5),
)

# %%
# Similarity of all songs, sorted by genre: squares on the diagonal are genres that
# share listeners. Genres of one family of instruments, such as rising bells and falling
# bells, differ only in the order of their notes; a bag of words confuses them, and the
# listeners do not.

fig, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
borders = np.flatnonzero(genres[1:] != genres[:-1]) + 0.5
middles = [np.flatnonzero(genres == genre).mean() for genre in np.unique(genres)]
for ax, factors, title in [
    (axes[0], wmf.item_factors_, "from plays"),
    (axes[1], predicted, "from sound alone"),
]:
    unit = usage_directions(factors)
    image = ax.imshow(unit @ unit.T, cmap="RdBu_r", vmin=-1, vmax=1)
    for border in borders:
        ax.axhline(border, color="k", linewidth=0.5)
        ax.axvline(border, color="k", linewidth=0.5)
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
axes[0].set_yticks(middles, np.unique(genres))
fig.colorbar(image, ax=axes, shrink=0.7, label="cosine of usage patterns")

# %%
# A map of taste
# --------------
# The same predicted patterns on a plane.

from sklearn.manifold import TSNE

place = TSNE(perplexity=20, metric="cosine", random_state=0).fit_transform(
    usage_directions(predicted)
)
fig, ax = plt.subplots(figsize=(6, 5))
for genre in np.unique(genres):
    ax.scatter(*place[genres == genre].T, s=22, label=genre)
ax.legend(fontsize=8, ncols=2)
ax.set_xticks([])
ax.set_yticks([])
ax.set_title("songs, placed by who would play them")
fig.tight_layout()
plt.show()
