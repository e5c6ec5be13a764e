"""The objectives of networks: the criteria of the skorch net.

An objective has two steps: `usage_of` selects the plays of some items, with NumPy and
in any thread; calling the objective with outputs, targets and these plays returns a
loss on the device of the outputs.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch.autograd.function import once_differentiable

from skcoldstart._scores.top_n import gram_matrix, gram_root


class Objective(torch.nn.Module):
    """Base of all objectives of a `TrainingSet`, without parameters or saved state."""

    def __init__(self, data: Any, device: Any, temperature: float = 1.0) -> None:
        super().__init__()
        self._device = device

    def usage_of(self, items: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Return the plays of some items that `forward` needs, on the CPU."""
        return ()

    def _put(self, array: np.ndarray) -> torch.Tensor:
        # torch warns about read-only arrays, such as memory maps.
        writable = np.require(array, np.float32, "W")
        return torch.as_tensor(writable, device=self._device)


class SquaredError(Objective):
    """Mean squared error of outputs in their own units: 1 for the mean target."""

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs - targets).square().mean()


class GramError(Objective):
    r"""Squared error in the metric of the users: :math:`(y - y')^T X^T X (y - y')`.

    Divided by its value for the mean target.
    """

    def __init__(self, data: Any, device: Any, temperature: float = 1.0) -> None:
        super().__init__(data, device)
        # In coordinates in which the metric is the identity, this is the plain error.
        root = gram_root(data.user_factors) * data.scale.scale[:, np.newaxis]
        whitened = data.scale.to_network(data.targets).astype(np.float64) @ root
        mean_error = np.square(whitened).sum(axis=1).mean()
        self._root = self._put(root / np.sqrt(mean_error or 1.0))

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return ((outputs - targets) @ self._root).square().sum(1).mean()


class _UsageObjective(Objective):
    """Base of objectives that use the plays of items."""

    def __init__(self, data: Any, device: Any, temperature: float = 1.0) -> None:
        super().__init__(data, device)
        self._unit, self._mean = self._put(data.scale.scale), self._put(data.scale.mean)
        self._users = self._put(data.user_factors)
        self._usage: sp.csr_array = data.usage
        self._temperature = temperature

    def _factors(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs * self._unit + self._mean


class WeightedPredictionError(_UsageObjective):
    r"""Weighted error of predicted plays over all users, eq. 5 of the paper.

    Divided by its value if no plays are predicted.
    """

    def __init__(self, data: Any, device: Any, temperature: float = 1.0) -> None:
        super().__init__(data, device)
        self._gram = self._put(gram_matrix(data.user_factors))
        total = float(self._usage.data.sum(dtype=np.float64))
        self._per_item = total / self._usage.shape[0]

    def usage_of(self, items: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Return users, confidences and number of plays of items."""
        rows = self._usage[items]
        return (
            torch.from_numpy(rows.indices.astype(np.int64)),
            torch.from_numpy(rows.data.astype(np.float32)),
            torch.from_numpy(np.diff(rows.indptr).astype(np.int64)),
        )

    def forward(
        self, outputs: torch.Tensor, targets: torch.Tensor, *usage: torch.Tensor
    ) -> torch.Tensor:
        loss = weighted_prediction_error(
            self._factors(outputs), self._users, self._gram, *usage
        )
        return loss / (len(outputs) * self._per_item)


class _InBatch(_UsageObjective):
    """Base of objectives on the users' scores of the items of a batch."""

    def usage_of(self, items: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Return the users of a batch and its plays as (place of user, row of item)."""
        plays = self._usage[items]
        users, places = np.unique(plays.indices, return_inverse=True)
        rows = np.repeat(np.arange(len(items)), np.diff(plays.indptr))
        parts = users.astype(np.int64), places.astype(np.int64), rows
        return tuple(map(torch.from_numpy, parts))

    def forward(
        self, outputs: torch.Tensor, targets: torch.Tensor, *usage: torch.Tensor
    ) -> torch.Tensor:
        users, places, rows = usage
        if not len(rows):
            return outputs.sum() * 0
        scores = self._users[users] @ self._factors(outputs).T / self._temperature
        return self._mean_loss(scores, places, rows)

    def _mean_loss(
        self, scores: torch.Tensor, places: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean over plays; `scores` is (n_users, n_items)."""
        raise NotImplementedError


class InBatchRanking(_InBatch):
    r"""Negative log-likelihood of a user's item among items they did not play.

    For each play of item i by user u in a batch,
    :math:`\log(1 + \sum_j \exp((s_{uj} - s_{ui}) / \tau))` over the items j of the
    batch that u did not play, with :math:`s_{ui} = x_u^T y'_i`: the order of new items
    for a user, which the ranking metrics measure.
    """

    def _mean_loss(
        self, scores: torch.Tensor, places: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        played = torch.zeros_like(scores, dtype=torch.bool)
        played[places, rows] = True
        # Not -inf, which would have no gradient if everything is played.
        others = scores.masked_fill(played, -1e30).logsumexp(dim=1)
        return torch.nn.functional.softplus(
            others[places] - scores[places, rows]
        ).mean()


class InBatchSoftmax(_InBatch):
    r"""Cross-entropy of a user's plays as draws from the items of a batch.

    For each play of item i by user u in a batch of m items,
    :math:`\log \sum_j \exp((s_{uj} - s_{ui}) / \tau) / \log m` over all items j of the
    batch, with :math:`s_{ui} = x_u^T y'_i`: 1 if all scores are equal. The softmax is
    over items, because a user's list compares items; a softmax over users would ignore
    a change of all scores of an item. Batches are drawn uniformly, so their sums
    estimate those over all items without a correction.
    """

    def _mean_loss(
        self, scores: torch.Tensor, places: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        if scores.shape[1] == 1:
            return scores.sum() * 0
        likelihoods = scores.log_softmax(dim=1)[places, rows]
        return -likelihoods.mean() / math.log(scores.shape[1])


OBJECTIVES: dict[str, type[Objective]] = {
    "mse": SquaredError,
    "gram": GramError,
    "wpe": WeightedPredictionError,
    "ranking": InBatchRanking,
    "softmax": InBatchSoftmax,
}


class _WeightedPredictionError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        factors: torch.Tensor,
        user_factors: torch.Tensor,
        gram: torch.Tensor,
        users: torch.Tensor,
        confidences: torch.Tensor,
        counts: torch.Tensor,
    ) -> torch.Tensor:
        """Return the loss; its gradient is kept for `backward`."""
        # With p = 0 and c = 1 for users who did not play, eq. 5 for one item is
        #   y'G y' + sum over players of c (1 - s)^2 - s^2,   G = X'X, s = x_u . y'
        # and its gradient 2 [G y' + sum over players of ((c - 1) s - c) x_u].
        rows = torch.repeat_interleave(
            torch.arange(len(factors), device=factors.device),
            counts,
            output_size=len(users),
        )
        near = user_factors[users]
        scores = (near * factors[rows]).sum(1)
        everywhere = factors @ gram
        pull = ((confidences - 1) * scores - confidences)[:, None] * near
        gradient = everywhere + torch.zeros_like(factors).index_add_(0, rows, pull)
        ctx.save_for_backward(2 * gradient)
        observed = confidences * (1 - scores).square() - scores.square()
        total = (everywhere * factors).sum(dtype=torch.float64)
        return (total + observed.sum(dtype=torch.float64)).to(factors.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        (gradient,) = ctx.saved_tensors
        return grad * gradient, None, None, None, None, None


weighted_prediction_error: Callable[..., torch.Tensor] = _WeightedPredictionError.apply
