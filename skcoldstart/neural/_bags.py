"""Divide plays of users into bags, in which each item is predicted from the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from skcoldstart._sequences.ragged import RaggedArray


@dataclass(frozen=True)
class BagBatch:
    """Bags of a batch, and their distinct items.

    A pair is a user and an item that is predicted from the other items of its bag.
    Shapes: `items` (n_items,); `places, bags, units` (n_pairs,), the item, the bag and
    the unit left out of the bag with the item; `asked` (n_asked,), pairs with a
    nonempty rest of the bag; `hidden_rows, hidden_places` (n_hidden,), other items
    played by the user of an asked pair.
    """

    items: np.ndarray
    places: np.ndarray
    bags: np.ndarray
    units: np.ndarray
    asked: np.ndarray
    hidden_rows: np.ndarray
    hidden_places: np.ndarray


class Bags:
    """Divides the plays of users into new bags for each pass, and passes into batches.

    Shapes: `plays` (n_users, n_items), `groups` (n_items,) or None.
    """

    def __init__(
        self,
        plays: sp.csr_array,
        groups: np.ndarray | None,
        *,
        bag_size: int,
        batch_size: int,
        seed: int,
    ) -> None:
        n_items = np.diff(plays.indptr)
        # A user with a single item has no other item to predict it from.
        self._plays = plays[np.flatnonzero(n_items > 1)]
        self._groups = groups
        self._seed = seed
        sizes = np.diff(self._plays.indptr)
        self._n_bags = np.minimum(-(-sizes // bag_size), sizes // 2)
        self.n_pairs = self._plays.nnz
        self._n_batches = max(1, round(self.n_pairs / batch_size))

    def __len__(self) -> int:
        return self._n_batches

    def batches(self, epoch: int) -> Iterator[BagBatch]:
        """Yield the batches of a pass; every play is in one of them."""
        rng = np.random.default_rng([self._seed, epoch])
        bags, users = self._deal(rng)
        order = rng.permutation(len(users))
        ends = np.cumsum(bags.lengths[order])
        cuts = np.linspace(0, self.n_pairs, self._n_batches + 1)[1:-1]
        for chosen in np.split(order, np.searchsorted(ends, cuts)):
            if len(chosen):
                yield self._batch(bags[chosen], users[chosen])

    def _deal(self, rng: np.random.Generator) -> tuple[RaggedArray, np.ndarray]:
        """Distribute each user's items over that user's bags, in random order.

        Shapes: -> bags of items, and their users (n_bags,).
        """
        indptr, n_bags = self._plays.indptr, self._n_bags
        users = np.repeat(np.arange(len(n_bags)), np.diff(indptr))
        shuffled = np.lexsort((rng.random(len(users)), users))
        place = np.arange(len(users)) - indptr[users]
        bags = (np.cumsum(n_bags) - n_bags)[users] + place % n_bags[users]
        by_bag = np.argsort(bags, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(bags))])
        dealt = RaggedArray(self._plays.indices[shuffled[by_bag]], offsets)
        return dealt, np.repeat(np.arange(len(n_bags)), n_bags)

    def _batch(self, chosen: RaggedArray, users: np.ndarray) -> BagBatch:
        pairs, sizes = chosen.values, chosen.lengths
        items, places = np.unique(pairs, return_inverse=True)
        bags = np.repeat(np.arange(len(sizes)), sizes)
        units = asked = np.arange(len(pairs))
        if self._groups is not None:
            _, units, of_unit = np.unique(
                np.column_stack([bags, self._groups[pairs]]),
                axis=0,
                return_inverse=True,
                return_counts=True,
            )
            asked = np.flatnonzero(of_unit[units] < sizes[bags])
        played = self._plays[users][:, items][bags[asked]]
        rows = np.repeat(np.arange(len(asked)), np.diff(played.indptr))
        found = played.indices.astype(np.int64)
        others = found != places[asked][rows]
        hidden = rows[others], found[others]
        return BagBatch(items, places, bags, units, asked, *hidden)
