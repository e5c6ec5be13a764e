"""How well new items are ranked on real sets, by every system in one table.

    python benchmarks/real_quality.py --data FOLDER [--sets citeulike-a taste-song]
        [--systems "content profile" ...] [--peers] [--candidates 12]
        [--seeds 5] [--results RESULTS]

FOLDER holds citeulike-a, citeulike-t, hetrec2011-lastfm-2k, tasteprofile and msd; what
is held out of each stands in ``real_sets.py``, the systems in ``real_systems.py``. A
seed is another split, and another start of the models; citeulike-a has one official
split, so that only the start differs there.

``--peers`` measures the systems of other libraries, in ``real_peers.py``, instead. One
whose package is not installed is named and left out. ``--candidates`` is the largest
number of settings that a search tries.

Metrics are means over the users who played a held-out item: those of them who also
played a training item, or with ``--users all`` everybody, although all items tie for
who has played nothing yet. Each result is kept in RESULTS as soon as it is there: a
stopped run goes on, and results of several runs are put into one table. ``--anew``
computes those asked for again.

Below each table stand the differences to a reference, paired by user, with intervals
over users, and in how many seeds a system is better. Intervals over users are too
narrow where all users share one split: read both.
"""

import argparse
import json
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from real_peers import PEERS, missing_package, package_version
from real_sets import SETS
from real_systems import N_CANDIDATES, SYSTEMS
from sklearn.model_selection import RandomizedSearchCV

import skcoldstart
from skcoldstart import make_recommendation_scorer
from skcoldstart._utils.paths import atomic_write
from skcoldstart.metrics import compare_paired

METRICS = {
    "recall@100": "recall@100",
    "ndcg@20": "NDCG@20",
    "map": "mAP@500",
    "auc": "AUC",
}
SCORED = ("recall@100", "ndcg@20", "map@500", "auc")
REFERENCE = "content profile"
ALL = SYSTEMS | PEERS


def measure(set_name, system, folder, seed, n_candidates=N_CANDIDATES):
    """Fit one system to one split; return figures and values of users."""
    real_set = SETS[set_name](folder, seed)
    made = ALL[system](real_set, seed)
    model, fit_params = made if isinstance(made, tuple) else (made, {})
    if isinstance(model, RandomizedSearchCV):
        model.set_params(n_iter=min(model.n_iter, n_candidates))
    X, y = real_set.X, real_set.plays
    start = time.perf_counter()
    model.fit(X[real_set.train], y[real_set.train], **fit_params)
    fitted = time.perf_counter()
    scorer = make_recommendation_scorer(SCORED)
    values = scorer.per_user(model, X[real_set.test], y[real_set.test])
    seconds = {"fit_s": fitted - start, "score_s": time.perf_counter() - fitted}
    values["known"] = np.zeros(y.shape[1], dtype=bool)
    values["known"][real_set.known_users] = True
    chosen = {"package": package_version(system)} if package_version(system) else {}
    if isinstance(model, RandomizedSearchCV):
        chosen["candidates"] = model.n_iter
        seconds["refit_s"] = model.refit_time_
    chosen |= getattr(model, "best_params_", {})
    if hasattr(model, "weights_"):
        names = [name for name, _ in model.recommenders]
        chosen |= dict(zip(names, model.weights_, strict=True))
    return seconds | {key: str(value) for key, value in chosen.items()}, values


class Results:
    """Values of users and settings of each set, system and seed, in one folder."""

    def __init__(self, folder, users):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.users = users

    def _path(self, set_name, system, seed, suffix):
        name = "".join(c if c.isalnum() else "-" for c in f"{set_name} {system}")
        return self.folder / f"{name}-{seed}.{suffix}"

    def has(self, *cell):
        """Whether a result is kept."""
        return self._path(*cell, "json").exists()

    def keep(self, *cell, notes, values):
        """Write a result."""
        with atomic_write(self._path(*cell, "npz")) as file:
            np.savez_compressed(file, **values)
        with atomic_write(self._path(*cell, "json"), "w") as file:
            json.dump(notes, file, indent=1)

    def seconds(self, *cell):
        """Return how long fit and scoring took."""
        notes = json.loads(self._path(*cell, "json").read_text("utf-8"))
        return notes["fit_s"] + notes["score_s"]

    def values(self, *cell):
        """Return the metrics of each user, NaN for users who are not counted."""
        with np.load(self._path(*cell, "npz")) as kept:
            counted = kept["known"] if self.users == "known" else True
            return {name: np.where(counted, kept[name], np.nan) for name in METRICS}

    def means(self, *cell):
        """Return the means over users."""
        return {name: np.nanmean(of) for name, of in self.values(*cell).items()}


