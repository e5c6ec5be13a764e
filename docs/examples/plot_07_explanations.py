"""
Why this song? Explanations by song, by second and on a page
============================================================

A score can be split into parts that add up to it. This example names the played songs
behind a recommendation, finds the seconds of a song that a score comes from, and writes
both to an interactive page.
"""

# %%
# Songs, listeners and a model
# ----------------------------
# The music is synthetic. The last 40 songs are new: nobody has played them.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import WMF, ColdStartRecommender, FramePooling, MelSpectrogram, explain
from skcoldstart.datasets import make_music_catalog

folder = Path(tempfile.mkdtemp())
catalog = make_music_catalog(
    folder,
    n_songs=200,
    n_artists=40,
    n_genres=5,
    n_users=250,
    duration_s=12,
    random_state=0,
)
known, new = np.arange(160), np.arange(160, 200)
paths, plays = np.asarray(catalog.paths, dtype=object), catalog.plays
titles = np.array([
    f"{genre} {number}" for number, genre in enumerate(catalog.genres)
])  # fmt: skip

model = ColdStartRecommender(
    make_pipeline(
        MelSpectrogram(n_mels=40, hop_length=1024),
        FramePooling(["mean"]),
        StandardScaler(),
        Ridge(10.0),
    ),
    WMF(16, random_state=0),
)
model.fit(paths[known], plays[known])

# %%
# Because you played
# ------------------
# We take the listener with most plays, and the best new song. The predicted factors are
# a weighted sum of the factors of known songs, so that every known song contributes to
# the score. A bar to the left lowers it.

from skcoldstart.inspection import ExplanationDisplay

user = int(np.asarray(plays[known].sum(axis=0)).argmax())
song = int(model.recommend(paths[new], 1, users=[user]).items[0, 0])
display = ExplanationDisplay.from_estimator(
    model,
    paths[new][[song]],
    [user],
    n=6,
    X_train=paths[known],
    item_ids=titles[known],
)
display.plot()
display.ax_.set_title(f"{titles[new][song]} for listener {user}", loc="left")

# %%
# Which seconds?
# --------------
# The prediction is a mean over frames, so that it can also be split over time:
# ``by="time"`` returns windows of three seconds, ``MomentsDisplay`` draws all frames
# and marks the best moments.

explain(model, paths[new][[song]], [user], n=3, by="time")

# %%
from skcoldstart.inspection import MomentsDisplay

moments = MomentsDisplay.from_estimator(model, paths[new][song], [user])
moments.plot(n=2, length=2.0)

# %%
# A page to listen with
# ---------------------
# The interactive page places all songs on a map. A click on a song plays it, and shows
# "Because you played ..." and the marked seconds, which play from there.

from skcoldstart.inspection import TasteMapDisplay

factors = model.predict_factors(paths)
centred = factors - factors.mean(axis=0)
axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
table = explain(model, paths, [user], n=3, X_train=paths[known], item_ids=titles[known])
songs = table[(table["kind"] == "song") & (table["contribution"] > 0)]
reasons = [songs.loc[songs["item"] == i, "source"].tolist() for i in range(200)]
found = [[]] * 160 + [
    MomentsDisplay.from_estimator(model, path, [user]).moments(2, length=2.0)
    for path in paths[new]
]
page = TasteMapDisplay(centred @ axes.T, names=titles, labels=catalog.genres)
page.write_html(
    folder / "map.html",
    title=f"For listener {user}",
    audio=paths,
    reasons=reasons,
    moments=found,
)
page.plot()
plt.show()
