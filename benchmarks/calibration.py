"""How sure predictions are: coverage of intervals, and what the first plays change.

    python benchmarks/calibration.py --data FOLDER [--sets citeulike-a citeulike-t]
        [--systems ridge perceptrons]

FOLDER is that of ``real_sets.py``. A `ColdStartRecommender` with the default strengths
learns from the training items: by a ridge, or by a bag of five perceptrons, whose
covariances come from their spread. The truth for a held-out item is the score of the
factors that all of its plays give (fold-in). Reported are the share of scores inside
intervals of 90 %, the rank correlation of standard deviation and absolute error, and,
for items with ten plays and more, both again after five of the plays, and the share of
items whose deviation falls.
"""

import argparse
import platform
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import sklearn
from real_sets import SETS
from scipy.stats import norm, spearmanr
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcoldstart
from skcoldstart import WMF, ColdStartRecommender
from skcoldstart.metrics import mean_auc

N_PLAYS = 5
N_PAIRS = 200_000  # pairs of item and user for a rank correlation


def perceptrons():
    """Return five perceptrons, each on its own bootstrap sample of the items."""
    network = MLPRegressor(hidden_layer_sizes=(128,), alpha=1.0, max_iter=10)
    member = TransformedTargetRegressor(network, transformer=StandardScaler())
    return BaggingRegressor(member, 5, random_state=0)


SYSTEMS = {"ridge": lambda: Ridge(10.0), "perceptrons": perceptrons}


def five_plays(plays, rng):
    """Draw five plays of each item, as 1."""
    drawn = [
        rng.choice(plays.indices[start:stop], N_PLAYS, replace=False)
        for start, stop in zip(plays.indptr[:-1], plays.indptr[1:], strict=True)
    ]
    places = np.repeat(np.arange(len(drawn)), N_PLAYS), np.concatenate(drawn)
    return sp.csr_array((np.ones(N_PLAYS * len(drawn)), places), shape=plays.shape)


def describe(errors, deviations):
    """Return coverage of 90 % and rank correlation, as text."""
    pairs = np.random.default_rng(0).integers(0, errors.size, N_PAIRS)
    inside = errors < norm.ppf(0.95) * deviations
    rank = spearmanr(deviations.ravel()[pairs], errors.ravel()[pairs]).statistic
    return f"inside 90 %: {inside.mean():.3f}, rank correlation {rank:.3f}"


def report(data, system):
    """Print the results on one set."""
    regressor = make_pipeline(*data.dense_steps(unit=False), SYSTEMS[system]())
    model = ColdStartRecommender(regressor, WMF(random_state=0))
    model.fit(data.X[data.train], data.plays[data.train])
    users = model.user_factors_[data.known_users]
    n_plays = np.diff(data.plays.indptr)

    cold = data.test[n_plays[data.test] > 0]
    truth = model.factorizer_.transform(data.plays[cold]) @ users.T
    scores, deviations = model.predict(data.X[cold], return_std=True)
    errors = np.abs(truth - scores[:, data.known_users])
    text = describe(errors, deviations[:, data.known_users])
    auc = mean_auc(data.plays[cold][:, data.known_users], scores[:, data.known_users])
    print(
        f"{data.name}, {system}, {len(cold)} items: {text}, AUC {auc:.3f}", flush=True
    )

    cold = data.test[n_plays[data.test] >= 2 * N_PLAYS]
    truth = model.factorizer_.transform(data.plays[cold])
    so_far = five_plays(data.plays[cold], np.random.default_rng(1))
    results = {
        "without plays": model.predict_factors(data.X[cold], return_cov=True),
        "after five": model.refine_factors(data.X[cold], so_far, return_cov=True),
    }
    means = []
    for name, (factors, covariance) in results.items():
        errors, deviations = np.abs((truth - factors) @ users.T), covariance.std(users)
        means.append((errors.mean(), deviations.mean(axis=1)))
        print(f"  {len(cold)} items, {name}: {describe(errors, deviations)}")
    (error, before), (later, after) = means
    print(
        f"  deviation falls for {np.mean(after < before):.3f} of items, by "
        f"{1 - after.mean() / before.mean():.3f}; "
        f"error falls by {1 - later / error:.3f}"
    )


def main():
    """Report on each set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    sets = ["citeulike-a", "citeulike-t"]
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=sets)
    parser.add_argument(
        "--systems", nargs="+", choices=list(SYSTEMS), default=["ridge"]
    )
    options = parser.parse_args()
    print(
        f"skcoldstart {skcoldstart.__version__}, scikit-learn {sklearn.__version__}, "
        f"numpy {np.__version__}, {platform.machine()}"
    )
    for name in options.sets:
        for system in options.systems:
            report(SETS[name](options.data, 0), system)


if __name__ == "__main__":
    main()
