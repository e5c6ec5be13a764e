"""Each objective against its dense twin, its gradient against differences."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose
from sklearn.preprocessing import normalize

from skcoldstart._scores.top_n import gram_matrix
from skcoldstart.neural._checks import TargetScale
from skcoldstart.neural._torch.objectives import (
    OBJECTIVES,
    weighted_prediction_error,
)
from tests.references import objectives as twin

N_ITEMS, N_USERS, K = 7, 23, 4


@pytest.fixture
def problem(rng):
    confidences = np.where(
        rng.random((N_ITEMS, N_USERS)) < 0.3,
        1 + 20 * rng.random((N_ITEMS, N_USERS)),
        0.0,
    )
    confidences[2] = 0  # nobody played it
    return (
        rng.normal(size=(N_ITEMS, K)),
        rng.normal(size=(N_USERS, K)),
        sp.csr_array(confidences),
    )


def wpe_inputs(users, usage, items, dtype=torch.float64):
    rows = usage[items]
    return (
        torch.tensor(users, dtype=dtype),
        torch.tensor(gram_matrix(users), dtype=dtype),
        torch.tensor(rows.indices, dtype=torch.int64),
        torch.tensor(rows.data, dtype=dtype),
        torch.tensor(np.diff(rows.indptr), dtype=torch.int64),
    )


def test_wpe_is_the_sum_over_all_users(problem):
    factors, users, usage = problem
    items = np.array([5, 2, 0])
    loss = weighted_prediction_error(
        torch.tensor(factors[items]), *wpe_inputs(users, usage, items)
    )
    dense = twin.weighted_prediction_error(
        factors[items], users, usage.toarray()[items]
    )
    # The expansion leaves out nothing: c (p - s)^2 of all pairs.
    assert_allclose(float(loss), dense, rtol=1e-13)


def test_wpe_gradient_is_that_of_the_dense_sum(problem):
    factors, users, usage = problem
    items = np.arange(N_ITEMS)
    y = torch.tensor(factors, requires_grad=True)
    inputs = wpe_inputs(users, usage, items)
    assert torch.autograd.gradcheck(
        lambda y: weighted_prediction_error(y, *inputs), (y,)
    )
    weighted_prediction_error(y, *inputs).backward()
    c = torch.tensor(usage.toarray())
    z = torch.tensor(factors, requires_grad=True)
    scores = z @ torch.tensor(users).T
    weight = torch.where(c > 0, c, 1.0)
    (weight * ((c > 0).double() - scores) ** 2).sum().backward()
    assert_allclose(y.grad, z.grad, rtol=1e-12)


def test_wpe_is_a_squared_error_in_a_metric_of_the_item(problem):
    """(y - y*)' A (y - y*) with A = X'CX, apart from a constant."""
    factors, users, usage = problem
    c = np.where(usage.toarray()[0] > 0, usage.toarray()[0], 1.0)
    A = users.T @ (c[:, None] * users)
    best = np.linalg.solve(A, users.T @ (c * (usage.toarray()[0] > 0)))
    inputs = wpe_inputs(users, usage, [0])

    def loss(y):
        return float(weighted_prediction_error(torch.tensor(y[None]), *inputs))

    away = factors[0]
    assert_allclose(
        loss(away) - loss(best), (away - best) @ A @ (away - best), rtol=1e-11
    )


def unit_scale():
    return TargetScale(np.zeros(K), np.ones(K), False)


def objective_of(name, problem, scale=None, temperature=0.5):
    factors, users, usage = problem
    scale = unit_scale() if scale is None else scale
    data = SimpleNamespace(
        scale=scale, targets=factors, user_factors=users, usage=usage
    )
    return OBJECTIVES[name](data, torch.device("cpu"), temperature)


@pytest.mark.parametrize("name", ["mse", "gram", "wpe", "ranking", "softmax"])
def test_objectives_of_a_batch_equal_their_twins(name, problem, rng):
    factors, users, usage = problem
    objective = objective_of(name, problem)
    items = np.array([6, 1, 2, 0])
    outputs = rng.normal(size=(4, K))
    loss = objective(
        torch.tensor(outputs).float(),
        torch.tensor(factors[items]).float(),
        *objective.usage_of(items),
    )
    error = factors[items] - outputs
    expected = {
        "mse": np.mean(error**2),
        # predicting the mean, which is 0 here, costs 1
        "gram": np.mean(np.sum((error @ users.T) ** 2, axis=1))
        / np.mean(np.sum((factors @ users.T) ** 2, axis=1)),
        "wpe": twin.weighted_prediction_error(outputs, users, usage.toarray()[items])
        * N_ITEMS
        / (4 * usage.data.sum()),
        "ranking": twin.ranking_loss(outputs, users, usage.toarray()[items], 0.5),
        "softmax": twin.softmax_loss(outputs, users, usage.toarray()[items], 0.5),
    }
    assert_allclose(float(loss), expected[name], rtol=1e-5)


@pytest.mark.parametrize("name", ["wpe", "ranking", "softmax", "gram", "mse"])
def test_outputs_are_read_in_the_units_of_the_targets(name, problem, rng):
    scale = TargetScale(rng.normal(size=K), rng.uniform(0.5, 2, K), False)
    outputs = rng.normal(size=(N_ITEMS, K))
    items = np.arange(N_ITEMS)
    scaled = objective_of(name, problem, scale)
    plain = objective_of(name, problem)
    a = scaled(
        torch.tensor(outputs).float(),
        torch.tensor(scale.to_network(problem[0])),
        *scaled.usage_of(items),
    )
    factors = torch.tensor(outputs * scale.scale + scale.mean).float()
    b = plain(factors, torch.tensor(problem[0]).float(), *plain.usage_of(items))
    if name == "mse":
        expected = np.mean(((problem[0] - factors.numpy()) / scale.scale) ** 2)
    elif name == "gram":
        far = (problem[0] - scale.mean) @ problem[1].T
        own = (problem[0] - factors.numpy()) @ problem[1].T
        expected = np.sum(own**2) / np.sum(far**2)
    else:
        expected = float(b)
    assert_allclose(float(a), expected, rtol=1e-5)


def test_ranking_loss_is_finite_where_a_user_played_the_whole_batch(rng):
    usage = sp.csr_array(np.ones((3, 5)))
    problem = (rng.normal(size=(3, K)), rng.normal(size=(5, K)), usage)
    objective = objective_of("ranking", problem)
    y = torch.zeros((3, K), requires_grad=True)
    loss = objective(y, y, *objective.usage_of(np.arange(3)))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(y.grad, torch.zeros_like(y))


def test_softmax_is_1_where_items_score_alike_and_least_at_the_share_of_plays(rng):
    """Its minimum is the entropy of the plays, which no other scores reach."""
    plays = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0.0]])
    scale = TargetScale(np.zeros(3), np.ones(3), False)
    problem = np.zeros((4, 3)), np.eye(3), sp.csr_array(plays)
    objective = objective_of("softmax", problem, scale)
    usage = objective.usage_of(np.arange(4))
    y = torch.zeros((4, 3))
    assert_allclose(float(objective(y, y, *usage)), 1.0, rtol=1e-6)
    shares = plays / plays.sum(axis=0)
    best = torch.tensor(0.5 * np.log(np.maximum(shares, 1e-9))).float()
    best.requires_grad_(True)
    least = objective(best, best, *usage)
    entropy = (2 * np.log(2) + 2 * np.log(2) + 0) / 5 / np.log(4)
    least.backward()
    assert_allclose(float(least.detach()), entropy, rtol=1e-5)
    assert_allclose(best.grad, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "items"), [("ranking", [2]), ("softmax", [2]), ("softmax", [0])]
)
def test_a_batch_without_plays_or_of_one_item_has_nothing_to_rank(name, items, problem):
    objective = objective_of(name, problem)
    y = torch.ones((len(items), K), requires_grad=True)
    objective(y, y, *objective.usage_of(np.array(items))).backward()
    assert torch.equal(y.grad, torch.zeros_like(y))


@pytest.mark.parametrize("scaling", ["raw", "factor", "unit"])
def test_targets_come_back_from_the_units_of_the_network(scaling, rng):
    targets = rng.normal(size=(50, K)) * [1, 10, 0.1, 3] + 2
    targets[3] = 0
    scale = TargetScale.learn(targets, scaling)
    back = scale.to_network(targets) * scale.scale + scale.mean
    expected = normalize(targets) if scaling == "unit" else targets
    assert_allclose(back, expected, atol=1e-5)
    inside = scale.to_network(targets)
    assert_allclose(np.mean(inside**2), 1.0, rtol=1e-5)
    assert np.ptp(scale.scale) == 0 or scaling == "factor"
    if scaling == "factor":
        assert_allclose(inside.std(axis=0), 1.0, rtol=1e-5)
