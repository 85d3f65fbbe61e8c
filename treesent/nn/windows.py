"""Recurrent cells over a window of parallel streams, from an initial state to a final one.

All sequences of a window have the same length and continue in the next window, unlike packed sequences
(:mod:`treesent.nn.sequences`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from treesent.nn.cells import LSTM, Cell, State
from treesent.nn.matmul import gradient, product
from treesent.nn.precision import at_least_float32


def run_window(
    cell: Cell,
    preactivations: Tensor,
    state: State,
    keep: Tensor,
    mask: Tensor | None = None,
    t: int = 0,
) -> tuple[Tensor, State]:
    """Take the steps of a window.

    :param cell: any.
    :param preactivations: the part that depends on the inputs, see
        :meth:`~treesent.nn.cells.Cell.project`. *Shape:* ``(steps, batch, n_gates * hidden)``
    :param state: before the window. *Shape:* ``(batch, hidden)`` each
    :param keep: 0 where a new sequence starts, from a state of zeros, and 1 elsewhere.
        *Shape:* ``(steps, batch, 1)``
    :param mask: of the states. *Shape:* ``(batch, hidden)``
    :param t: number of the first step since the stream began.
    :returns: the states after each step, *Shape:* ``(steps, batch, hidden)``, and the state after the window.
    """
    if isinstance(cell, LSTM) and mask is None and preactivations.device.type == "cpu":
        outputs, *last = LSTMWindow.apply(preactivations, cell.kernel.weight_hh_l0, keep, *state)  # type: ignore[no-untyped-call]
        return outputs, tuple(last)
    recurrent, outputs = cell.recurrent_weight(), []
    state = tuple(each.to(preactivations.dtype) for each in state)
    keep = keep.to(preactivations.dtype)
    for step, (part, kept) in enumerate(zip(preactivations.unbind(), keep.unbind(), strict=True), t):
        state = tuple(each * kept for each in state)
        h_prev = state[0] if mask is None else state[0] * mask
        state = cell.step(part, h_prev, state, recurrent, step)
        outputs.append(state[0])
    return torch.stack(outputs), state


def gather(table: Tensor, rows: Tensor) -> Tensor:
    """Compute ``table.index_select(0, rows)`` for a small table whose rows occur many times.

    The gradient is a product with ones and zeros, which accumulates in float32 even if the rows are bfloat16.

    :param table: *Shape:* ``(n_rows, width)``
    :param rows: *Shape:* ``(n,)``
    :returns: *Shape:* ``(n, width)``
    """
    return _Gather.apply(table, rows)  # type: ignore[no-any-return,no-untyped-call]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.n_rows = len(table)
        return table.index_select(0, rows)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        if grad.dtype == torch.float32 and grad.device.type == "cpu":
            return grad.new_zeros(ctx.n_rows, grad.shape[1]).index_add_(0, rows, grad), None
        ones = grad.new_zeros(len(rows), ctx.n_rows).scatter_(1, rows[:, None], 1.0)
        return torch.mm(ones.t(), grad), None


class LSTMWindow(torch.autograd.Function):
    """The steps of :class:`~treesent.nn.cells.LSTM`, forward and backward by hand.

    One sigmoid serves all gates, because ``tanh(x) = 2 * sigmoid(2 * x) - 1``, and one product gives the
    gradient of the weights over all steps. Products are in the type of ``gates``, bfloat16 under autocast;
    the cell state and everything between products is in float32.
    """

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, weight: Tensor, keep: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, ...]:
        """Take the steps; shapes are those of :func:`run_window`."""
        steps, batch, width = gates.shape
        weight = weight.to(gates.dtype).contiguous()
        c = c.to(torch.promote_types(gates.dtype, torch.float32))
        outputs, h_prev = (gates.new_empty(steps, batch, width // 4) for _ in range(2))
        c_prev, tanh = (c.new_empty(steps, batch, width // 4) for _ in range(2))
        keep_h, keep_c = keep.to(gates.dtype), keep.to(c.dtype)
        # A tensor per step reuses the memory of the last window; one for all steps would be allocated anew.
        kept, one = [], c.new_ones(())
        for t in range(steps):
            torch.mul(outputs[t - 1] if t else h.to(gates.dtype), keep_h[t], out=h_prev[t])
            torch.mul(c, keep_c[t], out=c_prev[t])
            g = _product(h_prev[t], weight, gates[t]).to(c.dtype)
            i, f, u, o = g.chunk(4, 1)
            u.add_(u)
            kept.append(g.sigmoid_())
            c = torch.mul(i, u)
            c.add_(c).sub_(i).addcmul_(f, c_prev[t])
            double = torch.add(c, c, out=tanh[t]).sigmoid_()
            double.add_(double).sub_(one)
            outputs[t] = o * double
        ctx.save_for_backward(weight)
        ctx.kept = h_prev, kept, c_prev, tanh, keep_c
        return outputs, outputs[-1].clone(), c

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_h: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through the steps, then compute the gradient of the weights in one product."""
        (weight,) = ctx.saved_tensors
        h_prev, kept, c_prev, tanh, keep = ctx.kept
        steps, (batch, width) = len(kept), kept[0].shape
        across, d_gates = weight.t().contiguous(), grad.new_empty(steps, batch, width)
        from_above, d = grad_h.to(keep.dtype), torch.empty_like(kept[0])
        dc = grad_c.to(keep.dtype).clone()
        for t in range(steps - 1, -1, -1):
            (i, f, u, o), (di, df, du, do) = kept[t].chunk(4, 1), d.chunk(4, 1)
            dh = from_above.add_(grad[t]) if t < steps - 1 else from_above + grad[t]
            torch.mul(dh, tanh[t], out=do)
            through = dh.mul_(o)
            dc.add_(torch.ops.aten.tanh_backward.grad_input(through, tanh[t], grad_input=through))
            torch.mul(dc, u, out=di)
            di.add_(di).sub_(dc)
            torch.mul(dc, i, out=du)
            du.add_(du)
            torch.mul(dc, c_prev[t], out=df)
            dc.mul_(f).mul_(keep[t])
            # Of the doubled argument of u; its own factor of 2 comes after.
            torch.ops.aten.sigmoid_backward.grad_input(d, kept[t], grad_input=d)
            du.add_(du)
            d_gates[t] = d
            from_above = torch.mul(_product(d_gates[t], across), keep[t])
        rows = steps * batch
        d_weight = _outer(d_gates.view(rows, width), h_prev.view(rows, -1))
        return d_gates, d_weight, None, from_above, dc


def _product(rows: Tensor, weight: Tensor, more: Tensor | None = None) -> Tensor:
    """Compute ``rows @ weight.t() + more`` by the fastest product of the type."""
    if rows.dtype == torch.float32:
        found = product(rows, weight)
        return found if more is None else found.add_(more)
    return torch.mm(rows, weight.t()) if more is None else torch.addmm(more, rows, weight.t())


def _outer(outer: Tensor, rows: Tensor) -> Tensor:
    """Compute the gradient of a weight, at least in float32."""
    if rows.dtype == torch.float32:
        return gradient(outer, rows)
    found = torch.mm(outer.t(), rows)
    return at_least_float32(found)
