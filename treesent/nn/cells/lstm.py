"""Long short-term memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.cells.cell import State
from treesent.nn.cells.forget_gate import ForgetGateCell
from treesent.nn.cells.torch_cell import TorchCell


class LSTM(ForgetGateCell, TorchCell):
    r"""Long short-term memory with forget gates (Gers et al. 2000), blocks ``i, f, u, o``.

    .. math::
        i, f, o = \sigma(W x_t + U h_{t-1} + b), \quad u = \tanh(W x_t + U h_{t-1} + b), \quad
        c_t = f \odot c_{t-1} + i \odot u, \quad h_t = o \odot \tanh c_t

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    :param forget_bias: see :class:`~treesent.nn.cells.forget_gate.ForgetGateCell`.
    """

    n_gates, n_states, torch_module = 4, 2, nn.LSTM
    gate_names = ("input gate", "forget gate", "output gate")

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        i_f, u, o = torch.split(
            torch.addmm(preactivations, h_prev, recurrent), [2 * self.hidden, self.hidden, self.hidden], 1
        )
        i, f = i_f.sigmoid().chunk(2, 1)
        c = torch.addcmul(i * u.tanh(), f, state[1])
        return o.sigmoid() * c.tanh(), c

    def gates(self, preactivations: Tensor, h_prev: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`Cell.gates`."""
        i, f, _, o = torch.addmm(preactivations, h_prev, recurrent).sigmoid().chunk(4, 1)
        return i, f, o
