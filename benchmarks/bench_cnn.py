"""CNNFactorRegressor on the CPU: against the same network in a bare torch loop.

    python benchmarks/bench_cnn.py [--rounds 7] [--n-items 512] [--width 256]

The bare loop has the same module, optimizer and windows, cut from one array, and
nothing else: no history, no callbacks, no estimator. Every round trains one pass by
each method, in turns; a ratio is the median over rounds of one round's times. "wpe"
adds the weighted prediction error over all users. Inference is `predict` against the
module on ready batches. Frames are noise: speed does not depend on what is heard.
"""

import argparse
import os
import platform
import time

import numpy as np
import scipy.sparse as sp
import torch

import skcoldstart
from skcoldstart import CNNFactorRegressor, RaggedArray
from skcoldstart.neural._windows import training_starts

WINDOW = 129


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--n-items", type=int, default=512)
    parser.add_argument("--n-frames", type=int, default=400)
    parser.add_argument("--n-users", type=int, default=20_000)
    parser.add_argument("--n-factors", type=int, default=50)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=128)
    return parser.parse_args()


def make_data(args, rng):
    values = rng.standard_normal((args.n_items * args.n_frames, 128), np.float32)
    frames = RaggedArray(
        values.astype(np.float16), np.arange(args.n_items + 1) * args.n_frames
    )
    factors = rng.standard_normal((args.n_items, args.n_factors), np.float32)
    users = rng.standard_normal((args.n_users, args.n_factors), np.float32)
    usage = sp.random_array(
        (args.n_items, args.n_users), density=60 / args.n_users, rng=rng
    ).tocsr()
    usage.data = 1 + 40 * usage.data
    return frames, factors, users, usage


class BareLoop:
    """The least code that trains the network of a fitted estimator."""

    def __init__(self, model, frames, factors, batch_size):
        self.module = model.net_.module_
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=3e-4)
        self.frames = frames
        self.targets = torch.tensor(model._scale.to_network(factors))
        self.batch_size = batch_size

    def __call__(self, epoch):
        n = len(self.frames)
        items = np.random.default_rng(epoch).permutation(n)
        starts = training_starts(
            items, self.frames.lengths[items], window=WINDOW, epoch=epoch, seed=0
        )
        self.module.train()
        for first in range(0, n, self.batch_size):
            chosen = slice(first, first + self.batch_size)
            batch = np.empty((len(items[chosen]), WINDOW, 128), np.float32)
            for row, item, start in zip(
                batch, items[chosen], starts[chosen], strict=True
            ):
                at = int(self.frames.offsets[item] + start)
                row[:] = self.frames.values[at : at + WINDOW]
            outputs = self.module(torch.from_numpy(batch))
            target = self.targets[torch.from_numpy(items[chosen])]
            loss = (outputs - target).square().mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()


def timed(action):
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main():
    args = parse_arguments()
    rng = np.random.default_rng(0)
    frames, factors, users, usage = make_data(args, rng)
    w = args.width
    options = {
        "n_filters": (w, w, 2 * w, 2 * w),
        "hidden": (8 * w, 8 * w),
        "batch_size": args.batch_size,
        "max_epochs": 1,
        "validation_fraction": 0,
        "lr_schedule": "constant",
        "device": "cpu",
        "warm_start": True,
        "random_state": 0,
    }
    models = {
        "mse": CNNFactorRegressor(**options),
        "wpe": CNNFactorRegressor(**options, objective="wpe"),
    }
    usage_of = {"mse": {}, "wpe": {"user_factors": users, "usage": usage}}
    for name, model in models.items():
        model.fit(frames, factors, **usage_of[name])
    bare = BareLoop(
        CNNFactorRegressor(**options).fit(frames, factors),
        frames,
        factors,
        args.batch_size,
    )
    bare(0)
    seconds = {"bare": [], "mse": [], "wpe": [], "mse, whole fit": []}
    for epoch in range(1, args.rounds + 1):
        order = ["bare", "mse", "wpe"]
        for name in order[epoch % 3 :] + order[: epoch % 3]:
            if name == "bare":
                seconds["bare"].append(timed(lambda epoch=epoch: bare(epoch)))
                continue
            model = models[name]
            total = timed(lambda m=model, n=name: m.fit(frames, factors, **usage_of[n]))
            seconds[name].append(model.history_[-1, "dur"])
            if name == "mse":
                seconds["mse, whole fit"].append(total)
    print(
        f"skcoldstart {skcoldstart.__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}; width {w}, batches of {args.batch_size}"
    )
    baseline = np.array(seconds["bare"])
    for name, times in seconds.items():
        ratio = np.median(np.array(times) / baseline)
        rate = args.n_items / np.median(times)
        print(f"train {name:<16} {rate:8.0f} windows/s   {ratio:6.3f} x bare loop")
    wpe = np.median(np.array(seconds["wpe"]) / np.array(seconds["mse"]))
    print(f"wpe / mse {wpe:.3f}")
    loss = models["mse"].history_[-1, "train_loss"]
    print(f"training loss after {models['mse'].n_iter_} passes: {loss:.3f}")
    infer(models["mse"], frames, args.rounds)


def infer(model, frames, rounds):
    n_windows = len(frames) * -(-frames.lengths[0] // WINDOW)
    module = model.net_.module_.eval()
    batches = torch.randn(n_windows // 64, 64, WINDOW, 128)

    def bare():
        with torch.inference_mode():
            for batch in batches:
                module(batch)

    model.predict(frames)
    bare()
    pairs = [(timed(lambda: model.predict(frames)), timed(bare)) for _ in range(rounds)]
    whole, ready = np.array(pairs).T
    ready = ready * n_windows / (len(batches) * 64)
    print(
        f"predict {n_windows / np.median(whole):.0f} windows/s, "
        f"{np.median(whole / ready):.3f} x the module on ready batches"
    )


if __name__ == "__main__":
    main()
