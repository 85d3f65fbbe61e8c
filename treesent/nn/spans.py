"""The words of every constituent as sequences, laid out step by step for recurrent networks.

A network that reads from left to right has, after each word, read a prefix, and constituents that begin at
the same word are prefixes of the longest of them. So one sequence for each word (the longest constituent that
begins there) holds the states of all constituents, and one that ends there those of the other direction. Only
what looks at the whole constituent at every word (pooling, a second bidirectional layer) needs a sequence for
each constituent.

The constituents of a treebank's sentence of 20 words have 160 words, of which 107 are read from the left, or
73 from the right. In a right-branching sentence of n words these are n (n + 1) / 2 and n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from treesent.trees.forest import Forest

Int64 = NDArray[np.int64]


class Steps(NamedTuple):
    """How many sequences have a word at each step; numbers of the host.

    :param sizes: *Shape:* (steps,)
    :param batch_sizes: the same as torch's ``PackedSequence`` wants them. *Shape:* (steps,)
    """

    sizes: tuple[int, ...]
    batch_sizes: Tensor

    @classmethod
    def of(cls, sizes: Int64) -> Steps:
        """Take an array of the host."""
        return cls(tuple(sizes.tolist()), torch.from_numpy(sizes))


@dataclass(frozen=True, slots=True)
class Sequences:
    """Sequences in packed order: all first words, all second words, the longest sequence first.

    :param steps: how many there are at each step.
    :param order: the sequence at each place within the first step. *Shape:* (n_sequences,)
    :param rank: the place of each sequence within a step. *Shape:* (n_sequences,)
    :param first: the row where each step begins. *Shape:* (steps,)
    :param step: the step of each row. *Shape:* (n_rows,)
    :param sequence: the sequence of each row. *Shape:* (n_rows,)
    :param word: the word that each row reads, counted over the batch. *Shape:* (n_rows,)
    """

    steps: Steps
    order: Tensor
    rank: Tensor
    first: Tensor
    step: Tensor
    sequence: Tensor
    word: Tensor

    def row(self, sequence: Tensor, step: Tensor) -> Tensor:
        """Find the rows of some sequences at some steps.

        :param sequence: *Shape:* (n,)
        :param step: *Shape:* (n,)
        :return: *Shape:* (n,)
        """
        return self.first.index_select(0, step) + self.rank.index_select(0, sequence)


@dataclass(frozen=True, slots=True)
class Spans:
    """The constituents of a batch.

    :param start: first word of each node, in forest order, words counted over the batch. *Shape:* (n_nodes,)
    :param end: one past its last word. *Shape:* (n_nodes,)
    :param ahead: words of the longest constituent that begins at each word. *Shape:* (n_words,)
    :param behind: words of the longest constituent that ends with each word. *Shape:* (n_words,)
    :param ahead_sizes: sequences at each step of :meth:`from_words`. *Shape:* (steps,)
    :param behind_sizes: of :meth:`to_words`. *Shape:* (steps,)
    :param node_sizes: of :meth:`of_nodes`. *Shape:* (steps,)
    :param steps: the three on the host.
    """

    start: Tensor
    end: Tensor
    ahead: Tensor
    behind: Tensor
    ahead_sizes: Tensor
    behind_sizes: Tensor
    node_sizes: Tensor
    steps: tuple[Steps, Steps, Steps]

    @classmethod
    def of(cls, moved: Mapping[str, Tensor], arrays: Mapping[str, Int64]) -> Spans:
        """Put arrays together that a device has.

        :param moved: those of :func:`span_arrays` on the device.
        :param arrays: those of the host.
        """
        ahead, behind, nodes = (Steps.of(arrays[f"{name}_sizes"]) for name in ("ahead", "behind", "node"))
        return cls(**moved, steps=(ahead, behind, nodes))

    @property
    def length(self) -> Tensor:
        """Words of each node. *Shape:* (n_nodes,)."""
        return self.end - self.start

    def from_words(self) -> Sequences:
        """Lay out, for each word, the longest constituent that begins there, read from left to right."""
        words = torch.arange(len(self.ahead), device=self.ahead.device)
        return _lay_out(words, self.ahead, self.ahead_sizes, self.steps[0], 1)

    def to_words(self) -> Sequences:
        """Lay out, for each word, the longest constituent that ends there, read from right to left."""
        words = torch.arange(len(self.behind), device=self.behind.device)
        return _lay_out(words, self.behind, self.behind_sizes, self.steps[1], -1)

    def of_nodes(self) -> Sequences:
        """Lay out every constituent, from left to right."""
        return _lay_out(self.start, self.length, self.node_sizes, self.steps[2], 1)


def span_arrays(forest: Forest) -> dict[str, Int64]:
    """Make the arrays that :meth:`Spans.of` takes when they are on a device.

    :param forest: the trees.
    """
    # Of the nodes that begin at one word the longest is the highest, and comes last in a forest.
    length = forest.end - forest.start
    ahead, behind = np.empty_like(forest.rows), np.empty_like(forest.rows)
    ahead[forest.start] = length
    behind[forest.end - 1] = length
    return {
        "start": forest.start,
        "end": forest.end,
        "ahead": ahead,
        "behind": behind,
        "ahead_sizes": _longer(ahead),
        "behind_sizes": _longer(behind),
        "node_sizes": _longer(length),
    }


def _longer(lengths: Int64) -> Int64:
    """Count the sequences that have a word at each step. *Shape:* (steps,)."""
    return np.cumsum(np.bincount(lengths)[:0:-1])[::-1].copy()


def _lay_out(begin: Tensor, length: Tensor, sizes: Tensor, steps: Steps, stride: int) -> Sequences:
    """Lay sequences out; all of it on the device, and what has a size of its own has it from the host."""
    n_rows = sum(steps.sizes)
    order = torch.argsort(length, descending=True, stable=True)
    count = torch.arange(max(n_rows, len(order)), device=order.device)
    rank = torch.empty_like(order).scatter_(0, order, count[: len(order)])
    first = sizes.cumsum(0) - sizes
    step = torch.repeat_interleave(sizes, output_size=n_rows)
    place = count[:n_rows] - first.index_select(0, step)
    sequence = order.index_select(0, place)
    word = begin.index_select(0, sequence).add_(step, alpha=stride)
    return Sequences(steps, order, rank, first, step, sequence, word)
