"""The LSTM with coupled input and forget gates."""

from __future__ import annotations

import torch
from torch import Tensor

from treesent.nn.cells.cell import State
from treesent.nn.cells.forget_gate import ForgetGateCell


class CoupledLSTM(ForgetGateCell):
    r"""LSTM with coupled input and forget gates (Greff et al. 2017, "CIFG"), blocks ``f, u, o``.

    .. math::
        c_t = f \odot c_{t-1} + (1 - f) \odot \tanh(W_u x_t + U_u h_{t-1} + b_u), \quad
        h_t = o \odot \tanh c_t

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    :param forget_bias: see :class:`~treesent.nn.cells.forget_gate.ForgetGateCell`.
    """

    n_gates, n_states, forget_block = 3, 2, 0

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        f, u, o = torch.addmm(preactivations, h_prev, recurrent).chunk(3, 1)
        c = torch.lerp(u.tanh(), state[1].to(u.dtype), f.sigmoid())
        return o.sigmoid() * c.tanh(), c
