"""
Similar items by usage pattern
==============================

Two songs are similar if the same people would play them. This similarity is the cosine
between their *predicted usage patterns*, the scores for all users. It can be computed
from factors with a small matrix. For a song without plays, the usage pattern is
predicted from its audio.
"""

# %%
# Factors of songs that were played
# ---------------------------------

import matplotlib.pyplot as plt
import numpy as np

from skcoldstart import WMF
from skcoldstart.datasets import make_music_catalog

catalog = make_music_catalog(
    n_songs=180,
    n_artists=90,
    n_genres=6,
    n_users=600,
    duration_s=5,
    audible=0.9,
    random_state=0,
)
genres, artists = catalog.genres, catalog.artists
wmf = WMF(n_components=10, random_state=0).fit(catalog.plays)


def usage_directions(item_factors):
    """Return unit vectors whose products are cosines of usage patterns."""
    gram = wmf.user_factors_.T @ wmf.user_factors_
    directions = item_factors @ np.linalg.cholesky(gram)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


# %%
# The same cosines computed from the scores for all users. The largest difference is:

directions = usage_directions(wmf.item_factors_)
patterns = wmf.inverse_transform(wmf.item_factors_)
patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
print(np.abs(directions @ directions.T - patterns @ patterns.T).max())

# %%
# Factors of songs that nobody has played
# ---------------------------------------
# The factors of every song are predicted from its audio by a model that was fitted
# without the artist of the song. Here the user factors come from all songs, which is
# fine for a map. To measure quality, the factorization must be inside the fold, as in
# :class:`~skcoldstart.ColdStartRecommender`.

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
frames = MFCCExtractor().fit_transform(catalog.waveforms)
predicted = cross_val_predict(
    content,
    frames,
    wmf.item_factors_,
    groups=artists,
    cv=GroupKFold(5),
)

# %%
# Similarity of all songs, sorted by genre. Bright squares on the diagonal are genres
# whose songs share listeners. Genres of the same instruments, such as rising brass and
# falling brass, differ only in the order of the notes. Listeners distinguish them, but
# a bag of words ignores most of the order and often does not.

family = np.array([genre.split()[1] for genre in genres])
order = np.lexsort([genres, family])
names = list(dict.fromkeys(genres[order].tolist()))
borders = np.flatnonzero(genres[order][1:] != genres[order][:-1]) + 0.5
middles = [np.flatnonzero(genres[order] == name).mean() for name in names]
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, factors, title in [
    (axes[0], wmf.item_factors_, "from plays"),
    (axes[1], predicted, "from sound alone"),
]:
    unit = usage_directions(factors[order])
    cosines = unit @ unit.T
    low = np.quantile(cosines, 0.05)
    image = ax.imshow(cosines, cmap="magma", vmin=low, vmax=1)
    for border in borders:
        ax.axhline(border, color="w", linewidth=0.5)
        ax.axvline(border, color="w", linewidth=0.5)
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
    fig.colorbar(image, ax=ax, shrink=0.8, label="cosine of usage patterns")
axes[0].set_yticks(middles, names)

# %%
# The fraction of the five most similar songs by other artists that have the same genre,
# and the same instruments:

for factors, source in [(wmf.item_factors_, "plays"), (predicted, "sound alone")]:
    unit = usage_directions(factors)
    cosines = np.where(artists[:, None] == artists, -np.inf, unit @ unit.T)
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    same_genre = (genres[nearest] == genres[:, None]).mean()
    same_family = (family[nearest] == family[:, None]).mean()
    print(f"from {source:12} genre {same_genre:.2f}   family {same_family:.2f}")

# %%
# A map of taste
# --------------
# A t-SNE of the predicted usage patterns:

from sklearn.manifold import TSNE

place = TSNE(perplexity=20, metric="cosine", random_state=0).fit_transform(
    usage_directions(predicted)
)
fig, ax = plt.subplots(figsize=(6, 5))
for genre, colour in zip(names, plt.get_cmap("Paired").colors, strict=False):
    ax.scatter(*place[genres == genre].T, s=24, color=colour, label=genre)
ax.legend(fontsize=8, ncols=2)
ax.set_xticks([])
ax.set_yticks([])
ax.set_title("songs with similar predicted listeners are close")
fig.tight_layout()
plt.show()
