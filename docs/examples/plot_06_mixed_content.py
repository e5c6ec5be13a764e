"""
Sound, genre, text and year together
====================================

What is known of a song is rarely one thing. This example puts its sound, its genre,
words and its year into one data frame, and all of them into one model. A grid search
over whole artists shows what each of them is worth.
"""

# %%
# A frame of songs
# ----------------
# The music is synthetic. With your own, ``load_catalog(plays, audio, metadata=...)``
# returns the same: plays, paths and a table of the songs.

import tempfile

import numpy as np
import pandas as pd

from skcoldstart.datasets import make_music_catalog

catalog = make_music_catalog(
    tempfile.mkdtemp(),
    n_songs=240,
    n_artists=80,
    n_genres=6,
    n_users=300,
    duration_s=3,
    random_state=0,
)
songs = pd.DataFrame(
    {
        "sound": catalog.paths,
        "genre": catalog.genres,
        "words": [" ".join(catalog.tag_names[row]) for row in catalog.item_tags],
        "year": catalog.release_dates.astype("datetime64[Y]").astype(float) + 1970,
    },
    index=pd.Index(catalog.item_ids, name="song"),
)
rng = np.random.default_rng(0)
songs.loc[rng.random(len(songs)) < 0.1, "year"] = np.nan  # some years are missing
songs.drop(columns="sound").head()

# %%
# One model
# ---------
# A ``ColumnTransformer`` turns each column into numbers. It stands inside of the
# regressor, so a search reaches all of its parameters. ``memory`` keeps what has been
# computed from sound, so that a search reads each file once a fold.

from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcoldstart import WMF, ColdStartRecommender, FramePooling, MFCCExtractor

sound = make_pipeline(
    MFCCExtractor(on_error="warn"),
    FramePooling(),
    StandardScaler(),
    memory=tempfile.mkdtemp(),
)
content = ColumnTransformer([
    ("sound", sound, "sound"),
    ("genre", OneHotEncoder(handle_unknown="ignore"), ["genre"]),
    ("words", TfidfVectorizer(), "words"),
    ("year", make_pipeline(SimpleImputer(), StandardScaler()), ["year"]),
])
model = ColdStartRecommender(
    Pipeline([("content", content), ("ridge", Ridge())]),
    WMF(n_components=20, random_state=0),
)

# %%
# What is each of them worth?
# ---------------------------
# ``GroupKFold`` holds out whole artists. The candidates differ in the columns that
# count (a weight of 0 leaves one out) and in the strength of the ridge. A ridge shrinks
# all numbers alike, and sound has over two hundred of them, the genre six: smaller
# weights of sound are tried, too.

from sklearn.model_selection import GridSearchCV, GroupKFold

from skcoldstart import recommendation_scorer

columns = ["sound", "genre", "words", "year"]
views = {
    **{f"{name} alone": {c: float(c == name) for c in columns} for name in columns},
    "without sound": {"sound": 0.0},
    **{f"all, sound at {w:g}": {"sound": w} for w in (0.01, 0.03, 0.1, 1.0)},
}
search = GridSearchCV(
    model,
    {
        "regressor__content__transformer_weights": list(views.values()),
        "regressor__ridge__alpha": [1.0, 10.0, 100.0],
    },
    scoring=recommendation_scorer,
    refit="auc",
    cv=GroupKFold(3),
)
search.fit(songs, catalog.plays, groups=catalog.artists)
table = pd.DataFrame(search.cv_results_)
table["view"] = [
    next(name for name, weights in views.items() if weights == given)
    for given in table["param_regressor__content__transformer_weights"]
]
best = table.sort_values("mean_test_auc").groupby("view").tail(1)
best[["view", "param_regressor__ridge__alpha", "mean_test_auc", "mean_test_map"]]

# %%
# In this world genre and words hold what sound holds, so that the best weight of sound
# is small; at full weight its many columns drown the others. Sound alone is well above
# chance, which counts for songs without a genre. The year says little.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.errorbar(
    best["mean_test_auc"],
    best["view"],
    xerr=best["std_test_auc"],
    fmt="o",
    color="#d1571f",
    ecolor="#c8c8c8",
)
axes.axvline(0.5, color="#8c8c8c", linestyle=":", linewidth=1)
axes.set(xlabel="AUC on new artists, mean and deviation of 3 folds", xlim=(0.45, None))
axes.spines[["top", "right"]].set_visible(False)

# %%
# Lists from a filtered frame
# ---------------------------
# The search is a recommender, too. Rows of a frame keep their names through filters.

from skcoldstart import recommend

newest = songs[songs["year"] >= 2005]
recommend(search, newest, n=3, users=[0, 1]).to_frame()
