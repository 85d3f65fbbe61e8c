"""Sequences in packed order: all first items, all second items, the longest sequence first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from treesent.types import Int64


class Steps(NamedTuple):
    """Number of sequences that have an item at each step; both fields are on the host.

    :param sizes: *Shape:* ``(steps,)``
    :param batch_sizes: the same as torch's ``PackedSequence`` takes them. *Shape:* ``(steps,)``
    """

    sizes: tuple[int, ...]
    batch_sizes: Tensor

    @classmethod
    def of(cls, sizes: Int64) -> Steps:
        """Take the sizes from an array.

        :param sizes: *Shape:* ``(steps,)``
        """
        return cls(tuple(sizes.tolist()), torch.from_numpy(sizes))


@dataclass(frozen=True, slots=True)
class Sequences:
    """Sequences of words in packed order.

    :param steps: number of sequences at each step.
    :param order: the sequence at each position within the first step. *Shape:* ``(n_sequences,)``
    :param rank: the position of each sequence within a step. *Shape:* ``(n_sequences,)``
    :param first: the row where each step begins. *Shape:* ``(steps,)``
    :param step: the step of each row. *Shape:* ``(n_rows,)``
    :param sequence: the sequence of each row. *Shape:* ``(n_rows,)``
    :param word: the word that each row reads, counted over the batch. *Shape:* ``(n_rows,)``
    """

    steps: Steps
    order: Tensor
    rank: Tensor
    first: Tensor
    step: Tensor
    sequence: Tensor
    word: Tensor

    def row(self, sequence: Tensor, step: Tensor) -> Tensor:
        """Find the rows of sequences at steps.

        :param sequence: *Shape:* ``(n,)``
        :param step: *Shape:* ``(n,)``
        :returns: *Shape:* ``(n,)``
        """
        return self.first.index_select(0, step) + self.rank.index_select(0, sequence)


def lay_out(begin: Tensor, length: Tensor, sizes: Tensor, steps: Steps, stride: int) -> Sequences:
    """Lay out sequences of consecutive words on their device, without waiting for it.

    :param begin: first word of each sequence. *Shape:* ``(n_sequences,)``
    :param length: number of its words. *Shape:* ``(n_sequences,)``
    :param sizes: number of sequences at each step, on the device. *Shape:* ``(steps,)``
    :param steps: the same on the host.
    :param stride: 1 to read from left to right, -1 to read from right to left.
    """
    n_rows = sum(steps.sizes)
    order = torch.argsort(length, descending=True, stable=True)
    count = torch.arange(max(n_rows, len(order)), device=order.device)
    rank = torch.empty_like(order).scatter_(0, order, count[: len(order)])
    first = sizes.cumsum(0) - sizes
    step = torch.repeat_interleave(sizes, output_size=n_rows)
    position = count[:n_rows] - first.index_select(0, step)
    sequence = order.index_select(0, position)
    word = begin.index_select(0, sequence).add_(step, alpha=stride)
    return Sequences(steps, order, rank, first, step, sequence, word)
