"""The N-ary Tree-LSTM for binary trees (Tai et al. 2015, arXiv:1503.00075, eqs. 9-14)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.models.classifier.fused_tree_lstm import FusedTreeLSTM
from treesent.models.classifier.recursive import RecursiveConfig
from treesent.nn.batch import Layout
from treesent.nn.levels import Composition, States, weight_block
from treesent.nn.precision import autocast_dtype


class BinaryTreeLSTM(Composition):
    """N-ary Tree-LSTM with N = 2 and words at the leaves only.

    Rows of ``recurrent`` are the gates ``f_left, f_right, i, o, u``, its columns ``h_left, h_right``: each
    forget gate has its own matrix for either child (eq. 10). Leaves have no children, hence no forget gates:
    rows of ``input`` are ``i, o, u``. Rows of ``bias`` are ``f, i, o, u``; leaves and inner nodes share them.

    :param width: of the vectors at the leaves.
    :param hidden: of ``h`` and ``c``.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(torch.cat([weight_block(hidden, [width], generator) for _ in range(3)]))
        self.recurrent = nn.Parameter(
            torch.cat([weight_block(hidden, [hidden, hidden], generator) for _ in range(5)])
        )
        self.bias = nn.Parameter(torch.zeros(4, hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Equations 9 and 11-14 without children.

        :param vectors: *Shape:* (n, width)
        :return: ``h`` and ``c``. *Shape of each:* (n, hidden)
        """
        i, o, u = functional.linear(vectors, self.input, self.bias[1:].reshape(-1)).chunk(3, 1)
        c = torch.sigmoid(i) * torch.tanh(u)
        return torch.sigmoid(o) * torch.tanh(c), c

    def compose(self, children: States) -> States:
        """Equations 9-14 without a word.

        :param children: ``h`` and ``c`` of both children. *Shape of each:* (n, 2, hidden)
        :return: ``h`` and ``c``. *Shape of each:* (n, hidden)
        """
        h, c = children
        bias = torch.cat([self.bias[:1], self.bias]).reshape(-1)
        gates = functional.linear(h.flatten(1), self.recurrent, bias)
        forget = torch.sigmoid(gates[:, : 2 * self.hidden]).view_as(c)
        i, o, u = gates[:, 2 * self.hidden :].chunk(3, 1)
        new = torch.sigmoid(i) * torch.tanh(u) + (forget * c).sum(1)
        return torch.sigmoid(o) * torch.tanh(new), new

    def forward(self, vectors: Tensor, layout: Layout, mask: Tensor | None = None) -> States:
        """States of all nodes: by hand where precision allows, else level by level with autograd.

        :param vectors: at the leaves. *Shape:* (n_leaves, width)
        :param layout: where states lie and what follows from what.
        :param mask: dropout of the children's hidden states. *Shape:* (n_trees, hidden)
        :return: ``h`` and ``c``. *Shape of each:* (n_leaves + n_inner, hidden)
        """
        kinds, half = {vectors.dtype, self.recurrent.dtype}, autocast_dtype(vectors.device) is not None
        if half or kinds not in ({torch.float32}, {torch.float64}):
            return super().forward(vectors, layout, mask)
        tensors = (vectors, self.input, self.recurrent, self.bias)
        train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        states: States = FusedTreeLSTM.apply(*tensors, mask, layout, train)  # type: ignore[no-untyped-call]
        return states


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLSTMConfig(RecursiveConfig):
    """The N-ary Tree-LSTM's settings: see :class:`~treesent.models.classifier.recursive.RecursiveConfig`."""

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return BinaryTreeLSTM(width, self.hidden, generator)
