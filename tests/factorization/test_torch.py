"""The GPU solver, run on the processor: its results must be those of the kernels."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skcoldstart import WMF
from skcoldstart._utils.threads import worker_threads
from skcoldstart.factorization import _torch
from skcoldstart.factorization._als import fold_in, sweeps
from skcoldstart.factorization._cpu import CPUSolver
from skcoldstart.factorization._torch import TorchSolver
from tests.factorization.test_als import both_sides, random_plays, starting
from tests.references import wmf as reference

torch = pytest.importorskip("torch")
METHODS = ["cg", "cholesky"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(_torch, "BATCH_BYTES", 20_000)


@pytest.fixture
def run():
    with worker_threads(2) as run:
        yield run


def swept(solver, sides, start, n_sweeps):
    V, U = map(solver.put, start)
    losses = list(sweeps(*sides, V, U, solver, n_sweeps))
    return solver.get(V), solver.get(U), losses


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reg_exponent", [0.0, 0.6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sweeps_are_those_of_the_kernels(rng, run, method, reg_exponent, dtype):
    plays = random_plays(rng)
    sides = both_sides(plays, reg=4.0, reg_exponent=reg_exponent, dtype=dtype)
    start = starting(rng, plays.shape, 13, dtype)
    found = [
        swept(solver, sides, start, 8)
        for solver in (CPUSolver(run, method, 13), TorchSolver("cpu", method, 13))
    ]
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    for ours, theirs in zip(*found, strict=True):
        assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)
    assert_allclose(found[1][2], found[0][2], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_solved_to_the_precision_of_the_dtype(rng, method, dtype):
    plays = random_plays(rng)
    by_item, _ = both_sides(plays, reg=3.0, dtype=dtype)
    _, U = starting(rng, plays.shape, 9, dtype)
    V = fold_in(by_item, U, TorchSolver("cpu", method, 9))
    expected = reference.solve_rows(plays, U, reg=3.0)
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    assert_allclose(V, expected, rtol=tolerance, atol=tolerance)
    assert_array_equal(V[3], 0)


def test_objective_is_the_sum_over_all_pairs(rng):
    plays, how = random_plays(rng), {"reg": 2.0, "reg_exponent": 0.3}
    V, U = starting(rng, plays.shape, 5)
    found = TorchSolver("cpu", "cg", 5).objective(*both_sides(plays, **how), V, U)
    assert_allclose(found, reference.loss(plays, V, U, **how))


@pytest.mark.parametrize("solver", ["auto", "cholesky"])
def test_whole_estimator_runs_on_the_device(rng, monkeypatch, solver):
    monkeypatch.setattr(
        TorchSolver,
        "on_cuda",
        classmethod(lambda cls, *args: _torch.contextmanager(on_cpu)(cls, *args)),
    )

    def on_cpu(cls, *args):
        yield cls("cpu", *args)

    plays = random_plays(rng)
    here = WMF(4, random_state=0, solver=solver).fit(plays)
    there = WMF(4, random_state=0, solver=solver, device="cuda").fit(plays)
    assert_allclose(there.item_factors_, here.item_factors_, rtol=1e-3, atol=1e-3)
    assert_allclose(there.loss_history_, here.loss_history_, rtol=1e-5)
    assert_array_equal(there.transform(plays), there.item_factors_)
    assert type(there.user_factors_) is np.ndarray


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_gpu_is_named(rng):
    with pytest.raises(ValueError, match=r"finds no CUDA device; use device='cpu'"):
        WMF(2, device="cuda").fit(random_plays(rng))


def test_missing_torch_names_the_extra(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install skcoldstart\[neural\]"):
        WMF(2, device="cuda").fit(random_plays(rng))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_processor(rng):
    plays = random_plays(rng, (300, 200), 0.1)
    before = torch.get_float32_matmul_precision()
    here = WMF(16, random_state=0).fit(plays)
    there = WMF(16, random_state=0, device="cuda").fit(plays)
    assert_allclose(there.item_factors_, here.item_factors_, rtol=1e-2, atol=1e-3)
    assert_allclose(there.loss_, here.loss_, rtol=1e-5)
    assert_array_equal(there.transform(plays), there.item_factors_)
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_and_modes_of_the_caller_change_nothing(rng, method, dtype):
    plays = random_plays(rng)
    sides = both_sides(plays, reg=4.0, reg_exponent=0.6, dtype=dtype)
    start = starting(rng, plays.shape, 9, dtype)
    expected = swept(TorchSolver("cpu", method, 9), sides, start, 3)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if dtype == np.float32 else torch.float16)
    try:
        with torch.device("meta"), torch.no_grad():
            found = swept(TorchSolver("cpu", method, 9), sides, start, 3)
    finally:
        torch.set_default_dtype(before)
    for ours, theirs in zip(found, expected, strict=True):
        assert_array_equal(ours, theirs)
