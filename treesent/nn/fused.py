"""The binary Tree-LSTM over a whole batch, forward and backward by hand.

What torch's autograd would do with :meth:`BinaryTreeLSTM.compose`, in fewer passes over memory:

* ``tanh(x) = 2 * sigmoid(2 * x) - 1``, with the inner factor folded into the weights of ``u``, leaves one
  sigmoid for all gates (torch's tanh costs several times its sigmoid on a CPU);
* blocks of at most 512 rows stay in the cache, and their results go straight into flat buffers;
* what a leaf adds to its parent's gates is computed once per distinct word and side, not once per parent;
* the backward pass keeps the gates' gradients of all levels, so that each weight needs one large matmul.

The identity loses the small values of tanh in half precision, so this is for float32 and float64.
Columns of gates are ``f_left, f_right, i, o, u`` (at a leaf ``i, o, u``), where ``u`` is the sigmoid of the
identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from treesent.nn.batch import BLOCK, Layout, Side
from treesent.nn.levels import leaf_gradient
from treesent.nn.matmul import add_product


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the backward pass needs of the forward one.

    :param gates: of the inner nodes. *Shape:* (n_inner, 5 * hidden)
    :param leaf_gates: *Shape:* (n_leaves, 3 * hidden)
    :param words: masked states of the leaves on the left and on the right. *Shape of each:* (n_word, hidden)
    :param child_h: masked states of inner children, left ones first. *Shape:* (n_slots, hidden)
    :param child_c: *Shape:* (2 * n_inner, hidden)
    :param tanh_c: of every state. *Shape:* (n_leaves + n_inner, hidden)
    """

    gates: Tensor
    leaf_gates: Tensor
    words: tuple[Tensor, Tensor]
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
        """Descend from the roots, then multiply out the gradients of the weights."""
        vectors, input_weight, recurrent, mask = ctx.saved_tensors
        layout: Layout = ctx.layout
        kept: _Kept = ctx.kept
        hidden = grad_h.shape[1]
        gates, leaves, grad_recurrent = _descend(grad_h, grad_c, recurrent, mask, layout, kept)
        sums = gates.sum(0)
        shared = sums[hidden:] + torch.cat([sums[:hidden], leaves.sum(0)])
        grads = torch.mm(leaves.t(), vectors), grad_recurrent, shared
        grad_input, grad_recurrent, grad_bias = (_double_last(grad, hidden) for grad in grads)
        grad_vectors = torch.mm(leaves, input_weight) if ctx.needs_input_grad[0] else None
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
    """Compute all states, leaves first; outside training every block uses the same small workspace."""
    n_leaves, n_inner, hidden = layout.n_leaves, layout.n_inner, recurrent.shape[1] // 2
    n_kept, n_kept_leaves = (n_inner, n_leaves) if train else (min(n_inner, BLOCK), min(n_leaves, BLOCK))
    h = vectors.new_empty(n_leaves + n_inner, hidden)
    c = torch.empty_like(h)
    tanh_c = torch.empty_like(h) if train else h
    leaf_gates = vectors.new_empty(n_kept_leaves, 3 * hidden)
    for begin in range(0, n_leaves, BLOCK):
        end = min(begin + BLOCK, n_leaves)
        g = leaf_gates[begin:end] if train else leaf_gates[: end - begin]
        add_product(g.copy_(bias[hidden:]), vectors[begin:end], input_weight)
        i, o, u = g.sigmoid_().chunk(3, 1)
        rows = slice(begin, end)
        torch.mul(i, u, out=c[rows]).mul_(2).sub_(i)
        _output(o, c[rows], tanh_c[rows], h[rows])
    halves = [half.contiguous() for half in recurrent.chunk(2, 1)]
    forget_bias = torch.cat([bias[:hidden], bias])
    words = _masked_words(h, layout.left, mask), _masked_words(h, layout.right, mask)
    tables = _project(words[0], halves[0], None), _project(words[1], halves[1], forget_bias)
    gates = vectors.new_empty(n_kept, 5 * hidden)
    child_c = vectors.new_empty(2 * n_kept, hidden)
    n_left, n_right = len(layout.left.inner), len(layout.right.inner)
    child_h = vectors.new_empty(n_left + n_right if train else BLOCK, hidden)
    index, at_left, at_right = layout.children.view(-1), 0, n_left
    for begin, left, right, end in layout.blocks:
        n, at = end - begin, begin if train else 0
        g, y = gates[at : at + n], child_c[2 * at : 2 * (at + n)]
        torch.index_select(tables[0], 0, layout.left.place[begin:end], out=g)
        g.add_(tables[1].index_select(0, layout.right.place[begin:end]))
        if left < end:
            x = child_h[at_left : at_left + end - left] if train else child_h[: end - left]
            torch.index_select(h, 0, layout.left.child[at_left : at_left + end - left], out=x)
            if mask is not None:
                x.mul_(mask.index_select(0, layout.tree[left:end]))
            add_product(g[left - begin :], x, halves[0])
            at_left += end - left
        if begin < right:
            x = child_h[at_right : at_right + right - begin] if train else child_h[: right - begin]
            first = at_right - n_left
            torch.index_select(h, 0, layout.right.child[first : first + right - begin], out=x)
            if mask is not None:
                x.mul_(mask.index_select(0, layout.tree[begin:right]))
            add_product(g[: right - begin], x, halves[1])
            at_right += right - begin
        torch.index_select(c, 0, index[2 * begin : 2 * end], out=y)
        forget_left, forget_right, i, o, u = g.sigmoid_().chunk(5, 1)
        left_c, right_c = y.view(n, 2 * hidden).chunk(2, 1)
        rows = slice(n_leaves + begin, n_leaves + end)
        torch.mul(i, u, out=c[rows]).mul_(2).sub_(i)
        c[rows].addcmul_(forget_left, left_c).addcmul_(forget_right, right_c)
        _output(o, c[rows], tanh_c[rows], h[rows])
    return h, c, _Kept(gates, leaf_gates, words, child_h, child_c, tanh_c) if train else None


