"""The Child-Sum Tree-LSTM on dependency trees (Tai et al. 2015, arXiv:1503.00075, eqs. 2-8)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from treesent.config import section
from treesent.errors import ModelError
from treesent.files import english_parser
from treesent.models.classifier.recursive_config import RecursiveConfig
from treesent.nn.initial import glorot_blocks, joined
from treesent.nn.layout import Layout
from treesent.nn.levels import Composition, States
from treesent.nn.matmul import linear


class ChildSumTreeLSTM(Composition):
    """Child-Sum Tree-LSTM: a unit at every word, whose children are the word's dependents, in any number.

    The trees are dependency trees binarised at the head
    (:meth:`~treesent.trees.dependency.Dependencies.binarise`): a node adds one dependent to a head. Equations
    2 and 7 only sum over children, so the sums ``s`` of their hidden states and ``m`` of their gated cell
    states accumulate node by node. The state of a node is that of the head's unit with the dependents added
    so far; with all of them, at the top of a word's subtree, it is the unit of the paper. So every
    constituent has a state, and units with thousands of children are batched as well as those with one.

    A state has the parts ``h, c``, the head's ``W x + b``, ``s`` and ``m``. Rows of ``input``, ``recurrent``
    and ``bias`` are the gates ``f, i, o, u``.

    :param width: of the vectors of the words.
    :param hidden: of ``h`` and ``c``.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(joined([glorot_blocks(hidden, [width], generator) for _ in range(4)]))
        self.recurrent = nn.Parameter(joined([glorot_blocks(hidden, [hidden], generator) for _ in range(4)]))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Apply equations 2-8 to a word without dependents.

        :param vectors: *Shape:* ``(n, width)``
        :returns: ``h, c, W x + b, s, m``. *Shape:* ``(n, hidden)`` each, the third ``(n, 4 * hidden)``
        """
        x = linear(vectors, self.input, self.bias)
        nothing = x.new_zeros(len(x), self.hidden)
        h, c = _output(x[:, self.hidden :], nothing)
        return h, c, x, nothing, nothing

    def compose(self, children: States) -> States:
        """Apply equations 2-8 to a head with one more dependent.

        :param children: the parts of the head's state and of the dependent's.
            *Shape:* ``(n, 2, hidden)`` each, the third ``(n, 2, 4 * hidden)``
        :returns: the parts of the head's new state. *Shape:* ``(n, hidden)`` each, the third
            ``(n, 4 * hidden)``
        """
        (_, h), (_, c), (x, _), (s, _), (m, _) = (part.unbind(1) for part in children)
        u_f, u_iou = self.recurrent[: self.hidden], self.recurrent[self.hidden :]
        s = s + h
        m = m + torch.sigmoid(x[:, : self.hidden] + linear(h, u_f)) * c
        return *_output(x[:, self.hidden :] + linear(s, u_iou), m), x, s, m

    def forward(self, vectors: Tensor, layout: Layout, mask: Tensor | None = None) -> States:
        """Compute the states of all nodes; see :meth:`Composition.forward`.

        :param vectors: at the leaves. *Shape:* ``(n_leaves, width)``
        :param layout: where the states lie, the children of each node, and which child contains the head.
        :param mask: dropout of the dependents' hidden states. *Shape:* ``(n_trees, hidden)``
        :returns: the parts of the states. *Shape:* ``(n_nodes, hidden)`` each, the third
            ``(n_nodes, 4 * hidden)``
        :raises ModelError: if the trees are not dependency trees.
        """
        return super().forward(vectors, heads_first(layout), mask)


def heads_first(layout: Layout) -> Layout:
    """Put the child that contains the head first, whichever side it is on.

    :param layout: of dependency trees that are binarised at the head.
    :raises ModelError: if the trees have no heads.
    """
    if layout.head is None:
        if layout.n_inner:
            raise ModelError(
                "the Child-Sum Tree-LSTM needs dependency trees, and these trees have no heads: put a dependency "
                f"parser before treesent ({english_parser()!r}, say) and set trees = 'dependency', or give the "
                "recipe heads "
                "(a treebank's constituency trees, and the phrases of the project command, have none)"
            )
        return layout
    right = layout.head[:, None]
    # Whether the two positions of each node's children are swapped; roots have no position, hence the last 0.
    swap = torch.cat([layout.head, layout.head.new_zeros(1)])
    parent, leaf_parent = (
        place ^ swap.index_select(0, place >> 1) for place in (layout.parent, layout.leaf_parent)
    )
    children = torch.where(right == 1, layout.children.flip(1), layout.children)
    return replace(layout, children=children, parent=parent, leaf_parent=leaf_parent)


def _output(preactivations: Tensor, gated: Tensor) -> tuple[Tensor, Tensor]:
    """Apply equations 7 and 8, given the sum over children.

    :param preactivations: of ``i, o, u``. *Shape:* ``(n, 3 * hidden)``
    :param gated: sum of the children's gated cell states. *Shape:* ``(n, hidden)``
    :returns: ``h`` and ``c``. *Shape:* ``(n, hidden)`` each
    """
    i, o, u = preactivations.chunk(3, 1)
    c = torch.sigmoid(i) * torch.tanh(u) + gated
    return torch.sigmoid(o) * torch.tanh(c), c


@section
class ChildSumConfig(RecursiveConfig):
    """Settings of the Child-Sum Tree-LSTM.

    See :class:`~treesent.models.classifier.recursive_config.RecursiveConfig`.
    """

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return ChildSumTreeLSTM(width, self.hidden, generator)
