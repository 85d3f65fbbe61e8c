"""The clockwork recurrent network: layers of :class:`~treesent.nn.cells.Clockwork`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from treesent.errors import RecipeError
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import Cell, Clockwork


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockworkConfig(RecurrentConfig):
    """Settings of the clockwork network.

    See :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig` for the others.

    :param modules: number of modules; module ``i`` changes at every ``2 ** i``-th step.
    :raises RecipeError: if there are no modules, or more modules than hidden units.
    """

    kind = Clockwork

    modules: int = 4

    def __post_init__(self) -> None:
        # A dataclass with slots is made anew, which the short form of super() does not follow.
        RecurrentConfig.__post_init__(self)
        if not 1 <= self.modules <= self.hidden:
            raise RecipeError(f"modules is {self.modules}; give 1 to {self.hidden}, the hidden units")

    def cell(self, width: int, generator: torch.Generator | None) -> Cell:
        """See :meth:`RecurrentConfig.cell`."""
        return Clockwork(width, self.hidden, generator, modules=self.modules)
