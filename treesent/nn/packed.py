"""Sequences of a batch laid out step by step: all first items, all second items, the longest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from treesent.errors import TreesentError
from treesent.nn.batch import packing
from treesent.nn.spans import Steps

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """Sequences in packed order.

    :param lengths: items of each, on the host. *Shape:* (batch,)
    :param steps: how many there are at each step.
    :param order: the sequence at each place within the first step. *Shape:* (batch,)
    :param rows: the item, counted over the batch, in each row. *Shape:* (n_rows,)
    :param mirror: the row of the item as far from the end as each row's is from the beginning.
        *Shape:* (n_rows,)
    :param first: the row of each sequence's first item. *Shape:* (batch,)
    :param last: the row of its last item. *Shape:* (batch,)
    :param grid: the rows of each sequence, its last one repeated to fill a rectangle. *Shape:* (batch, steps)
    :param present: where the rectangle is not filled up. *Shape:* (batch, steps)
    :param place: where each row stands in such a rectangle whose lines are in the order of ``order``, counted
        line after line. *Shape:* (n_rows,)
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

        :param lengths: items of each, at least 1. *Shape:* (batch,)
        :param device: where the network is.
        :raises TreesentError: there is no sequence, or one without items.
        """
        lengths = np.asarray(lengths, np.int64)
        if lengths.ndim != 1 or not len(lengths) or lengths.min() < 1:
            raise TreesentError(
                f"lengths {lengths.tolist()}: give at least one sequence, and none without items"
            )
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
        arrays: list[NDArray[np.int64] | NDArray[np.bool_]] = [
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
