"""Users without the predicted item, and the softmax over the items of a batch."""

from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from skcoldstart.neural._bags import BagBatch

LOSS_ROWS = 256  # logits that stay in a near cache


def user_vectors(vectors: torch.Tensor, batch: BagBatch) -> torch.Tensor:
    """Return the unit sum of each asked pair's bag without the predicted unit.

    Shapes: `vectors` (n_items, n_components) -> (n_asked, n_components).
    """
    places, bags, units, asked = (
        torch.from_numpy(part).to(vectors.device)
        for part in (batch.places, batch.bags, batch.units, batch.asked)
    )
    pairs = vectors.index_select(0, places)
    left_out = pairs
    if len(batch.units) > int(batch.units[-1]) + 1:
        left_out = _sums(pairs, units).index_select(0, units)
    others = _sums(pairs, bags).index_select(0, bags) - left_out
    return functional.normalize(others.index_select(0, asked))


def _sums(rows: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    sums = rows.new_zeros(int(owners.max()) + 1, rows.shape[1])
    return sums.index_add(0, owners, rows)


class _SoftmaxLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        users: torch.Tensor,
        items: torch.Tensor,
        places: torch.Tensor,
        hidden: tuple[np.ndarray, np.ndarray],
        temperature: float,
    ) -> torch.Tensor:
        """Return the loss; its gradients are computed with it and kept for `backward`.

        Logits are computed for a block of users at a time, which is several times
        faster than writing all of them to memory and reading them again.
        """
        n = len(users)
        by_user, by_item = torch.empty_like(users), torch.zeros_like(items)
        total = torch.zeros((), dtype=torch.float64, device=users.device)
        buffer = users.new_empty(min(LOSS_ROWS, n), len(items))
        cuts = np.searchsorted(hidden[0], np.arange(0, n + LOSS_ROWS, LOSS_ROWS))
        rows, columns = (torch.from_numpy(part).to(users.device) for part in hidden)
        for block, start in enumerate(range(0, n, LOSS_ROWS)):
            stop = min(start + LOSS_ROWS, n)
            near, own = users[start:stop], places[start:stop]
            each = torch.arange(stop - start, device=users.device)
            logits = torch.mm(near, items.T, out=buffer[: stop - start])
            logits /= temperature
            out_of = slice(cuts[block], cuts[block + 1])
            logits[rows[out_of] - start, columns[out_of]] = -torch.inf
            asked = logits[each, own]
            top = logits.amax(1, keepdim=True)
            shares = logits.sub_(top).exp_()
            sums = shares.sum(1, keepdim=True)
            total += (top[:, 0] + sums[:, 0].log() - asked).sum(dtype=torch.float64)
            # d loss / d logits = softmax - [the item asked for]
            shares /= sums
            shares[each, own] -= 1
            shares /= temperature * n
            torch.mm(shares, items, out=by_user[start:stop])
            by_item.addmm_(shares.T, near)
        ctx.save_for_backward(by_user, by_item)
        return (total / n).to(users.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        by_user, by_item = ctx.saved_tensors
        return grad * by_user, grad * by_item, None, None, None


def softmax_loss(
    users: torch.Tensor,
    items: torch.Tensor,
    places: torch.Tensor,
    hidden: tuple[np.ndarray, np.ndarray],
    temperature: float,
) -> torch.Tensor:
    r"""Return the mean of :math:`-\log softmax_i(u \cdot e_i / \tau)`.

    Shapes: `users` (n, k), `items` (n_items, k), `places` (n,), `hidden` rows and
    places (n_hidden,) of items left out of a user's softmax, by rows.
    """
    return _SoftmaxLoss.apply(users, items, places, hidden, temperature)
