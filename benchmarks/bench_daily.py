"""What a day costs: naming users, and going on from the last fit against a full one.

    python benchmarks/bench_daily.py [--users 100000] [--items 10000] [--rounds 3]

Plays are drawn from planted factors, of which content shows a part. The first part fits
with and without names of users, given as ``user_ids`` and as labelled plays. In the
second a model is fitted to all but the last share of items, users and plays; then
``partial_fit`` with everything is compared with a fit to everything: time, objective,
and mAP and AUC of items that neither has seen. Methods take turns.
"""

import argparse
import os
import platform
import time

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.linear_model import Ridge

from skcoldstart import WMF, ColdStartRecommender, make_recommendation_scorer
from skcoldstart.datasets import plays_from_events

K_TRUE, N_FEATURES = 24, 60


def world(n_items, n_users, n_per_user, seed=0):
    """Return content, plays and how late each play is, between 0 and 1."""
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(n_items, K_TRUE)).astype(np.float32)
    U = rng.normal(size=(n_users, K_TRUE)).astype(np.float32)
    fame = rng.normal(size=n_items).astype(np.float32)
    rows, columns = [], []
    for start in range(0, n_users, 1000):
        scores = U[start : start + 1000] @ V.T * 0.5 + fame
        scores += rng.gumbel(size=scores.shape).astype(np.float32)
        best = np.argpartition(-scores, n_per_user, axis=1)[:, :n_per_user]
        rows.append(best.ravel())
        columns.append(np.repeat(np.arange(start, start + len(scores)), n_per_user))
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    plays = sp.csr_array((np.ones(len(rows)), (rows, columns)), (n_items, n_users))
    mixing = rng.normal(size=(K_TRUE, N_FEATURES)).astype(np.float32)
    noise = rng.normal(size=(n_items, N_FEATURES)).astype(np.float32)
    return V @ mixing + 2 * noise, plays


def median_time(works, rounds):
    """Return the median seconds of each piece of work, in turns, and what it gave."""
    times = {name: [] for name in works}
    found = {}
    for _ in range(rounds):
        for name, work in works.items():
            started = time.perf_counter()
            found[name] = work()
            times[name].append(time.perf_counter() - started)
    return {name: np.median(values) for name, values in times.items()}, found


def model():
    return ColdStartRecommender(Ridge(100.0), WMF(50, random_state=0))


def naming(X, plays, rounds):
    n_items, n_users = plays.shape
    names = [f"user-{i:07d}" for i in range(n_users)]
    pairs = plays.tocoo()
    import pandas as pd

    log = pd.DataFrame({
        "user_id": np.array(names, object)[pairs.col],
        "item_id": pairs.row,
    })
    bunch = plays_from_events(log, items=range(n_items), users=names)
    works = {
        "no names": lambda: model().fit(X, plays),
        "user_ids": lambda: model().fit(X, plays, user_ids=names),
        "labelled plays": lambda: model().fit(X, bunch.plays),
    }
    times, found = median_time(works, rounds)
    assert list(found["labelled plays"].user_names_in_) == names
    base = times["no names"]
    print(f"Fit of {n_items} items and {n_users} users, {plays.nnz} pairs:")
    for name, value in times.items():
        print(f"  {name:<15}{value:8.3f} s  {100 * (value / base - 1):+.2f} %")
    from skcoldstart._scores.user_names import record_user_names

    for name, given in (("user_ids", names), ("labelled plays", None)):
        y = plays if given is not None else bunch.plays
        started = time.perf_counter()
        record_user_names(model(), y, given)
        cost = time.perf_counter() - started
        print(f"  {name} alone: {cost:.4f} s, {100 * cost / base:.2f} % of a fit")


def growing(X, plays, share, rounds):
    rng = np.random.default_rng(1)
    n_items, n_users = plays.shape
    held_out = rng.random(n_items) < 0.1
    test, known = np.flatnonzero(held_out), np.flatnonzero(~held_out)
    X_new, y_new = X[test], plays[test]
    X, y = X[known], plays[known]
    old_items = np.arange(int(len(known) * (1 - share)))
    old_users = np.arange(int(n_users * (1 - share)))
    before = y[old_items][:, old_users].tocoo()
    kept = rng.random(before.nnz) > share
    before = sp.csr_array(
        (before.data[kept], (before.row[kept], before.col[kept])), before.shape
    )
    items, users = known.astype(str), np.arange(n_users).astype(str)
    first = model().fit(
        X[old_items], before, item_ids=items[old_items], user_ids=users[old_users]
    )

    def go_on():
        import copy

        return copy.deepcopy(first).partial_fit(X, y, item_ids=items, user_ids=users)

    works = {
        "fit": lambda: model().fit(X, y, item_ids=items, user_ids=users),
        "partial_fit": go_on,
    }
    times, found = median_time(works, rounds)
    score = make_recommendation_scorer(("map@500", "auc"))
    print(
        f"From {before.shape} with {before.nnz} pairs to {y.shape} with {y.nnz}; "
        f"{len(test)} items that neither has seen:"
    )
    for name, fitted in {**found, "not renewed": first}.items():
        same = y_new if name != "not renewed" else y_new[:, old_users]
        values = score(fitted, X_new, same)
        line = f"  {name:<12}mAP@500 {values['map']:.4f}, AUC {values['auc']:.4f}"
        if name in times:
            line += f", {times[name]:7.2f} s, {times['fit'] / times[name]:.1f} x; "
            line += f"objective {fitted.factorizer_.loss(y):.4g}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--per-user", type=int, default=30)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} processors; numpy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}"
    )
    X, plays = world(args.items, args.users, args.per_user)
    naming(X, plays, args.rounds)
    growing(X, plays, args.share, args.rounds)


if __name__ == "__main__":
    main()
