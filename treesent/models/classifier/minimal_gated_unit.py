"""The minimal gated network: layers of :class:`~treesent.nn.cells.MinimalGatedUnit`."""

from treesent.config import section
from treesent.models.classifier.recurrent_config import RecurrentConfig
from treesent.nn.cells import MinimalGatedUnit


@section
class MinimalGatedUnitConfig(RecurrentConfig):
    """Settings of the minimal gated unit: see :class:`~treesent.models.classifier.recurrent_config.RecurrentConfig`."""

    kind = MinimalGatedUnit
