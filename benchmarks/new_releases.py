"""The first weeks of new items: what a list that explores gains and costs.

    python benchmarks/new_releases.py --data FOLDER [--sets citeulike-a music ...]
        [--seeds 5] [--policies greedy shown ...] [--prior-strength 4]
        [--table TABLE.csv]

FOLDER is that of ``real_sets.py``. A fifth of the items is new (half of the synthetic
songs, so that users cannot be shown most of them), and up to 1,000 of them
are released to up to 2,000 listeners at once, for 20 rounds of five items, by
``skcoldstart.model_selection.release_curve``; plays are those of the data. A seed is
another split, and another start.

Reported are the hits (plays) and the items that reach five listeners, and their ratio
to those of ``greedy`` on the same split, with 95 % intervals over seeds (Student's t);
"most items" are those that five of the users would play. "shown" learns from what was
shown and not played, too, and is part of the policies that begin with it.
Probabilities, strengths and lifts were chosen on other seeds. Counts of each seed come
first.
"""

import argparse
import platform
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn
from real_sets import SETS, RealSet
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import skcoldstart
from skcoldstart import WMF, ColdStartRecommender, FramePooling, MFCCExtractor
from skcoldstart.datasets import make_music_catalog
from skcoldstart.model_selection import release_curve

MOST_ITEMS, MOST_USERS = 1000, 2000
SHOWN = {"learn_from_shown": True}
POLICIES = {
    "greedy": {},
    "popularity first": {"plays_first": True},
    "epsilon-greedy": {"epsilon": 0.05},
    "ucb": {"explore": "ucb", "strength": 1.0},
    "thompson": {"explore": "thompson", "strength": 0.1},
    "shown": SHOWN,
    "shown, lift": SHOWN | {"lift": 0.3},
    "shown, ucb": SHOWN | {"explore": "ucb", "strength": 0.5},
    "shown, thompson": SHOWN | {"explore": "thompson", "strength": 0.1},
}


def replay(name, folder, seed, policies, prior_strength=4.0):
    """Fit to four fifths of the items, and release the others."""
    data = music(seed) if name == "music" else SETS[name](folder, seed)
    rng = np.random.default_rng(seed)
    new = data.test
    if name == "citeulike-a":  # the official split is one; others are drawn
        new = rng.permutation(data.plays.shape[0])[: data.plays.shape[0] // 5]
    warm = np.setdiff1d(np.arange(data.plays.shape[0]), new)
    model = ColdStartRecommender(
        make_pipeline(*data.dense_steps(unit=False), Ridge(10.0)),
        WMF(64, random_state=seed),
        prior_strength=prior_strength,
    ).fit(data.X[warm], data.plays[warm])
    released = rng.permutation(new)[:MOST_ITEMS]
    known = np.flatnonzero(np.bincount(data.plays[warm].indices))
    users = np.sort(rng.permutation(known)[:MOST_USERS])
    truth = data.plays[released].tocsr()
    curve = release_curve(
        *(model, data.X[released], truth),
        policies=policies,
        users=users,
        random_state=seed,
    )
    return curve, np.count_nonzero((truth[:, users] > 0).sum(axis=1) >= 5)


@cache
def _songs():
    world = make_music_catalog(
        n_songs=1000, n_artists=200, n_users=1000, duration_s=4.0, random_state=0
    )
    content = make_pipeline(MFCCExtractor(), FramePooling())
    content = content.fit_transform(world.waveforms)
    return np.asarray(content), sp.csr_array(world.plays)


def music(seed):
    """Return synthetic songs: pooled MFCCs, half of the songs held out."""
    X, plays = _songs()
    order = np.random.default_rng(seed).permutation(len(X))
    test, train = order[: len(X) // 2], order[len(X) // 2 :]
    return RealSet("music", X, plays, None, np.sort(train), np.sort(test))


def last_round(table):
    """Return hits and items of each policy at the end, a row a policy."""
    table = table[table["round"] == table["round"].max()]
    return table.set_index("policy")[["hits", "items"]]


def with_interval(values):
    """Return the mean and a 95 % interval over seeds, as text."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1)
    return f"{values.mean():.3f} ± {half / np.sqrt(len(values)):.3f}"


def main():
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--sets", nargs="+", default=["citeulike-a", "hetrec", "taste-song", "music"]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--prior-strength", type=float, default=4.0)
    parser.add_argument("--policies", nargs="+", choices=list(POLICIES))
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    policies = {name: POLICIES[name] for name in options.policies or POLICIES}
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}; {options.seeds} seeds"
    )
    tables = []
    for name in options.sets:
        start = time.perf_counter()
        curves, most = [], []
        for seed in range(options.seeds):
            curve, n_most = replay(
                *(name, options.data, seed, policies), options.prior_strength
            )
            curves.append(curve)
            most.append(n_most)
            counts = last_round(curve).T.to_dict("list")
            print(f"{name}, seed {seed}: {n_most} {counts}", flush=True)
        print(f"\n{name}; most items: {np.mean(most):.0f}")
        tables += [curve.assign(set=name) for curve in curves]
        ends = [last_round(curve) for curve in curves]
        print(
            f"{'':18}{'hits':>8}{'items':>8}{'hits / greedy':>18}{'items / greedy':>18}"
        )
        for policy in policies:
            own = pd.DataFrame([end.loc[policy] for end in ends])
            ratios = pd.DataFrame([e.loc[policy] / e.loc["greedy"] for e in ends])
            print(
                f"{policy:18}{own['hits'].mean():8.0f}{own['items'].mean():8.1f}"
                f"{with_interval(ratios['hits']):>18}"
                f"{with_interval(ratios['items']):>18}",
                flush=True,
            )
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
    if options.table:
        pd.concat(tables).to_csv(options.table, index=False)


if __name__ == "__main__":
    main()
