"""Cells whose forget gates start open."""

from __future__ import annotations

from typing import ClassVar

import torch

from treesent.nn.cells.cell import Cell


class ForgetGateCell(Cell):
    """A cell with forget gates, whose bias starts at a constant.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    :param forget_bias: initial bias of the forget gates (1 in Jozefowicz et al. 2015).
    """

    forget_block: ClassVar[int] = 1
    """Index of the forget gate's block."""

    def __init__(
        self,
        width: int,
        hidden: int,
        generator: torch.Generator | None = None,
        *,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(width, hidden, generator)
        with torch.no_grad():
            self.input_bias().view(-1, hidden)[self.forget_block].fill_(forget_bias)
