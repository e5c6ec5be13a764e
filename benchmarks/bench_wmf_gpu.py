"""WMF on a GPU against WMF on the processor: seconds a sweep, and agreement.

    python benchmarks/bench_wmf_gpu.py --size M --rank 128
    python benchmarks/bench_wmf_gpu.py --size T --rank 400 --no-cpu   # Taste Profile

Needs torch with CUDA. Plays are drawn on the device. Both start from the same factors;
sweeps are timed with the device idle before and after. Size T has the users, items and
pairs of the Taste Profile.
"""

import argparse
import statistics

import numpy as np
import torch
from bench_wmf import Ours, Problem, sgemm_peak, sweep_flops, timed
from plays import SIZES
from plays_on_device import draw_plays

from skcoldstart._utils.threads import n_kernel_threads
from skcoldstart.factorization._als import fold_in, relaxation
from skcoldstart.factorization._torch import TorchSolver

TASTE_PROFILE = (1_000_000, 382_410, 48_000_000)


class OnDevice:
    def __init__(self, problem, solver):
        self.problem, self.solver = problem, solver
        self.V, self.U = solver.put(problem.V), solver.put(problem.U)
        self.n_sweeps = 0

    def sweep(self):
        omega = relaxation(self.n_sweeps)
        self.solver.half(self.problem.by_user, self.U, self.V, omega=omega)
        self.solver.half(self.problem.by_item, self.V, self.U, omega=omega)
        torch.cuda.synchronize()
        self.n_sweeps += 1


def device_peak():
    """Return what products of large float32 matrices make a second, without TF32."""
    a = torch.ones((8192, 8192), device="cuda")

    def multiply():
        torch.mm(a, a)
        torch.cuda.synchronize()

    multiply()
    return 2 * len(a) ** 3 / min(timed(multiply) for _ in range(5))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=[*SIZES, "T"], default="M")
    parser.add_argument("--rank", type=int, default=128)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--no-cpu", action="store_true")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error(f"torch {torch.__version__} finds no CUDA device")
    size = SIZES.get(arguments.size, TASTE_PROFILE)
    problem = Problem(draw_plays(*size, 0, "cuda"), arguments.rank, 0)
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}; "
        f"{arguments.size}, rank {arguments.rank}, {problem.weights.nnz} pairs"
    )
    torch.cuda.reset_peak_memory_stats()
    with TorchSolver.on_cuda("cg", arguments.rank) as solver:
        model = OnDevice(problem, solver)
        model.sweep()
        seconds = [timed(model.sweep) for _ in range(arguments.sweeps)]
        median = statistics.median(seconds)
        memory = torch.cuda.max_memory_allocated() / 2**30
        rate = sweep_flops(problem) / median
        print(
            f"  GPU sweep median {median:.3f} s, minimum {min(seconds):.3f} s, "
            f"{rate / 1e12:.2f} TFLOP/s, {rate / device_peak():.0%} of measured "
            f"float32 products, peak memory {memory:.1f} GiB"
        )
        U = solver.get(model.U)
        finish = timed(lambda: fold_in(problem.by_item, U, solver))
        print(f"  fold-in of all items to the precision of float32: {finish:.2f} s")
        V = solver.get(model.V)
    if not arguments.no_cpu:
        n_threads = n_kernel_threads(None)
        ours = Ours(problem, n_threads)
        ours.sweep()
        seconds = [timed(ours.sweep) for _ in range(arguments.sweeps)]
        difference = np.abs(ours.factors[0] - V).max() / np.abs(V).max()
        objectives = problem.loss(*ours.factors), problem.loss(V, U)
        print(
            f"  processor, {n_threads} threads: median {statistics.median(seconds):.3f}"
            f" s a sweep ({sgemm_peak(n_threads) / 1e9:.0f} GFLOP/s sgemm); "
            f"largest difference of item factors {difference:.1e}, of the objective "
            f"{abs(objectives[1] / objectives[0] - 1):.1e}"
        )


if __name__ == "__main__":
    main()
