"""
Your own log: from parquet events to lists
==========================================

This example starts from two tables, as they are exported from a database: a parquet
file with one row for each play, and a data frame with the content of the songs. It
computes play counts, recommends new songs from their content, and returns the lists as
a data frame. No audio is needed.
"""

# %%
# Two tables
# ----------
# The tables are synthetic. Replace this block by your own parquet file and data frame.
# The log has a user, a song and a time for each play. The songs have a category, a text
# and two numbers.

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n_songs, n_users, n_events = 600, 400, 30_000
genres = np.array(["ambient", "folk", "house", "jazz", "metal", "soul"])
moods = np.array(["calm", "dark", "happy", "wild"])
genre, mood = rng.integers(6, size=n_songs), rng.integers(4, size=n_songs)
energy = rng.normal(genre + mood, 1.0)
released = pd.Timestamp("2025-01-01") + pd.to_timedelta(
    rng.integers(0, 365, n_songs), unit="D"
)
songs = pd.DataFrame({
    "song_id": [f"song-{i:03d}" for i in range(n_songs)],
    "genre": genres[genre],
    "tags": [f"{moods[m]} {genres[g]}" for m, g in zip(mood, genre, strict=True)],
    "energy": energy,
    "length_s": rng.normal(220, 40, n_songs).round(),
    "released": released,
})
taste = 1.2 * rng.normal(size=(n_users, 6))[:, genre]
taste += 0.8 * rng.normal(size=(n_users, 4))[:, mood]
taste += rng.normal(size=n_songs)  # popularity, which content cannot predict
chance = np.exp(taste)
pair = rng.choice(chance.size, size=n_events, p=(chance / chance.sum()).ravel())
user, song = np.divmod(pair, n_songs)
log = pd.DataFrame({
    "user_id": [f"user-{u:03d}" for u in user],
    "song_id": songs["song_id"].to_numpy()[song],
    "played_at": released[song] + pd.to_timedelta(rng.exponential(60, n_events), "D"),
})
folder = Path(tempfile.mkdtemp())
log.to_parquet(folder / "plays.parquet")
log.head()

# %%
# Play counts from the log
# ------------------------
# :func:`~skcoldstart.datasets.plays_from_events` reads data frames (pandas, polars,
# pyarrow), parquet and CSV files. ``items`` sets the order of the rows, so the plays
# match the table of songs. Plays after the first of November are left out: songs that
# were released later are the new songs.

from skcoldstart.datasets import plays_from_events

today = "2025-11-01"
plays = plays_from_events(
    folder / "plays.parquet",
    item="song_id",
    timestamp="played_at",
    until=today,
    items=songs["song_id"],
)
print(plays.DESCR)
is_new = (songs["released"] >= today).to_numpy()
print(is_new.sum(), "new songs")

# %%
# A content model for mixed columns
# ---------------------------------
# A ``ColumnTransformer`` prepares each kind of column. The whole content model is the
# regressor of the recommender.

from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcoldstart import WMF, ColdStartRecommender

content = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["genre"]),
        (TfidfVectorizer(), "tags"),
        (StandardScaler(), ["energy", "length_s"]),
    ),
    Ridge(1.0),
)
model = ColdStartRecommender(content, WMF(n_components=16, random_state=0))

# %%
# How good is it?
# ---------------
# Before the model is used, it is compared with chance and with a baseline without
# factors. The folds hold out songs, so every song is ranked as if it were new.

from sklearn.model_selection import KFold

from skcoldstart import ContentProfileRecommender, RandomRecommender
from skcoldstart.model_selection import compare

known, y = songs[~is_new], plays.plays[~is_new]
table = compare(
    {
        "random": RandomRecommender(random_state=0),
        "content profile": make_pipeline(content[0], ContentProfileRecommender()),
        "factors from content": model,
    },
    known,
    y,
    cv=KFold(4, shuffle=True, random_state=0),
    metrics="auc",
)

# %%
# The bars are 95 % intervals over users.

import matplotlib.pyplot as plt

auc, low, high = (table[key] for key in ("auc", "auc_low", "auc_high"))
fig, ax = plt.subplots(figsize=(6.5, 2), layout="constrained")
ax.errorbar(auc, table["model"], xerr=(auc - low, high - auc), fmt="o", capsize=3)
ax.axvline(0.5, color="0.7", linewidth=1, zorder=0)
ax.set_ylim(2.5, -0.5)
ax.set_xlabel("AUC on held-out songs")
for side in ("top", "right"):
    ax.spines[side].set_visible(False)

# %%
# Recommend the new songs
# -----------------------
# ``item_ids`` and ``user_ids`` give the lists names. ``to_frame`` returns a data frame.

from skcoldstart import recommend

model.fit(known, y, user_ids=plays.user_ids)
lists = recommend(model, songs[is_new], n=3, item_ids=songs["song_id"][is_new])
frame = lists.to_frame().merge(
    songs[["song_id", "tags"]], left_on="item_id", right_on="song_id"
)
frame.drop(columns="song_id").sort_values(["user_id", "rank"]).head(9)

# %%
# Were the lists right?
# ---------------------
# The log goes on after the first of November. The metrics on these later plays of the
# new songs:

from skcoldstart import recommendation_scorer

later = plays_from_events(
    folder / "plays.parquet",
    item="song_id",
    timestamp="played_at",
    since=today,
    items=songs["song_id"][is_new],
    users=plays.user_ids,
)
scores = recommendation_scorer(model, songs[is_new], later.plays)
print({name: round(float(value), 2) for name, value in scores.items()})
plt.show()
