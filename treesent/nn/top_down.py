"""A second pass, from the root down, which gives every node its context."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.batch import ForestBatch
from treesent.nn.initial import glorot_blocks, joined
from treesent.nn.layout import Block


class TopDown(nn.Module):
    """The downward half of a bidirectional Tree-LSTM (Teng and Zhang 2017, Q17-1012, section 4.2).

    An LSTM that runs from the root to every leaf: its input at a node is the node's upward state, and its
    previous state is the parent's, with separate recurrent weights for left and right children. Rows of
    ``input``, of each half of ``recurrent`` (left, then right) and of ``bias`` are the gates ``i, f, o, u``.

    :param width: of the upward states.
    :param hidden: of the downward states.
    :param generator: source of the initial weights.
    """

    def __init__(self, width: int, hidden: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Parameter(joined([glorot_blocks(hidden, [width], generator) for _ in range(4)]))
        blocks = [glorot_blocks(hidden, [hidden], generator) for _ in range(8)]
        self.recurrent = nn.Parameter(joined(blocks))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))

    def forward(self, states: Tensor, batch: ForestBatch) -> Tensor:
        """Compute the downward states.

        :param states: upward states, in forest order. *Shape:* ``(n_nodes, width)``
        :param batch: the trees.
        :returns: downward states, in forest order. *Shape:* ``(n_nodes, hidden)``
        """
        inputs = functional.linear(states, self.input, self.bias)
        i, _, o, u = inputs.index_select(0, batch.roots).chunk(4, 1)
        c = torch.sigmoid(i) * torch.tanh(u)
        root = (torch.sigmoid(o) * torch.tanh(c), c)
        if not batch.blocks:
            return inputs.new_zeros(len(states), self.hidden).index_copy(0, batch.roots, root[0])
        tensors = (inputs, *root, self.recurrent)
        train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        down: Tensor = _Descend.apply(*tensors, batch, train)  # type: ignore[no-untyped-call]
        return down


def step(inputs: Tensor, h: Tensor, c: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the states of both children of each node.

    :param inputs: of the children. *Shape:* ``(n, 2, 4 * hidden)``
    :param h: of the nodes. *Shape:* ``(n, hidden)``
    :param c: of the nodes. *Shape:* ``(n, hidden)``
    :param recurrent: *Shape:* ``(8 * hidden, hidden)``
    :returns: ``h`` and ``c`` of the children. *Shape:* ``(n, 2, hidden)`` each
    """
    i, f, o, u = (inputs + functional.linear(h, recurrent).view_as(inputs)).chunk(4, 2)
    new = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(f) * c[:, None]
    return torch.sigmoid(o) * torch.tanh(new), new


class _Descend(torch.autograd.Function):
    """The pass as one step of the outer graph, with a small graph of its own for each block of nodes.

    Nodes go from the highest to the lowest: a parent is always higher than its children.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        root_h: Tensor,
        root_c: Tensor,
        recurrent: Tensor,
        batch: ForestBatch,
        train: bool,
    ) -> Tensor:
        """Compute the states and, in training, keep the graph of every block."""
        hidden = root_h.shape[1]
        h, c = (
            root.new_zeros(batch.n_nodes, hidden).index_copy_(0, batch.roots, root)
            for root in (root_h, root_c)
        )
        graphs: list[tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]] = []
        for block in reversed(batch.blocks):
            rows, index = _rows(block, batch), _children(block, batch)
            # Copies, because the buffers continue to change.
            x, y, z = inputs.index_select(0, index).view(-1, 2, 4 * hidden), h[rows].clone(), c[rows].clone()
            with torch.set_grad_enabled(train):
                if train:
                    for tensor in (x, y, z):
                        tensor.requires_grad_()
                found = step(x, y, z, recurrent)
            for state, new in zip((h, c), found, strict=True):
                state.index_copy_(0, index, new.detach().view(-1, hidden).to(state.dtype))
            if train:
                graphs.append(((x, y, z), found))
        ctx.batch, ctx.graphs, ctx.recurrent = batch, graphs, recurrent
        return h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """Visit the blocks from the leaves up; children add to the gradient of their parent."""
        batch: ForestBatch = ctx.batch
        grad_h, grad_c = grad.clone(), torch.zeros_like(grad)
        grad_inputs = grad.new_zeros(len(grad), 4 * grad.shape[1])
        grad_recurrent = torch.zeros_like(ctx.recurrent)
        for block, (given, found) in zip(batch.blocks, reversed(ctx.graphs), strict=True):
            rows, index = _rows(block, batch), _children(block, batch)
            out = [
                total.index_select(0, index).view_as(new).to(new.dtype)
                for total, new in zip((grad_h, grad_c), found, strict=True)
            ]
            pieces = torch.autograd.grad(found, (*given, ctx.recurrent), out)
            grad_inputs.index_copy_(0, index, pieces[0].flatten(0, 1).to(grad.dtype))
            grad_h[rows] += pieces[1]
            grad_c[rows] += pieces[2]
            grad_recurrent += pieces[3]
        ctx.graphs = None
        roots = (total.index_select(0, batch.roots) for total in (grad_h, grad_c))
        return grad_inputs, *roots, grad_recurrent, None, None


def _rows(block: Block, batch: ForestBatch) -> slice:
    """Forest rows of a block's nodes."""
    return slice(batch.n_words + block.begin, batch.n_words + block.end)


def _children(block: Block, batch: ForestBatch) -> Tensor:
    """Forest rows of their children, left and right in turn. *Shape:* ``(2 * n,)``."""
    return batch.children[block.begin : block.end].reshape(-1)
