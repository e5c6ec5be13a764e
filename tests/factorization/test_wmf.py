import itertools
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skcoldstart import WMF
from skcoldstart.factorization._cpu import CPUSolver
from tests.references import wmf as reference

REG = 10.0


def read_only_integers(plays):
    counts = sp.csr_array(plays.astype(np.int64))
    for part in (counts.data, counts.indices, counts.indptr):
        part.flags.writeable = False
    return counts


FORMATS = [
    sp.csr_matrix,
    sp.csr_array,
    sp.csc_matrix,
    sp.csc_array,
    sp.coo_matrix,
    sp.coo_array,
    sp.lil_array,
    np.asarray,
    np.asfortranarray,
    lambda y: y.tolist(),
    pd.DataFrame,
    read_only_integers,
]


@pytest.fixture
def plays(rng):
    counts = np.ceil(rng.lognormal(0.2, 1.1, (40, 30))) * (rng.random((40, 30)) < 0.2)
    counts[3] = counts[:, 5] = 0
    return counts


@pytest.mark.parametrize("solver", ["auto", "cg", "cholesky"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_converged_fit_is_a_stationary_point_of_the_dense_objective(
    plays, solver, dtype
):
    options = {"max_iter": 500, "tol": 0, "random_state": 0}
    wmf = WMF(3, reg=REG, solver=solver, dtype=dtype, **options).fit(plays)
    V = reference.solve_rows(plays, wmf.user_factors_, reg=REG)
    U = reference.solve_rows(plays.T, wmf.item_factors_, reg=REG)
    # An objective known to 1e-7 (1e-16) is flat within the root of that.
    tolerance = 1e-3 if dtype == "float32" else 1e-7
    assert_allclose(wmf.item_factors_, V, atol=tolerance)
    assert_allclose(wmf.user_factors_, U, atol=tolerance)
    expected = reference.loss(plays, V, U, reg=REG)
    assert_allclose(wmf.loss_, expected, rtol=1e-6 if dtype == "float32" else 1e-9)


@pytest.mark.parametrize("reg", [0.5, 4.0])
def test_everything_played_once_has_the_closed_form_of_rank_one(reg):
    # c (1 - s t)^2 with unit vectors: the scale g = s t solves c (1 - g) sqrt(mn) = reg
    m, n = 12, 8
    exact = {"max_iter": 200, "tol": 0, "dtype": "float64", "random_state": 0}
    wmf = WMF(1, alpha=1, epsilon=1, reg=reg, **exact)
    scores = wmf.fit(np.ones((m, n))).inverse_transform(wmf.item_factors_)
    c = 1 + np.log(2)
    assert_allclose(scores, 1 - reg / (c * np.sqrt(m * n)), rtol=1e-7)


def test_alpha_zero_is_the_shrunken_singular_value_decomposition(plays):
    played = (plays > 0).astype(float)
    left, sizes, right = np.linalg.svd(played, full_matrices=False)
    shrunk = np.maximum(sizes[:4] - 1.5, 0)
    wmf = WMF(4, alpha=0, reg=1.5, max_iter=500, tol=0, dtype="float64", random_state=0)
    wmf.fit(plays)
    scores = wmf.inverse_transform(wmf.item_factors_)
    assert_allclose(scores, (left[:, :4] * shrunk) @ right[:4], atol=1e-6)


def test_auto_is_conjugate_gradients(plays):
    auto, cg = (WMF(4, random_state=0, solver=s).fit(plays) for s in ("auto", "cg"))
    assert_array_equal(auto.item_factors_, cg.item_factors_)


def test_fit_transform_is_fit_then_transform_to_the_bit(plays):
    wmf = WMF(n_components=4, random_state=0)
    assert_array_equal(wmf.fit_transform(plays), wmf.transform(plays))
    assert_array_equal(wmf.fit_transform(plays), clone(wmf).fit(plays).item_factors_)


def test_fold_in_of_items_and_users_is_the_dense_solution(plays, rng):
    wmf = WMF(n_components=4, reg=REG, random_state=0, dtype="float64").fit(plays)
    items, users = rng.poisson(0.3, (6, 30)), rng.poisson(0.3, (40, 7))
    expected = reference.solve_rows(items, wmf.user_factors_, reg=REG)
    assert_allclose(wmf.transform(items), expected, rtol=1e-9)
    expected = reference.solve_rows(users.T, wmf.item_factors_, reg=REG)
    assert_allclose(wmf.transform_users(users), expected, rtol=1e-9)


@pytest.mark.parametrize("make", FORMATS)
def test_every_format_gives_the_same_bits_and_is_left_as_it_was(plays, make):
    expected = WMF(n_components=3, random_state=0).fit(sp.csr_array(plays))
    given = make(plays)
    before = given.copy()
    wmf = WMF(n_components=3, random_state=0).fit(given)
    assert_array_equal(wmf.item_factors_, expected.item_factors_)
    assert_array_equal(wmf.user_factors_, expected.user_factors_)
    assert_array_equal(wmf.transform(given), expected.item_factors_)
    assert wmf.n_features_in_ == 30
    if sp.issparse(given):
        given, before = given.toarray(), before.toarray()
    assert_array_equal(np.asarray(given), np.asarray(before))


def test_duplicates_add_up_and_stored_zeros_are_unplayed(plays):
    table = sp.coo_array(plays)
    halves = np.concatenate([table.data / 2, table.data / 2, [0.0]])
    rows = np.concatenate([*[table.coords[0]] * 2, [3]])
    columns = np.concatenate([*[table.coords[1]] * 2, [5]])
    twice = sp.coo_array((halves, (rows, columns)), shape=plays.shape)
    assert_array_equal(
        WMF(3, random_state=0).fit_transform(twice),
        WMF(3, random_state=0).fit_transform(plays),
    )
    assert twice.nnz == len(halves)


@pytest.mark.parametrize("reg_exponent", [0.0, 1.0])
def test_rows_and_columns_without_plays_have_zero_factors(plays, reg_exponent):
    wmf = WMF(3, reg=REG, random_state=0, reg_exponent=reg_exponent).fit(plays)
    assert_array_equal(wmf.item_factors_[3], 0)
    assert_array_equal(wmf.user_factors_[5], 0)


def test_no_plays_at_all_give_zero_factors_and_zero_loss():
    wmf = WMF(2).fit(np.zeros((3, 4)))
    assert_array_equal(wmf.item_factors_, 0)
    assert wmf.loss_ == 0


@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1)])
def test_a_single_item_or_user_can_be_factorized(shape):
    wmf = WMF(5, random_state=0, reg=0.1, max_iter=30).fit(np.ones(shape))
    scores = wmf.inverse_transform(wmf.item_factors_)
    assert_allclose(scores, 1, atol=0.02)


