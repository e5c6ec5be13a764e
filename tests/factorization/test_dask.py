"""WMF on a Dask cluster: the bits of one machine, whatever happens to the workers."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skcoldstart import WMF
from skcoldstart.datasets import plays_from_events
from tests.clusters import two_workers

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array", reason="dask[array] is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")

SHAPE = (900, 1500)
FITTED = ("item_factors_", "user_factors_", "loss_history_")
PHASES = ["_checked", "_csr", "_solve", "_observe"]  # read, shuffle, sweep, loss


def random_plays(shape, n_draws, seed=0):
    """Return counts of popular and rare items, some rows and columns empty."""
    rng = np.random.default_rng(seed)
    items = (shape[0] * rng.random(n_draws) ** 2).astype(np.int64)
    users = (shape[1] * rng.random(n_draws) ** 1.5).astype(np.int64)
    plays = sp.csr_array((np.ones(n_draws), (items, users)), shape=shape)
    plays.sum_duplicates()
    return plays


@pytest.fixture(scope="module")
def plays():
    return random_plays(SHAPE, 150_000)


@pytest.fixture(scope="module")
def client():
    """Two workers of a real cluster, each a process of its own; later four."""
    with two_workers() as client:
        yield client


@pytest.fixture
def four_workers(client):
    client.cluster.scale(4)
    client.wait_for_workers(4)
    return client


def wmf(n_components=20, **params):
    params = {"max_iter": 4, "tol": 0, "random_state": 0} | params
    return WMF(n_components, **params)


def blocks_of(plays, *edges):
    edges = [0, *edges, plays.shape[0]]
    return [dask.delayed(plays[begin:end]) for begin, end in pairwise(edges)]


def in_rows(plays, n_rows):
    return da.from_array(plays, chunks=(n_rows, -1), asarray=False)


def assert_same_bits(model, expected):
    for name in FITTED:
        assert_array_equal(getattr(model, name), getattr(expected, name), err_msg=name)
    assert model.n_iter_ == expected.n_iter_


def of_unknown_sizes(plays):
    return da.concatenate([
        da.from_delayed(block, (np.nan, SHAPE[1]), meta=plays[:0])
        for block in blocks_of(plays, 100, 130, 700)
    ])


TABLES = {
    "rows": lambda plays: in_rows(plays, 250),
    "tiles": lambda plays: da.from_array(plays, chunks=(333, 611), asarray=False),
    "one block": lambda plays: in_rows(plays, -1),
    "matrices": lambda plays: in_rows(sp.csr_matrix(plays), 400),
    "dense": lambda plays: in_rows(plays.toarray().astype(int), 200),
    "delayed": lambda plays: blocks_of(plays, 100, 130, 700),
    "unknown sizes": of_unknown_sizes,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(TABLES))
def test_any_partition_gives_the_bits_of_one_machine(client, plays, kind):
    expected = wmf().fit(plays)
    model = wmf().fit(TABLES[kind](plays))
    assert_same_bits(model, expected)
    assert model.n_features_in_ == SHAPE[1]
    assert type(model.item_factors_) is np.ndarray


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        {"reg_exponent": 0.5, "reg": 2.0},
        {"solver": "cholesky", "dtype": "float64", "max_iter": 2},
        {"n_components": 3, "confidence": "linear", "alpha": 0.5},
        {"tol": 0.02, "max_iter": 30},
    ],
    ids=["scaled reg", "cholesky", "linear", "tolerance"],
)
def test_any_parameters_give_the_bits_of_one_machine(client, plays, params):
    expected = wmf(**params).fit(plays)
    model = wmf(**params).fit(in_rows(plays, 300))
    assert_same_bits(model, expected)
    if "tol" in params:
        assert expected.n_iter_ < 30


@pytest.mark.slow
def test_all_other_methods_take_blocks(client, plays):
    blocks = in_rows(plays, 300)
    expected, model = (wmf(warm_start=True).fit(table) for table in (plays, blocks))
    assert_array_equal(model.transform(blocks), expected.transform(plays))
    new_users = plays[:, :70]
    found = model.transform_users(in_rows(new_users, 300))
    assert_array_equal(found, expected.transform_users(new_users))
    assert model.loss(blocks) == expected.loss(plays) == expected.loss_
    assert_same_bits(model.fit(blocks), expected.fit(plays))  # goes on from there

    more = random_plays((SHAPE[0] + 60, SHAPE[1] + 40), 170_000, seed=1)
    found = model.partial_fit(in_rows(more, 400))
    assert_same_bits(found, expected.partial_fit(more))


@pytest.mark.parametrize("n_items", [1, 5])
def test_fewer_rows_than_workers_are_enough(client, n_items):
    plays = random_plays((n_items, 6), 40)
    assert_same_bits(wmf(2).fit(in_rows(plays, 2)), wmf(2).fit(plays))


def test_errors_of_workers_are_those_of_one_machine(client, plays):
    bad = plays[:50].copy()
    bad.data[7] = -1
    with pytest.raises(ValueError, match=r"Negative values .* the smallest is -1"):
        wmf().fit([dask.delayed(plays[:50]), dask.delayed(bad)])
    bad.data[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        wmf().fit([dask.delayed(bad)])
    with pytest.raises(ValueError, match=r"have \[1500, 7\] columns"):
        wmf().fit([dask.delayed(plays[:50]), dask.delayed(plays[:50, :7])])
    model = wmf(max_iter=1).fit(plays)
    with pytest.raises(ValueError, match="7 features"):
        model.transform(in_rows(plays[:, :7], 300))
    with pytest.raises(ValueError, match="one GPU"):
        wmf(device="cuda").fit([dask.delayed(plays)])


def test_large_confidences_warn_here_and_not_on_the_workers(client, plays):
    huge = plays[:40] * 1e7
    with pytest.warns(UserWarning, match="float32 loses the digits"):
        wmf(confidence="linear", max_iter=1).fit([dask.delayed(huge)])


def peak_bytes():
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Assassin(distributed.WorkerPlugin):
    """Kill the first worker that begins a task of some name, once."""

    def __init__(self, prefix, flag):
        self.prefix, self.flag = prefix, str(flag)

    def setup(self, worker):
        self.worker = worker

    def transition(self, key, start, finish, **kwargs):
        name = key[0] if isinstance(key, tuple) else key
        if finish == "executing" and name.startswith(self.prefix):
            try:
                os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)


class CountSolved(distributed.WorkerPlugin):
    """Write down every task of a half sweep that ends, and kill the fifth's worker."""

    def __init__(self, folder, kills=True):
        self.folder, self.kills = folder, kills

    def transition(self, key, start, finish, **kwargs):
        if finish == "memory" and str(key).startswith("_solve"):
            place = len(list(self.folder.iterdir()))
            (self.folder / f"{place}-{os.getpid()}").touch()
            if place == 4 and self.kills:
                os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_killed_in_mid_sweep_costs_its_blocks_and_nothing_else(
    client, plays, tmp_path
):
    blocks = in_rows(plays, 200)
    counts = []
    for kills in (False, True):
        folder = tmp_path / f"{kills}"
        folder.mkdir()
        client.register_plugin(CountSolved(folder, kills), name=f"{kills}")
        wmf(max_iter=6).fit(blocks)
        client.unregister_worker_plugin(f"{kills}")
        counts.append(len(list(folder.iterdir())))
    n_solved, with_a_death = counts
    # What the dead worker had solved or was about to, of one half sweep.
    assert n_solved <= with_a_death <= n_solved + n_solved // 12 + 1


