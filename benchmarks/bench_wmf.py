"""WMF against implicit and irspack: the same objective, the same start, in turns.

    python benchmarks/bench_wmf.py --size S --rank 50      # sweeps, seconds to loss
    python benchmarks/bench_wmf.py --size M --rank 64 --seeds 0 --long 80
    python benchmarks/bench_wmf.py --size M --rank 128 --seeds 0 --peers plain --long 80
    python benchmarks/bench_wmf.py --size S --rank 400 --what sweep
    python benchmarks/bench_wmf.py --what memory scaling recommend solvers

All minimise ``sum c (p - x'y)^2 + reg (|X|^2 + |Y|^2)`` over all pairs, with log
confidence, alpha = 2, epsilon = 1e-6, reg = 10, and three steps of conjugate gradients
a row and half sweep. They start from the same float32 factors, take turns of a few
sweeps, so that threads settle as they do in a fit, and are judged by one function: the
exact objective in float64. Only sweeps are timed. "Converged" is the lowest objective
of a long run of WMF. "plain" is WMF without lengthened steps: it makes the sweeps of
the peers, and shows what the kernel alone is worth.
"""

import argparse
import bisect
import functools
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy
import scipy.sparse as sp
from plays import SIZES, make_plays
from threadpoolctl import threadpool_limits

from skcoldstart._utils.threads import n_kernel_threads, worker_threads
from skcoldstart.factorization._als import Rows, relaxation
from skcoldstart.factorization._confidence import confidence_weights
from skcoldstart.factorization._cpu import CPUSolver

REG = 10.0
TARGETS = (1.01, 1.005, 1.001)


class Problem:
    """One table of plays, its weights, and the factors everybody starts from."""

    def __init__(self, plays, rank, seed):
        self.weights = plays.copy()
        self.weights.data = confidence_weights(
            plays.data, confidence="log", alpha=2.0, epsilon=1e-6, dtype=np.float32
        )
        self.by_item = Rows.from_csr(self.weights, reg=REG, reg_exponent=0.0)
        self.by_user = self.by_item.transposed(plays.shape[1])
        self.rank = rank
        rng = np.random.default_rng(seed)
        scale = 0.1 / np.sqrt(rank)
        self.V = (scale * rng.standard_normal((plays.shape[0], rank))).astype("f4")
        self.U = (scale * rng.standard_normal((plays.shape[1], rank))).astype("f4")

    def loss(self, V, U):
        V, U = np.ascontiguousarray(V), np.ascontiguousarray(U)
        with worker_threads(None) as run:
            solver = CPUSolver(run, "cg", self.rank)
            return solver.objective(self.by_item, self.by_user, V, U)


class Ours:
    name = "WMF"

    def __init__(self, problem, n_threads):
        self.problem = problem
        self.context = worker_threads(n_threads)
        self.run = self.context.__enter__()
        self.solver = CPUSolver(self.run, "cg", problem.rank)
        self.V, self.U = self.solver.put(problem.V), self.solver.put(problem.U)
        self.n_sweeps = 0

    def omega(self):
        return relaxation(self.n_sweeps)

    def sweep(self):
        omega = self.omega()
        problem = self.problem
        self.solver.half(problem.by_user, self.U, self.V, omega=omega)
        self.solver.half(problem.by_item, self.V, self.U, omega=omega)
        # What the objective of a sweep costs.
        self.solver.penalty(problem.by_user, self.U)
        self.n_sweeps += 1

    @property
    def factors(self):
        rank = self.problem.rank
        return self.V[:, :rank], self.U[:, :rank]


class Plain(Ours):
    name = "plain"

    def omega(self):
        return 1.0


class Implicit:
    name = "implicit"

    def __init__(self, problem, n_threads):
        from implicit.cpu.als import AlternatingLeastSquares

        self.problem = problem
        self.model = AlternatingLeastSquares(
            factors=problem.rank,
            regularization=REG,
            alpha=1.0,
            iterations=1,
            use_cg=True,
            num_threads=n_threads,
        )
        confidence = sp.csr_matrix(self.model_input(problem))
        self.by_user, self.by_item = confidence.T.tocsr(), confidence
        self.V, self.U = problem.V.copy(), problem.U.copy()
        self.n_threads = n_threads

    @staticmethod
    def model_input(problem):
        confidence = problem.weights.copy()
        confidence.data = confidence.data + np.float32(1)
        return confidence

    def sweep(self):
        # What AlternatingLeastSquares.fit does in one iteration.
        solve = self.model.solver
        solve(self.by_user, self.U, self.V, REG, num_threads=self.n_threads)
        solve(self.by_item, self.V, self.U, REG, num_threads=self.n_threads)

    @property
    def factors(self):
        return self.V, self.U


