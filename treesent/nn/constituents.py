"""The words of every constituent as sequences for recurrent networks.

After each word, a network that reads from left to right has read a prefix, and constituents that begin at the
same word are prefixes of the longest of them. So one sequence per word (the longest constituent that begins
there) contains the states of all constituents; for the other direction it is one sequence per word where
constituents end. Only a layer that sees the whole constituent at every word (pooling, a second bidirectional
layer) needs one sequence per constituent.

For example, the constituents of a treebank's sentence of 20 words have 160 words; the sequences that begin at
its words have 107, and those that end at its words have 73. In a right-branching sentence of n words these
are n (n + 1) / 2 and n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from treesent.nn.sequences import Sequences, Steps, lay_out
from treesent.trees.forest import Forest
from treesent.types import Int64


@dataclass(frozen=True, slots=True)
class Constituents:
    """The constituents of a batch.

    :param start: first word of each node, in forest order, counted over the batch. *Shape:* ``(n_nodes,)``
    :param end: one past its last word. *Shape:* ``(n_nodes,)``
    :param forward_length: length of the longest constituent that begins at each word. *Shape:* ``(n_words,)``
    :param backward_length: length of the longest constituent that ends at each word. *Shape:* ``(n_words,)``
    :param forward_sizes: number of :meth:`forward_sequences` at each step. *Shape:* ``(steps,)``
    :param backward_sizes: number of :meth:`backward_sequences` at each step. *Shape:* ``(steps,)``
    :param node_sizes: number of :meth:`node_sequences` at each step. *Shape:* ``(steps,)``
    :param steps: the three on the host.
    """

    start: Tensor
    end: Tensor
    forward_length: Tensor
    backward_length: Tensor
    forward_sizes: Tensor
    backward_sizes: Tensor
    node_sizes: Tensor
    steps: tuple[Steps, Steps, Steps]

    @classmethod
    def of(cls, moved: Mapping[str, Tensor], arrays: Mapping[str, Int64]) -> Constituents:
        """Put arrays together that have been moved to a device.

        :param moved: those of :func:`constituent_arrays` on the device.
        :param arrays: the same on the host.
        """
        steps = (Steps.of(arrays[f"{name}_sizes"]) for name in ("forward", "backward", "node"))
        forward, backward, nodes = steps
        return cls(**moved, steps=(forward, backward, nodes))

    @property
    def length(self) -> Tensor:
        """Number of words of each node. *Shape:* ``(n_nodes,)``."""
        return self.end - self.start

    def forward_sequences(self) -> Sequences:
        """Lay out, for each word, the longest constituent that begins there, read from left to right."""
        words = torch.arange(len(self.forward_length), device=self.forward_length.device)
        return lay_out(words, self.forward_length, self.forward_sizes, self.steps[0], 1)

    def backward_sequences(self) -> Sequences:
        """Lay out, for each word, the longest constituent that ends there, read from right to left."""
        words = torch.arange(len(self.backward_length), device=self.backward_length.device)
        return lay_out(words, self.backward_length, self.backward_sizes, self.steps[1], -1)

    def node_sequences(self) -> Sequences:
        """Lay out every constituent, read from left to right."""
        return lay_out(self.start, self.length, self.node_sizes, self.steps[2], 1)


def constituent_arrays(forest: Forest) -> dict[str, Int64]:
    """Compute the arrays that :meth:`Constituents.of` takes once they are on a device.

    :param forest: the trees.
    """
    # Of the nodes that begin at one word the longest is the highest, and comes last in a forest.
    length = forest.end - forest.start
    forward, backward = np.empty_like(forest.rows), np.empty_like(forest.rows)
    forward[forest.start] = length
    backward[forest.end - 1] = length
    return {
        "start": forest.start,
        "end": forest.end,
        "forward_length": forward,
        "backward_length": backward,
        "forward_sizes": _sizes(forward),
        "backward_sizes": _sizes(backward),
        "node_sizes": _sizes(length),
    }


def _sizes(lengths: Int64) -> Int64:
    """Count the sequences that have a word at each step. *Shape:* ``(steps,)``."""
    return np.cumsum(np.bincount(lengths)[:0:-1])[::-1].copy()
