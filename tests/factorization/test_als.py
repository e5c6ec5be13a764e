"""The alternating solver against a dense float64 twin and against mathematics."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart._utils.threads import worker_threads
from skcoldstart.factorization._als import Rows, fold_in, relaxation, sweeps
from skcoldstart.factorization._confidence import confidence_weights
from skcoldstart.factorization._cpu import CPUSolver
from tests.references import wmf as reference

SOLVERS = ["cg", "cholesky"]
RANKS = [1, 7, 20, 33, 70]
pad = CPUSolver.put


def random_plays(rng, shape=(60, 45), density=0.15):
    """Return counts with a heavy tail, an empty row and an empty column."""
    plays = np.ceil(rng.lognormal(0.2, 1.1, shape)) * (rng.random(shape) < density)
    plays[3] = plays[:, 5] = 0
    plays[7] = 1  # a row of every user: longer than the kernel looks ahead
    plays[7, 5] = 0
    return plays


def both_sides(plays, *, reg, reg_exponent=0.0, dtype=np.float64, **how):
    """Return rows of items and of users."""
    table = sp.csr_array(plays)
    how = {"confidence": "log", "alpha": 2.0, "epsilon": 1e-6} | how
    table.data = confidence_weights(table.data, dtype=np.dtype(dtype), **how)
    by_item = Rows.from_csr(table, reg=reg, reg_exponent=reg_exponent)
    return by_item, by_item.transposed(plays.shape[1])


def starting(rng, shape, n_components, dtype=np.float64):
    V = rng.normal(0, 0.3, (shape[0], n_components)).astype(dtype)
    U = rng.normal(0, 0.3, (shape[1], n_components)).astype(dtype)
    return V, U


@pytest.fixture
def run():
    with worker_threads(2) as run:
        yield run


@pytest.mark.parametrize("how", [{}, {"confidence": "linear", "alpha": 0.7}])
@pytest.mark.parametrize("reg_exponent", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_components", RANKS)
def test_solved_rows_are_those_of_dense_normal_equations(
    rng, run, solver, n_components, reg_exponent, how
):
    plays = random_plays(rng)
    by_item, _ = both_sides(plays, reg=3.0, reg_exponent=reg_exponent, **how)
    _, U = starting(rng, plays.shape, n_components)

    V = fold_in(by_item, U, CPUSolver(run, solver, n_components))

    expected = reference.solve_rows(plays, U, reg=3.0, reg_exponent=reg_exponent, **how)
    assert_allclose(V, expected, rtol=1e-8, atol=1e-10)
    assert_array_equal(V[3], 0)


@pytest.mark.parametrize("reg_exponent", [0.0, 1.0])
@pytest.mark.parametrize("n_components", [250, 300])
def test_many_factors_are_solved_in_triangular_blocks(
    rng, run, n_components, reg_exponent
):
    plays, how = random_plays(rng), {"reg": 3.0, "reg_exponent": reg_exponent}
    by_item, _ = both_sides(plays, **how)
    V, U = starting(rng, plays.shape, n_components)
    expected = reference.solve_rows(plays, U, **how)
    A = pad(V)
    CPUSolver(run, "cholesky", n_components).half(by_item, A, pad(U))
    assert_allclose(A[:, :n_components], expected, rtol=1e-7, atol=1e-9)
    assert_array_equal(A[:, n_components:], 0)


@pytest.mark.parametrize("reg_exponent", [0.0, 0.5])
def test_exact_sweeps_follow_the_dense_twin(rng, run, reg_exponent):
    plays = random_plays(rng)
    how = {"reg": 5.0, "reg_exponent": reg_exponent}
    by_item, by_user = both_sides(plays, **how)
    start = starting(rng, plays.shape, 9)
    V, U = pad(start[0]), pad(start[1])

    half = CPUSolver(run, "cholesky", 9)
    losses = list(sweeps(by_item, by_user, V, U, half, 6))

    omegas = [relaxation(sweep) for sweep in range(6)]
    V_twin, U_twin, twin_losses = reference.alternate(plays, *start, omegas, **how)
    assert_allclose(V[:, :9], V_twin, rtol=1e-7, atol=1e-9)
    assert_allclose(U[:, :9], U_twin, rtol=1e-7, atol=1e-9)
    assert_allclose(losses, twin_losses[1::2], rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("reg_exponent", [0.0, 1.0])
def test_objective_falls_in_each_half_sweep_and_is_the_sum_over_all_pairs(
    rng, run, solver, dtype, reg_exponent
):
    plays = random_plays(rng)
    how = {"reg": 2.0, "reg_exponent": reg_exponent}
    by_item, by_user = both_sides(plays, dtype=dtype, **how)
    V, U = (pad(factors) for factors in starting(rng, plays.shape, 13, dtype))
    solve = CPUSolver(run, solver, 13)
    before = reference.loss(plays, V, U, **how)
    precision = 1e-6 if dtype == np.float32 else 1e-12
    for sweep in range(30):
        omega = relaxation(sweep)
        for rows, A, B, fixed in ((by_user, U, V, by_item), (by_item, V, U, by_user)):
            after = solve.half(rows, A, B, omega=omega) + solve.penalty(fixed, B)
            assert_allclose(after, reference.loss(plays, V, U, **how), rtol=precision)
            assert after <= before * (1 + precision)
            before = after


@pytest.mark.parametrize(("omega", "falls"), [(1.99, True), (2.01, False)])
def test_relaxation_below_two_lowers_the_objective_and_above_two_raises_it(
    rng, run, omega, falls
):
    plays = random_plays(rng)
    by_item, _ = both_sides(plays, reg=2.0)
    V, U = (pad(factors) for factors in starting(rng, plays.shape, 8))
    V[3] = 0  # an item without plays becomes 0 at any omega
    before = reference.loss(plays, V, U, reg=2.0)
    CPUSolver(run, "cg", 8).half(by_item, V, U, omega=omega)
    after = reference.loss(plays, V, U, reg=2.0)
    assert (after < before) == falls


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-7), (np.float64, 1e-12)])
def test_exact_objective_is_the_sum_over_all_pairs(rng, run, dtype, rtol):
    plays, how = random_plays(rng), {"reg": 2.0, "reg_exponent": 0.3}
    V, U = starting(rng, plays.shape, 11, dtype)
    sides = both_sides(plays, dtype=dtype, **how)
    found = CPUSolver(run, "cg", 11).objective(*sides, V, U)
    assert_allclose(found, reference.loss(plays, V, U, **how), rtol=rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [16, 50, 64])
def test_any_number_of_threads_gives_the_same_bits(rng, dtype, n_components):
    plays = sp.random_array((2000, 1500), density=0.02, rng=rng, dtype=np.float64)
    by_item, by_user = both_sides(plays.tocsr(), reg=5.0, dtype=dtype)
    start = starting(rng, plays.shape, n_components, dtype)
    results = []
    for n_jobs in (1, 2):
        V, U = pad(start[0]), pad(start[1])
        with worker_threads(n_jobs) as run:
            solver = CPUSolver(run, "cg", n_components)
            losses = list(sweeps(by_item, by_user, V, U, solver, 3))
            items = fold_in(by_item, solver.get(U), solver)
            exact = solver.objective(by_item, by_user, items, solver.get(U))
        results.append((V, U, items, losses, exact))
    assert len(by_item.chunks(64)) > 1
    for one, two in zip(*results, strict=True):
        assert_array_equal(one, two)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-11)])
def test_permuted_items_and_users_give_permuted_factors(rng, run, dtype, rtol):
    plays = random_plays(rng)
    items, users = rng.permutation(len(plays)), rng.permutation(plays.shape[1])
    start = starting(rng, plays.shape, 8, dtype)

    def factors(plays, V, U):
        sides = both_sides(plays, reg=5.0, dtype=dtype)
        V, U = pad(V), pad(U)
        list(sweeps(*sides, V, U, CPUSolver(run, "cg", 8), 4))
        return V, U

    V, U = factors(plays, *start)
    V_moved, U_moved = factors(
        plays[np.ix_(items, users)], start[0][items], start[1][users]
    )
    assert_allclose(V_moved, V[items], rtol=rtol, atol=rtol)
    assert_allclose(U_moved, U[users], rtol=rtol, atol=rtol)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_components", [8, 16, 50])
def test_float32_rows_agree_with_float64(rng, run, solver, n_components):
    plays = random_plays(rng, (300, 200), 0.1)
    _, U = starting(rng, plays.shape, n_components)
    double, single = (
        fold_in(
            both_sides(plays, reg=2.0, dtype=dtype)[0],
            U.astype(dtype),
            CPUSolver(run, solver, n_components),
        )
        for dtype in (np.float64, np.float32)
    )
    assert_allclose(single, double, rtol=0, atol=1e-5 * np.abs(double).max())


@pytest.mark.parametrize("reg_exponent", [0.0, 0.5])
def test_singular_equations_name_reg(rng, run, reg_exponent):
    plays = random_plays(rng)
    how = {"reg": 1e-30, "reg_exponent": reg_exponent}
    by_item, _ = both_sides(plays, dtype=np.float32, **how)
    V, U = (pad(factors) for factors in starting(rng, plays.shape, 50, np.float32))
    with pytest.raises(ValueError, match=r"reg=1e-30 is too small for float32"):
        CPUSolver(run, "cg", 50).half(by_item, V, U)


def test_chunks_cover_all_rows_once_at_about_equal_cost(rng):
    counts = rng.integers(0, 3000, size=5000)
    counts[17] = 2_000_000
    indptr = np.concatenate([[0], np.cumsum(counts)])
    rows = Rows(indptr, 1.0, 0.0, np.empty(0, np.int32), np.empty(0))
    chunks = rows.chunks(64)
    assert [begin for begin, _ in chunks[1:]] == [end for _, end in chunks[:-1]]
    assert chunks[0][0] == 0 and chunks[-1][1] == 5000
    cost = [indptr[end] - indptr[begin] + 8 * (end - begin) for begin, end in chunks]
    with_long_row = np.argmax(cost)
    assert max(np.delete(cost, with_long_row)) <= 2_000_000 / 64 + 3008


def test_padding_is_zero_and_aligned(rng):
    factors = rng.normal(size=(5, 50)).astype(np.float32)
    padded = pad(factors)
    assert padded.shape == (5, 64) and padded.ctypes.data % 64 == 0
    assert_array_equal(padded[:, :50], factors)
    assert_array_equal(padded[:, 50:], 0)
