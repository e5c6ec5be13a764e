"""Names as bytes, in the order of their first appearance, in a hash table."""

import numpy as np


class NameTable:
    """Names in records one after the other, found by slots of a hash table."""

    def __init__(self, n_names: int = 1 << 10) -> None:
        self.slots = np.zeros(2 * n_names, np.uint64)
        self.arena = np.zeros(48 * n_names, np.uint8)
        self.starts = np.zeros(n_names + 1, np.int64)
        self.count = np.zeros(1, np.int64)

    def __len__(self) -> int:
        return int(self.count[0])

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What kernels read and write."""
        return self.slots, self.arena, self.starts

    def grow(self, n_bytes: int = 0) -> None:
        """Double the room, for names of their mean length so far and more.

        `n_bytes` is the length of a name that must find room.
        """
        from skcoldstart._kernels.names import rehash

        slots = np.zeros(2 * len(self.slots), np.uint64)
        rehash(self.slots, slots)
        self.slots = slots
        self.starts = np.pad(self.starts, (0, len(self.starts)))
        used = int(self.starts[len(self)])
        arena = np.zeros(max(2 * used, len(self.arena)) + n_bytes + 1024, np.uint8)
        arena[:used] = self.arena[:used]
        self.arena = arena

    def codes(
        self, data: np.ndarray, offsets: np.ndarray, *, grows: bool = True
    ) -> np.ndarray:
        """Return the number of each name, -1 for a new one unless `grows`.

        Shapes: `data` (n_bytes,), uint8; name i is data[offsets[i] : offsets[i + 1]];
        `offsets` (n_rows + 1,) -> (n_rows,).
        """
        from skcoldstart._kernels.names import PADDING, number_names

        first, end = int(offsets[0]), int(offsets[-1])
        buffer = np.zeros(end - first + PADDING, np.uint8)
        buffer[: end - first] = data[first:end]
        offsets = np.asarray(offsets, np.int64) - first
        codes = np.empty(len(offsets) - 1, np.int32)
        row = 0
        while True:
            row = number_names(
                buffer, offsets, row, self.arrays, self.count, grows, codes
            )
            if row == len(codes):
                return codes
            self.grow(int(offsets[row + 1] - offsets[row]))

    def lengths(self) -> np.ndarray:
        """Return the number of bytes of each name, (n_names,)."""
        starts = self.starts[: len(self)]
        return self.arena[: self.starts[len(self)]].view(np.uint32)[starts // 4 + 1]

    def to_buffer(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the names one after the other, and where they start.

        Shapes: -> (n_bytes,), uint8, and (n_names + 1,).
        """
        offsets = np.concatenate([[0], np.cumsum(self.lengths(), dtype=np.int64)])
        data = np.empty(offsets[-1], np.uint8)
        self._copy(offsets[:-1], data)
        return data, offsets

    def to_bytes(self) -> np.ndarray:
        """Return the names as an array of bytes of one length."""
        longest = int(self.lengths().max(initial=1))
        names = np.zeros(len(self), f"S{longest}")
        self._copy(np.arange(len(self)) * longest, names.view(np.uint8))
        return names

    def _copy(self, places: np.ndarray, out: np.ndarray) -> None:
        from skcoldstart._kernels.names import copy_names

        copy_names(self.arena, self.starts[: len(self)], places, out)
