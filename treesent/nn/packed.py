"""The packed order of sequences, and the indices that decoders need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from treesent.errors import TreesentError
from treesent.nn.sequences import Steps
from treesent.types import Bool, Int64


def packing(lengths: Int64) -> tuple[Int64, Int64, Int64]:
    """Order items as ``torch.nn.utils.rnn.PackedSequence`` does: step by step, the longest sequence first.

    :param lengths: number of items of each sequence. *Shape:* ``(batch,)``
    :returns: the item at each packed position, the packed position of each item (*Shape:* ``(n_items,)``
        both), and the number of sequences at each step (*Shape:* ``(steps,)``).
    """
    n_items = int(lengths.sum())
    longest = np.argsort(-lengths, kind="stable")
    rank = np.empty_like(longest)
    rank[longest] = np.arange(len(longest))
    first = np.cumsum(lengths) - lengths
    step = np.arange(n_items) - np.repeat(first, lengths)
    batch_sizes = np.bincount(step).astype(np.int64)
    before = np.cumsum(batch_sizes) - batch_sizes
    unpacked = before[step] + np.repeat(rank, lengths)
    packed = np.empty(n_items, np.int64)
    packed[unpacked] = np.arange(n_items)
    return packed, unpacked, batch_sizes


@dataclass(frozen=True, slots=True)
class Packed:
    """Sequences in packed order.

    :param lengths: number of items of each, on the host. *Shape:* ``(batch,)``
    :param steps: number of sequences at each step.
    :param order: the sequence at each position within the first step. *Shape:* ``(batch,)``
    :param rows: the item, counted over the batch, in each row. *Shape:* ``(n_rows,)``
    :param mirror: the row of the item as far from the end as each row's is from the beginning.
        *Shape:* ``(n_rows,)``
    :param first: the row of each sequence's first item. *Shape:* ``(batch,)``
    :param last: the row of its last item. *Shape:* ``(batch,)``
    :param grid: the rows of each sequence, padded to a rectangle with its last row.
        *Shape:* ``(batch, steps)``
    :param present: where the rectangle is not padding. *Shape:* ``(batch, steps)``
    :param place: position of each row in such a rectangle whose lines are in the order of ``order``, counted
        line by line. *Shape:* ``(n_rows,)``
    """

    lengths: Int64
    steps: Steps
    order: Tensor
    rows: Tensor
    mirror: Tensor
    first: Tensor
    last: Tensor
    grid: Tensor
    present: Tensor
    place: Tensor

    @classmethod
    def of(cls, lengths: ArrayLike, device: torch.device | str = "cpu") -> Packed:
        """Lay sequences out.

        :param lengths: number of items of each, at least 1. *Shape:* ``(batch,)``
        :param device: that of the network.
        :raises TreesentError: if there are no sequences, or a sequence is empty.
        """
        lengths = np.asarray(lengths, np.int64)
        if lengths.ndim != 1 or not len(lengths) or lengths.min() < 1:
            raise TreesentError(f"lengths {lengths.tolist()}: give at least one sequence, and no empty ones")
        rows, places, sizes = packing(lengths)
        begin = np.cumsum(lengths) - lengths
        sequence = np.repeat(np.arange(len(lengths)), lengths)
        item = np.arange(len(rows))
        mirrored = (2 * begin + lengths - 1)[sequence] - item
        step = np.arange(int(lengths.max()))
        grid = places[begin[:, None] + np.minimum(step, lengths[:, None] - 1)]
        order = np.argsort(-lengths, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        arrays: list[Int64 | Bool] = [
            order,
            rows,
            places[mirrored[rows]],
            places[begin],
            places[begin + lengths - 1],
            grid,
            step < lengths[:, None],
            (rank[sequence] * len(step) + item - begin[sequence])[rows],
        ]
        return cls(lengths, Steps.of(sizes), *(torch.from_numpy(array).to(device) for array in arrays))