INTERRUPTED = """
import sys
import numpy as np
from distributed import Client
from skcoldstart import WMF
from tests.stubs import InterruptedAtWork
from tests.factorization.test_dask import SHAPE, in_rows, random_plays, wmf

client = Client(sys.argv[1])
blocks = in_rows(random_plays(SHAPE, 150_000), 200)
model = wmf(max_iter=10_000, warm_start=True, verbose=1)
sys.stderr = InterruptedAtWork()
try:
    model.fit(blocks)
except KeyboardInterrupt:
    sys.stderr = sys.__stderr__
    assert 0 < model.n_iter_ < 10_000, model.n_iter_
    assert np.isfinite(model.item_factors_).all()
    print("interrupted")
"""


@pytest.mark.slow
def test_an_interrupt_leaves_a_warm_start_its_factors_and_the_cluster_at_rest(client):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, client.scheduler.address],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "interrupted\n", done.stderr
    assert client.submit(int, 7).result(timeout=60) == 7


@pytest.mark.slow
def test_a_worker_holds_its_plays_twice_and_the_factors_of_one_side(client, plays):
    n_blocks, n_users, k = 16, 40_000, 32
    block = dask.delayed(random_plays, pure=True)
    blocks = [block((2000, n_users), 300_000, seed) for seed in range(n_blocks)]
    wmf(k).fit(blocks_of(plays, 300, 600))  # compile
    before = client.run(peak_bytes)
    wmf(k, max_iter=3).fit(blocks)
    after = client.run(peak_bytes)
    n_pairs = n_blocks * 280_000 / len(before)
    # Counts, weights and what is on its way, at the peak; then Z and rows in work.
    bound = 3 * 24 * n_pairs + 4 * k * (n_users + 4 * 2000 * 2) + 50e6
    assert max(after[w] - before[w] for w in before) < bound


@pytest.mark.slow
def test_four_workers_give_the_bits_of_one_machine(four_workers, plays):
    assert_same_bits(wmf().fit(in_rows(plays, 170)), wmf().fit(plays))


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_one_of_four_killed_in_any_phase_changes_no_bit(
    four_workers, plays, phase, tmp_path
):
    client = four_workers
    expected = wmf().fit(plays)
    assassin = Assassin(phase, tmp_path / "killed")
    client.register_plugin(assassin, name="assassin")
    try:
        model = wmf().fit(in_rows(plays, 200))
    finally:
        client.unregister_worker_plugin("assassin")
    assert (tmp_path / "killed").exists()
    assert_same_bits(model, expected)


@pytest.mark.slow
def test_parquet_in_parts_by_item_is_read_where_it_is_factorized(
    client, plays, tmp_path
):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    items, users, counts = sp.find(plays)
    for part in range(3):
        rows = np.flatnonzero(items % 3 == part)
        columns = [items[rows], users[rows], counts[rows]]
        table = pa.table(columns, ["item_id", "user_id", "plays"])
        pq.write_table(table, tmp_path / f"{part}.parquet")

    def read_part(path):
        return plays_from_events(path, count="plays", users=range(SHAPE[1])).plays

    blocks = [dask.delayed(read_part)(path) for path in sorted(tmp_path.iterdir())]
    item_ids = np.concatenate([np.unique(items[items % 3 == i]) for i in range(3)])
    assert_same_bits(wmf().fit(blocks), wmf().fit(plays[item_ids]))


def test_without_a_client_blocks_are_gathered_here(plays):
    assert_same_bits(wmf().fit(blocks_of(plays, 100, 500)), clone(wmf()).fit(plays))