@pytest.mark.parametrize(
    ("n_components", "how"),
    [
        (3, {}),
        (16, {}),
        (3, {"reg_exponent": 1.0}),
        (3, {"reg_exponent": 0.5, "confidence": "linear"}),
        (3, {"reg_exponent": 0.5, "confidence": "precomputed"}),
    ],
)
def test_loss_is_the_sum_over_all_pairs(plays, n_components, how):
    wmf = WMF(n_components, reg=REG, random_state=0, **how).fit(plays)
    V, U = wmf.item_factors_, wmf.user_factors_
    expected = reference.loss(plays, V, U, reg=REG, **how)
    assert_allclose(wmf.loss(plays), expected, rtol=1e-6)
    assert wmf.loss_ == wmf.loss(plays) == wmf.loss_history_[-1]
    assert_array_equal(V[3], 0)  # nobody played it
    assert_array_equal(U[5], 0)


def test_precomputed_log_confidence_is_the_log_confidence(plays):
    c = np.where(plays > 0, reference.confidences(plays), 0)
    assert_allclose(
        WMF(3, confidence="precomputed", random_state=0).fit_transform(c),
        WMF(3, random_state=0).fit_transform(plays),
        rtol=1e-4,
        atol=1e-5,
    )


def test_loss_history_falls_and_counts_the_sweeps(plays):
    wmf = WMF(3, max_iter=9, tol=0, random_state=0).fit(plays)
    assert wmf.n_iter_ == len(wmf.loss_history_) == 9
    assert np.all(np.diff(wmf.loss_history_) < 0)


