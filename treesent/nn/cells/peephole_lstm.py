"""The LSTM with peephole connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.cells.cell import State
from treesent.nn.cells.forget_gate import ForgetGateCell


class PeepholeLSTM(ForgetGateCell):
    r"""LSTM whose gates see the cell state (Gers and Schmidhuber 2000; Graves 2013, eqs. 7-11).

    .. math::
        i = \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i), \quad
        f = \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f)

        c_t = f \odot c_{t-1} + i \odot \tanh(W_u x_t + U_u h_{t-1} + b_u)

        o = \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o), \quad h_t = o \odot \tanh c_t

    Blocks are ``i, f, u, o``, those of ``peephole`` ``i, f, o``.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    :param forget_bias: see :class:`~treesent.nn.cells.forget_gate.ForgetGateCell`.
    """

    n_gates, n_states = 4, 2

    def make_weights(self, generator: torch.Generator | None) -> None:
        """See :meth:`Cell.make_weights`."""
        super().make_weights(generator)
        bound = self.hidden**-0.5
        peephole = torch.empty(3 * self.hidden).uniform_(-bound, bound, generator=generator)
        self.peephole = nn.Parameter(peephole)

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        i, f, u, o = torch.addmm(preactivations, h_prev, recurrent).chunk(4, 1)
        p_i, p_f, p_o = self.peephole.chunk(3)
        i = torch.addcmul(i, p_i, state[1]).sigmoid()
        f = torch.addcmul(f, p_f, state[1]).sigmoid()
        c = torch.addcmul(i * u.tanh(), f, state[1])
        return torch.addcmul(o, p_o, c).sigmoid() * c.tanh(), c
