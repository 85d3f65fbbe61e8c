"""Pooling of the states of a sequence into one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.initial import glorot_blocks
from treesent.nn.segments import segment_softmax


def mean_pool(states: Tensor, sequence: Tensor, length: Tensor) -> Tensor:
    """Average the states of each sequence.

    :param states: *Shape:* ``(n_rows, width)``
    :param sequence: of each row. *Shape:* ``(n_rows,)``
    :param length: number of rows of each sequence. *Shape:* ``(n_sequences,)``
    :returns: *Shape:* ``(n_sequences, width)``
    """
    total = states.new_zeros(len(length), states.shape[1]).index_add(0, sequence, states)
    return total / length.to(states.dtype)[:, None]


def max_pool(states: Tensor, sequence: Tensor, length: Tensor) -> Tensor:
    """Take the maximum of each column over the rows of each sequence.

    :param states: *Shape:* ``(n_rows, width)``
    :param sequence: of each row. *Shape:* ``(n_rows,)``
    :param length: number of rows of each sequence. *Shape:* ``(n_sequences,)``
    :returns: *Shape:* ``(n_sequences, width)``
    """
    into = states.new_zeros(len(length), states.shape[1])
    return into.scatter_reduce(0, sequence[:, None].expand_as(states), states, "amax", include_self=False)


class AttentionPool(nn.Module):
    r"""Average the states of each sequence with learned weights (Yang et al. 2016, eqs. 5-7).

    .. math:: u_t = \tanh(W h_t + b), \quad a_t = \mathrm{softmax}_t(u_t^\top v), \quad s = \sum_t a_t h_t

    :param width: of the states.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(glorot_blocks(width, [width], generator))
        self.bias = nn.Parameter(torch.zeros(width))
        self.context = nn.Parameter(glorot_blocks(1, [width], generator)[0])

    def attention(self, states: Tensor, sequence: Tensor, n_sequences: int) -> Tensor:
        """Compute the weight of each row; those of a sequence sum to one.

        :param states: *Shape:* ``(n_rows, width)``
        :param sequence: of each row. *Shape:* ``(n_rows,)``
        :param n_sequences: number of sequences.
        :returns: *Shape:* ``(n_rows,)``
        """
        scores = torch.tanh(nn.functional.linear(states, self.weight, self.bias)) @ self.context
        return segment_softmax(scores, sequence, n_sequences)

    def forward(self, states: Tensor, sequence: Tensor, length: Tensor) -> Tensor:
        """Pool; the parameters are those of :func:`mean_pool`."""
        weights = self.attention(states, sequence, len(length))
        weighted = states * weights[:, None]
        return weighted.new_zeros(len(length), states.shape[1]).index_add(0, sequence, weighted)