def test_tol_ends_the_sweeps_early_and_max_iter_without_a_warning(plays):
    long = WMF(3, max_iter=300, tol=1e-3, random_state=0).fit(plays)
    assert 3 < long.n_iter_ < 60
    falls = -np.diff(long.loss_history_) / long.loss_history_[1:]
    assert falls[-2] <= 1e-3 < falls[:-2].min()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WMF(3, max_iter=2, tol=0, random_state=0).fit(plays)


def test_float32_and_float64_start_alike_and_end_alike(plays):
    single = WMF(3, random_state=0).fit(plays)
    double = WMF(3, random_state=0, dtype="float64").fit(plays)
    assert single.item_factors_.dtype == np.float32
    assert double.item_factors_.dtype == np.float64
    assert_allclose(single.item_factors_, double.item_factors_, atol=1e-4)
    assert_allclose(single.loss_history_, double.loss_history_, rtol=1e-6)
    assert_array_equal(
        WMF(3, random_state=0, dtype=np.float64).fit_transform(plays),
        double.item_factors_,
    )


def test_another_seed_gives_other_factors(plays):
    one, other = (WMF(3, random_state=seed).fit_transform(plays) for seed in (7, 8))
    assert not np.allclose(one, other)


def test_warm_start_goes_on_where_the_last_fit_ended(plays):
    wmf = WMF(3, max_iter=5, tol=0, warm_start=True, random_state=0).fit(plays)
    before = wmf.loss_
    assert wmf.fit(plays).loss_history_[0] < before
    assert clone(wmf).fit(plays).loss_ == before
    reached = wmf.loss_
    wmf.set_params(dtype="float64", max_iter=30).fit(plays)
    assert wmf.item_factors_.dtype == wmf.user_factors_.dtype == np.float64
    assert wmf.loss_ < reached


def test_partial_fit_of_known_plays_is_one_plain_sweep(plays):
    options = {"max_iter": 4, "dtype": "float64", "solver": "cholesky"}
    wmf = WMF(4, reg=REG, random_state=0, **options).fit(plays)
    V, U, losses = reference.alternate(
        plays, wmf.item_factors_, wmf.user_factors_, [1.0], reg=REG
    )
    wmf.partial_fit(plays)
    assert_allclose(wmf.user_factors_, U, rtol=1e-8, atol=1e-12)
    assert_allclose(wmf.item_factors_, V, rtol=1e-8, atol=1e-12)
    assert_allclose(wmf.loss_, losses[-1], rtol=1e-10)


def test_partial_fit_takes_new_items_and_users(plays):
    wmf = WMF(4, max_iter=30, random_state=0).fit(plays[:30, :20])
    wmf.partial_fit(plays)
    assert wmf.item_factors_.shape == (40, 4) and wmf.n_features_in_ == 30
    grown = wmf.loss_
    from_nothing = WMF(4, max_iter=1, random_state=0).fit(plays).loss_
    assert grown < from_nothing
    assert wmf.partial_fit(plays).loss_ < grown
    assert_array_equal(wmf.transform(plays), wmf.item_factors_)


