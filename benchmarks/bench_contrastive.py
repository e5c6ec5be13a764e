"""ContrastiveEncoder on citeulike-a: the time of a fit, and of a bare torch loop.

    python benchmarks/bench_contrastive.py --data FOLDER [--rounds 3]

FOLDER holds citeulike-a. The bare loop trains the same network with the same optimizer
on the same batches, which are dealt before its time begins, with the same loss in plain
torch operations; it checks nothing, records nothing and holds nothing out. Both make
two passes in turns. Times are of the processor, over all threads, since the machine may
have other work; the whole fit with defaults is also given by the clock.
"""

import argparse
import copy
import os
import platform
import time

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn import functional

import skcoldstart
from skcoldstart import ContrastiveEncoder
from skcoldstart.datasets import load_citeulike
from skcoldstart.neural._bags import Bags
from skcoldstart.neural._torch.contrastive import TableContent, build_encoder

PASSES = 2


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


class BareLoop:
    """The least code that trains the encoder's network."""

    def __init__(self, model, X, plays):
        self.model, self.X = model, torch.from_numpy(X)
        by_user = sp.csr_array(plays.T, dtype=np.float32)
        by_user.data[:] = 1
        options = {"bag_size": model.max_context + 1, "batch_size": model.batch_size}
        bags = Bags(by_user, None, seed=0, **options)
        self.net = build_encoder(model, TableContent(X), X.shape[1], 0)
        self.batches = [list(bags.batches(epoch)) for epoch in range(PASSES)]

    def __call__(self):
        net = copy.deepcopy(self.net).train()
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=self.model.lr, weight_decay=self.model.weight_decay
        )
        n_steps = sum(map(len, self.batches))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
        for batches in self.batches:
            for batch in batches:
                rows = self.X[torch.from_numpy(batch.items)]
                vectors = functional.normalize(net(rows))
                loss = self.loss(vectors, batch)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()

    def loss(self, vectors, batch):
        places, bags = torch.from_numpy(batch.places), torch.from_numpy(batch.bags)
        pairs = vectors[places]
        sums = torch.zeros(int(bags.max()) + 1, vectors.shape[1])
        users = functional.normalize(sums.index_add(0, bags, pairs)[bags] - pairs)
        logits = users @ vectors.T / self.model.temperature
        hidden = (
            torch.from_numpy(batch.hidden_rows),
            torch.from_numpy(batch.hidden_places),
        )
        mask = torch.zeros_like(logits, dtype=torch.bool)
        mask[hidden] = True
        return functional.cross_entropy(logits.masked_fill(mask, -torch.inf), places)


def processor_s(function):
    """Return the seconds of the processor that a call takes, over all threads."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main():
    args = parse_arguments()
    articles = load_citeulike(f"{args.data}/citeulike-a")
    train = articles.train_idx
    X = np.ascontiguousarray(articles.X[train], np.float32)
    plays = articles.plays[train]
    print(
        f"skcoldstart {skcoldstart.__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, {os.cpu_count()} processors, Python "
        f"{platform.python_version()}; {X.shape[0]} items, {plays.nnz} plays"
    )
    options = {"validation_fraction": 0, "random_state": 0, "device": "cpu"}
    model = ContrastiveEncoder(max_epochs=PASSES, **options)
    bare = BareLoop(model, X, plays)
    bare()
    pairs = [
        (processor_s(lambda: model.fit(X, plays)), processor_s(bare))
        for _ in range(args.rounds)
    ]
    ours, theirs = np.median(pairs, axis=0)
    ratio = np.median([a / b for a, b in pairs])
    print(
        f"{PASSES} passes: fit {ours:.1f} s, bare loop {theirs:.1f} s of the processor"
    )
    print(f"ratio {ratio:.3f} (rounds: {', '.join(f'{a / b:.3f}' for a, b in pairs)})")
    start = time.perf_counter()
    whole = ContrastiveEncoder(random_state=0, device="cpu")
    used = processor_s(lambda: whole.fit(X, plays))
    took = time.perf_counter() - start
    print(
        f"fit with defaults, {whole.n_iter_} passes: {took:.1f} s by the clock, ",
        end="",
    )
    print(f"{used:.1f} s of the processor; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
