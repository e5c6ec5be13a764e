"""
New releases: what is learnt in the first rounds, and what variety costs
========================================================================

New songs need first listeners. This example replays the first rounds of new songs
under several policies, and then shows what it costs to show more of them to somebody.
"""

# %%
# Songs and a model
# -----------------
# What content does not show of a song is learnt from its first plays: in these
# synthetic data, half of a song's qualities are hidden.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import sparse

from skcoldstart import WMF, ColdStartRecommender, diversify, exposure_report


def world(seed, n_songs=900, n_users=300):
    rng = np.random.default_rng(seed)
    content, hidden = rng.normal(size=(2, n_songs, 5))
    taste = 0.45 * rng.normal(size=(10, n_users))
    rates = np.exp(np.hstack([content, hidden]) @ taste - 3.0)
    return content, sparse.csr_array(rng.poisson(rates))


def fitted(X, y, **params):
    return ColdStartRecommender(factorizer=WMF(10, random_state=0), **params).fit(X, y)


# %%
# The first rounds, replayed
# --------------------------
# In each round everybody is shown five new songs. ``refine_factors`` learns from the
# plays; with ``learn_from_shown``, being shown and not played counts against a song.
# ``lift`` helps songs that have listeners, but not yet five of them.

from skcoldstart.inspection import NewReleaseDisplay
from skcoldstart.model_selection import release_curve

policies = {
    "greedy": {},
    "learn from shown": {"learn_from_shown": True},
    "learn from shown, lift": {"learn_from_shown": True, "lift": 0.3},
    "thompson": {"explore": "thompson", "strength": 0.3},
}
curves = []
for seed in range(3):
    X, y = world(seed)
    model = fitted(X[:500], y[:500])
    curves.append(
        release_curve(
            model, X[500:], y[500:], policies=policies, n_rounds=8, random_state=seed
        )
    )
display = NewReleaseDisplay(pd.concat(curves), baseline="greedy").plot()

# %%
# What variety costs
# ------------------
# ``diversify`` orders the best fifty new songs of each list anew, so that songs that
# are alike do not stand together. ``exposure_report`` counts which songs anybody is
# shown. Points on the line are settings that no other one beats in both.

from skcoldstart.inspection import TradeOffDisplay

X_new, y_new = X[500:], y[500:].toarray() > 0
candidates = model.recommend(X_new, 50)
settings = [1.0, 0.9, 0.8, 0.6, 0.4, 0.2]
precision, reports = [], []
for trade_off in settings:
    lists, _ = diversify(
        candidates.items, candidates.scores, X_new, trade_off=trade_off, n=10
    )
    precision.append(np.take_along_axis(y_new.T, lists.filled(), axis=1).mean())
    reports.append(exposure_report(lists, len(X_new)))
trade = TradeOffDisplay.from_reports(
    settings,
    precision,
    reports,
    name="trade_off",
    metrics=("precision at 10", "share of new songs shown to anybody"),
)
trade.plot()
plt.show()