class Irspack:
    name = "irspack"

    def __init__(self, problem, n_threads):
        from irspack.recommenders.ials import (
            IALSTrainer,
            str_to_loss_type,
            str_to_solver_type,
        )

        self.problem = problem
        self.trainer = IALSTrainer(
            sp.csr_matrix(problem.weights.T),
            n_components=problem.rank,
            alpha0=1.0,
            reg=REG,
            nu=0.0,
            init_std=0.1,
            solver_type=str_to_solver_type("CG"),
            max_cg_steps=3,
            ialspp_subspace_dimension=64,
            loss_type=str_to_loss_type("ORIGINAL"),
            random_seed=0,
            n_threads=n_threads,
            prediction_time_max_cg_steps=3,
            prediction_time_ialspp_iteration=1,
        )
        self.trainer.core_trainer.user = problem.U
        self.trainer.core_trainer.item = problem.V

    def sweep(self):
        self.trainer.run_epoch()

    @property
    def factors(self):
        return self.trainer.core_trainer.item, self.trainer.core_trainer.user


ENGINES = {"ours": Ours, "plain": Plain, "implicit": Implicit, "irspack": Irspack}


def timed(call):
    return timed_both(call)[0]


def timed_both(call):
    """Seconds on the clock, and of processor time over all threads."""
    time.sleep(0.02)  # until the idle threads of others have ceased to spin
    start, busy = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - busy


def sgemm_peak(n_threads):
    a = np.ones((2048, 2048), np.float32)
    with threadpool_limits(n_threads, "blas"):
        return 2 * 2048**3 / min(timed(lambda: a @ a) for _ in range(5))


def sweep_flops(problem):
    """Products and sums of a sweep, three steps of conjugate gradients a half."""
    rows = sum(problem.weights.shape)
    return 8 * 4 * problem.weights.nnz * problem.rank + 8 * problem.rank**2 * rows


def ratio(peer, ours):
    return f"{statistics.median(peer) / statistics.median(ours):.2f}x"


def bench_sweep(problem, engines, n_threads, n_turns, n_sweeps):
    models = [ENGINES[name](problem, n_threads) for name in engines]
    seconds = {model.name: [] for model in models}
    busy = {model.name: [] for model in models}

    def turn(model):
        for _ in range(n_sweeps):
            model.sweep()

    for model in models:
        model.sweep()
    for _ in range(n_turns):
        for model in models:
            clock, processor = timed_both(lambda: turn(model))  # noqa: B023
            seconds[model.name].append(clock / n_sweeps)
            busy[model.name].append(processor / n_sweeps)
    for name, times in seconds.items():
        print(
            f"  sweep  {name:9s} median {1e3 * statistics.median(times):8.1f} ms"
            f"  minimum {1e3 * min(times):8.1f} ms"
            f"  ratio {ratio(times, seconds['WMF'])}"
            f" (minima {min(times) / min(seconds['WMF']):.2f}x,"
            f" processor time {ratio(busy[name], busy['WMF'])})"
        )
    rate = sweep_flops(problem) / statistics.median(seconds["WMF"])
    share = rate / sgemm_peak(n_threads)
    print(f"  WMF makes {rate / 1e9:.0f} GFLOP/s, {share:.0%} of measured sgemm")
    return {name: statistics.median(times) for name, times in seconds.items()}


class Descent:
    """A model on its way down: when it came within each target of the lowest."""

    def __init__(self, model, lowest):
        self.model, self.lowest = model, lowest
        self.reached = {}
        self.n_sweeps, self.seconds = 0, 0.0

    def turn(self, n_sweeps):
        """Make some sweeps, and find the first to reach what the last one has."""
        spent, factors = [], []
        time.sleep(0.02)  # until the idle threads of others have ceased to spin
        for _ in range(n_sweeps):
            start = time.perf_counter()
            self.model.sweep()
            self.seconds += time.perf_counter() - start
            spent.append(self.seconds)
            factors.append([side.copy() for side in self.model.factors])
        excess = functools.cache(
            lambda n: self.model.problem.loss(*factors[n]) / self.lowest - 1
        )
        for target in TARGETS:
            if target not in self.reached and excess(n_sweeps - 1) <= target - 1:
                # The objective falls in every sweep.
                n = bisect.bisect_left(
                    range(n_sweeps), True, key=lambda n: excess(n) <= target - 1
                )
                self.reached[target] = (self.n_sweeps + n + 1, spent[n])
        self.n_sweeps += n_sweeps


