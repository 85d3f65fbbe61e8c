"""The binary Tree-LSTM over a whole batch, with forward and backward pass written out.

It computes what torch's autograd would compute from :meth:`BinaryTreeLSTM.compose`, in fewer passes over
memory:

* because ``tanh(x) = 2 * sigmoid(2 * x) - 1``, with the inner factor folded into the weights of ``u``, one
  sigmoid serves all gates (torch's tanh costs several times its sigmoid on a CPU);
* blocks of at most 512 rows stay in the cache, and their results are written directly to flat buffers;
* the backward pass keeps the gradients of the gates of all levels, so that each weight needs one large
  product.

The identity loses small values of tanh in half precision, so this is for float32 and float64. Columns of
gates are ``f_left, f_right, i, o, u`` (at a leaf ``i, o, u``), where ``u`` is the sigmoid of the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from treesent.nn.layout import BLOCK, Layout
from treesent.nn.levels import leaf_gradient
from treesent.nn.matmul import LONG_STEP, STEP, gradient, padded, product


@dataclass(frozen=True, slots=True)
class _Kept:
    """Results of the forward pass that the backward pass needs.

    :param gates: of the inner nodes, block by block. *Shape:* ``(n, 5 * hidden)`` each
    :param leaf_gates: block by block. *Shape:* ``(n, 3 * hidden)`` each
    :param child_h: after dropout, the left child first, then rows of zeros.
        *Shape:* ``(n_inner or more, 2 * hidden)``
    :param child_c: the left child first. *Shape:* ``(n_inner, 2 * hidden)``
    :param tanh_c: of every state. *Shape:* ``(n_leaves + n_inner, hidden)``
    """

    gates: list[Tensor]
    leaf_gates: list[Tensor]
    child_h: Tensor
    child_c: Tensor
    tanh_c: Tensor


class FusedTreeLSTM(torch.autograd.Function):
    """Equations 9-14 of Tai et al. 2015 for all nodes of a batch, as one step of the graph."""

    @staticmethod
    def forward(
        ctx: Any,
        vectors: Tensor,
        input_weight: Tensor,
        recurrent: Tensor,
        bias: Tensor,
        mask: Tensor | None,
        layout: Layout,
        train: bool,
    ) -> tuple[Tensor, Tensor]:
        """Compute ``h`` and ``c`` of every state; shapes are those of :class:`BinaryTreeLSTM`."""
        hidden = bias.shape[1]
        input_weight, recurrent, folded = (
            _double_last(weight.clone(), hidden) for weight in (input_weight, recurrent, bias.view(-1))
        )
        h, c, kept = _ascend(vectors, input_weight, recurrent, folded, mask, layout, train)
        if train:
            ctx.save_for_backward(vectors, input_weight, recurrent, mask)
            ctx.layout, ctx.kept = layout, kept
        return h, c

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        """Descend from the roots, then compute the gradient of each weight in one product."""
        vectors, input_weight, recurrent, mask = ctx.saved_tensors
        layout: Layout = ctx.layout
        kept: _Kept = ctx.kept
        hidden = grad_h.shape[1]
        gates, leaves, grad_recurrent = _descend(grad_h, grad_c, recurrent, mask, layout, kept)
        sums = gates.sum(0)
        bias_sums = sums[hidden:] + torch.cat([sums[:hidden], leaves.sum(0)])
        grads = gradient(leaves, vectors), grad_recurrent, bias_sums
        grad_input, grad_recurrent, grad_bias = (_double_last(grad, hidden) for grad in grads)
        grad_vectors = product(leaves, input_weight.t().contiguous()) if ctx.needs_input_grad[0] else None
        return grad_vectors, grad_input, grad_recurrent, grad_bias.view(4, hidden), None, None, None


def _double_last(weight: Tensor, hidden: int) -> Tensor:
    """Double in place the rows of ``u``, the last ones: folds a weight, and unfolds its gradient."""
    weight[-hidden:].mul_(2)
    return weight


def _ascend(
    vectors: Tensor,
    input_weight: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    layout: Layout,
    train: bool,
) -> tuple[Tensor, Tensor, _Kept | None]:
    """Compute all states, leaves first; without gradients every block uses the same small workspace."""
    n_leaves, n_inner, hidden = layout.n_leaves, layout.n_inner, recurrent.shape[1] // 2
    h = vectors.new_empty(n_leaves + n_inner, hidden)
    c = torch.empty_like(h)
    tanh_c = torch.empty_like(h) if train else h
    leaf_gates, one = [], h.new_ones(())
    for rows in _leaf_blocks(n_leaves):
        g = product(vectors[rows], input_weight, bias[hidden:], sigmoid=True)
        i, o, u = g.chunk(3, 1)
        _double(torch.mul(i, u, out=c[rows])).sub_(i)
        _output(o, c[rows], tanh_c[rows], h[rows], one)
        if train:
            leaf_gates.append(g)
    forget_bias = torch.cat([bias[:hidden], bias])
    n_kept = n_inner if train else min(n_inner, BLOCK)
    child_h = vectors.new_zeros(_roomy(n_kept), 2 * hidden)
    child_c = vectors.new_empty(n_kept, 2 * hidden)
    index, gates = layout.children.view(-1), []
    for begin, end in layout.blocks:
        n, at = end - begin, begin if train else 0
        x, y, below = child_h[at : at + padded(n)], child_c[at : at + n], index[2 * begin : 2 * end]
        torch.index_select(h, 0, below, out=x[:n].view(2 * n, hidden))
        torch.index_select(c, 0, below, out=y.view(2 * n, hidden))
        if mask is not None:
            x[:n].view(n, 2, hidden).mul_(mask.index_select(0, layout.tree[begin:end])[:, None])
        g = product(x, recurrent, forget_bias, sigmoid=True)[:n]
        forget_left, forget_right, i, o, u = g.chunk(5, 1)
        left_c, right_c = y.chunk(2, 1)
        rows = slice(n_leaves + begin, n_leaves + end)
        new = _double(torch.mul(i, u, out=c[rows])).sub_(i)
        new.addcmul_(forget_left, left_c).addcmul_(forget_right, right_c)
        _output(o, new, tanh_c[rows], h[rows], one)
        if train:
            gates.append(g)
    if not train:
        return h, c, None
    return h, c, _Kept(gates, leaf_gates, child_h, child_c, tanh_c)


def _leaf_blocks(n_leaves: int) -> list[slice]:
    return [slice(begin, min(begin + BLOCK, n_leaves)) for begin in range(0, n_leaves, BLOCK)]


def _roomy(n: int) -> int:
    """Rows of a buffer in which every block of ``n`` may be padded; few distinct numbers."""
    return -(-(n + STEP) // LONG_STEP) * LONG_STEP


def _output(o: Tensor, c: Tensor, tanh_c: Tensor, h: Tensor, one: Tensor) -> None:
    """Equation 14 into ``h``, which may be ``tanh_c`` itself."""
    _double(torch.add(c, c, out=tanh_c).sigmoid_()).sub_(one)
    torch.mul(o, tanh_c, out=h)


def _double(x: Tensor) -> Tensor:
    """Double in place; torch would turn a plain 2 into a tensor first, at the cost of a small product."""
    return x.add_(x)


def _descend(
    grad_h: Tensor, grad_c: Tensor, recurrent: Tensor, mask: Tensor | None, layout: Layout, kept: _Kept
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the gradients of the pre-activations of inner nodes and leaves, and of the recurrent weights.

    A node has one parent, which keeps the node's gradient in a slot: the pass down only needs gathers.
    """
    n_leaves, n_inner, hidden = layout.n_leaves, layout.n_inner, grad_h.shape[1]
    across = recurrent.t().contiguous()
    gates = grad_h.new_empty(len(kept.child_h), 5 * hidden)
    gates[n_inner:].zero_()
    slots_h, slots_c = (grad_h.new_empty(2 * n_inner + 1, hidden) for _ in range(2))
    slots_h[-1].zero_()
    slots_c[-1].zero_()
    for (begin, end), g in zip(reversed(layout.blocks), reversed(kept.gates), strict=True):
        n, rows, below = end - begin, slice(n_leaves + begin, n_leaves + end), slice(2 * begin, 2 * end)
        parent, d, shape = layout.parent[begin:end], gates[begin:end], (n, 2, hidden)
        dh = slots_h.index_select(0, parent).add_(grad_h[rows])
        dc = slots_c.index_select(0, parent).add_(grad_c[rows])
        _cell_gradient(dh, dc, g[:, 2 * hidden :], kept.tanh_c[rows], d[:, 2 * hidden :])
        forget, d_forget = (x[:, : 2 * hidden].view(shape) for x in (g, d))
        torch.mul(dc[:, None], kept.child_c[begin:end].view(shape), out=d_forget)
        torch.mul(dc[:, None], forget, out=slots_c[below].view(shape))
        torch.ops.aten.sigmoid_backward.grad_input(d, g, grad_input=d)
        down = product(gates[begin : begin + padded(n)], across)[:n].view(shape)
        if mask is None:
            slots_h[below].view(shape).copy_(down)
        else:
            of_tree = mask.index_select(0, layout.tree[begin:end])[:, None]
            torch.mul(down, of_tree, out=slots_h[below].view(shape))
    dh, dc = leaf_gradient(grad_h, slots_h, layout), leaf_gradient(grad_c, slots_c, layout)
    leaves = grad_h.new_empty(n_leaves, 3 * hidden)
    for rows, g in zip(_leaf_blocks(n_leaves), kept.leaf_gates, strict=True):
        d = leaves[rows]
        _cell_gradient(dh[rows], dc[rows], g, kept.tanh_c[rows], d)
        torch.ops.aten.sigmoid_backward.grad_input(d, g, grad_input=d)
    return gates, leaves, gradient(gates, kept.child_h)


def _cell_gradient(dh: Tensor, dc: Tensor, gates: Tensor, tanh_c: Tensor, out: Tensor) -> None:
    """Write the gradients of the gates ``i, o, u`` to ``out``; add to ``dc`` what comes through ``h``."""
    i, o, u = gates.chunk(3, 1)
    di, do, du = out.chunk(3, 1)
    torch.mul(dh, tanh_c, out=do)
    through = dh.mul_(o)
    dc.add_(torch.ops.aten.tanh_backward.grad_input(through, tanh_c, grad_input=through))
    _double(torch.mul(dc, u, out=di)).sub_(dc)
    _double(torch.mul(dc, i, out=du))
