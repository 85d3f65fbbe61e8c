"""The clockwork recurrent network."""

from __future__ import annotations

import torch
from torch import Tensor

from treesent.errors import RecipeError
from treesent.nn.cells.cell import Cell, State


class Clockwork(Cell):
    r"""Clockwork network (Koutník et al. 2014, eqs. 1-3): units in modules, each with its own clock.

    Module :math:`i` has the period :math:`2^i`. At the steps that its period divides, counted from 0, it
    computes Elman's equation from its own states and those of slower modules; at all others it keeps its
    state.

    :param width: of the inputs.
    :param hidden: of the states; the fastest module comes first.
    :param generator: source of the initial weights.
    :param modules: number of modules, whose widths differ by at most one unit.
    :raises RecipeError: if there are more modules than units.
    """

    open: Tensor

    def __init__(
        self, width: int, hidden: int, generator: torch.Generator | None = None, *, modules: int = 4
    ) -> None:
        super().__init__(width, hidden, generator)
        if not 1 <= modules <= hidden:
            raise RecipeError(f"modules is {modules} for {hidden} hidden units; give 1 to {hidden}")
        self.n_modules = modules
        narrow, n_wide = divmod(hidden, modules)
        unit = torch.arange(hidden)
        module = torch.maximum(unit // (narrow + 1), (unit - n_wide) // narrow)
        self.register_buffer("open", (module[:, None] <= module[None]).float(), persistent=False)

    def recurrent_weight(self) -> Tensor:
        """See :meth:`Cell.recurrent_weight`; weights from faster to slower modules are zero."""
        weight: Tensor = self.recurrent * self.open
        return weight.t()

    def active(self, t: int) -> int:
        """Count the units that change at a step.

        :param t: number of the step, from 0.
        """
        # The periods that divide a number are those up to its lowest bit.
        clocks = min((t & -t).bit_length() if t else self.n_modules, self.n_modules)
        return self.end(clocks - 1)

    def end(self, module: int) -> int:
        """Give the unit after the last one of a module.

        :param module: its number, from 0.
        """
        narrow, n_wide = divmod(self.hidden, self.n_modules)
        return (module + 1) * narrow + min(module + 1, n_wide)

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        n = self.active(t)
        new = torch.addmm(preactivations[:, :n], h_prev, recurrent[:, :n]).tanh()
        return (new if n == self.hidden else torch.cat([new, state[0][:, n:]], 1),)