def test_partial_fit_keeps_the_names_of_users_in_order(plays):
    Y = pd.DataFrame(plays, columns=np.arange(30) + 5)
    wmf = WMF(2, random_state=0).fit(Y.iloc[:, :20])
    for other in (Y.iloc[:, 19::-1], Y.iloc[:, ::-1]):
        with pytest.raises(ValueError, match=r"(another|old) order"):
            wmf.partial_fit(other)
    wmf.partial_fit(Y)
    assert_array_equal(wmf.user_names_in_, Y.columns)


def test_partial_fits_from_nothing_are_plain_sweeps(plays):
    wmf = WMF(4, random_state=0)
    losses = [wmf.partial_fit(plays).loss_ for _ in range(15)]
    assert np.all(np.diff(losses) < 0)
    assert_allclose(losses[-1], WMF(4, random_state=0).fit(plays).loss_, rtol=0.02)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *[("n_components", 0), ("reg", 0.0), ("alpha", -0.1), ("epsilon", 0.0)],
        *[("confidence", "square"), ("solver", "lu"), ("dtype", "float16")],
        *[("max_iter", 0), ("tol", -1e-3), ("reg_exponent", 1.5)],
    ],
)
def test_parameters_out_of_range_are_named(plays, parameter, value):
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of WMF"):
        WMF(**{parameter: value}).fit(plays)


def test_confidence_beyond_float32_digits_warns_and_float64_does_not(plays):
    plays[0, 0] = 3e6
    with pytest.warns(UserWarning, match="float32 loses the digits") as caught:
        WMF(2, confidence="linear", random_state=0).fit(plays)
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WMF(2, confidence="linear", dtype="float64").fit(plays)
        WMF(2).fit(plays * 1e300)


@pytest.mark.parametrize(
    ("confidence", "scale", "match"),
    [
        ("linear", 1e38, "beyond float32"),
        ("precomputed", 0.1, "Add 1 if the entries are weights"),
        ("log", np.nan, "NaN"),
        ("log", -1.0, "Negative values"),
    ],
)
def test_counts_that_are_no_confidences_are_refused(plays, confidence, scale, match):
    with pytest.raises(ValueError, match=match):
        WMF(2, confidence=confidence).fit(sp.csr_array(plays) * scale)


def test_unfitted_estimator_says_so(plays):
    methods = {"transform": plays, "transform_users": plays, "loss": plays}
    methods |= {"inverse_transform": plays, "recommend": 10, "similar_items": None}
    for method, argument in methods.items():
        with pytest.raises(NotFittedError, match="This WMF instance is not fitted"):
            getattr(WMF(), method)(argument)
    assert not hasattr(WMF(), "components_")


@pytest.mark.parametrize(
    ("method", "match"),
    [
        ("fit", r"from 40 items, 30 users.*partial_fit"),
        ("partial_fit", "Y has 20 rows but 40 items are known"),
        ("loss", "Y has 20 rows but WMF was fitted on 40"),
        ("transform_users", "Y has 20 rows but WMF was fitted on 40"),
    ],
)
def test_plays_of_other_items_are_refused(plays, method, match):
    wmf = WMF(2, warm_start=True).fit(plays)
    with pytest.raises(ValueError, match=match):
        getattr(wmf, method)(plays[:20])


