"""Recommenders by name, each made for one real set and seed; see real_quality.py.

A system is a function of a set and a seed that returns an estimator, or an estimator
and the parameters of its `fit`. What has settings to choose chooses them inside the
training items, on held-out items of the kind of the outer split, from the same number
of candidates and by the same number: the root of mAP@500 times recall@100.
"""

from math import prod
from tempfile import TemporaryDirectory

from joblib import Memory
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import Pipeline

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentProfileRecommender,
    RandomRecommender,
    make_recommendation_scorer,
    make_recommender,
)
from skcoldstart.compose import ContentKNNRecommender

N_CANDIDATES = 12
N_INNER_SPLITS = 2
CACHE = TemporaryDirectory()
TUNED_ON = make_recommendation_scorer(("map@500", "recall@100"))


def list_quality(estimator, X, y):
    """Return the root of mAP@500 times recall@100 on held-out items."""
    found = TUNED_ON(estimator, X, y)
    return (found["map"] * found["recall@100"]) ** 0.5


def pipeline(steps, model):
    """Return a Pipeline that ends in a step ``model``."""
    named = [(type(step).__name__.lower(), step) for step in steps]
    return Pipeline([*named, ("model", model)])


def tuned(estimator, grid, real_set, seed):
    """Return a search of the budget that all systems have."""
    # Candidates that differ only in the model share the content of a split.
    estimator = estimator.set_params(memory=Memory(CACHE.name, verbose=0))
    return RandomizedSearchCV(
        estimator,
        grid,
        n_iter=min(N_CANDIDATES, prod(len(values) for values in grid.values())),
        scoring=list_quality,
        cv=real_set.inner_splits(N_INNER_SPLITS, seed),
        random_state=seed,
        error_score="raise",
    )


def random(real_set, seed):
    """Return chance."""
    return RandomRecommender(random_state=seed)


def as_it_comes(real_set, seed):
    """Return the recommender with all of its defaults."""
    return pipeline(real_set.dense_steps(unit=False), ColdStartRecommender())


def fixed_ridge(real_set, seed):
    """Return a rank and strengths that serve every set."""
    model = ColdStartRecommender(Ridge(10.0), WMF(200, reg=100.0, random_state=seed))
    return pipeline(real_set.dense_steps(unit=False), model)


def tuned_ridge(real_set, seed):
    """Return the factors of the plays, predicted linearly, tuned."""
    grid = {
        "model__factorizer__n_components": [50, 100, 200],
        "model__factorizer__reg": [10.0, 30.0, 100.0, 300.0],
        "model__regressor__alpha": [1.0, 10.0, 100.0],
    }
    return tuned(fixed_ridge(real_set, seed), grid, real_set, seed)


def tuned_rbf(real_set, seed):
    """Return the factors of the plays, predicted by a kernel ridge, tuned."""
    kernel = Pipeline([
        ("rbf", Nystroem(n_components=1000, random_state=seed)),
        ("ridge", Ridge(solver="cholesky")),
    ])
    model = ColdStartRecommender(kernel, WMF(200, random_state=seed))
    grid = {
        "model__factorizer__reg": [30.0, 100.0],
        "model__regressor__rbf__gamma": [0.5, 1.0, 2.0],
        "model__regressor__ridge__alpha": [0.1, 1.0, 10.0],
    }
    return tuned(pipeline(real_set.dense_steps(), model), grid, real_set, seed)


def profile(real_set, seed):
    """Return the mean cosine to what a user played, on all words or tags."""
    return pipeline(real_set.sparse_steps(), ContentProfileRecommender())


def nearest(real_set, seed):
    """Return twenty nearest neighbours, by their cosines."""
    model = ContentKNNRecommender(20, weighting="cosine", power=1.0)
    return pipeline(real_set.sparse_steps(), model)


def soft_kernel(real_set, seed):
    """Return the neighbours as they come."""
    return pipeline(real_set.sparse_steps(), ContentKNNRecommender())


def tuned_soft_kernel(real_set, seed):
    """Return the neighbours, their temperature tuned."""
    grid = {"model__temperature": [0.03, 0.05, 0.08, 0.12, 0.2, 0.4]}
    return tuned(soft_kernel(real_set, seed), grid, real_set, seed)


def made(effort):
    """Return a system: what `make_recommender` makes, of groups where these are new."""

    def system(real_set, seed):
        by_group = real_set.by_group
        model = make_recommender(
            "table", groups=by_group, effort=effort, random_state=seed
        )
        groups = real_set.groups[real_set.train] if by_group else None
        return model, {} if groups is None else {"groups": groups}

    return system


SYSTEMS = {
    "random": random,
    "ColdStartRecommender()": as_it_comes,
    "WMF(200, 100) + Ridge(10)": fixed_ridge,
    "WMF + Ridge, tuned": tuned_ridge,
    "WMF + RBF ridge, tuned": tuned_rbf,
    "content profile": profile,
    "content kNN, 20 neighbors": nearest,
    "ContentKNNRecommender()": soft_kernel,
    "ContentKNNRecommender, tuned": tuned_soft_kernel,
    'make_recommender("table")': made("quick"),
    'make_recommender, "thorough"': made("thorough"),
}
