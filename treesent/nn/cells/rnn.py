"""The simple recurrent network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.cells.cell import State
from treesent.nn.cells.torch_cell import TorchCell


class Elman(TorchCell):
    r"""Simple recurrent network (Elman 1990): :math:`h_t = \tanh(W x_t + U h_{t-1} + b)`.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    """

    torch_module = nn.RNN

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        return (torch.addmm(preactivations, h_prev, recurrent).tanh(),)
