"""The Child-Sum Tree-LSTM on dependency trees (Tai et al. 2015, arXiv:1503.00075, eqs. 2-8)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from treesent.errors import ModelError
from treesent.models.classifier.recursive import RecursiveConfig
from treesent.nn.batch import Layout
from treesent.nn.levels import Composition, States, weight_block
from treesent.nn.matmul import linear


class ChildSumTreeLSTM(Composition):
    """Child-Sum Tree-LSTM: a unit at every word, whose children are the word's dependents in any number.

    The trees are dependency trees binarised at the head
    (:meth:`~treesent.trees.dependency.Dependencies.binarise`): a node adds one dependent to a head. Equations
    2 and 7 only sum over children, so the sums ``s`` of their hidden states and ``m`` of their gated memories
    grow node by node, and the state of a node is that of the head's unit with the dependents that it has so
    far: with all of them, at the top of a word's subtree, it is the unit of the paper. So every constituent
    has a state, and units with thousands of children are as well batched as those with one.

    A state has the parts ``h, c``, the head's ``W x + b``, ``s`` and ``m``. Rows of ``input``, ``recurrent``
    and ``bias`` are the gates ``f, i, o, u``.

    :param width: of the vectors of the words.
    :param hidden: of ``h`` and ``c``.
    :param generator: where the first weights come from.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__(width, hidden)
        self.input = nn.Parameter(torch.cat([weight_block(hidden, [width], generator) for _ in range(4)]))
        self.recurrent = nn.Parameter(
            torch.cat([weight_block(hidden, [hidden], generator) for _ in range(4)])
        )
        self.bias = nn.Parameter(torch.zeros(4 * hidden))

    def leaf(self, vectors: Tensor) -> States:
        """Equations 2-8 of a word without dependents.

        :param vectors: *Shape:* (n, width)
        :return: ``h, c, W x + b, s, m``. *Shape of each:* (n, hidden), the third (n, 4 * hidden)
        """
        x = linear(vectors, self.input, self.bias)
        nothing = x.new_zeros(len(x), self.hidden)
        h, c = _output(x[:, self.hidden :], nothing)
        return h, c, x, nothing, nothing

    def compose(self, children: States) -> States:
        """Equations 2-8 of a head with one dependent more.

        :param children: the parts of the head's state, then those of the dependent's.
            *Shape of each:* (n, 2, hidden), the third (n, 2, 4 * hidden)
        :return: the parts of the head's new state. *Shape of each:* (n, hidden), the third (n, 4 * hidden)
        """
        (_, h), (_, c), (x, _), (s, _), (m, _) = (part.unbind(1) for part in children)
        u_f, u_iou = self.recurrent[: self.hidden], self.recurrent[self.hidden :]
        s = s + h
        m = m + torch.sigmoid(x[:, : self.hidden] + linear(h, u_f)) * c
        return *_output(x[:, self.hidden :] + linear(s, u_iou), m), x, s, m

    def forward(self, vectors: Tensor, layout: Layout, mask: Tensor | None = None) -> States:
        """States of all nodes; see :meth:`Composition.forward`.

        :param vectors: at the leaves. *Shape:* (n_leaves, width)
        :param layout: where states lie, what follows from what, and which child holds the head.
        :param mask: dropout of the dependents' hidden states. *Shape:* (n_trees, hidden)
        :return: the parts of the states. *Shape of each:* (n_nodes, hidden), the third (n_nodes, 4 * hidden)
        :raises ModelError: the trees are no dependency trees.
        """
        return super().forward(vectors, heads_first(layout), mask)


def heads_first(layout: Layout) -> Layout:
    """Let the child with the head come first, whichever side it is on.

    :param layout: of dependency trees that were binarised at the head.
    :raises ModelError: nobody knows where the heads are.
    """
    if layout.head is None:
        if layout.n_inner:
            raise ModelError(
                "the Child-Sum Tree-LSTM reads dependency trees with their heads, and these have none: put a "
                "dependency parser before treesent and say trees = 'dependency', or give the recipe heads "
                "(a treebank's own trees, and phrases that project draws, have none)"
            )
        return layout
    right = layout.head[:, None]
    # The two places of each node's children change, or do not; the last entry is for roots, which have none.
    change = torch.cat([layout.head, layout.head.new_zeros(1)])
    parent, leaf_parent = (
        place ^ change.index_select(0, place >> 1) for place in (layout.parent, layout.leaf_parent)
    )
    children = torch.where(right == 1, layout.children.flip(1), layout.children)
    return replace(layout, children=children, parent=parent, leaf_parent=leaf_parent)


def _output(gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Equations 7 and 8, with the sum over children done.

    :param gates: ``i, o, u`` before their functions. *Shape:* (n, 3 * hidden)
    :param memory: *Shape:* (n, hidden)
    :return: ``h`` and ``c``. *Shape of each:* (n, hidden)
    """
    i, o, u = gates.chunk(3, 1)
    c = torch.sigmoid(i) * torch.tanh(u) + memory
    return torch.sigmoid(o) * torch.tanh(c), c


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSumConfig(RecursiveConfig):
    """The Child-Sum Tree-LSTM's settings: see :class:`~treesent.models.classifier.recursive.RecursiveConfig`."""

    def composition(self, width: int, generator: torch.Generator | None) -> Composition:
        """See :meth:`RecursiveConfig.composition`."""
        return ChildSumTreeLSTM(width, self.hidden, generator)
