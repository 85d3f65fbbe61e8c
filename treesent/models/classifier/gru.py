"""The gated recurrent network: layers of :class:`~treesent.nn.cells.GRU`."""

from dataclasses import dataclass

from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import GRU


@dataclass(frozen=True, slots=True, kw_only=True)
class GRUConfig(RecurrentConfig):
    """Settings of the GRU: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = GRU
