"""The minimal gated unit."""

from __future__ import annotations

import torch
from torch import Tensor

from treesent.nn.cells.cell import Cell, State


class MinimalGatedUnit(Cell):
    r"""Minimal gated unit (Zhou et al. 2016, eqs. 5a-5c), blocks ``f, n``.

    .. math::
        f = \sigma(W_f x_t + U_f h_{t-1} + b_f), \quad
        n = \tanh(W_n x_t + U_n (f \odot h_{t-1}) + b_n), \quad
        h_t = (1 - f) \odot h_{t-1} + f \odot n

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    """

    n_gates, affine = 2, False

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        f, n = preactivations.chunk(2, 1)
        f = torch.addmm(f, h_prev, recurrent[:, : self.hidden]).sigmoid()
        n = torch.addmm(n, f * h_prev, recurrent[:, self.hidden :]).tanh()
        return (torch.lerp(state[0].to(n.dtype), n, f),)
