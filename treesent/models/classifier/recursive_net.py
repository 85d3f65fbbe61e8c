"""The recursive neural network (Socher et al. 2011, ICML, "Parsing Natural Scenes and Natural Language")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from treesent.models.classifier.recursive import RecursiveConfig
from treesent.nn.levels import Composition, States, weight_block
from treesent.nn.matmul import linear


class RecursiveNet(Composition):
    """``p = tanh(W [a; b] + bias)`` for a node with children ``a`` and ``b``.

    In the paper a word's state is its vector. Here vectors may have any width and stay as they are, so a
    word's state is ``tanh(input x + input_bias)``.

    :param width: of the vectors at the leaves.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(weight_block(hidden, [width], generator))
        self.input_bias = nn.Parameter(torch.zeros(hidden))
        # A node begins as about the mean of its children, so that deep trees carry something from the first
        # step on.
        mean = torch.eye(hidden).repeat(1, 2) / 2
        self.recurrent = nn.Parameter(weight_block(hidden, [hidden, hidden], generator) / 2 + mean)
        self.bias = nn.Parameter(torch.zeros(hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Bring the vectors to the width of the states.

        :param vectors: *Shape:* (n, width)
        :return: *Shape:* (n, hidden)
        """
        return (torch.tanh(linear(vectors, self.input, self.input_bias)),)

    def compose(self, children: States) -> States:
        """Apply the one layer.

        :param children: *Shape:* (n, 2, hidden)
        :return: *Shape:* (n, hidden)
        """
        return (torch.tanh(self.affine(children[0].flatten(1))),)

    def affine(self, pair: Tensor) -> Tensor:
        """What stands under the tanh.

        :param pair: the children's states side by side. *Shape:* (n, 2 * hidden)
        :return: *Shape:* (n, hidden)
        """
        return linear(pair, self.recurrent, self.bias)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursiveNetConfig(RecursiveConfig):
    """The recursive net's settings: see :class:`~treesent.models.classifier.recursive.RecursiveConfig`."""

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return RecursiveNet(width, self.hidden, generator)