def _masked_words(h: Tensor, side: Side, mask: Tensor | None) -> Tensor:
    """States of the leaves on one side; a mask of each tree allows no sharing between trees."""
    words = h.index_select(0, side.word)
    if mask is None or side.tree is None:
        return words
    return words.mul_(mask.index_select(0, side.tree))


def _project(words: Tensor, half: Tensor, bias: Tensor | None) -> Tensor:
    """What each leaf adds to its parent's gates, and in the last row what stands there for an inner node."""
    table = words.new_zeros(len(words) + 1, len(half))
    if bias is not None:
        table.add_(bias)
    for begin in range(0, len(words), BLOCK):
        rows = words[begin : begin + BLOCK]
        add_product(table[begin : begin + len(rows)], rows, half)
    return table


def _output(o: Tensor, c: Tensor, tanh_c: Tensor, h: Tensor) -> None:
    """Equation 14 into ``h``, which may be ``tanh_c`` itself."""
    torch.mul(c, 2, out=tanh_c).sigmoid_().mul_(2).sub_(1)
    torch.mul(o, tanh_c, out=h)


def _descend(
    grad_h: Tensor, grad_c: Tensor, recurrent: Tensor, mask: Tensor | None, layout: Layout, kept: _Kept
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the gates before their sigmoid, inner nodes' and leaves', and of the recurrent matrix.

    A node has one parent, in whose slots its gradient waits: the way down is gathers alone.
    """
    n_leaves, n_inner, hidden = layout.n_leaves, layout.n_inner, grad_h.shape[1]
    n_left, n_slots = len(layout.left.inner), len(kept.child_h)
    halves = recurrent.chunk(2, 1)
    gates = torch.empty_like(kept.gates)
    slots_h, slots_c = grad_h.new_empty(n_slots + 1, hidden), grad_h.new_empty(2 * n_inner + 1, hidden)
    slots_h[-1].zero_()
    slots_c[-1].zero_()
    at_left, at_right = n_left, n_slots
    for begin, left, right, end in reversed(layout.blocks):
        n, rows = end - begin, slice(n_leaves + begin, n_leaves + end)
        dh = torch.index_select(slots_h, 0, layout.slot[begin:end]).add_(grad_h[rows])
        dc = torch.index_select(slots_c, 0, layout.parent[begin:end]).add_(grad_c[rows])
        g, d = kept.gates[begin:end], gates[begin:end]
        _cell_gradient(dh, dc, g[:, 2 * hidden :], kept.tanh_c[rows], d[:, 2 * hidden :])
        children, shape = slice(2 * begin, 2 * end), (n, 2, hidden)
        forget, d_forget = (x[:, : 2 * hidden].view(shape) for x in (g, d))
        torch.mul(dc[:, None], kept.child_c[children].view(shape), out=d_forget)
        torch.mul(dc[:, None], forget, out=slots_c[children].view(shape))
        torch.ops.aten.sigmoid_backward.grad_input(d, g, grad_input=d)
        if left < end:
            at_left -= end - left
            below = slots_h[at_left : at_left + end - left]
            torch.mm(d[left - begin :], halves[0], out=below)
            if mask is not None:
                below.mul_(mask.index_select(0, layout.tree[left:end]))
        if begin < right:
            at_right -= right - begin
            below = slots_h[at_right : at_right + right - begin]
            torch.mm(d[: right - begin], halves[1], out=below)
            if mask is not None:
                below.mul_(mask.index_select(0, layout.tree[begin:right]))
    dh, dc = grad_h[:n_leaves].clone(), leaf_gradient(grad_c, slots_c, layout)
    sides = (layout.left, kept.child_h[:n_left]), (layout.right, kept.child_h[n_left:])
    grads = []
    for (side, child), words, half in zip(sides, kept.words, halves, strict=True):
        below = gates.new_zeros(len(words) + 1, 5 * hidden).index_add_(0, side.place, gates)[:-1]
        grads.append(torch.mm(below.t(), words).addmm_(gates.index_select(0, side.inner).t(), child))
        back = torch.mm(below, half)
        if mask is not None and side.tree is not None:
            back.mul_(mask.index_select(0, side.tree))
        dh.index_add_(0, side.word, back)
    leaves = torch.empty_like(kept.leaf_gates)
    _cell_gradient(dh, dc, kept.leaf_gates, kept.tanh_c[:n_leaves], leaves)
    torch.ops.aten.sigmoid_backward.grad_input(leaves, kept.leaf_gates, grad_input=leaves)
    return gates, leaves, torch.cat(grads, 1)


def _cell_gradient(dh: Tensor, dc: Tensor, gates: Tensor, tanh_c: Tensor, out: Tensor) -> None:
    """Gradients of ``i, o, u`` after their sigmoid into ``out``; adds to ``dc`` what comes through ``h``."""
    i, o, u = gates.chunk(3, 1)
    di, do, du = out.chunk(3, 1)
    torch.mul(dh, tanh_c, out=do)
    through = dh.mul_(o)
    dc.add_(torch.ops.aten.tanh_backward.grad_input(through, tanh_c, grad_input=through))
    torch.mul(dc, u, out=di).mul_(2).sub_(dc)
    torch.mul(dc, i, out=du).mul_(2)
