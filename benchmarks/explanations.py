"""Are reasons right? What a score loses when the songs that are named are deleted.

    python benchmarks/explanations.py --data FOLDER [--sets citeulike-a hetrec ...]

FOLDER is that of ``real_sets.py``, seed 0. Pairs of a held-out item and a user are
drawn among the best ten items of the user. Of each pair `skcoldstart.explain` names
songs; the three of largest contribution are deleted, and in their place three others
that the user played, drawn at random. Each time the model is solved again in closed
form:

- "soft kernel": the user has not played the songs;
- "ridge": the ridge is solved without the songs (factors stay);
- "WMF": the user is solved without the songs; items are training items.

Reported are the share of pairs whose score falls by more without the named songs than
without the others, and the largest error of the sum of all contributions, relative to
the standard deviation of scores.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import scipy.linalg
import sklearn
from real_sets import SETS
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import skcoldstart
from skcoldstart import WMF, ColdStartRecommender, ContentKNNRecommender, explain

N_ITEMS, N_USERS, N_NAMED, STRENGTH = 400, 100, 3, 10.0


def soft_kernel(data, X, played, rng):
    """Yield pairs and drops of a recommender by neighbours."""
    model = ContentKNNRecommender(weighting="softmax").fit(X[data.train], played)
    items = rng.permutation(data.test)[:N_ITEMS]
    shares = model.predict_factors(X[items]).tocsr()
    place = {song: k for k, song in enumerate(model.played_items_.tolist())}
    users = model.user_factors_

    def drop(item, user, songs):
        lost = [place[song] for song in songs if song in place]
        return (shares[[item]][:, lost] @ users[[user]][:, lost].T).sum()

    yield from pairs_of(model, X[items], played, drop, rng)


def ridge(data, X, played, rng):
    """Yield pairs and drops of factors predicted by a ridge."""
    model = ColdStartRecommender(Ridge(STRENGTH), WMF(dtype="float64", random_state=0))
    model.fit(X[data.train], played)
    items = rng.permutation(data.test)[:N_ITEMS]
    rows, targets = model.training_factors()
    places = {song: k for k, song in enumerate(rows.tolist())}
    F = np.column_stack([np.ones(len(rows)), X[data.train][rows]])
    new = np.column_stack([np.ones(len(items)), X[items]])
    penalty = np.full(F.shape[1], STRENGTH)
    penalty[0] = 0.0
    inverse = np.linalg.inv(F.T @ F + np.diag(penalty))
    coefficients = inverse @ (F.T @ targets)
    U = model.user_factors_.astype(np.float64)

    def drop(item, user, songs):
        kept = [places[song] for song in songs if song in places]
        S, T = F[kept], targets[kept]
        # Woodbury: the ridge without some rows.
        miss = S @ coefficients - T
        change = (
            inverse @ S.T @ np.linalg.solve(np.eye(len(S)) - S @ inverse @ S.T, miss)
        )
        return -(new[item] @ change) @ U[user]

    yield from pairs_of(model, X[items], played, drop, rng, X_train=X[data.train])


def wmf(data, X, played, rng):
    """Yield pairs and drops of factors of users, for training items."""
    model = WMF(dtype="float64", random_state=0).fit(played)
    items = rng.permutation(np.flatnonzero(np.diff(played.indptr)))[:N_ITEMS]
    V, by_user = model.item_factors_, model.confidences(played).T.tocsr()
    gram = V.T @ V + model.reg_ * np.eye(V.shape[1])

    def score(item, user, without):
        start, stop = by_user.indptr[user : user + 2]
        kept = ~np.isin(by_user.indices[start:stop], without)
        own, c = V[by_user.indices[start:stop][kept]], by_user.data[start:stop][kept]
        system = gram + (own.T * (c - 1)) @ own
        solved = scipy.linalg.solve(system, own.T @ c, assume_a="pos")
        return V[items[item]] @ solved

    def drop(item, user, songs):
        return score(item, user, []) - score(item, user, songs)

    yield from pairs_of(model, played[items], played, drop, rng, X_train=played)


def pairs_of(model, X, played, drop, rng, **known):
    """Yield drops without named songs and without others, and errors of sums."""
    n_plays = np.bincount(played.indices, minlength=played.shape[1])
    users = rng.permutation(np.flatnonzero(n_plays >= 2 * N_NAMED))[:N_USERS]
    factors = model.transform(X) if isinstance(model, WMF) else model.predict_factors(X)
    scores = factors @ model.user_factors_[users].T
    scores = np.asarray(scores.todense() if hasattr(scores, "todense") else scores)
    by_user = played.T.tocsr()
    for column, user in enumerate(users):
        item = int(rng.choice(np.argsort(-scores[:, column])[:10]))
        found = explain(model, X[[item]], [user], n=None, **known)
        songs = found[found["kind"] == "song"].nlargest(N_NAMED, "contribution")
        named = songs["source"].tolist()
        own = by_user.indices[by_user.indptr[user] : by_user.indptr[user + 1]]
        others = rng.choice(np.setdiff1d(own, named), N_NAMED, replace=False)
        error = abs(found["contribution"].sum() - scores[item, column]) / scores.std()
        yield drop(item, user, named), drop(item, user, others), error


def main():
    """Print a row for each set and model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    sets = ["citeulike-a", "hetrec", "taste-song"]
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=sets)
    options = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}"
    )
    for name in options.sets:
        data = SETS[name](options.data, 0)
        steps = make_pipeline(*data.dense_steps()).fit(data.X[data.train])
        X = np.asarray(steps.transform(data.X), np.float64)
        played = data.plays[data.train].tocsr()
        for kind in (soft_kernel, ridge, wmf):
            results = list(kind(data, X, played, np.random.default_rng(0)))
            named, others, errors = np.array(results).T
            print(
                f"{name:12}{kind.__name__:12}{len(named):5} pairs, named fall by more: "
                f"{np.mean(named > others):.3f}, sums off by {errors.max():.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
