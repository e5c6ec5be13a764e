"""What variety and exposure cost in accuracy, on real plays.

    python benchmarks/trade_off.py --data FOLDER [--sets taste-song ...] [--seeds 3]
        [--pictures FOLDER]

FOLDER is that of ``real_sets.py``. A ridge on content predicts factors of the held-out
items, and every user with plays of them and of training items gets a list of ten. Three
levers are moved, one at a time:

- ``norm_compression`` and ``popularity_weight`` of `ColdStartRecommender`;
- ``trade_off`` of `skcoldstart.diversify`: MMR by cosines of content, among the best
  100.

Reported are precision at 10, and, of `skcoldstart.exposure_report`, the share of new
items shown to anybody, 1 minus the Gini coefficient, and the share of artists shown
where there are artists; means over seeds. Pictures are those of ``TradeOffDisplay``.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from real_sets import SETS
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import skcoldstart
from skcoldstart import WMF, ColdStartRecommender, diversify, exposure_report
from skcoldstart.inspection import TradeOffDisplay

LEVERS = {
    "norm_compression": (0.0, 1.0, 3.0, np.inf),
    "popularity_weight": (0.0, 0.3, 1.0),
    "trade_off": (1.0, 0.9, 0.7, 0.5, 0.3),
}
N, N_CANDIDATES, MOST_USERS = 10, 100, 2000


def points(data, seed):
    """Yield a row for each lever and setting."""
    steps = make_pipeline(*data.dense_steps()).fit(data.X[data.train])
    X = np.asarray(steps.transform(data.X))
    new = X[data.test]
    truth = data.plays[data.test].tocsc()
    users = np.intersect1d(data.known_users, np.flatnonzero(np.diff(truth.indptr)))
    users = np.sort(np.random.default_rng(seed).permutation(users)[:MOST_USERS])
    played = truth[:, users].toarray().T > 0
    groups = None if data.groups is None else data.groups[data.test]

    def row(lever, setting, lists):
        hits = np.take_along_axis(played, lists, axis=1)
        report = exposure_report(lists, len(new), groups=groups).set_index("by")
        found = {
            "precision@10": hits.mean(),
            "items shown": report.loc["all", "shown"],
            "1 - Gini": 1 - report.loc["all", "gini"],
        }
        if groups is not None:
            found["artists shown"] = report.loc["groups", "shown"]
        return {"lever": lever, "setting": setting} | found

    for lever, settings in LEVERS.items():
        if lever == "trade_off":
            continue
        for setting in settings:
            model = ColdStartRecommender(
                Ridge(10.0), WMF(64, random_state=seed), **{lever: setting}
            ).fit(X[data.train], data.plays[data.train])
            found = model.recommend(new, N_CANDIDATES, users=users)
            yield row(lever, setting, found.items[:, :N].filled())
            if lever == "norm_compression" and setting == 0:
                plain = found
    for setting in LEVERS["trade_off"]:
        lists, _ = diversify(plain.items, plain.scores, new, trade_off=setting, n=N)
        yield row("trade_off", setting, lists.filled())


def main():
    """Print a table for each set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    sets = ["taste-song", "hetrec", "citeulike-a"]
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=sets)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}; {options.seeds} seeds"
    )
    for name in options.sets:
        rows = [
            own
            for seed in range(options.seeds)
            for own in points(SETS[name](options.data, seed), seed)
        ]
        table = pd.DataFrame(rows).groupby(["lever", "setting"], sort=False).mean()
        print(f"\n{name}\n{table.round(3).to_string()}", flush=True)
        if options.pictures:
            for lever in LEVERS:
                own = table.loc[lever]
                display = TradeOffDisplay(
                    *(own.index, own["precision@10"], own["items shown"]),
                    name=lever,
                    metrics=("precision@10", "new items shown to anybody"),
                ).plot()
                display.figure_.savefig(options.pictures / f"{name}-{lever}.png")


if __name__ == "__main__":
    main()
