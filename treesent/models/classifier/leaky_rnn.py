"""The leaky recurrent network: layers of :class:`~treesent.nn.cells.Leaky`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from treesent.errors import RecipeError
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Cell, Leaky


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyConfig(RecurrentConfig):
    """Settings of leaky units: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`.

    :param rate: of the fastest unit, in (0, 1].
    :param slowest: rate of the slowest unit; None gives all units the same rate.
    :param tune_rates: learn the rates.
    :raises RecipeError: if a rate is invalid.
    """

    kind = Leaky

    rate: float = 1.0
    slowest: float | None = 0.1
    tune_rates: bool = False

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew, which the short form of super() does not follow.
        RecurrentConfig.__post_init__(self)
        slowest = self.rate if self.slowest is None else self.slowest
        if not 0 < slowest <= self.rate <= 1:
            raise RecipeError(f"rate is {self.rate}, slowest {slowest}; give 0 < slowest <= rate <= 1")
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
