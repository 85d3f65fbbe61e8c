"""Attention over the nodes of a tree (Kokkinos and Potamianos 2017, arXiv:1701.01811)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.batch import ForestBatch
from treesent.nn.initial import glorot_blocks
from treesent.nn.segments import segment_softmax


class NodeAttention(nn.Module):
    r"""Weighted sum of the states of all nodes of a tree, which replaces the state of its root.

    .. math:: a = \mathrm{softmax}_i(v^\top \tanh(W h_i + b)), \quad s = \sum_i a_i h_i

    :param width: of the nodes' states.
    :param hidden: of the scoring layer.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(glorot_blocks(hidden, [width], generator))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.query = nn.Parameter(glorot_blocks(1, [hidden], generator))

    def forward(self, states: Tensor, batch: ForestBatch) -> Tensor:
        """Replace the states of the roots.

        :param states: in forest order. *Shape:* ``(n_nodes, width)``
        :param batch: the trees.
        :returns: *Shape:* ``(n_nodes, width)``
        """
        score = functional.linear(torch.tanh(functional.linear(states, self.weight, self.bias)), self.query)
        weights = segment_softmax(score[:, 0].to(states.dtype), batch.tree, batch.n_trees)
        total = states.new_zeros(batch.n_trees, states.shape[1])
        total = total.index_add(0, batch.tree, weights[:, None] * states)
        return states.index_copy(0, batch.roots, total)
