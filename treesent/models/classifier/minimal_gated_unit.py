"""The minimal gated network: layers of :class:`~treesent.nn.cells.MinimalGatedUnit`."""

from dataclasses import dataclass

from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import MinimalGatedUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimalGatedUnitConfig(RecurrentConfig):
    """Settings of the minimal gated unit: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = MinimalGatedUnit
