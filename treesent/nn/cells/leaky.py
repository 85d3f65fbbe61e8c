"""Leaky units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from treesent.nn.cells.cell import Cell, State


class Leaky(Cell):
    r"""Leaky units (Jaeger et al. 2007, eq. 2; Bengio et al. 2013, section 3.1).

    .. math:: h_t = (1 - a) h_{t-1} + a \tanh(W x_t + U h_{t-1} + b)

    A unit forgets at its rate :math:`a`: rate 1 is Elman's network, and rate 0.1 averages over about ten
    words, along which gradients pass without vanishing.

    :param width: of the inputs.
    :param hidden: of the states.
    :param generator: source of the initial weights.
    :param rate: of the fastest unit, in (0, 1].
    :param slowest: rate of the slowest unit; the units between are spaced evenly on a logarithmic scale.
        None gives all units the same rate.
    :param tune: learn the rates; a logistic function keeps each of them between 0 and 1.
    """

    fixed: Tensor

    def __init__(
        self,
        width: int,
        hidden: int,
        generator: torch.Generator | None = None,
        *,
        rate: float = 1.0,
        slowest: float | None = 0.1,
        tune: bool = False,
    ) -> None:
        super().__init__(width, hidden, generator)
        rates = torch.logspace(0, 1, hidden, base=(slowest or rate) / rate) * rate
        self.tune = tune
        if tune:
            self.logit = nn.Parameter(torch.logit(rates))
        else:
            self.register_buffer("fixed", rates, persistent=False)

    @property
    def rates(self) -> Tensor:
        """Rate of each unit. *Shape:* ``(hidden,)``."""
        rates: Tensor = torch.sigmoid(self.logit) if self.tune else self.fixed
        return rates

    def step(self, preactivations: Tensor, h_prev: Tensor, state: State, recurrent: Tensor, t: int) -> State:
        """See :meth:`Cell.step`."""
        new = torch.addmm(preactivations, h_prev, recurrent).tanh()
        return (torch.lerp(state[0].to(new.dtype), new, self.rates.to(new.dtype).expand_as(new)),)
