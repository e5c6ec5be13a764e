"""
Grid search over the whole pipeline
===================================

This example tunes the number of codewords and the number of factors together, by the
ranking of held-out songs. One grid search covers all steps from audio files to factors.
Caches avoid that expensive steps run twice.
"""

# %%
# Files and plays
# ---------------

import tempfile
from pathlib import Path

from skcoldstart.datasets import make_music_catalog

folder = Path(tempfile.mkdtemp())
catalog = make_music_catalog(
    folder / "songs",
    n_songs=120,
    n_artists=60,
    n_genres=4,
    n_users=250,
    duration_s=3,
    random_state=0,
)

# %%
# The pipeline
# ------------
# The first step reads audio files. ``store=`` computes the frames of a file only once.
# ``memory=`` caches fitted steps, so the codebook of each size is learned once per fold
# and not again for every number of factors.

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    BagOfWords,
    ColdStartRecommender,
    MFCCExtractor,
    VectorQuantizer,
    recommendation_scorer,
)

pipeline = Pipeline(
    [
        ("frames", MFCCExtractor(store=folder / "frames")),
        ("codes", VectorQuantizer(random_state=0)),
        ("counts", BagOfWords(weighting="sqrt")),
        ("scale", StandardScaler()),
        (
            "recommend",
            ColdStartRecommender(RidgeCV(np.logspace(0, 5, 6)), WMF(random_state=0)),
        ),
    ],
    memory=str(folder / "cache"),
)

# %%
# The search
# ----------
# The groups are artists, so the validation part of a fold has only new artists.

from sklearn.model_selection import GridSearchCV, GroupKFold

grid = {
    "codes__n_codewords": [8, 32, 128],
    "recommend__factorizer__n_components": [2, 4, 8, 16],
}
search = GridSearchCV(
    pipeline, grid, scoring=recommendation_scorer, refit="auc", cv=GroupKFold(3)
)
search.fit(catalog.paths, catalog.plays, groups=catalog.artists)
print(search.best_params_)

# %%
# Every point is a mean over three folds. The bars show half a standard deviation in
# each direction.

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3), layout="constrained")
sizes, factors = grid.values()
for ax, metric in zip(axes, ("map", "auc"), strict=True):
    table = search.cv_results_[f"mean_test_{metric}"].reshape(len(sizes), len(factors))
    spread = search.cv_results_[f"std_test_{metric}"].reshape(table.shape)
    for row, error, size in zip(table, spread, sizes, strict=True):
        ax.errorbar(
            factors, row, error / 2, marker="o", capsize=2, label=f"{size} codewords"
        )
    ax.set_xscale("log")
    ax.set_xticks(factors, factors)
    ax.minorticks_off()
    ax.set_xlabel("factors")
    ax.set_title({"map": "mAP@500", "auc": "AUC"}[metric])
axes[0].legend(fontsize=9)

# %%
# The best model recommends directly from files. Here are lists of four new songs for
# three users:

fresh = make_music_catalog(
    folder / "fresh", n_songs=4, n_artists=4, n_genres=4, n_users=1, random_state=1
)
items, scores = search.best_estimator_[-1].recommend(
    search.best_estimator_[:-1].transform(fresh.paths), n=2, users=[0, 1, 2]
)
print(items)
plt.show()
