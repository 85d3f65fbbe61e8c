"""Compose the nodes of a batch level by level, with any composition function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from treesent.nn.batch import Layout

States = tuple[Tensor, ...]


class Composition(nn.Module, ABC):
    """How a node's state follows from its two children's: the part in which recursive networks differ.

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
        """States of leaves.

        :param vectors: *Shape:* (n, width)
        :return: the parts of the states. *Shape of each:* (n, hidden)
        """

    @abstractmethod
    def compose(self, children: States) -> States:
        """States of inner nodes.

        :param children: the parts of the children's states, left child first. *Shape of each:* (n, 2, hidden)
        :return: the parts of the nodes' states. *Shape of each:* (n, hidden)
        """

    def forward(self, vectors: Tensor, layout: Layout, mask: Tensor | None = None) -> States:
        """States of all nodes, in the places that the layout gives them.

        :param vectors: at the leaves. *Shape:* (n_leaves, width)
        :param layout: where states lie and what follows from what.
        :param mask: dropout of the children's hidden states, one mask for all nodes of a tree (variational:
            Gal & Ghahramani 2016, arXiv:1512.05287). *Shape:* (n_trees, hidden)
        :return: the parts of the states. *Shape of each:* (n_leaves + n_inner, hidden)
        """
        return scan(self, self.leaf(vectors), layout, mask)


def scan(composition: Composition, leaves: States, layout: Layout, mask: Tensor | None = None) -> States:
    """Apply :meth:`Composition.compose` to every level, children first.

    Gradients inside a level are torch's own; between levels they travel through flat buffers, so that time
    and memory grow with the nodes and not with nodes times levels, and a chain of 10,000 words is no deep
    graph.

    :param composition: what to apply.
    :param leaves: the parts of the leaves' states. *Shape of each:* (n_leaves, hidden)
    :param layout: where states lie.
    :param mask: dropout of the children's hidden states. *Shape:* (n_trees, hidden)
    :return: the parts of all states. *Shape of each:* (n_leaves + n_inner, hidden)
    """
    weights = [weight for weight in composition.parameters() if weight.requires_grad]
    train = torch.is_grad_enabled() and (bool(weights) or any(leaf.requires_grad for leaf in leaves))
    states: States = _Scan.apply(  # type: ignore[no-untyped-call]
        composition, layout, mask, train, len(leaves), *leaves, *weights
    )
    return states


class _Scan(torch.autograd.Function):
    """The levels as one step of the outer graph, with a small graph of its own for each block of nodes."""

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
        """Walk the blocks from the roots down; a node takes its gradient from the one slot of its parent."""
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
            totals = list(map(_plus, totals, found[len(children) :]))
        ctx.graphs = None
        # A weight that no node used has a gradient all the same: DistributedDataParallel waits for each.
        whole = [torch.zeros_like(w) if g is None else g for w, g in zip(ctx.weights, totals, strict=True)]
        leaves = [leaf_gradient(grad, slot, layout) for grad, slot in zip(grads, slots, strict=True)]
        return (None, None, None, None, None, *leaves, *whole)


def leaf_gradient(grad: Tensor, slots: Tensor, layout: Layout) -> Tensor:
    """Gradient of the leaves' states: the outer one and that of every parent of every word.

    :param grad: of all states from outside. *Shape:* (n_leaves + n_inner, hidden)
    :param slots: of the children of the inner nodes, with a last row of zeros.
        *Shape:* (2 * n_inner + 1, hidden)
    :param layout: where states lie.
    :return: *Shape:* (n_leaves, hidden)
    """
    words = slots.index_select(0, layout.leaf_parent)
    own = grad[: layout.n_leaves]
    return own + words if layout.leaf is None else own.index_add(0, layout.leaf, words)


def _plus(total: Tensor | None, piece: Tensor | None) -> Tensor | None:
    """Sum in which None is nothing."""
    if total is None or piece is None:
        return piece if total is None else total
    return total + piece


def weight_block(rows: int, columns: Sequence[int], generator: torch.Generator | None) -> Tensor:
    """Draw a matrix made of blocks side by side, each with the spread of Glorot & Bengio 2010.

    :param rows: of every block.
    :param columns: of each block.
    :param generator: where randomness comes from.
    """
    drawn = [torch.empty(rows, width) for width in columns]
    return torch.cat([nn.init.xavier_uniform_(block, generator=generator) for block in drawn], 1)
