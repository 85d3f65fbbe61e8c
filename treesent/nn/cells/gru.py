"""The gated recurrent unit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from treesent.nn.cells.cell import State
from treesent.nn.cells.torch_cell import TorchCell


class GRU(TorchCell):
    r"""Gated recurrent unit (Cho et al. 2014) in torch's variant, blocks ``r, z, n``.

    .. math::
        r, z = \sigma(W x_t + U h_{t-1} + b), \quad
        n = \tanh(W_n x_t + b_n + r \odot (U_n h_{t-1} + b'_n)), \quad
        h_t = (1 - z) \odot n + z \odot h_{t-1}

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    """

    n_gates, torch_module, affine = 3, nn.GRU, False
    gate_names = ("reset gate", "update gate")

    def project(self, inputs: Tensor) -> Tensor:
        """See :meth:`Cell.project`; a step adds the recurrent bias."""
        return functional.linear(inputs, self.kernel.weight_ih_l0, self.kernel.bias_ih_l0)

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        parts = [2 * self.hidden, self.hidden]
        input_rz, input_n = torch.split(preactivations, parts, 1)
        product = torch.addmm(self.kernel.bias_hh_l0, h_prev, recurrent)
        recurrent_rz, recurrent_n = torch.split(product, parts, 1)
        r, z = (input_rz + recurrent_rz).sigmoid().chunk(2, 1)
        n = torch.addcmul(input_n, r, recurrent_n).tanh()
        return (torch.lerp(n, state[0].to(z.dtype), z),)

    def gates(self, preactivations: Tensor, h_prev: Tensor, recurrent: Tensor) -> tuple[Tensor, ...]:
        """See :meth:`Cell.gates`."""
        product = torch.addmm(self.kernel.bias_hh_l0, h_prev, recurrent)
        r, z, _ = (preactivations + product).sigmoid().chunk(3, 1)
        return r, z
