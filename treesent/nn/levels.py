"""Compose the nodes of a batch level by level, with any composition function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from treesent.nn.layout import Layout

States = tuple[Tensor, ...]


class Composition(nn.Module, ABC):
    """Computes a node's state from those of its two children: the part in which recursive networks differ.

    A state has one or more parts (a Tree-LSTM's are ``h`` and ``c``); the first is the hidden state.
    A new network is one subclass with :meth:`leaf` and :meth:`compose`, written in plain torch.

    :param width: of the vectors at the leaves.
    :param hidden: of the hidden state.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.width, self.hidden = width, hidden

    @abstractmethod
    def leaf(self, vectors: Tensor) -> States:
        """Compute the states of leaves.

        :param vectors: *Shape:* ``(n, width)``
        :returns: the parts of the states. *Shape:* ``(n, hidden)`` each
        """

    @abstractmethod
    def compose(self, children: States) -> States:
        """Compute the states of inner nodes.

        :param children: the parts of the children's states, left child first.
            *Shape:* ``(n, 2, hidden)`` each
        :returns: the parts of the nodes' states. *Shape:* ``(n, hidden)`` each
        """

    def forward(self, vectors: Tensor, layout: Layout, mask: Tensor | None = None) -> States:
        """Compute the states of all nodes, in the rows that the layout gives them.

        :param vectors: at the leaves. *Shape:* ``(n_leaves, width)``
        :param layout: where the states lie, and the children of each node.
        :param mask: dropout of the children's hidden states, one mask for all nodes of a tree (variational:
            Gal and Ghahramani 2016, arXiv:1512.05287). *Shape:* ``(n_trees, hidden)``
        :returns: the parts of the states. *Shape:* ``(n_leaves + n_inner, hidden)`` each
        """
        return scan(self, self.leaf(vectors), layout, mask)


def scan(composition: Composition, leaves: States, layout: Layout, mask: Tensor | None = None) -> States:
    """Apply :meth:`Composition.compose` to every level, children first.

    Gradients inside a level are torch's own; between levels they pass through flat buffers, so that time and
    memory grow with the number of nodes and not with nodes times levels, and a chain of 10,000 words does not
    make a deep graph.

    :param composition: what to apply.
    :param leaves: the parts of the leaves' states. *Shape:* ``(n_leaves, hidden)`` each
    :param layout: where the states lie.
    :param mask: dropout of the children's hidden states. *Shape:* ``(n_trees, hidden)``
    :returns: the parts of all states. *Shape:* ``(n_leaves + n_inner, hidden)`` each
    """
    weights = [weight for weight in composition.parameters() if weight.requires_grad]
    train = torch.is_grad_enabled() and (bool(weights) or any(leaf.requires_grad for leaf in leaves))
    states: States = _Scan.apply(  # type: ignore[no-untyped-call]
        composition, layout, mask, train, len(leaves), *leaves, *weights
    )
    return states


class _Scan(torch.autograd.Function):
    """All levels as one step of the outer graph, with a small graph of its own for each block of nodes."""

    @staticmethod
    def forward(
        ctx: Any,
        composition: Composition,
        layout: Layout,
        mask: Tensor | None,
        train: bool,
        n_parts: int,
        *tensors: Tensor,
    ) -> States:
        """Compute the states and, in training, keep the graph of every block."""
        leaves, weights = tensors[:n_parts], tensors[n_parts:]
        n = layout.n_leaves + layout.n_inner
        states = tuple(leaf.new_empty(n, leaf.shape[1]) for leaf in leaves)
        for state, leaf in zip(states, leaves, strict=True):
            state[: layout.n_leaves] = leaf
        graphs: list[tuple[States, States]] = []
        for begin, end in layout.blocks:
            index = layout.children[begin:end].reshape(-1)
            children = tuple(state.index_select(0, index).view(end - begin, 2, -1) for state in states)
            with torch.set_grad_enabled(train):
                if train:
                    for child in children:
                        child.requires_grad_()
                masked = children
                if mask is not None:
                    rows = mask.index_select(0, layout.tree[begin:end])
                    masked = (children[0] * rows[:, None], *children[1:])
                nodes = composition.compose(masked)
            for state, node in zip(states, nodes, strict=True):
                state[layout.n_leaves + begin : layout.n_leaves + end] = node.detach()
            if train:
                graphs.append((children, nodes))
        ctx.layout, ctx.graphs, ctx.weights = layout, graphs, weights
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        """Visit the blocks from the roots down; a node reads its gradient from its slot in its parent."""
        layout: Layout = ctx.layout
        slots = [grad.new_zeros(2 * layout.n_inner + 1, grad.shape[1]) for grad in grads]
        totals: list[Tensor | None] = [None] * len(ctx.weights)
        for (begin, end), (children, nodes) in zip(
            reversed(layout.blocks), reversed(ctx.graphs), strict=True
        ):
            parent = layout.parent[begin:end]
            rows = slice(layout.n_leaves + begin, layout.n_leaves + end)
            out = [
                (grad[rows] + slot.index_select(0, parent)).to(node.dtype)
                for grad, slot, node in zip(grads, slots, nodes, strict=True)
            ]
            found = torch.autograd.grad(nodes, (*children, *ctx.weights), out, allow_unused=True)
            for slot, piece in zip(slots, found, strict=False):
                if piece is not None:
                    slot[2 * begin : 2 * end] = piece.reshape(2 * (end - begin), -1)
            totals = list(map(_add, totals, found[len(children) :]))
        ctx.graphs = None
        # A weight that no node used has a gradient of zero: DistributedDataParallel waits for each.
        whole = [torch.zeros_like(w) if g is None else g for w, g in zip(ctx.weights, totals, strict=True)]
        leaves = [leaf_gradient(grad, slot, layout) for grad, slot in zip(grads, slots, strict=True)]
        return (None, None, None, None, None, *leaves, *whole)


def leaf_gradient(grad: Tensor, slots: Tensor, layout: Layout) -> Tensor:
    """Sum the gradients with respect to the leaves' states: from outside, and from the parent of each word.

    :param grad: with respect to all states, from outside. *Shape:* ``(n_leaves + n_inner, hidden)``
    :param slots: with respect to the children of the inner nodes, then a row of zeros.
        *Shape:* ``(2 * n_inner + 1, hidden)``
    :param layout: where the states lie.
    :returns: *Shape:* ``(n_leaves, hidden)``
    """
    words = slots.index_select(0, layout.leaf_parent)
    own = grad[: layout.n_leaves]
    return own + words if layout.leaf is None else own.index_add(0, layout.leaf, words)


def _add(total: Tensor | None, piece: Tensor | None) -> Tensor | None:
    """Add gradients, of which None is zero."""
    if total is None or piece is None:
        return piece if total is None else total
    return total + piece