def bench_convergence(problem, engines, n_threads, n_long, n_most, n_sweeps):
    long = Ours(problem, n_threads)
    for _ in range(n_long):
        long.sweep()
    lowest = problem.loss(*long.factors)
    print(f"  converged objective {lowest:.1f} (WMF, {n_long} sweeps)")
    descents = [Descent(ENGINES[name](problem, n_threads), lowest) for name in engines]
    left = descents
    while left and left[0].n_sweeps < n_most:
        for descent in left:
            descent.turn(n_sweeps)
        left = [d for d in descents if TARGETS[-1] not in d.reached]
    for target in TARGETS:
        ours = descents[0].reached.get(target, (n_most, np.nan))
        for descent in descents:
            beyond = " " if target in descent.reached else ">"
            n, seconds = descent.reached.get(
                target, (descent.n_sweeps, descent.seconds)
            )
            print(
                f"  to {100 * (target - 1):.1f} %  {descent.model.name:9s} "
                f"{beyond}{n:4d} sweeps {seconds:8.2f} s"
                f"  ratio {beyond}{seconds / ours[1]:.1f}x"
            )


def bench_memory(path, rank, engine, n_threads):
    """Peak resident memory of two sweeps above weights and start, in a new process."""
    small = Problem(make_plays(*SIZES["XS"], 0), rank, 0)
    ENGINES[engine](small, n_threads).sweep()  # load the libraries
    problem = Problem(sp.csr_array(sp.load_npz(path)), rank, 0)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    model = ENGINES[engine](problem, n_threads)
    for _ in range(2):
        model.sweep()
    factors = 4 * rank * sum(problem.weights.shape) / 2**20
    print(
        f"  memory {model.name:9s} {resident('VmHWM') - before:7.0f} MiB above weights "
        f"and starting factors; factors alone are {factors:.0f} MiB"
    )