def report(set_name, systems, seeds, results):
    """Print means and spread over seeds, then differences to the reference."""
    kept = {
        system: [seed for seed in seeds if results.has(set_name, system, seed)]
        for system in systems
    }
    kept = {system: found for system, found in kept.items() if found}
    if not kept:
        return
    print(f"\n{set_name}: mean ± standard deviation over seeds, {results.users} users")
    print(
        f"{'system':34}" + "".join(f"{n:>17}" for n in METRICS.values()) + "  seeds   s"
    )
    for system, found in kept.items():
        rows = [results.means(set_name, system, seed) for seed in found]
        cells = ""
        for name in METRICS:
            of_seeds = np.array([row[name] for row in rows])
            spread = of_seeds.std(ddof=1) if len(rows) > 1 else np.nan
            cells += f"{of_seeds.mean():>10.4f} ± {spread:.3f}"
        seconds = np.mean([results.seconds(set_name, system, s) for s in found])
        print(f"{system:34}{cells}{len(found):>7}{seconds:>6.0f}")
    for reference in dict.fromkeys([REFERENCE, *kept]):
        if reference in kept:
            break
    print(f"differences to {reference!r} [95 % over users] and wins over seeds")
    for system, found in kept.items():
        both = [seed for seed in found if seed in kept[reference]]
        if system == reference or not both:
            continue
        cells = ""
        for name in METRICS:
            pairs = [
                [results.values(set_name, s, seed)[name] for s in (system, reference)]
                for seed in both
            ]
            compared = compare_paired(*np.concatenate(pairs, axis=1))
            wins = sum(np.nanmean(a) > np.nanmean(b) for a, b in pairs)
            cells += (
                f"{compared.difference:>+9.3f} [{compared.low:+.3f}, "
                f"{compared.high:+.3f}] {wins}/{len(both)}"
            )
        print(f"{system:34}{cells}")


def main():
    """Measure what is not kept yet and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--systems", nargs="+", choices=ALL, default=list(SYSTEMS))
    parser.add_argument("--peers", action="store_true", help="all of the other systems")
    parser.add_argument("--candidates", type=int, default=N_CANDIDATES)
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0")
    parser.add_argument("--users", choices=["known", "all"], default="known")
    parser.add_argument("--results", type=Path, default=Path("real_quality_results"))
    parser.add_argument("--anew", action="store_true", help="replace kept results")
    args = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}, {os.cpu_count()} CPUs"
    )
    results = Results(args.results, args.users)
    systems = []
    for system in PEERS if args.peers else args.systems:
        package = missing_package(system)
        if package is None:
            systems.append(system)
        else:
            print(f"{system} is left out: {package} is not installed")
    for set_name in args.sets:
        for seed in range(args.seeds):
            for system in systems:
                cell = set_name, system, seed
                if results.has(*cell) and not args.anew:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    notes, values = measure(
                        set_name, system, args.data, seed, args.candidates
                    )
                results.keep(*cell, notes=notes, values=values)
                means = results.means(*cell).items()
                shown = "  ".join(f"{name} {mean:.4f}" for name, mean in means)
                print(
                    f"{set_name}, {system}, seed {seed}: {shown}  "
                    f"({notes['fit_s']:.0f} + {notes['score_s']:.0f} s)",
                    flush=True,
                )
        report(set_name, systems, range(args.seeds), results)


if __name__ == "__main__":
    main()
