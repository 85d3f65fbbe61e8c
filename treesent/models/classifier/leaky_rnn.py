"""The leaky recurrent network: layers of :class:`~treesent.nn.cells.Leaky`."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from treesent.config import section
from treesent.errors import RecipeError
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Cell, Leaky


@section
class LeakyConfig(RecurrentConfig):
    """Settings of leaky units: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = Leaky
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Rate of the fastest unit."""
    slowest: Annotated[float, Field(gt=0, le=1)] | None = 0.1
    """Rate of the slowest unit; null gives all units the same rate."""
    tune_rates: bool = False
    """Learn the rates."""

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew, which the short form of super() does not follow.
        RecurrentConfig.__post_init__(self)
        if self.slowest is not None and self.slowest > self.rate:
            raise RecipeError(f"slowest is {self.slowest}; must be at most rate, {self.rate}")
        if self.tune_rates and self.rate == 1:
            raise RecipeError(
                "tune_rates is true, but a rate of 1.0 cannot be learned, because its logit is infinite; give "
                "less than 1, for example rate = 0.9"
            )

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return Leaky(
            width, self.hidden, generator, rate=self.rate, slowest=self.slowest, tune=self.tune_rates
        )
