"""The gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) on binary trees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from treesent.models.classifier.recursive import RecursiveConfig
from treesent.nn.levels import Composition, States, weight_block
from treesent.nn.matmul import linear


class TreeGRU(Composition):
    """Tree-GRU with a matrix of its own for either child, as Kokkinos and Potamianos 2017 (arXiv:1701.01811).

    With ``h_k`` the children's states and ``x`` a word's vector, each absent where the other is there::

        r = sigmoid(W_r x + U_rl h_l + U_rr h_r + b_r)
        z = sigmoid(W_z x + U_zl h_l + U_zr h_r + b_z)
        n = tanh(W_n x + U_nl (r * h_l) + U_nr (r * h_r) + b_n)
        h = z * (h_l + h_r) + (1 - z) * n

    Rows of ``input`` are ``z, n`` (nothing is there to reset at a leaf), of ``gates`` ``r, z``, of ``bias``
    ``r, z, n``; columns of ``gates`` and ``recurrent`` are ``h_l, h_r``.

    :param width: of the vectors at the leaves.
    :param hidden: of the states.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(torch.cat([weight_block(hidden, [width], generator) for _ in range(2)]))
        both = [hidden, hidden]
        self.gates = nn.Parameter(torch.cat([weight_block(hidden, both, generator) for _ in range(2)]))
        self.recurrent = nn.Parameter(weight_block(hidden, both, generator))
        self.bias = nn.Parameter(torch.zeros(3, hidden))

    def leaf(self, vectors: Tensor) -> States:
        """The equations without children.

        :param vectors: *Shape:* (n, width)
        :return: *Shape:* (n, hidden)
        """
        z, new = linear(vectors, self.input, self.bias[1:].reshape(-1)).chunk(2, 1)
        return (torch.sigmoid(-z) * torch.tanh(new),)

    def compose(self, children: States) -> States:
        """The equations without a word.

        :param children: *Shape:* (n, 2, hidden)
        :return: *Shape:* (n, hidden)
        """
        h = children[0]
        gates = torch.sigmoid(linear(h.flatten(1), self.gates, self.bias[:2].reshape(-1)))
        r, z = gates.chunk(2, 1)
        new = torch.tanh(linear((r[:, None] * h).flatten(1), self.recurrent, self.bias[2]))
        return (torch.lerp(new, h.sum(1), z),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeGRUConfig(RecursiveConfig):
    """The Tree-GRU's settings: see :class:`~treesent.models.classifier.recursive.RecursiveConfig`."""

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return TreeGRU(width, self.hidden, generator)
