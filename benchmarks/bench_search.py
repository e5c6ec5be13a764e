"""ColdStartRecommenderCV against GridSearchCV over the same candidates and folds.

    python benchmarks/bench_search.py [--items 4000] [--users 6000] [--rounds 1]
        [--alphas 0.1 1 10 100] [--play-weights 0 1]

Both try the same candidates (by default the 32 of `ColdStartRecommenderCV`: a ridge on
the content and on an RBF kernel of three widths, four strengths, smoothed plays or
none) on the same three folds of synthetic plays with partly informative content, and
refit the best one. Searches take turns. Their scores and choices are compared.
"""

import argparse
import os
import platform
import time

import numpy as np
import sklearn
from bench_daily import world
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

import skcoldstart
from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ColdStartRecommenderCV,
    make_recommendation_scorer,
)
from skcoldstart.compose import KernelFeatures

METRIC = "map@500"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--users", type=int, default=6000)
    parser.add_argument("--plays", type=int, default=40, help="a user")
    parser.add_argument("--factors", type=int, default=200)
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.1, 1, 10, 100])
    parser.add_argument("--play-weights", type=float, nargs="+", default=[0, 1])
    parser.add_argument("--rounds", type=int, default=1)
    return parser.parse_args()


def searches(args):
    """Return the two searches, unfitted, with the same seeds."""
    folds = KFold(3, shuffle=True, random_state=0)
    own = ColdStartRecommenderCV(
        args.alphas,
        n_components=(args.factors,),
        play_weights=args.play_weights,
        cv=folds,
        scoring=METRIC,
        random_state=0,
    )
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    kernel = KernelFeatures(own.n_landmarks, random_state=seed)
    of_kernel = Pipeline([("kernel", kernel), ("ridge", Ridge())])
    weights = {"play_weight": own.play_weights}
    plain = GridSearchCV(
        ColdStartRecommender(Ridge(), WMF(args.factors, reg="auto", random_state=seed)),
        [
            {"regressor": [Ridge()], "regressor__alpha": own.alphas, **weights},
            {
                "regressor": [of_kernel],
                "regressor__kernel__gamma": own.gammas,
                "regressor__ridge__alpha": own.alphas,
                **weights,
            },
        ],
        cv=folds,
        scoring=make_recommendation_scorer(METRIC),
    )
    return own, plain


def plain_scores(plain):
    """Return the mean score of each candidate by its settings."""
    results = plain.cv_results_
    found = {}
    for params, score in zip(
        results["params"], results["mean_test_score"], strict=True
    ):
        is_kernel = "regressor__kernel__gamma" in params
        alpha = params["regressor__ridge__alpha" if is_kernel else "regressor__alpha"]
        gamma = params.get("regressor__kernel__gamma")
        found[gamma, alpha, params["play_weight"]] = score
    return found


def main():
    args = parse_arguments()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}, {os.cpu_count()} CPUs"
    )
    X, plays = world(args.items, args.users, args.plays)
    X = normalize(X)
    ratios = []
    for _ in range(args.rounds):
        times, cpu_times = [], []
        own, plain = searches(args)
        for search in (own, plain):
            start, cpu_start = time.perf_counter(), time.process_time()
            search.fit(X, plays)
            times.append(time.perf_counter() - start)
            cpu_times.append(time.process_time() - cpu_start)
        ratios.append(times[1] / times[0])
        print(
            f"own {times[0]:.1f} s, plain {times[1]:.1f} s, {ratios[-1]:.1f} x; of "
            f"processors {cpu_times[0]:.1f} s, {cpu_times[1]:.1f} s, "
            f"{cpu_times[1] / cpu_times[0]:.1f} x"
        )
    reference = plain_scores(plain)
    results = own.cv_results_
    differences = [
        abs(score - reference[params["gamma"], params["alpha"], params["play_weight"]])
        for params, score in zip(
            results["params"], results["mean_test_score"], strict=True
        )
    ]
    best = max(reference, key=reference.get)
    chosen = tuple(own.best_params_[name] for name in ("gamma", "alpha", "play_weight"))
    print(
        f"{len(differences)} candidates, {METRIC} of the best {own.best_score_:.4f}; "
        f"largest difference of a score {max(differences):.1e}; same choice: "
        f"{chosen == best}"
    )


if __name__ == "__main__":
    main()
