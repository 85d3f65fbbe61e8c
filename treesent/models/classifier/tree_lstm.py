"""The N-ary Tree-LSTM for binary trees (Tai et al. 2015, arXiv:1503.00075, eqs. 9-14)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.config import section
from treesent.models.classifier.fused_tree_lstm import FusedTreeLSTM
from treesent.models.classifier.recursive_config import RecursiveConfig
from treesent.nn.initial import glorot_blocks, joined
from treesent.nn.layout import Layout
from treesent.nn.levels import Composition, States
from treesent.nn.precision import autocast_dtype


class BinaryTreeLSTM(Composition):
    """N-ary Tree-LSTM with N = 2 and words at the leaves only.

    Rows of ``recurrent`` are the gates ``f_left, f_right, i, o, u``, its columns ``h_left, h_right``: each
    forget gate has separate weights for each child (eq. 10). Leaves have no children, hence no forget gates:
    rows of ``input`` are ``i, o, u``. Rows of ``bias`` are ``f, i, o, u``, for leaves and inner nodes alike.

    :param width: of the vectors at the leaves.
    :param hidden: of ``h`` and ``c``.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(joined([glorot_blocks(hidden, [width], generator) for _ in range(3)]))
        self.recurrent = nn.Parameter(
            joined([glorot_blocks(hidden, [hidden, hidden], generator) for _ in range(5)])
        )
        self.bias = nn.Parameter(torch.zeros(4, hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Apply equations 9 and 11-14 without children.

        :param vectors: *Shape:* ``(n, width)``
        :returns: ``h`` and ``c``. *Shape:* ``(n, hidden)`` each
        """
        i, o, u = functional.linear(vectors, self.input, self.bias[1:].reshape(-1)).chunk(3, 1)
        c = torch.sigmoid(i) * torch.tanh(u)
        return torch.sigmoid(o) * torch.tanh(c), c

    def compose(self, children: States) -> States:
        """Apply equations 9-14 without a word.

        :param children: ``h`` and ``c`` of both children. *Shape:* ``(n, 2, hidden)`` each
        :returns: ``h`` and ``c``. *Shape:* ``(n, hidden)`` each
        """
        h, c = children
        bias = torch.cat([self.bias[:1], self.bias]).reshape(-1)
        gates = functional.linear(h.flatten(1), self.recurrent, bias)
        forget = torch.sigmoid(gates[:, : 2 * self.hidden]).view_as(c)
        i, o, u = gates[:, 2 * self.hidden :].chunk(3, 1)
        new = torch.sigmoid(i) * torch.tanh(u) + (forget * c).sum(1)
        return torch.sigmoid(o) * torch.tanh(new), new

    def forward(self, vectors: Tensor, layout: Layout, mask: Tensor | None = None) -> States:
        """Compute the states of all nodes: fused in float32 and float64, else level by level with autograd.

        :param vectors: at the leaves. *Shape:* ``(n_leaves, width)``
        :param layout: where the states lie, and the children of each node.
        :param mask: dropout of the children's hidden states. *Shape:* ``(n_trees, hidden)``
        :returns: ``h`` and ``c``. *Shape:* ``(n_leaves + n_inner, hidden)`` each
        """
        kinds, half = {vectors.dtype, self.recurrent.dtype}, autocast_dtype(vectors.device) is not None
        if half or kinds not in ({torch.float32}, {torch.float64}):
            return super().forward(vectors, layout, mask)
        tensors = (vectors, self.input, self.recurrent, self.bias)
        train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        states: States = FusedTreeLSTM.apply(*tensors, mask, layout, train)  # type: ignore[no-untyped-call]
        return states


@section
class TreeLSTMConfig(RecursiveConfig):
    """Settings of the N-ary Tree-LSTM.

    See :class:`~treesent.models.classifier.recursive_config.RecursiveConfig`.
    """

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return BinaryTreeLSTM(width, self.hidden, generator)