def test_progress_bar_shows_the_objective(plays, capsys):
    wmf = WMF(2, verbose=1, max_iter=4, tol=0, random_state=0).fit(plays)
    shown = capsys.readouterr().err
    assert "4/4" in shown and f"objective={wmf.loss_:.6g}" in shown


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that lets Ctrl-C come at a number of half sweeps."""

    def interrupt(call):
        calls = itertools.count(1)
        original = CPUSolver.half

        def interrupted(self, *args, **options):
            if next(calls) == call:
                raise KeyboardInterrupt
            return original(self, *args, **options)

        monkeypatch.setattr(CPUSolver, "half", interrupted)

    return interrupt


# Two halves a sweep; the last two calls belong to the last sweep.
@pytest.mark.parametrize(("call", "n_sweeps"), [(1, 0), (4, 1), (7, 3), (8, 3)])
def test_interrupted_fit_is_unfitted_and_with_warm_start_goes_on(
    plays, interrupt, call, n_sweeps
):
    options = {"max_iter": 4, "tol": 0, "random_state": 0}
    cold, warm = WMF(3, **options), WMF(3, warm_start=True, **options)
    expected = clone(cold).fit(plays).loss_
    cold.fit(plays)
    for wmf in (cold, warm):
        interrupt(call)
        with pytest.raises(KeyboardInterrupt):
            wmf.fit(plays)
    with pytest.raises(NotFittedError):
        cold.transform(plays)
    assert warm.n_iter_ == len(warm.loss_history_) == n_sweeps
    assert warm.transform(plays).shape == (40, 3)
    assert warm.fit(plays).loss_ <= expected * 1.05


def test_failed_fit_is_unfitted(plays):
    wmf = WMF(200, random_state=0).fit(plays).set_params(reg=1e-30)
    with pytest.raises(ValueError, match=r"reg=1e-30 is too small for float32"):
        wmf.fit(plays)
    with pytest.raises(NotFittedError):
        wmf.transform(plays)


INTERRUPTED = """
import sys, threading
import numpy as np, scipy.sparse as sp
from skcoldstart import WMF
from tests.stubs import InterruptedAtWork

plays = sp.random_array((3000, 2000), density=0.02, rng=np.random.default_rng(0))
warm_start = sys.argv[1] == "True"
wmf = WMF(64, max_iter=10**9, tol=0, warm_start=warm_start, random_state=0, verbose=1)
sys.stderr = InterruptedAtWork()
try:
    wmf.fit(plays)
except KeyboardInterrupt:
    print("interrupted")
sys.stderr = sys.__stderr__
assert hasattr(wmf, "item_factors_") == warm_start
assert threading.active_count() == 1
if warm_start:
    reached = wmf.loss_
    assert wmf.set_params(max_iter=2, verbose=0).fit(plays).loss_ <= reached
"""


@pytest.mark.slow
@pytest.mark.parametrize("warm_start", [False, True])
def test_interrupt_ends_a_fit_and_loses_nothing(warm_start):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(warm_start)],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


def test_there_are_no_more_factors_than_items_or_users(plays):
    wmf = WMF(random_state=0).fit(plays[:12])
    assert wmf.item_factors_.shape == (12, 12)
    assert WMF(random_state=0).fit(plays[:, :7]).user_factors_.shape == (7, 7)
    grown = wmf.set_params(n_components=15).partial_fit(plays)
    assert grown.item_factors_.shape == (40, 15)
    assert grown.user_factors_.shape == (30, 15)
    again = WMF(15, random_state=0, max_iter=100).fit(plays)
    for _ in range(100):
        grown.partial_fit(plays)
    assert_allclose(grown.loss_, again.loss_, rtol=1e-2)


def test_a_reg_that_leaves_nothing_is_named():
    with pytest.warns(
        UserWarning, match=r"about 0 and explain nothing: reg=100 is too large"
    ):
        WMF(reg=100.0, random_state=0).fit(np.eye(6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WMF(random_state=0).fit(np.eye(6))
        WMF(reg=100.0, random_state=0).fit(np.zeros((6, 6)))


def test_the_default_reg_grows_with_the_plays_up_to_100(plays):
    wmf = WMF(3, random_state=0).fit(plays)
    assert wmf.reg_ == 10.0
    same = WMF(3, reg=wmf.reg_, random_state=0).fit(plays)
    assert_array_equal(same.transform(plays), wmf.transform(plays))
    assert WMF(1, max_iter=1).fit(np.ones((151, 150))).reg_ == 100.0
    some = WMF(1, max_iter=1).fit(np.ones((100, 50))).reg_
    assert some == pytest.approx(5000**0.75 / 18)
