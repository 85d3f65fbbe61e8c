"""The recursive neural network (Socher et al. 2011, ICML, "Parsing Natural Scenes and Natural Language")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.config import section
from treesent.models.classifier.recursive_config import RecursiveConfig
from treesent.nn.initial import glorot_blocks
from treesent.nn.levels import Composition, States
from treesent.nn.matmul import linear


class RecursiveNet(Composition):
    r"""Recursive neural network: one layer over the states :math:`a` and :math:`b` of two children.

    .. math:: p = \tanh(W [a; b] + b_p)

    In the paper a word's state is its vector. Here vectors may have any width and are not changed, so a
    word's state is :math:`\tanh(W_x x + b_x)`.

    :param width: of the vectors at the leaves.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(glorot_blocks(hidden, [width], generator))
        self.input_bias = nn.Parameter(torch.zeros(hidden))
        # A node starts close to the mean of its children, so that deep trees carry information from the first
        # step.
        mean = torch.eye(hidden).repeat(1, 2) / 2
        self.recurrent = nn.Parameter(glorot_blocks(hidden, [hidden, hidden], generator) / 2 + mean)
        self.bias = nn.Parameter(torch.zeros(hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Compute the states of words.

        :param vectors: *Shape:* ``(n, width)``
        :returns: *Shape:* ``(n, hidden)``
        """
        return (torch.tanh(linear(vectors, self.input, self.input_bias)),)

    def compose(self, children: States) -> States:
        """Apply the layer.

        :param children: *Shape:* ``(n, 2, hidden)``
        :returns: *Shape:* ``(n, hidden)``
        """
        return (torch.tanh(self.affine(children[0].flatten(1))),)

    def affine(self, pair: Tensor) -> Tensor:
        """Compute the pre-activations.

        :param pair: the children's states, concatenated. *Shape:* ``(n, 2 * hidden)``
        :returns: *Shape:* ``(n, hidden)``
        """
        return linear(pair, self.recurrent, self.bias)


@section
class RecursiveNetConfig(RecursiveConfig):
    """Settings of the recursive network.

    See :class:`~treesent.models.classifier.recursive_config.RecursiveConfig`.
    """

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return RecursiveNet(width, self.hidden, generator)
