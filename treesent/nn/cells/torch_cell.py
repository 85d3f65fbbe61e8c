"""Cells that torch has too."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from treesent.nn.cells.cell import Cell
from treesent.nn.sequences import Steps


class TorchCell(Cell):
    """A cell with the weights of a torch module, whose kernel runs on a GPU unless the states have a mask."""

    torch_module: ClassVar[type[nn.RNNBase]]
    kernel: Any

    def make_weights(self, generator: torch.Generator | None) -> None:
        """See :meth:`Cell.make_weights`."""
        # Made empty first, because torch's own initialisation would advance its global generator.
        kind: type[nn.Module] = self.torch_module
        self.kernel = kind(self.width, self.hidden, device="meta").to_empty(device=torch.get_default_device())
        with torch.no_grad():
            for name, weight in self.kernel.named_parameters():
                if name.startswith("bias"):
                    weight.zero_()
                else:
                    bound = self.hidden**-0.5
                    nn.init.uniform_(weight, -bound, bound, generator=generator)

    def forward(
        self, inputs: Tensor, steps: Steps, index: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """See :meth:`Cell.forward`."""
        if mask is None and inputs.is_cuda and not self.record:
            return self.run_kernel(inputs if index is None else inputs.index_select(0, index), steps)
        return super().forward(inputs, steps, index, mask)

    def input_bias(self) -> Tensor:
        """See :meth:`Cell.input_bias`; torch's second bias starts at zero."""
        bias: Tensor = self.kernel.bias_ih_l0
        return bias

    def run_kernel(self, inputs: Tensor, steps: Steps) -> Tensor:
        """Run torch's kernel.

        :param inputs: of every row. *Shape:* ``(n_rows, width)``
        :param steps: number of sequences at each step.
        :returns: the state after each row. *Shape:* ``(n_rows, hidden)``
        """
        packed: PackedSequence = self.kernel(PackedSequence(inputs, steps.batch_sizes))[0]
        return packed.data

    def project(self, inputs: Tensor) -> Tensor:
        """See :meth:`Cell.project`."""
        bias = self.kernel.bias_ih_l0 + self.kernel.bias_hh_l0
        return functional.linear(inputs, self.kernel.weight_ih_l0, bias)

    def recurrent_weight(self) -> Tensor:
        """See :meth:`Cell.recurrent_weight`."""
        weight: Tensor = self.kernel.weight_hh_l0
        return weight.t()
