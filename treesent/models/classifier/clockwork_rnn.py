"""The clockwork recurrent network: layers of :class:`~treesent.nn.cells.Clockwork`."""

from __future__ import annotations

import torch
from pydantic import PositiveInt

from treesent.config import section
from treesent.errors import RecipeError
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Cell, Clockwork


@section
class ClockworkConfig(RecurrentConfig):
    """Settings of the clockwork network.

    See :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig` for the others.
    """

    kind = Clockwork
    modules: PositiveInt = 4
    """Number of modules; module ``i`` changes at every ``2 ** i``-th step."""

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew, which the short form of super() does not follow.
        RecurrentConfig.__post_init__(self)
        if self.modules > self.hidden:
            raise RecipeError(f"modules is {self.modules}; must be at most hidden, {self.hidden}")

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return Clockwork(width, self.hidden, generator, modules=self.modules)