def resident(field):
    """MiB from /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def bench_scaling(n_threads):
    def seconds(users, items, pairs, rank):
        model = Ours(Problem(make_plays(users, items, pairs, 0), rank, 0), n_threads)
        model.sweep()
        return statistics.median(timed_both(model.sweep)[1] for _ in range(5))

    base = (20_000, 10_000, 1_000_000, 64)
    reference = seconds(*base)
    print(
        f"  scaling from users, items, pairs, rank = {base}: {1e3 * reference:.1f} ms"
    )
    for axis, name in enumerate(("users", "items", "pairs", "rank")):
        for factor in (2, 4):
            size = list(base)
            size[axis] *= factor
            print(f"    {factor} x {name:5s}  time x {seconds(*size) / reference:.2f}")


def bench_projection(measured, peak):
    """Seconds a sweep of the Taste Profile at 400 factors, from a measured rate."""
    users, items, pairs, rank = 1_000_000, 382_410, 48_000_000, 400
    flops = 8 * 4 * pairs * rank + 8 * rank**2 * (users + items)
    print(
        f"  1 M users x 382 k items, 48 M pairs, rank 400: {flops / 1e12:.2f} TFLOP, "
        f"{flops / measured:.0f} s a sweep at the rate of WMF measured above "
        f"(projected, not run), {flops / peak:.0f} s at sgemm"
    )


def bench_solvers(plays):
    """Processor time of the item half of a sweep and of a fold-in, by each solver."""

    def seconds(ours, method, *, accurate):
        solver = CPUSolver(ours.run, method, ours.problem.rank)
        V, rows = ours.V.copy(), ours.problem.by_item
        return min(
            timed_both(lambda: solver.half(rows, V, ours.U, accurate=accurate))[1]
            for _ in range(4)
        )

    for rank in (4, 8, 16, 32, 64, 128):
        ours = Ours(Problem(plays, rank, 0), 1)
        for _ in range(3):
            ours.sweep()
        half, fold_in = (
            seconds(ours, "cholesky", accurate=accurate)
            / seconds(ours, "cg", accurate=accurate)
            for accurate in (False, True)
        )
        print(
            f"  rank {rank:3d}  time of Cholesky in that of conjugate gradients: "
            f"half a sweep {half:.2f}, fold-in {fold_in:.2f}"
        )


def bench_recommend(problem, n_threads):
    from implicit.cpu.als import AlternatingLeastSquares

    from skcoldstart._scores.sources import LowRankScores
    from skcoldstart._scores.top_n import top_n_per_user

    ours = Ours(problem, n_threads)
    for _ in range(5):
        ours.sweep()
    V, U = (np.ascontiguousarray(factors) for factors in ours.factors)
    peer = AlternatingLeastSquares(factors=problem.rank, num_threads=n_threads)
    peer.item_factors, peer.user_factors = V, U
    users = np.arange(len(U))
    played = sp.csr_matrix(problem.weights.T)
    seconds = {"WMF": [], "implicit": []}
    for _ in range(5):
        seconds["WMF"].append(
            timed(
                lambda: top_n_per_user(
                    LowRankScores(V, U), 10, exclude=problem.weights, n_jobs=n_threads
                )
            )
        )
        seconds["implicit"].append(timed(lambda: peer.recommend(users, played, N=10)))
    _, scores = top_n_per_user(LowRankScores(V, U), 10, exclude=problem.weights)
    _, theirs = peer.recommend(users, played, N=10)
    np.testing.assert_allclose(scores, theirs, rtol=1e-4, atol=1e-5)
    for name, times in seconds.items():
        print(
            f"  top 10 of all users  {name:9s} median {statistics.median(times):.2f} s"
            f"  ratio {ratio(times, seconds['WMF'])}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--rank", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--turns", type=int, default=5, help="to time a sweep")
    parser.add_argument("--sweeps", type=int, default=5, help="in a turn")
    parser.add_argument("--long", type=int, default=150, help="sweeps to converge")
    parser.add_argument("--most", type=int, default=150, help="sweeps to a target")
    parser.add_argument("--threads", type=int, default=n_kernel_threads(None))
    parser.add_argument("--peers", nargs="*", default=["implicit", "irspack"])
    parser.add_argument(
        "--what",
        nargs="+",
        default=["sweep", "convergence"],
        choices=[
            *("sweep", "convergence", "memory", "scaling", "recommend", "solvers"),
        ],
    )
    parser.add_argument("--memory-of", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--plays", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    engines = ["ours", *arguments.peers]
    if arguments.memory_of:
        bench_memory(
            arguments.plays, arguments.rank, arguments.memory_of, arguments.threads
        )
        return
    print(
        f"{platform.processor() or platform.machine()}, {arguments.threads} threads, "
        f"numpy {np.__version__}, scipy {scipy.__version__}"
    )
    ratios = []
    with threadpool_limits(1, "blas"):
        for seed in arguments.seeds:
            if not {"sweep", "convergence", "recommend"} & set(arguments.what):
                break
            plays = make_plays(*SIZES[arguments.size], seed)
            problem = Problem(plays, arguments.rank, seed)
            print(
                f"{arguments.size}, rank {arguments.rank}, seed {seed}: "
                f"{plays.shape[1]} users x {plays.shape[0]} items, {plays.nnz} pairs",
                flush=True,
            )
            if "sweep" in arguments.what:
                turns = (arguments.turns, arguments.sweeps)
                seconds = bench_sweep(problem, engines, arguments.threads, *turns)
                ratios.append({n: s / seconds["WMF"] for n, s in seconds.items()})
                if arguments.rank == 400:
                    rate = sweep_flops(problem) / seconds["WMF"]
                    bench_projection(rate, sgemm_peak(arguments.threads))
            if "convergence" in arguments.what:
                how = (arguments.long, arguments.most, arguments.sweeps)
                bench_convergence(problem, engines, arguments.threads, *how)
            if "recommend" in arguments.what:
                bench_recommend(problem, arguments.threads)
        if len(ratios) > 1:
            for name in ratios[0]:
                values = [each[name] for each in ratios]
                print(
                    f"sweep ratio of {name} over seeds: median "
                    f"{statistics.median(values):.2f}, "
                    f"{min(values):.2f} to {max(values):.2f}"
                )
        if "scaling" in arguments.what:
            bench_scaling(arguments.threads)
        if "solvers" in arguments.what:
            bench_solvers(make_plays(*SIZES[arguments.size], 0))
    if "memory" in arguments.what:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "plays.npz")
            sp.save_npz(path, make_plays(*SIZES[arguments.size], 0), compressed=False)
            for engine in engines:
                command = [sys.executable, __file__, "--memory-of", engine]
                command += ["--plays", path, "--rank", str(arguments.rank)]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
