"""The gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) on binary trees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.config import section
from treesent.models.classifier.recursive_config import RecursiveConfig
from treesent.nn.initial import glorot_blocks, joined
from treesent.nn.levels import Composition, States
from treesent.nn.matmul import linear


class TreeGRU(Composition):
    r"""Tree-GRU with separate weights for the left and the right child (Kokkinos and Potamianos 2017).

    arXiv:1701.01811. With :math:`h_l, h_r` the children's states, absent at a leaf, and :math:`x` a word's
    vector, absent at inner nodes:

    .. math::
        r = \sigma(W_r x + U_{rl} h_l + U_{rr} h_r + b_r), \quad
        z = \sigma(W_z x + U_{zl} h_l + U_{zr} h_r + b_z)

        n = \tanh(W_n x + U_{nl} (r \odot h_l) + U_{nr} (r \odot h_r) + b_n), \quad
        h = z \odot (h_l + h_r) + (1 - z) \odot n

    Rows of ``input`` are ``z, n`` (a leaf has no state to reset), of ``gates`` ``r, z``, of ``bias``
    ``r, z, n``; columns of ``gates`` and ``recurrent`` are ``h_l, h_r``.

    :param width: of the vectors at the leaves.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(joined([glorot_blocks(hidden, [width], generator) for _ in range(2)]))
        both = [hidden, hidden]
        self.gates = nn.Parameter(joined([glorot_blocks(hidden, both, generator) for _ in range(2)]))
        self.recurrent = nn.Parameter(glorot_blocks(hidden, both, generator))
        self.bias = nn.Parameter(torch.zeros(3, hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Apply the equations without children.

        :param vectors: *Shape:* ``(n, width)``
        :returns: *Shape:* ``(n, hidden)``
        """
        z, new = linear(vectors, self.input, self.bias[1:].reshape(-1)).chunk(2, 1)
        return (torch.sigmoid(-z) * torch.tanh(new),)

    def compose(self, children: States) -> States:
        """Apply the equations without a word.

        :param children: *Shape:* ``(n, 2, hidden)``
        :returns: *Shape:* ``(n, hidden)``
        """
        h = children[0]
        gates = torch.sigmoid(linear(h.flatten(1), self.gates, self.bias[:2].reshape(-1)))
        r, z = gates.chunk(2, 1)
        new = torch.tanh(linear((r[:, None] * h).flatten(1), self.recurrent, self.bias[2]))
        return (torch.lerp(new, h.sum(1), z),)


@section
class TreeGRUConfig(RecursiveConfig):
    """Settings of the Tree-GRU: see :class:`~treesent.models.classifier.recursive_config.RecursiveConfig`."""

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return TreeGRU(width, self.hidden, generator)
