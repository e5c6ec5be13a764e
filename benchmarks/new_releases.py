"""The first weeks of new items: what a list that explores gains and costs.

    python benchmarks/new_releases.py --data FOLDER [--sets citeulike-a music ...]
        [--seeds 5] [--table TABLE.csv]

FOLDER is that of ``real_sets.py``. A fifth of the items is new, and up to 1,000 of them
are released to up to 2,000 listeners at once, for 20 rounds of five items, by
``skcoldstart.model_selection.release_curve``; plays are those of the data. A seed is
another split, and another start.

Reported are the hits (plays) and the items that reach five listeners, and their ratio
to those of ``greedy`` on the same split, with 95 % intervals over seeds (Student's t).
The probability of random items and the strengths are chosen on two other seeds: the
most items that reach five listeners, among those that lose at most 1 % of the hits of
greedy, or the smallest one where all lose more.
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
TUNING_SEEDS = (100, 101)
LARGEST_LOSS = 0.01
POLICIES = {
    "greedy": [{}],
    "epsilon-greedy": [{"epsilon": p} for p in (0.05, 0.2)],
    "popularity first": [{"plays_first": True}],
    "ucb": [{"explore": "ucb", "strength": s} for s in (1.0, 5.0)],
    "thompson": [{"explore": "thompson", "strength": s} for s in (0.1, 0.3, 1.0)],
}


def replay(name, folder, seed, policies):
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
    ).fit(data.X[warm], data.plays[warm])
    released = rng.permutation(new)[:MOST_ITEMS]
    known = np.flatnonzero(np.bincount(data.plays[warm].indices))
    users = np.sort(rng.permutation(known)[:MOST_USERS])
    return release_curve(
        model,
        data.X[released],
        data.plays[released],
        policies=policies,
        users=users,
        random_state=seed,
    )


@cache
def _songs():
    world = make_music_catalog(
        n_songs=1000, n_artists=200, n_users=1000, duration_s=4.0, random_state=0
    )
    content = make_pipeline(MFCCExtractor(), FramePooling())
    content = content.fit_transform(world.waveforms)
    return np.asarray(content), sp.csr_array(world.plays)


def music(seed):
    """Return synthetic songs: pooled MFCCs, a fifth of the songs held out."""
    X, plays = _songs()
    order = np.random.default_rng(seed).permutation(len(X))
    test, train = order[: len(X) // 5], order[len(X) // 5 :]
    return RealSet("music", X, plays, None, np.sort(train), np.sort(test))


def last_round(table):
    """Return hits and items of each policy at the end, a row a policy."""
    table = table[table["round"] == table["round"].max()]
    return table.set_index("policy")[["hits", "items"]]


def choose(name, folder):
    """Return the options of each policy that are best on other seeds."""
    settings = {
        f"{policy} {i}": options
        for policy, choices in POLICIES.items()
        for i, options in enumerate(choices)
    }
    totals = sum(last_round(replay(name, folder, s, settings)) for s in TUNING_SEEDS)
    ratios = totals / totals.loc["greedy 0"]
    chosen = {}
    for policy, choices in POLICIES.items():
        found = ratios.loc[[f"{policy} {i}" for i in range(len(choices))]]
        found = found.assign(options=choices)
        fair = found[found["hits"] >= 1 - LARGEST_LOSS]
        if len(choices) > 1:
            print(found.to_string(), flush=True)
        best = fair["items"].idxmax() if len(fair) else found.index[0]
        chosen[policy] = found.loc[best, "options"]
    return chosen


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
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}; {options.seeds} seeds"
    )
    tables = []
    for name in options.sets:
        start = time.perf_counter()
        print(f"\n{name}: chosen on seeds {TUNING_SEEDS}, relative to greedy")
        chosen = choose(name, options.data)
        curves = [
            replay(name, options.data, seed, chosen) for seed in range(options.seeds)
        ]
        tables += [curve.assign(set=name) for curve in curves]
        ends = [last_round(curve) for curve in curves]
        print(
            f"{'':18}{'hits':>8}{'items':>8}{'hits / greedy':>18}{'items / greedy':>18}"
        )
        for policy in POLICIES:
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
